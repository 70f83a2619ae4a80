// What the coordinator found out and wants done, collected over one step of its owner.

import type { EngineStep } from "../intra/engine.js";
import type { Block } from "../types/block.js";
import type { Note, Send } from "../types/effects.js";
import type { Digest, Entry, NodeRef, Slot } from "../types/ids.js";
import type { Ordered } from "./outlet.js";

/** What one turn of the coordinator asks of its owner. */
export interface CrossOutput {
  readonly send: Send[];
  readonly notes: Note[];
  /** Slots to be written before `send` leaves, and blocks likewise. */
  readonly changed: Set<Slot>;
  readonly learned: Block[];
  /** Blocks that are not needed any more, though they have no record. */
  readonly dropped: Digest[];
  readonly delivered: Ordered[];
  /** Entries of this cluster that were decided. */
  readonly decided: Entry[];
  readonly wanted: { readonly digest: Digest; readonly from: NodeRef }[];
  /** Nodes of this cluster that speak in views that are over: they lack the NEW-VIEW. */
  readonly lagging: NodeRef[];
  /** This node's view changed: to be written before `send` leaves. */
  view: EngineStep["view"];
}

export function emptyOutput(): CrossOutput {
  return {
    send: [],
    notes: [],
    changed: new Set(),
    learned: [],
    dropped: [],
    delivered: [],
    decided: [],
    wanted: [],
    lagging: [],
    view: undefined,
  };
}
