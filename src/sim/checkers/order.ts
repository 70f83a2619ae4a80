// I2, order: along every cluster's view the heights have no gap, each record names the hash of the one before it, and
// final sequences and record times rise. I4, no cycle: the union of all views, blocks as vertices and "next in some
// view" as edges, is acyclic, found by taking away what has nothing before it, never by looking at sequences.

import { checkpointKey, recordKey } from "../../ledger/keys.js";
import type { Digest } from "../../types/ids.js";
import { showSequence } from "../../types/ids.js";
import type { Checker, MakeChecker } from "../observer.js";
import { stableOf } from "./facts.js";
import { historyOf, type SeenRecord } from "./history.js";
import { reporter, short } from "./report.js";

export const makeOrder: MakeChecker = (world, report): Checker => {
  const violated = reporter("I2", report);
  const history = historyOf(world);

  function checkPair(name: string, before: SeenRecord, { record }: SeenRecord): void {
    const { height, parent, finalSequence, time } = record;
    if (parent !== before.hash)
      violated(`record ${height} of ${name} does not name the record before it as its parent`);
    if (finalSequence <= before.record.finalSequence) {
      const [lower, higher] = [showSequence(before.record.finalSequence), showSequence(finalSequence)];
      violated(`record ${height} of ${name} has final sequence ${higher}, the one before it ${lower}`);
    }
    if (time < before.record.time) violated(`record ${height} of ${name} is older than the one before it`);
  }

  return {
    onTurn(node, plan) {
      const turn = history.take(node, plan);
      if (turn === undefined) return;
      const view = history.view(node.ref.cluster);
      for (const { height, isFresh } of turn.records) {
        if (height === 0) continue;
        // The state of a stable checkpoint stands for the records up to it (protocol 6).
        const hasBefore = node.store.get(recordKey(height - 1)) !== undefined;
        if (!hasBefore && stableOf(node.store.get(checkpointKey())).height < height - 1)
          violated(`${node.name} has record ${height} without the one before it`);
        if (!isFresh) continue;
        const [before, own, after] = [view[height - 1], view[height], view[height + 1]];
        if (before !== undefined && own !== undefined) checkPair(node.name, before, own);
        if (own !== undefined && after !== undefined) checkPair(node.name, own, after);
      }
    },
  };
};

export const makeAcyclic: MakeChecker = (world, report): Checker => {
  const violated = reporter("I4", report);
  const history = historyOf(world);
  return {
    onTurn: (node, plan) => void history.take(node, plan),
    onEnd() {
      const graph = new Map<Digest, Set<Digest>>();
      for (const { id } of world.topology.clusters) {
        let before: Digest | undefined;
        for (const seen of history.view(id)) {
          if (seen === undefined) continue;
          const { digest } = seen.record;
          if (!graph.has(digest)) graph.set(digest, new Set());
          if (before !== undefined) graph.get(before)?.add(digest);
          before = digest;
        }
      }
      const cycle = findCycle(graph);
      if (cycle !== undefined) violated(`blocks come before themselves: ${cycle.map(short).join(" -> ")}`);
    },
  };
};

/** A cycle in a graph of vertices and their successors, if there is one. */
export function findCycle(graph: ReadonlyMap<Digest, ReadonlySet<Digest>>): readonly Digest[] | undefined {
  const incoming = new Map<Digest, number>([...graph.keys()].map((digest) => [digest, 0]));
  for (const successors of graph.values()) {
    for (const digest of successors) incoming.set(digest, (incoming.get(digest) ?? 0) + 1);
  }
  const free = [...incoming].filter(([, count]) => count === 0).map(([digest]) => digest);
  for (let digest = free.pop(); digest !== undefined; digest = free.pop()) {
    incoming.delete(digest);
    for (const next of graph.get(digest) ?? []) {
      const count = (incoming.get(next) ?? 0) - 1;
      incoming.set(next, count);
      if (count === 0) free.push(next);
    }
  }
  const [start] = incoming.keys();
  return start === undefined ? undefined : walkBack(start, graph, new Set(incoming.keys()));
}

/** Everything left has something before it that is left, too: going back ends where it has been. */
function walkBack(
  start: Digest,
  graph: ReadonlyMap<Digest, ReadonlySet<Digest>>,
  left: ReadonlySet<Digest>,
): readonly Digest[] {
  const path: Digest[] = [start];
  for (;;) {
    const last = path[path.length - 1] as Digest;
    const before = [...left].find((digest) => graph.get(digest)?.has(last) === true) as Digest;
    const at = path.indexOf(before);
    if (at >= 0) return [before, ...path.slice(at).reverse()];
    path.push(before);
  }
}
