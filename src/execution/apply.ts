// From verdicts to results, and from results to balances (protocol 4): an operation applies if and only if all its
// validators say ok; the lowest cluster that does not gives the code. The engine applies results that it has combined,
// an audit applies those that are recorded; both by the same code.

import type { Block } from "../types/block.js";
import type { ClusterId } from "../types/ids.js";
import type { Topology } from "../types/topology.js";
import type { AccountValue, ConsumedRequest } from "./engine.js";
import type { Evaluation } from "./evaluate.js";
import { type Part, partsOf } from "./parts.js";
import { FOREIGN, OK } from "./rules.js";

/** The final result of every operation. `verdicts` holds those of every validator of the block. */
export function combine(parts: readonly Part[], verdicts: ReadonlyMap<ClusterId, Uint8Array>): Uint8Array {
  return Uint8Array.from(parts, ({ validators }, i) => {
    for (const validator of validators) {
      const verdict = verdicts.get(validator)?.[i];
      if (verdict === undefined) throw new Error(`no verdict of cluster ${validator}`);
      if (verdict !== OK) return verdict;
    }
    return OK;
  });
}

/** Credits what waited, refunds what failed elsewhere, and returns every account that the block has changed. */
export function settle(
  { verdicts, working }: Pick<Evaluation, "verdicts" | "working">,
  parts: readonly Part[],
  results: Uint8Array,
): readonly AccountValue[] {
  for (let i = 0; i < parts.length; i++) {
    const { alone, judges, debits, credits } = parts[i] as Part;
    if (alone) continue;
    if (results[i] === OK) for (const credit of credits) working.credit(credit);
    else if (judges && verdicts[i] === OK) for (const debit of debits) working.credit(debit);
  }
  return working.changes();
}

/** The consumed requests of a block with their results. */
export function consumedRequests({ consumed }: Pick<Evaluation, "consumed">, results: Uint8Array): ConsumedRequest[] {
  return consumed.map(({ request, first }) => ({
    request,
    results: results.subarray(first, first + request.operations.length),
  }));
}

/**
 * What a node may say of a block that it did not judge itself: the final results, where the cluster has a say.
 * Whoever combines them gets the same results: ok means that all said ok, and a code is that of the lowest cluster that
 * refused, which no other cluster's share in it can change.
 */
export function verdictsFromResults(args: {
  readonly topology: Topology;
  readonly cluster: ClusterId;
  readonly block: Block;
  readonly results: Uint8Array;
}): Uint8Array {
  return Uint8Array.from(partsOf(args), ({ judges }, i) => (judges ? (args.results[i] as number) : FOREIGN));
}
