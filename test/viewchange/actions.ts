// The steps of the model as data and as text, one a line, so that what a random schedule found can be read, kept and
// run again.

import type { NodeIndex, Slot, View } from "../../src/types/ids.js";

export type Action =
  /** A cross-shard block comes to a node directly: its round-0 accept. */
  | { readonly kind: "direct"; readonly node: NodeIndex; readonly block: string; readonly hint: number }
  /** The primary gives a block a slot in round 1. */
  | { readonly kind: "propose"; readonly node: NodeIndex; readonly block: string; readonly hint: number }
  /** The primary turns its round-0 choice into round 1. */
  | { readonly kind: "assign"; readonly node: NodeIndex; readonly slot: Slot }
  /** The primary's round-1 proposal for the slot comes to a node of its view. */
  | { readonly kind: "accept"; readonly node: NodeIndex; readonly slot: Slot }
  /** So does what a lying primary made up. */
  | {
      readonly kind: "forge";
      readonly node: NodeIndex;
      readonly slot: Slot;
      readonly counter: number;
      readonly block: string;
    }
  /** Byzantine: a quorum of accepts comes to a node, which commits. */
  | { readonly kind: "prepare"; readonly node: NodeIndex; readonly slot: Slot; readonly round: 0 | 1 }
  | { readonly kind: "learn"; readonly node: NodeIndex; readonly slot: Slot }
  | { readonly kind: "promise"; readonly node: NodeIndex; readonly view: View }
  /** The new primary opens the view with the reports of these nodes; `lies` says what the liars among them report. */
  | { readonly kind: "open"; readonly view: View; readonly nodes: readonly NodeIndex[]; readonly lies: number }
  /** NEW-VIEW comes to a node: that of this index, as a lying primary may send several. */
  | { readonly kind: "enter"; readonly node: NodeIndex; readonly view: View; readonly index: number }
  /** A node accepts what the opening of its view has in a slot; slot 0: in all of them. */
  | { readonly kind: "again"; readonly node: NodeIndex; readonly slot: Slot }
  | { readonly kind: "checkpoint"; readonly node: NodeIndex; readonly slot: Slot };

export function print(action: Action): string {
  return Object.values(action)
    .map((value) => (Array.isArray(value) ? value.join() : String(value)))
    .join(" ");
}

/** The inverse of `print`; hints, lies and indices may be left out. */
export function parse(line: string): Action {
  const [kind = "", first = "", second = "", third = "", fourth = ""] = line.trim().split(/\s+/);
  const node = Number(first);
  const slot = Number(second);
  switch (kind) {
    case "direct":
    case "propose":
      return { kind, node, block: second, hint: Number(third) };
    case "assign":
    case "accept":
    case "learn":
    case "again":
    case "checkpoint":
      return { kind, node, slot };
    case "forge":
      return { kind, node, slot, counter: Number(third), block: fourth };
    case "prepare":
      return { kind, node, slot, round: third === "0" ? 0 : 1 };
    case "promise":
      return { kind, node, view: Number(second) };
    case "open":
      return { kind, view: node, nodes: second.split(",").map(Number), lies: Number(third) };
    case "enter":
      return { kind, node, view: Number(second), index: Number(third) };
    default:
      throw new Error(`no action: ${line}`);
  }
}
