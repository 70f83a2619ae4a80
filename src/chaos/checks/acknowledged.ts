// I9: what a client was told is in the ledger. Every request that was acknowledged stands in the view of each cluster
// that it involves, with the operations that were ordered and the results that were told, and in the view of the
// cluster that answered at the very record that was named.

import type { OperationOrder } from "../../client/sdk.js";
import type { BlockOperation } from "../../types/block.js";
import type { Write } from "../history.js";
import type { Place } from "../views.js";
import type { Check } from "./evidence.js";

export const acknowledged: Check = ({ history, places }) =>
  history.writes.flatMap((write) => problemsOf(write, places.get(write.id) ?? []));

function problemsOf({ id, told, clusters, operations }: Write, places: readonly Place[]): readonly string[] {
  if (told.kind !== "recorded") return [];
  const problems: string[] = [];
  for (const cluster of clusters) {
    // Later ones are repetitions, which change nothing; that they say so is checked elsewhere.
    const own = places.find((place) => place.cluster === cluster);
    if (own === undefined)
      problems.push(`${id} was acknowledged at height ${told.height}, cluster ${cluster} lacks it`);
    else {
      const { record, request } = own;
      const where = `${id}, record ${record.height} of cluster ${cluster}`;
      const results = request.results.join();
      if (results !== told.results.join()) problems.push(`${where}: has ${results}, told was ${told.results.join()}`);
      if (textOf(request.operations) !== textOf(operations)) problems.push(`${where}: is not what was ordered`);
      if (record.digest !== told.digest)
        problems.push(`${where}: is of block ${record.digest}, told was ${told.digest}`);
      if (record.sequence !== told.sequence) {
        problems.push(`${where}: has sequence ${record.sequence}, told was ${told.sequence}`);
      }
      if (cluster === told.cluster && record.height !== told.height) problems.push(`${where}: told was ${told.height}`);
    }
  }
  return problems;
}

function textOf(operations: readonly (OperationOrder | BlockOperation)[]): string {
  return operations
    .map((operation) => {
      if (operation.kind === "open") return `open ${operation.account}`;
      if (operation.kind === "rejoin") return `rejoin ${operation.node} ${operation.incarnation}`;
      const [debits, credits] = [operation.debits, operation.credits].map((postings) =>
        postings
          .map(({ account, amount }) => `${account} ${amount}`)
          .sort()
          .join(),
      );
      return `${debits} to ${credits}`;
    })
    .join("; ");
}
