// This cluster's verdicts on a block that it did not judge itself, since its record came from other nodes: other
// clusters may still ask for them, and the final results are as good as any (protocol 4).

import { verdictsFromResults } from "../execution/apply.js";
import { FOREIGN } from "../execution/rules.js";
import { verdictKey } from "../ledger/keys.js";
import type { Block } from "../types/block.js";
import type { Reader, Write } from "../types/effects.js";
import type { ClusterId } from "../types/ids.js";
import type { Topology } from "../types/topology.js";

export function keepVerdicts(
  block: Block,
  results: Uint8Array,
  to: { readonly topology: Topology; readonly cluster: ClusterId; readonly reader: Reader; readonly persist: Write[] },
): void {
  const { topology, cluster, reader, persist } = to;
  const key = verdictKey(block.digest);
  // What it said itself it does not change.
  if (block.clusters.length === 1 || reader.get(key) !== undefined) return;
  const value = verdictsFromResults({ topology, cluster, block, results });
  if (value.some((verdict) => verdict !== FOREIGN)) persist.push({ key, value });
}
