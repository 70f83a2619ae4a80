// How often each node of the cluster has rejoined (protocol 6), as part of the state: what a record says of it is
// judged like any other operation, and every node and every audit comes to the same numbers.

import { CodecError, schema, u53 } from "../types/codec.js";
import type { NodeIndex } from "../types/ids.js";
import { OK, rejoinVerdict } from "./rules.js";

export interface Incarnation {
  readonly number: number;
  /** Record time. */
  readonly time: number;
}

const rowSchema = schema({ node: u53(1), number: u53(2), time: u53(3) });

export class Incarnations {
  readonly #byNode: Map<NodeIndex, Incarnation>;

  constructor(known: Iterable<readonly [NodeIndex, Incarnation]> = []) {
    this.#byNode = new Map(known);
  }

  of(node: NodeIndex): Incarnation | undefined {
    return this.#byNode.get(node);
  }

  /** Ascending by node. */
  get all(): readonly (readonly [NodeIndex, Incarnation])[] {
    return [...this.#byNode].sort(([a], [b]) => a - b);
  }

  /** The verdict; if it is ok the number is the node's from here on. */
  rejoin(
    { node, incarnation }: { readonly node: NodeIndex; readonly incarnation: number },
    recordTime: number,
  ): number {
    const verdict = rejoinVerdict({ last: this.of(node), incarnation, recordTime });
    if (verdict === OK) this.set(node, { number: incarnation, time: recordTime });
    return verdict;
  }

  set(node: NodeIndex, incarnation: Incarnation): void {
    this.#byNode.set(node, incarnation);
  }

  /** What the state root is over, and what is handed to a node that takes a state; empty while no node has rejoined. */
  get bytes(): Uint8Array {
    return incarnationBytes(this.all);
  }
}

/** Ascending by node. */
export function incarnationBytes(all: Incarnations["all"]): Uint8Array {
  const rows = all.map(([node, { number, time }]) => framed({ node, number, time }));
  return new Uint8Array(Buffer.concat(rows));
}

/** Undefined when these are not the bytes of any. */
export function incarnationsIn(bytes: Uint8Array): Incarnations["all"] | undefined {
  try {
    const all: [NodeIndex, Incarnation][] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = at + 1 + (bytes[at] as number);
      const { node, number, time } = rowSchema.decode(bytes.subarray(at + 1, end));
      all.push([node, { number, time }]);
      at = end;
    }
    return all;
  } catch (error) {
    if (error instanceof CodecError) return undefined;
    throw error;
  }
}

function framed(row: { readonly node: NodeIndex; readonly number: number; readonly time: number }): Uint8Array {
  const bytes = rowSchema.encode(row);
  return Buffer.concat([Uint8Array.of(bytes.length), bytes]);
}
