// What nodes of one cluster say to each other when one of them takes the state of another (protocol 6), decoded.
// Which of it is believed, and why, is not said here.

import type { Slot } from "./ids.js";
import type { StateList, StatePiece } from "./schema.js";

/** The parts of a state, in the order of their numbers on the wire; "list": the digests of all pieces. */
export const STATE_PARTS = ["list", "accounts", "ids", "positions"] as const;
export type StatePart = (typeof STATE_PARTS)[number];

/** Asks for pieces of the own cluster's state at a stable checkpoint. */
export interface FetchState {
  readonly kind: "fetch-state";
  /** Of the checkpoint; 0: the latest that there is. */
  readonly slot: Slot;
  readonly part: StatePart;
  /** Of the asker's view: says which records the state would be instead of. */
  readonly height: number;
  readonly pieces: readonly number[];
}

export interface State {
  readonly kind: "state";
  /** 0: there is no state to give. */
  readonly slot: Slot;
  readonly part: StatePart;
  /** With part "list", which is also what is said when the state asked for is gone. */
  readonly list: StateList | undefined;
  readonly pieces: readonly StatePiece[];
}
