// The seam between a cluster's own consensus and everything else: what an engine (Paxos, PBFT, later others) is asked
// and what it answers. An engine orders blocks in one log and knows nothing of cross-shard consensus: to whom votes and
// commits go beyond its own rules it asks `Routes`, and whatever it decides it hands out with a certificate.

import type { StablePoint } from "../cluster/checkpoint.js";
import type { Block } from "../types/block.js";
import type { Rejection } from "../types/codes.js";
import type { Decided, Note, Send } from "../types/effects.js";
import type { ClusterId, Digest, Entry, NodeRef, Sequence, Slot, View } from "../types/ids.js";
import type {
  Accept,
  Commit,
  Mark,
  NewView,
  NodeMessage,
  Propose,
  SuperAccept,
  Verified,
  ViewMessage,
} from "../types/message.js";
import type { StoredSlot } from "../types/schema.js";

/** Where votes go, answered by the owner of the engine. */
export interface Routes {
  /** The primary that initiated a block of several clusters, if it is of another cluster. */
  initiatorOf(digest: Digest): NodeRef | undefined;
  /** A block that is here, whoever brought it. */
  block(digest: Digest): Block | undefined;
  /** All nodes of the block's P. */
  involved(clusters: readonly ClusterId[]): readonly NodeRef[];
}

export type EngineEvent =
  | { readonly kind: "propose"; readonly verified: Verified<Propose> }
  | { readonly kind: "accept"; readonly verified: Verified<Accept> }
  | { readonly kind: "super-accept"; readonly verified: Verified<SuperAccept> }
  /** A COMMIT of this cluster. */
  | { readonly kind: "commit"; readonly verified: Verified<Commit> }
  /** A checked certificate of this cluster, from wherever it came. */
  | { readonly kind: "decision"; readonly decided: Decided }
  /** A final sequence for which this node holds the certificates: counters may rise above it (protocol 2). */
  | { readonly kind: "final"; readonly sequence: Sequence }
  /** The block of an entry that this node knows by digest only has come. */
  | { readonly kind: "body"; readonly block: Block }
  /** The entry's timer ran out; the primary says again what it said, and turns round 0 into round 1 (3.1). */
  | { readonly kind: "timer"; readonly slot: Slot }
  /** The present primary is not trusted any more (protocol 2.4, 5). */
  | { readonly kind: "suspect" }
  | { readonly kind: "view"; readonly verified: Verified<ViewMessage> }
  /** The view that this node entered has not opened for too long. */
  | { readonly kind: "view-timer" }
  /** What the opening of the view may have waited for has come. */
  | { readonly kind: "view-retry" }
  /** At start: what this node had made durable about its view. */
  | { readonly kind: "restored-view"; readonly view: View; readonly opening: Verified<NewView> | undefined }
  /** At start: what this node had made durable about one slot. */
  | { readonly kind: "restored"; readonly slot: StoredSlot }
  /** Before all others: the node may not take part yet (protocol 6). */
  | { readonly kind: "gate" }
  /** From now on it may. */
  | { readonly kind: "begin" };

export interface EngineStep {
  readonly send: Send[];
  /** Crash clusters, at the primary: a quorum accepted; a COMMIT may be signed. Blocks of several clusters only. */
  readonly agreed: Entry[];
  readonly decided: Decided[];
  /** Slots whose durable state changed: to be written before `send` leaves. */
  readonly changed: Set<Slot>;
  /** Blocks the primary was told of by votes and does not have: fetch, then place (3.1). */
  readonly wanted: { readonly digest: Digest; readonly from: NodeRef }[];
  readonly notes: Note[];
  /** Nodes of this cluster that speak in views that are over. */
  readonly lagging: NodeRef[];
  /** The node's view changed: to be written before `send` leaves. "opened" may follow "entered" within one step. */
  view: "entered" | "opened" | undefined;
}

export interface ClusterLog {
  readonly view: View;
  /** Has this node the opening of its view? If not it takes no part in ordering (protocol 5). */
  readonly isOpen: boolean;
  /** The NEW-VIEW of the last view this node took part in; undefined for view 0. */
  readonly opening: Verified<NewView> | undefined;
  /** How far this node has spoken, or knows others to have. */
  readonly mark: Mark;
  /** Is the view open, and everything decided that it kept? */
  readonly isSettled: boolean;
  /** Does the opening of a view wait for something that this node lacks? */
  readonly isWaiting: boolean;
  /** The stable checkpoint which this node must reach before its view can open here. */
  readonly behind: StablePoint | undefined;
  /** Is this node primary of its view, and that open? */
  readonly isPrimary: boolean;
  /** Sequence of the last slot the primary chose, as far as this node knows. */
  readonly lastSequence: Sequence;
  /** F: the largest slot with all slots up to it decided, and its sequence (3.3). */
  readonly frontier: { readonly slot: Slot; readonly sequence: Sequence };
  /** Is there room in the window for one more block of this cluster's own? */
  readonly hasRoom: boolean;
  /** At the primary; returns at once, many in flight. */
  propose(block: Block): EngineStep;
  /** Round 0: places a foreign block without waiting for the primary (3, step 2). */
  acceptDirect(block: Block, hint: Sequence): EngineStep;
  /** At the primary: gives a foreign block its slot in round 1, or says again which it has (SUPER-PROPOSE). */
  place(block: Block, hint: Sequence): EngineStep;
  step(event: EngineEvent): EngineStep;
  /** What this node holds for a block: decided, accepted or self-assigned. */
  entryOf(digest: Digest): Entry | undefined;
  /** Does any slot hold the block, in whatever view it came there? */
  holds(digest: Digest): boolean;
  decisionAt(slot: Slot): Decided | undefined;
  /** This node's own present statements about a block, to be said again to one who asks (3.4). */
  restate(digest: Digest): readonly NodeMessage[];
  /** Digest of what this node holds at a slot: decided, accepted or self-assigned. */
  digestAt(slot: Slot): Digest | undefined;
  /** May the primary be blamed if this undecided slot stays so: is it surely its turn to do something about it? */
  isBacked(slot: Slot): boolean;
  /** Why this node would not accept the entry, as far as its log alone tells (2.3). */
  refusal(entry: Entry): Rejection | undefined;
  /** The block is needed here no more. */
  dropBlock(digest: Digest): void;
  /** Drops everything up to the stable checkpoint, and says which slots that were. */
  forget(stable: StablePoint): readonly Slot[];
  stored(slot: Slot): StoredSlot | undefined;
  /** Could this vote still matter? False lets the door skip its signature check. */
  wants(vote: { readonly kind: "accept" | "super-accept" | "commit"; readonly entry: Entry }): boolean;
}

export function emptyStep(): EngineStep {
  return {
    send: [],
    agreed: [],
    decided: [],
    changed: new Set(),
    wanted: [],
    notes: [],
    lagging: [],
    view: undefined,
  };
}

export function rejected(step: EngineStep, code: Rejection, verified: Verified): void {
  step.notes.push({ kind: "rejected", code, from: verified.from, message: verified.message.kind });
}
