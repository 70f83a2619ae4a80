// Makes the state of another node that of this one (protocol 6): each checked piece becomes rows in the store, in the
// turn in which it came. A mark says that this is under way, for until it is done the rows are partly of one moment and
// partly of another; the node then begins anew from the store, at the checkpoint. Nothing that it said above the
// checkpoint is touched.

import { sha256 } from "../crypto/hash.js";
import type { Incarnations } from "../execution/incarnations.js";
import { positionsIn } from "../execution/positions.js";
import type { StateRoot } from "../execution/root.js";
import { accountsIn } from "../execution/rows.js";
import type { StableCheckpoint } from "../intra/checkpoint.js";
import type { ClusterLog } from "../intra/engine.js";
import {
  accountKey,
  blockKey,
  certificatesKey,
  checkpointKey,
  chunkKey,
  expiryOfPageKey,
  heightKey,
  heightSchema,
  historyKey,
  historySchema,
  listOfReplyKeys,
  placedKey,
  placedSchema,
  positionKey,
  positionSchema,
  progressKey,
  progressSchema,
  recordKey,
  replyKey,
  slotKey,
  snapshotKey,
} from "../ledger/keys.js";
import type { LedgerRecord } from "../ledger/records.js";
import type { Reader, Write } from "../types/effects.js";
import { fromHex, type NodeRef, type Slot } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { RejoinClaim } from "../types/message.js";
import { certificateSchema, committedSchema, type StatePiece, storedAccountSchema } from "../types/schema.js";
import type { StatePart } from "../types/state-transfer.js";
import type { Topology } from "../types/topology.js";
import type { IncarnationTable } from "./incarnations.js";
import { type Head, sumRow } from "./recorder.js";
import type { CheckedRecord } from "./records.js";
import type { History } from "./restore.js";
import { storedIdsIn } from "./state-pieces.js";

/** Which nodes have rejoined how often at the checkpoint, and their own words. */
export interface Rejoined {
  readonly all: Incarnations["all"];
  readonly claims: readonly RejoinClaim[];
}

export interface TakenState {
  readonly target: StableCheckpoint;
  /** The checkpoint's. */
  readonly last: CheckedRecord;
  readonly rejoined: Rejoined;
  /** The log on disk begins after this slot. */
  readonly forgotten: Slot;
}

export interface InstallerOptions {
  readonly topology: Topology;
  readonly self: NodeRef;
  readonly reader: Reader;
  readonly root: StateRoot;
  readonly engine: Pick<ClusterLog, "stored">;
  /** The end of this node's own view. */
  readonly head: () => Head;
  readonly table: IncarnationTable;
  /** Records that are missing already. */
  readonly history: History | undefined;
}

export class Installer {
  readonly #options: InstallerOptions;
  /** The target of the mark. */
  #marked: Slot | undefined;

  constructor(options: InstallerOptions) {
    this.#options = options;
  }

  /** Whatever happens from now on, the node goes on with this and does nothing else. */
  mark({ checkpoint, certificate }: StableCheckpoint, persist: Write[]): void {
    if (this.#marked === checkpoint.slot) return;
    this.#marked = checkpoint.slot;
    persist.push({ key: snapshotKey(), value: certificateSchema.encode(certificate) });
  }

  install(part: Exclude<StatePart, "list">, pieces: readonly StatePiece[], persist: Write[]): void {
    for (const { number, bytes } of pieces) {
      if (part === "accounts") this.#installAccounts(number, bytes, persist);
      else if (part === "positions") this.#installPositions(number, bytes, persist);
      else installIds(number, bytes, persist);
    }
    // Until the end the store's last record is this node's own.
    if (part === "accounts") persist.push(sumRow(this.#options.head().height, this.#options.root));
  }

  /** All of the state is here, and the checkpoint's record. */
  finish({ target, last, rejoined, forgotten }: TakenState, persist: Write[]): void {
    const { engine, table, root } = this.#options;
    const { checkpoint, certificate } = target;
    const { record, encoded, certificates, block } = last;
    const { slot, height } = checkpoint;
    const digest = fromHex(record.digest);
    persist.push(
      { key: blockKey(block.digest), value: block.bytes },
      { key: recordKey(height), value: encoded },
      { key: certificatesKey(height), value: committedSchema.encode({ digest, certificates }) },
      { key: progressKey(), value: progressSchema.encode({ slot }) },
      { key: checkpointKey(), value: certificateSchema.encode(certificate) },
      { key: historyKey(), value: this.#missingBelow(record) },
      { key: snapshotKey(), value: undefined },
      sumRow(height, root),
    );
    table.install(rejoined.all, { claims: rejoined.claims, height }, persist);
    for (let each = forgotten + 1; each <= Math.min(slot, forgotten + limits.slotsAheadMax); each++) {
      if (engine.stored(each) !== undefined) persist.push({ key: slotKey(each), value: undefined });
    }
  }

  /** Which records are not here. If none, what this node had before must be the lower part of the view. */
  #missingBelow({ height, parent }: LedgerRecord): Uint8Array | undefined {
    const { head, history } = this.#options;
    const own = head();
    const below = history?.below ?? own.height;
    if (below < height - 1) return historySchema.encode({ below, from: height });
    if (own.hash === parent) return undefined;
    throw new Error(`record ${own.height} of this node is not that of its cluster's stable checkpoint`);
  }

  #installAccounts(bucket: number, rows: Uint8Array, persist: Write[]): void {
    this.#options.root.replaceBucket(bucket, rows);
    for (const { account, balance, owner } of accountsIn(rows)) {
      const value = storedAccountSchema.encode({ balance, owner: owner === undefined ? NO_BYTES : fromHex(owner) });
      persist.push({ key: accountKey(account), value });
    }
  }

  #installPositions(chunk: number, rows: Uint8Array, persist: Write[]): void {
    const positions = positionsIn(rows);
    const first = chunk * limits.positionsPerChunk + 1;
    for (const [i, { digest, slot, sequence }] of positions.entries()) {
      const height = first + i;
      persist.push(
        { key: positionKey(height), value: positionSchema.encode({ digest: fromHex(digest), slot, sequence }) },
        { key: placedKey(digest), value: placedSchema.encode({ slot, sequence }) },
        { key: heightKey(digest), value: heightSchema.encode({ height }) },
      );
    }
    if (positions.length < limits.positionsPerChunk) return;
    const digest = new Uint8Array(sha256(rows));
    persist.push({ key: chunkKey(chunk), value: digest });
    this.#options.root.takeChunk(digest);
  }
}

function installIds(page: number, bytes: Uint8Array, persist: Write[]): void {
  const heights = new Map<number, { until: number; readonly keys: Uint8Array[] }>();
  for (const { client, nonce, validUntil, height, reply } of storedIdsIn(bytes) ?? []) {
    const key = replyKey(client, nonce);
    persist.push({ key, value: reply });
    const known = heights.get(height) ?? { until: 0, keys: [] };
    heights.set(height, { until: Math.max(known.until, validUntil), keys: [...known.keys, key] });
  }
  for (const [height, { until, keys }] of heights) {
    persist.push({ key: expiryOfPageKey({ validUntil: until, height, page }), value: listOfReplyKeys(keys) });
  }
}

const NO_BYTES = new Uint8Array(0);
