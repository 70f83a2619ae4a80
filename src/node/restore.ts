// What a node takes back from its store at start: the end of its view, its accounts and consumed ids, and everything it
// said about slots that are not below a stable checkpoint. Also the first content of a new store. After a start the
// node contradicts nothing that it said before it (protocol 6).

import { type BlockContext, decodeBlock } from "../cluster/block.js";
import { checkpointOf, decodeCheckpoint, NO_CHECKPOINT, type StablePoint } from "../cluster/checkpoint.js";
import { genesisAccounts } from "../cluster/genesis.js";
import type { Coordinator } from "../cross/coordinator.js";
import type { ExecutionEngine } from "../execution/engine.js";
import type { StateRoot } from "../execution/root.js";
import { createExecution } from "../execution/scheduler.js";
import type { StableCheckpoint } from "../intra/checkpoint.js";
import {
  accountKey,
  blockKey,
  catchUpKey,
  catchUpSchema,
  certificatesKey,
  checkpointKey,
  heightKey,
  historyKey,
  historySchema,
  metaKey,
  prefixRange,
  progressKey,
  progressSchema,
  recordKey,
  saidKey,
  snapshotKey,
  viewKey,
} from "../ledger/keys.js";
import { decodeRecord, encodeRecord, genesisRecord, recordHash } from "../ledger/records.js";
import type { Store } from "../ledger/store.js";
import { RECOVER } from "../ledger/store-errors.js";
import type { Block } from "../types/block.js";
import { CodedError } from "../types/codes.js";
import type { Decided, Write } from "../types/effects.js";
import { type AccountId, type ClusterId, type Digest, fromHex, type Slot, toHex, type View } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { Checkpoint, NewView, Verified } from "../types/message.js";
import {
  type Certificate,
  certificateSchema,
  committedSchema,
  type StoredSlot,
  storedAccountSchema,
  storedSlotSchema,
  storedViewSchema,
} from "../types/schema.js";
import type { Topology } from "../types/topology.js";
import { recordedIncarnations } from "./incarnations.js";
import { type Head, NO_PROGRESS, type Progress } from "./recorder.js";
import { ownDecision } from "./records.js";
import { readPositions, restoreState } from "./restore-state.js";
import { evidenceOf } from "./testimony.js";
import { decodeNewView } from "./wire-views.js";
import type { Evidence } from "./witness.js";

export interface Restored {
  readonly head: Head;
  readonly progress: Progress;
  readonly stable: StablePoint;
  readonly view: { readonly view: View; readonly opening: Verified<NewView> | undefined };
  /** The stable checkpoint with its proof; undefined before the first. */
  readonly checkpoint: StableCheckpoint | undefined;
  /** The newest CHECKPOINT that this node signed. */
  readonly said: Checkpoint | undefined;
  readonly root: StateRoot;
  readonly execution: ExecutionEngine;
  /** Above the stable checkpoint, ascending. */
  readonly slots: readonly StoredSlot[];
  /** Blocks of those slots that have no record yet. */
  readonly undelivered: readonly Block[];
  /** Slots above `progress` whose blocks have records. */
  readonly recorded: ReadonlyMap<Slot, Digest>;
  /** The node was taking records from others: up to where, and what the log holds for those it has. */
  readonly catchUp: { readonly target: StableCheckpoint; readonly decided: readonly Decided[] } | undefined;
  /** The node was taking the state at this checkpoint; accounts are partly of then and partly of before. */
  readonly snapshot: StableCheckpoint | undefined;
  readonly history: History | undefined;
}

/** Records above `below` and below `from` are not here: the node took a state instead. */
export interface History {
  readonly below: number;
  readonly from: number;
}

/** The rows of a new store: record 0 and the accounts the network begins with. */
export function genesisWrites(topology: Topology, cluster: ClusterId, topologyText: string): Write[] {
  const writes: Write[] = [
    { key: metaKey("topology"), value: new TextEncoder().encode(topologyText) },
    { key: recordKey(0), value: encodeRecord(genesisRecord(topology, cluster)) },
  ];
  for (const { account, balance, owner } of genesisAccounts(topology, cluster)) {
    writes.push({ key: accountKey(account), value: storedAccountSchema.encode({ balance, owner: fromHex(owner) }) });
  }
  return writes;
}

