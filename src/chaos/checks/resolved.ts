// I10 and the SDK's word: what ended unknown is resolved while the request is valid and its clusters come back.

import type { Check } from "./evidence.js";

export const resolved: Check = ({ history, places }) =>
  history.writes.flatMap(({ id, told, startedMs, clusters }) => {
    if (told.kind !== "unknown") return [];
    const ledger = places.has(id) ? "it is in the ledger" : "it is not in the ledger";
    return [`${id} of clusters ${clusters.join()}, begun at ${Math.round(startedMs)} ms, stayed unknown; ${ledger}`];
  });
