// How a cluster comes by its next view (protocol 5), as seen by the engine that orders its log. A view is *entered*
// when the node stops taking part in lower ones, and *open* when it has the NEW-VIEW and knows what the view keeps. The
// two protocols, one for each failure model, read the log through `ViewLog` and answer with what is to be done; they
// change nothing themselves.

import { type StablePoint, stableOf } from "../cluster/checkpoint.js";
import { newestClaims } from "../cluster/rejoin.js";
import type { Decided, Note, Send } from "../types/effects.js";
import type { ClusterId, Digest, Entry, NodeRef, Slot, View } from "../types/ids.js";
import type { NewView, Prepared, RejoinClaim, Verified, ViewMessage } from "../types/message.js";
import type { ClusterInfo } from "../types/topology.js";
import type { Kept } from "./keep.js";

/** What this node would report of its log. */
export interface OwnReport {
  readonly stable: StablePoint;
  readonly decided: readonly Decided[];
  /** Crash: accepted and undecided. */
  readonly candidates: readonly Entry[];
  /** Byzantine. */
  readonly prepared: readonly Prepared[];
}

export interface ViewLog {
  /** The highest view this node has entered. */
  readonly view: View;
  readonly isOpen: boolean;
  readonly frontier: { readonly slot: Slot };
  report(): OwnReport;
  /** Can this node show the block to others? */
  hasBlock(digest: Digest): boolean;
  /** The slot of a block that this log has decided, however long ago. */
  placedAt(digest: Digest): Slot | undefined;
}

export interface ViewProtocolOptions {
  readonly self: NodeRef;
  readonly cluster: ClusterInfo;
  /** Of this cluster. */
  readonly noOp: Digest;
  readonly log: ViewLog;
  readonly standing: Standing;
}

/** Which incarnations are known (protocol 6). */
export interface Standing {
  /** This node's own. */
  readonly incarnation: number;
  /** The newest of each node, ascending by node. */
  readonly rejoins: readonly RejoinClaim[];
}

/** What the reports that led to a view knew of rejoined nodes. */
export function rejoinsOf({ rejoins, changes }: NewView): readonly RejoinClaim[] {
  return newestClaims([...rejoins, ...changes.flatMap(({ message }) => message.rejoins)]);
}

/** A view opens here. */
export interface Opening {
  readonly kept: Kept;
  readonly decided: readonly Decided[];
  readonly newView: Verified<NewView>;
}

export interface ViewStep {
  readonly send: Send[];
  readonly notes: Note[];
  /** Blocks without which this node cannot open its view. */
  readonly wanted: { readonly digest: Digest; readonly from: NodeRef }[];
  /** Nodes that speak in views that are over: they lack the NEW-VIEW. */
  readonly lagging: NodeRef[];
  /** The highest view that is to be entered. */
  enter: View | undefined;
  opening: Opening | undefined;
  /** A stable checkpoint that this node must reach before it can take part in the view. */
  behind: StablePoint | undefined;
}

export interface ViewProtocol {
  /** Is an opening held until this node has reached the checkpoint below it? */
  readonly isHolding: boolean;
  /** The present primary is not trusted any more. */
  suspect(): ViewStep;
  /** The view that was entered has not opened for too long. */
  onTimer(): ViewStep;
  /** A block came, or the log went on: what was waited for may be here. */
  retry(): ViewStep;
  step(verified: Verified<ViewMessage>): ViewStep;
}

/** What a NEW-VIEW says it keeps, taken at its word: it was judged before, or comes from one who does not lie. */
export function openingOf(newView: Verified<NewView>): Opening {
  const { entries, changes, stable, decided } = newView.message;
  const reported = changes.flatMap(({ message }) => message.decided);
  const points = [stable, ...changes.map(({ message }) => message.stable)].map((each) => stableOf(each) as StablePoint);
  const { slot, sequence } = highest(points);
  const proven = decidedAbove(slot, [...decided, ...reported]);
  const slots = new Set(proven.map(({ entry }) => entry.slot));
  const kept: Kept = {
    low: { slot, sequence },
    top: slot + entries.length,
    entries: entries.map((entry) => ({ entry, isDecided: slots.has(entry.slot) })),
    lost: [],
  };
  return { kept, decided: proven, newView };
}

export function emptyViewStep(): ViewStep {
  return { send: [], notes: [], wanted: [], lagging: [], enter: undefined, opening: undefined, behind: undefined };
}

export function allOf(cluster: ClusterInfo): readonly NodeRef[] {
  return cluster.nodes.map(({ index }) => ({ cluster: cluster.id as ClusterId, node: index }));
}

/** Is this NEW-VIEW of a view that this node could still open? */
export function isOpenable({ view }: NewView, log: ViewLog): boolean {
  return view > log.view || (view === log.view && !log.isOpen);
}

export function highest(points: readonly StablePoint[]): StablePoint {
  return points.reduce((a, b) => (b.slot > a.slot ? b : a));
}

/** One certificate for each slot above `low`, ascending. */
export function decidedAbove(low: Slot, reported: readonly Decided[]): readonly Decided[] {
  const bySlot = new Map<Slot, Decided>();
  for (const decided of reported) if (decided.entry.slot > low) bySlot.set(decided.entry.slot, decided);
  return [...bySlot.values()].sort((a, b) => a.entry.slot - b.entry.slot);
}

/** Blocks of what is kept undecided and not here, to be fetched from whoever reported them. */
export function missingBlocks(
  { entries }: Kept,
  { noOp, log, self }: ViewProtocolOptions,
  reporters: ReadonlyMap<Digest, NodeRef>,
): { readonly digest: Digest; readonly from: NodeRef }[] {
  const undecided = entries.filter(({ isDecided, entry }) => !isDecided && entry.digest !== noOp);
  const missing = undecided.filter(({ entry }) => !log.hasBlock(entry.digest));
  return missing.map(({ entry: { digest } }) => ({ digest, from: reporters.get(digest) ?? self }));
}