export async function restore(store: Store, context: BlockContext, cluster: ClusterId): Promise<Restored> {
  const { topology, members } = context;
  const head = await readHead(store);
  const slots = await readSlots(store);
  const checkpoint = readStable(store);
  const said = store.get(saidKey());
  const catchUp = readCatchUp(store, cluster, head.height);
  const progressRow = store.get(progressKey());
  const progress = progressRow === undefined ? NO_PROGRESS : progressSchema.decode(progressRow);
  const snapshot = store.get(snapshotKey());
  const stable = snapshot === undefined ? checkpoint?.checkpoint : undefined;
  const { accounts, consumedIds, root } = await restoreState(store, {
    ...context,
    cluster,
    head,
    stable,
    isTaking: snapshot !== undefined,
  });
  const untouched = (account: AccountId) => accounts.get(account);
  return {
    head,
    progress,
    stable: checkpoint === undefined ? NO_CHECKPOINT : pointOf(checkpoint),
    view: readView(store, cluster),
    checkpoint,
    said: said === undefined ? undefined : decodeCheckpoint(said),
    root,
    execution: createExecution({
      topology,
      members,
      cluster,
      accounts: [],
      untouched,
      consumedIds,
      incarnations: recordedIncarnations(members, cluster, { reader: store }),
    }),
    slots,
    undelivered: readBlocks(store, context, slots),
    recorded: new Map([
      ...(await recordedAbove(store, head.height, progress.slot)),
      ...appendedAbove(catchUp, progress.slot),
    ]),
    catchUp,
    snapshot: snapshot === undefined ? undefined : stableCheckpoint(certificateSchema.decode(snapshot)),
    history: readHistory(store),
  };
}

/** Tells the parts of a new replica what the store has, in the order in which they need it. */
export function takeBack(coordinator: Coordinator, { stable, view, slots, undelivered, head }: Restored): void {
  if (stable.slot > 0) coordinator.engine.forget(stable);
  coordinator.startAfter(stable.slot);
  for (const block of undelivered) coordinator.restoreBody(block);
  if (view.view > 0) coordinator.restore({ kind: "restored-view", ...view });
  for (const stored of slots) coordinator.restore({ kind: "restored", slot: stored });
  coordinator.engine.step({ kind: "final", sequence: head.finalSequence });
}

/** What this node holds against others. */
export async function storedEvidence(store: Store, context: BlockContext): Promise<readonly Evidence[]> {
  const all: Evidence[] = [];
  for await (const [, value] of store.range(prefixRange("evidence"))) {
    const evidence = evidenceOf(value, context);
    if (evidence !== undefined) all.push(evidence);
  }
  return all;
}

/** A block of the store, which was checked before it was written. */
export function decodeStored(bytes: Uint8Array, context: BlockContext): Block {
  const decoded = decodeBlock(bytes, context, false);
  if (!decoded.ok) throw new CodedError("store-corrupt", `a stored block is not valid (${decoded.code})`);
  return decoded.value;
}

async function readHead(store: Store): Promise<Head> {
  for await (const [, value] of store.range({ ...prefixRange("record"), reverse: true, limit: 1 })) {
    const { height, time, finalSequence } = decodeRecord(value);
    return { height, hash: recordHash(value), time, finalSequence };
  }
  throw new CodedError("store-corrupt", `there is no record, not even the genesis'; ${RECOVER}`);
}

async function readSlots(store: Store): Promise<StoredSlot[]> {
  const slots: StoredSlot[] = [];
  for await (const [, value] of store.range(prefixRange("slot"))) slots.push(storedSlotSchema.decode(value));
  return slots;
}

