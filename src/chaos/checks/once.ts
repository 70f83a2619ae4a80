// I7: every request is executed once. After a change of primary the same bytes may be ordered a second time; the ledger
// then says that the id was used, or that its time is over, and nothing is applied. So of all records that hold an id
// the first one of each view counts, and later ones must say just that. Whoever was told or not, the first ones stand
// in all views that the request involves or in none, in the same block, with equal results.

import type { Place } from "../views.js";
import type { Check } from "./evidence.js";

export const once: Check = ({ places }) => [...places].flatMap(([id, all]) => problemsOf(id, all));

function problemsOf(id: string, places: readonly Place[]): readonly string[] {
  const first = places[0];
  if (first === undefined) return [];
  const { clusters } = first.request;
  const problems: string[] = [];
  const views = Map.groupBy(places, (place) => place.cluster);
  for (const cluster of clusters) {
    if (views.has(cluster)) continue;
    problems.push(`${id} stands in cluster ${first.cluster} at ${first.record.height}, cluster ${cluster} lacks it`);
  }
  for (const [cluster, [own, ...later]] of views) {
    if (own === undefined) continue;
    if (!clusters.includes(cluster)) problems.push(`${id} stands in cluster ${cluster}, which it does not involve`);
    if (!isSame(own, first)) problems.push(`${id} is another block or has other results in ${cluster} than elsewhere`);
    for (const { record, request } of later) {
      if (isRepetition(request.results)) continue;
      const heights = `${own.record.height} and ${record.height}`;
      problems.push(`${id} is executed twice in cluster ${cluster}, at ${heights}: ${request.results.join()}`);
    }
  }
  return problems;
}

function isSame(a: Place, b: Place): boolean {
  return a.record.digest === b.record.digest && a.record.sequence === b.record.sequence && sameResults(a, b);
}

function sameResults(a: Place, b: Place): boolean {
  return a.request.results.join() === b.request.results.join();
}

function isRepetition(results: readonly string[]): boolean {
  return results.every((code) => code === "id-reused" || code === "expired");
}
