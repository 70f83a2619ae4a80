// I7: every request is executed once. No id stands twice in one view, or in the view of a cluster that it does not
// involve; and whoever was told or not, it stands in all views that it involves or in none, with equal results.

import type { Check } from "./evidence.js";

export const once: Check = ({ places }) => {
  const problems: string[] = [];
  for (const [id, all] of places) {
    const first = all[0];
    if (first === undefined) continue;
    for (const [cluster, own] of Map.groupBy(all, (place) => place.cluster)) {
      const heights = own.map(({ record }) => record.height).join(" and ");
      if (own.length > 1) problems.push(`${id} stands ${own.length} times in cluster ${cluster}, at ${heights}`);
      if (!first.request.clusters.includes(cluster)) problems.push(`${id} stands in cluster ${cluster} at ${heights}`);
    }
    for (const cluster of first.request.clusters) {
      if (all.some((place) => place.cluster === cluster)) continue;
      problems.push(`${id} stands in cluster ${first.cluster} at ${first.record.height}, cluster ${cluster} lacks it`);
    }
    for (const { cluster, request, record } of all.slice(1)) {
      if (request.results.join() === first.request.results.join() && record.sequence === first.record.sequence)
        continue;
      problems.push(`${id} has other results or another sequence in cluster ${cluster} than in ${first.cluster}`);
    }
  }
  return problems;
};