function readStable(store: Store): StableCheckpoint | undefined {
  const stored = store.get(checkpointKey());
  return stored === undefined ? undefined : stableCheckpoint(certificateSchema.decode(stored));
}

function stableCheckpoint(certificate: Certificate | undefined): StableCheckpoint {
  const checkpoint = certificate === undefined ? undefined : checkpointOf(certificate);
  if (certificate === undefined || checkpoint === undefined) {
    throw new CodedError("store-corrupt", "a stored checkpoint certificate is not one");
  }
  return { checkpoint, certificate };
}

function pointOf({ checkpoint: { slot, sequence }, certificate }: StableCheckpoint): StablePoint {
  return { slot, sequence, certificate };
}

function readView(store: Store, cluster: ClusterId): Restored["view"] {
  const stored = store.get(viewKey());
  if (stored === undefined) return { view: 0, opening: undefined };
  const { view, opening: signed } = storedViewSchema.decode(stored);
  const message = signed === undefined ? undefined : decodeNewView(signed.body);
  if (signed === undefined || message === undefined) return { view, opening: undefined };
  const from = { cluster, node: message.node };
  return { view, opening: { from, message, signed: signed.signature.length === 0 ? undefined : signed } };
}

/** Records of other nodes are in the store, but not what this node's log said of their slots. */
function readCatchUp(store: Store, cluster: ClusterId, head: number): Restored["catchUp"] {
  const row = store.get(catchUpKey());
  if (row === undefined) return undefined;
  const { from, certificate } = catchUpSchema.decode(row);
  const decided: Decided[] = [];
  for (let height = from; height <= head; height++) {
    const stored = store.get(certificatesKey(height));
    const { digest, certificates } = committedSchema.decode(stored ?? NO_BYTES);
    const own = ownDecision(toHex(digest), certificates, cluster);
    if (own === undefined) throw new CodedError("store-corrupt", `record ${height} has no certificate of its cluster`);
    decided.push(own);
  }
  return { target: stableCheckpoint(certificate), decided };
}

function appendedAbove(catchUp: Restored["catchUp"], slot: Slot): (readonly [Slot, Digest])[] {
  const entries = catchUp?.decided.map(({ entry }) => entry) ?? [];
  return entries.filter((entry) => entry.slot > slot).map((entry) => [entry.slot, entry.digest]);
}

function readBlocks(store: Store, context: BlockContext, slots: readonly StoredSlot[]): Block[] {
  const blocks = new Map<Digest, Block>();
  for (const digest of slots.flatMap(digestsOf)) {
    const isNeeded = !blocks.has(digest) && !isRecorded(store, digest);
    const bytes = isNeeded ? store.get(blockKey(digest)) : undefined;
    if (bytes === undefined) continue;
    const decoded = decodeBlock(bytes, context, false);
    if (!decoded.ok) throw new CodedError("store-corrupt", `block ${digest} is not valid (${decoded.code})`);
    blocks.set(digest, decoded.value);
  }
  return [...blocks.values()];
}

/** Each of them is near the end of the view: it was in a log that holds so much at most. */
async function recordedAbove(store: Store, head: number, slot: Slot): Promise<ReadonlyMap<Slot, Digest>> {
  const recorded = new Map<Slot, Digest>();
  const from = Math.max(1, head - 2 * limits.slotsAheadMax);
  for (const position of await readPositions(store, from, head)) {
    if (position.slot > slot) recorded.set(position.slot, position.digest);
  }
  return recorded;
}

function readHistory(store: Store): History | undefined {
  const row = store.get(historyKey());
  return row === undefined ? undefined : historySchema.decode(row);
}

function isRecorded(store: Store, digest: Digest): boolean {
  return store.get(heightKey(digest)) !== undefined;
}

function digestsOf({ decided, accepted, selfAssigned, committed }: StoredSlot): Digest[] {
  return [decided, accepted, selfAssigned, committed].flatMap((entry) =>
    entry === undefined ? [] : [toHex<Digest>(entry.digest)],
  );
}

const NO_BYTES = new Uint8Array(0);
