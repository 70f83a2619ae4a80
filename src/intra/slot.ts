// What one node knows of one slot of its cluster's log: the primary's choice, its own accepts, what is prepared and
// decided, and the votes so far. The rules about it are in log.ts.

import { Tally } from "../cluster/tally.js";
import type { Decided } from "../types/effects.js";
import { type ClusterId, compareBallots, type Entry, type Sequence, type Slot, type View } from "../types/ids.js";
import type { Prepared } from "../types/message.js";
import type { Statement } from "../types/schema.js";

/** P of the entry's block, and whether it is a no-op: all an engine needs of a block once it was proposed. */
export interface Body {
  readonly clusters: readonly ClusterId[];
  readonly noOp: boolean;
}

export interface SlotState {
  readonly slot: Slot;
  /** The primary's one choice for this slot in the current view, as far as this node knows it (3.1). */
  choice: Entry | undefined;
  /** This node's latest round-0 accept, kept when a round-1 entry displaces it. */
  selfAssigned: Entry | undefined;
  /** This node's latest round-1 accept. It binds in its own view; later ones learn of it by report. */
  accepted: Entry | undefined;
  /** Byzantine: the primary's signed proposal of an entry, part of what proves `prepared`. */
  proposal: { readonly entry: Entry; readonly statement: Statement } | undefined;
  /** Byzantine: a quorum of accepts, and the signed messages that prove it. */
  prepared: Prepared | undefined;
  /** Byzantine: what this node sent a COMMIT for. */
  committed: Entry | undefined;
  /** Crash, at the primary: a quorum accepted it. */
  agreed: boolean;
  decided: Decided | undefined;
  readonly accepts: Tally;
  readonly commits: Tally;
}

/** Forgets what was said of an undecided slot below a view; true if there was anything. */
export function dropBelow(view: View, state: SlotState): boolean {
  const isOld = (entry: Entry | undefined) => entry !== undefined && entry.view < view;
  const { selfAssigned, accepted, proposal, prepared, committed } = state;
  if (isOld(selfAssigned)) state.selfAssigned = undefined;
  if (isOld(accepted)) state.accepted = undefined;
  if (isOld(proposal?.entry)) state.proposal = undefined;
  if (isOld(prepared?.entry)) state.prepared = undefined;
  if (isOld(committed)) state.committed = undefined;
  return [selfAssigned, accepted, prepared?.entry, committed].some(isOld);
}

export function emptySlot(slot: Slot): SlotState {
  return {
    slot,
    choice: undefined,
    selfAssigned: undefined,
    accepted: undefined,
    proposal: undefined,
    prepared: undefined,
    committed: undefined,
    agreed: false,
    decided: undefined,
    accepts: new Tally(),
    commits: new Tally(),
  };
}

/** Of two slots in order; only a no-op may share the sequence before it. */
export function isBelow(lower: Sequence, higher: Sequence, isNoOp: boolean): boolean {
  return lower < higher || (isNoOp && lower === higher);
}

/** Is the entry of a higher ballot than what the node has sent a COMMIT for, if for anything? */
export function isAbove(entry: Entry, committed: Entry | undefined): boolean {
  return committed === undefined || compareBallots(committed, entry) < 0;
}
