// The state of a node from its store, at a start: accounts, ids and positions as the last record left them, and as they
// were at the stable checkpoint, for nodes that are behind. That past state must have the root that a quorum has
// proven: else the store was damaged, and the node must not go on with it (protocol 6). What the last records changed
// is known from these records, so history is not touched.

import { type BlockContext, decodeBlock } from "../cluster/block.js";
import { AccountBuckets } from "../execution/buckets.js";
import type { ConsumedId } from "../execution/consumed.js";
import type { AccountValue } from "../execution/engine.js";
import { incarnationBytes } from "../execution/incarnations.js";
import { type Position, Positions } from "../execution/positions.js";
import { type RecordedBlock, rollBack } from "../execution/rollback.js";
import { StateRoot } from "../execution/root.js";
import type { StoredId } from "../execution/slices.js";
import {
  blockKey,
  heightRange,
  idOfReplyKey,
  nameOfAccountKey,
  positionSchema,
  prefixRange,
  recordKey,
  sumKey,
  sumSchema,
} from "../ledger/keys.js";
import { decodeRecord, type LedgerRecord } from "../ledger/records.js";
import type { Store } from "../ledger/store.js";
import { RECOVER } from "../ledger/store-errors.js";
import { requestId } from "../types/block.js";
import { CodedError } from "../types/codes.js";
import { type ClusterId, type Sequence, toHex } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { Checkpoint } from "../types/message.js";
import { storedAccountSchema, storedReplySchema } from "../types/schema.js";
import { recordedIncarnations } from "./incarnations.js";
import type { Head } from "./recorder.js";

export interface StateOptions extends BlockContext {
  readonly cluster: ClusterId;
  readonly head: Head;
  /** The stable checkpoint that the records have reached. */
  readonly stable: Checkpoint | undefined;
  /** The node is in the middle of taking the state of others: chunks of positions may go beyond its records. */
  readonly isTaking: boolean;
}

export interface RestoredState {
  /** As the last record left them. */
  readonly accounts: AccountBuckets;
  readonly consumedIds: readonly ConsumedId[];
  readonly root: StateRoot;
}

/** Further back than this is only a node that takes records of others: its checkpoint is of no use to anyone. */
const RECORDS_BACK_MAX = 2 * limits.slotsAheadMax;

export async function restoreState(store: Store, options: StateOptions): Promise<RestoredState> {
  const { head, stable } = options;
  const { members, cluster } = options;
  const accounts = await readAccounts(store);
  checkSum(store, head.height, accounts.sum);
  const isNear = stable !== undefined && head.height - stable.height <= RECORDS_BACK_MAX;
  const point = isNear ? { height: stable.height, time: recordAt(store, stable.height).time } : head;
  const ids = await readIds(store, point.time);
  const consumedIds = ids
    .filter(({ validUntil }) => validUntil >= head.time)
    .map(({ client, nonce, validUntil }) => ({ id: requestId({ client, nonce }), validUntil }));
  const positions = await positionsAt(store, options.isTaking ? undefined : point.height);
  const [early, late] = [
    ids.filter(({ height }) => height <= point.height),
    ids.filter((id) => id.height > point.height),
  ];
  const incarnations = incarnationBytes(
    recordedIncarnations(members, cluster, { reader: store, height: point.height }),
  );
  const root = new StateRoot({ accounts, ids: early, positions, incarnations, recordTime: point.time });
  if (isNear) await viewOfPast(store, { ...options, stable, accounts, root, late });
  return { accounts, consumedIds, root };
}

interface Past extends StateOptions {
  readonly stable: Checkpoint;
  readonly accounts: AccountBuckets;
  readonly root: StateRoot;
  /** Ids of later records. */
  readonly late: readonly ReadId[];
}

