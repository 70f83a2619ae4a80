// I12 for writes: the order of the views is one that clients can have seen. A request that starts after another one was
// acknowledged stands after it in the view of the cluster that acknowledged it, and, account by account, in the view of
// every cluster where both touch one account. Results being those of a sequential execution (the audit's part), this is
// linearizability of each account's history.

import { clusterOfAccount } from "../../cluster/shards.js";
import type { AccountId, ClusterId } from "../../types/ids.js";
import type { Write } from "../history.js";
import type { Place } from "../views.js";
import type { Check, Evidence } from "./evidence.js";

/** What is known to have happened before: the highest record, and whose. */
interface Floor {
  readonly height: number;
  readonly id: string;
}

interface Rule {
  /** What the request leaves behind when it is acknowledged. */
  readonly floors: (write: Write) => readonly (readonly [key: string, floor: Floor])[];
  /** The floors that it must stand above. */
  readonly asks: (write: Write) => readonly (readonly [key: string, cluster: ClusterId])[];
}

/** In the view of the cluster that answered. */
export const clusterOrder: Check = (evidence) =>
  violations(evidence, {
    floors: ({ told, id }) =>
      told.kind === "recorded" ? [[`cluster ${told.cluster}`, { height: told.height, id }]] : [],
    asks: ({ clusters }) => clusters.map((cluster) => [`cluster ${cluster}`, cluster]),
  });

/** In every view where both touch the same account. */
export const accountOrder: Check = (evidence) => {
  const clusterOf = (account: string): ClusterId => clusterOfAccount(evidence.topology, account as AccountId);
  return violations(evidence, {
    floors: ({ id, told, operations }) => {
      if (told.kind !== "recorded" || told.results[0] !== "ok") return [];
      return accountsOf(operations).flatMap((account) => {
        const height = heightIn(evidence.places.get(id), clusterOf(account));
        return height === undefined ? [] : [[account, { height, id }] as const];
      });
    },
    asks: ({ operations }) => accountsOf(operations).map((account) => [account, clusterOf(account)]),
  });
};

/** Both ends of all writes in the order of time; of one instant starts come first, since an end then proves nothing. */
function violations({ history, places }: Evidence, rule: Rule): readonly string[] {
  const problems: string[] = [];
  const floors = new Map<string, Floor>();
  const moments = history.writes
    .filter(({ told }) => told.kind === "recorded")
    .flatMap((write) => [
      { atMs: write.startedMs, write, isEnd: false },
      { atMs: write.endedMs, write, isEnd: true },
    ])
    .sort((a, b) => a.atMs - b.atMs || Number(a.isEnd) - Number(b.isEnd));
  /** What had to be below each request when it began. */
  for (const { write, isEnd } of moments) {
    if (isEnd) {
      for (const [key, floor] of rule.floors(write)) {
        if (floor.height > (floors.get(key)?.height ?? -1)) floors.set(key, floor);
      }
      continue;
    }
    for (const [key, cluster] of rule.asks(write)) {
      const height = heightIn(places.get(write.id), cluster);
      const floor = floors.get(key);
      if (height === undefined || floor === undefined || height > floor.height) continue;
      problems.push(
        `${write.id} stands at record ${height} of cluster ${cluster}, but began after ${floor.id} ` +
          `at record ${floor.height} was acknowledged (${key})`,
      );
    }
  }
  return problems;
}

function heightIn(places: readonly Place[] | undefined, cluster: ClusterId): number | undefined {
  return places?.find((place) => place.cluster === cluster)?.record.height;
}

function accountsOf(operations: Write["operations"]): readonly string[] {
  const accounts = operations.flatMap((operation) =>
    operation.kind === "open"
      ? [operation.account]
      : [...operation.debits, ...operation.credits].map(({ account }) => account),
  );
  return [...new Set(accounts)];
}
