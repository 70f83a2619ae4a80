// How long each cluster acknowledged nothing of its own, as clients saw it: the longest gap between two
// acknowledgements of requests that involve this cluster alone, the ends of the load included.

import type { ClusterId } from "../types/ids.js";
import type { Write } from "./history.js";

export interface Outage {
  readonly cluster: ClusterId;
  readonly fromMs: number;
  readonly forMs: number;
}

/** One for each cluster. */
export function longestOutages(
  writes: readonly Write[],
  { clusters, endMs }: { readonly clusters: readonly ClusterId[]; readonly endMs: number },
): readonly Outage[] {
  return clusters.map((cluster) => {
    const ends = writes
      .filter(({ told, clusters: involved }) => told.kind === "recorded" && involved.join() === String(cluster))
      .map(({ endedMs }) => endedMs)
      .filter((endedMs) => endedMs < endMs)
      .sort((a, b) => a - b);
    let longest: Outage = { cluster, fromMs: 0, forMs: 0 };
    let last = 0;
    for (const end of [...ends, endMs]) {
      if (end - last > longest.forMs) longest = { cluster, fromMs: last, forMs: end - last };
      last = end;
    }
    return longest;
  });
}
