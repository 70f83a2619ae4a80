// What one node knows of one slot of its cluster's log: the primary's choice, its own accepts, what is prepared and
// decided, and the votes so far. The rules about it are in log.ts.

import { Tally } from "../cluster/tally.js";
import type { Decided } from "../types/effects.js";
import type { Entry, Slot } from "../types/ids.js";
import type { Prepared } from "../types/message.js";
import type { Statement } from "../types/schema.js";

export interface SlotState {
  readonly slot: Slot;
  /** The primary's one choice for this slot in the current view, as far as this node knows it (3.1). */
  choice: Entry | undefined;
  /** This node's latest round-0 accept, kept when a round-1 entry displaces it. */
  selfAssigned: Entry | undefined;
  /** This node's latest round-1 accept. It binds in its own view; later ones learn of it by report. */
  accepted: Entry | undefined;
  /** Byzantine: the primary's signed PROPOSE, part of what proves `prepared`. */
  proposal: Statement | undefined;
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

/** Forgets what was said of an undecided slot in lower views. */
export function drop(state: SlotState): void {
  state.selfAssigned = undefined;
  state.accepted = undefined;
  state.proposal = undefined;
  state.prepared = undefined;
  state.committed = undefined;
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
