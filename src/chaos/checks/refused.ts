// A refusal is a promise: nothing of that request was applied, and nothing will be. A recorded rejection is judged with
// the acknowledged ones.

import type { Check } from "./evidence.js";

export const refused: Check = ({ history, places }) =>
  history.writes.flatMap(({ id, told }) => {
    if (told.kind !== "refused") return [];
    const applied = places.get(id)?.find(({ request }) => request.results.includes("ok"));
    if (applied === undefined) return [];
    const { cluster, record } = applied;
    return [`${id} was refused as ${told.code}, and is applied in cluster ${cluster} at height ${record.height}`];
  });