/** Takes back what the last records did, keeps a view of that, and does them again. */
async function viewOfPast(store: Store, past: Past): Promise<void> {
  const { topology, members, cluster, head, stable, accounts, root, late } = past;
  const records: LedgerRecord[] = [];
  for (let height = stable.height + 1; height <= head.height; height++) records.push(recordAt(store, height));
  const blocks = records.map((record) => blockOf(store, record, past));
  const before = rollBack({ topology, cluster, records: blocks.reverse(), read: (account) => accounts.get(account) });
  const now = [...before.keys()].map((account) => accounts.get(account) as AccountValue);
  root.revert(before);
  const view = root.freeze({ slot: stable.slot, height: stable.height });
  if (view.root() !== stable.state) {
    throw new CodedError(
      "store-corrupt",
      `the state at record ${stable.height} is not that of the stable checkpoint: accounts, replies or positions are ` +
        `damaged; ${RECOVER}`,
    );
  }
  const positions = await readPositions(store, stable.height + 1, head.height);
  for (const [i, { height, time: recordTime }] of records.entries()) {
    const position = positions[i];
    if (position === undefined) throw damaged(`position ${height}`);
    const ids = late.filter((id) => id.height === height);
    const incarnations = incarnationBytes(recordedIncarnations(members, cluster, { reader: store, height }));
    root.apply({ accounts: i === records.length - 1 ? now : [], ids, position, incarnations, recordTime });
  }
}

function blockOf(store: Store, { height, digest, results }: LedgerRecord, context: BlockContext): RecordedBlock {
  const bytes = store.get(blockKey(digest));
  const decoded = bytes === undefined ? undefined : decodeBlock(bytes, context, false);
  if (decoded?.ok !== true) throw damaged(`the block of record ${height}`);
  return { block: decoded.value, results };
}

function recordAt(store: Store, height: number): LedgerRecord {
  const bytes = store.get(recordKey(height));
  if (bytes === undefined) throw damaged(`record ${height}`);
  return decodeRecord(bytes);
}

async function readAccounts(store: Store): Promise<AccountBuckets> {
  const accounts = new AccountBuckets([]);
  for await (const pairs of store.batches(prefixRange("account"))) {
    for (const [key, value] of pairs) {
      const { balance, owner } = storedAccountSchema.decode(value);
      accounts.load({ name: nameOfAccountKey(key), balance, owner });
    }
  }
  accounts.loaded();
  return accounts;
}

/** Each row has its checksum; rows that are missing, or come from an earlier record, are found by the sum. */
function checkSum(store: Store, height: number, found: number): void {
  const row = store.get(sumKey());
  if (row === undefined) return;
  const { height: at, accounts } = sumSchema.decode(row);
  if (at === height && accounts === found) return;
  throw new CodedError(
    "store-corrupt",
    `the accounts are not those of record ${height}: some are missing or older; ${RECOVER}`,
  );
}

interface ReadId extends StoredId {
  readonly height: number;
}

/** Those that had not expired at `time`. */
async function readIds(store: Store, time: number): Promise<readonly ReadId[]> {
  const ids: ReadId[] = [];
  for (const table of ["superseded", "reply"] as const) {
    for await (const pairs of store.batches(prefixRange(table))) {
      for (const [key, reply] of pairs) {
        const { validUntil, height } = storedReplySchema.decode(reply);
        if (validUntil >= time) ids.push({ ...idOfReplyKey(key), validUntil, height, reply });
      }
    }
  }
  return ids;
}

/** Undefined: whatever full chunks there are. */
async function positionsAt(store: Store, height: number | undefined): Promise<Positions> {
  const chunks: Uint8Array[] = [];
  for await (const [, digest] of store.range(prefixRange("chunk"))) chunks.push(digest);
  if (height === undefined) return new Positions(Buffer.concat(chunks), []);
  const full = Math.min(chunks.length, Math.floor(height / limits.positionsPerChunk));
  const first = full * limits.positionsPerChunk + 1;
  return new Positions(Buffer.concat(chunks.slice(0, full)), await readPositions(store, first, height));
}

export async function readPositions(store: Store, from: number, to: number): Promise<readonly Position[]> {
  const positions: Position[] = [];
  if (from > to) return positions;
  for await (const pairs of store.batches(heightRange("position", from, to))) {
    for (const [, value] of pairs) {
      const { digest, slot, sequence } = positionSchema.decode(value);
      positions.push({ digest: toHex(digest), slot, sequence: sequence as Sequence });
    }
  }
  return positions;
}

function damaged(what: string): CodedError {
  return new CodedError("store-corrupt", `${what} is not in the store; ${RECOVER}`);
}
