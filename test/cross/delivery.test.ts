// The one order (protocol 3.3): whatever the order in which decisions and final sequences become known, clusters
// deliver what they share in the same order, and nothing is left behind once the clocks have moved on.

import fc from "fast-check";
import { expect, it } from "vitest";
import { type Delivered, Delivery } from "../../src/cross/delivery.js";
import {
  type ClusterId,
  type Digest,
  type Entry,
  NO_SEQUENCE,
  type Sequence,
  sequenceOf,
} from "../../src/types/ids.js";

interface LogEntry {
  readonly entry: Entry;
  readonly final: Sequence;
}

/** Logs of clusters 1..k: every block enters the logs of its clusters at a random place, by the counter rule. */
function logsOf(
  k: number,
  blocks: readonly { readonly clusters: readonly number[]; readonly jumps: readonly number[] }[],
) {
  const counters = new Map<number, number>();
  const placed = blocks.map(({ clusters, jumps }, i) => {
    const digest = i.toString(16).padStart(64, "0") as Digest;
    const entries = clusters.map((cluster, j) => {
      const counter = (counters.get(cluster) ?? 0) + 1 + (jumps[j] ?? 0);
      counters.set(cluster, counter);
      const sequence = sequenceOf(counter, cluster as ClusterId);
      return { cluster: cluster as ClusterId, view: 0, round: 1 as const, slot: 0, sequence, digest };
    });
    return { entries, final: Math.max(...entries.map(({ sequence }) => sequence)) as Sequence };
  });
  return Array.from({ length: k }, (_, at) => {
    const own = placed.flatMap(({ entries, final }) => {
      const entry = entries.find(({ cluster }) => cluster === at + 1);
      return entry === undefined ? [] : [{ entry, final }];
    });
    return own.map(({ entry, final }, slot): LogEntry => ({ entry: { ...entry, slot: slot + 1 }, final }));
  });
}

/** Feeds a log in slot order, finals in the given order, delivering as soon as the rule allows. */
function run(log: readonly LogEntry[], finalsFirst: readonly number[]): readonly Delivered[] {
  const delivery = new Delivery(NO_SEQUENCE);
  const delivered: Delivered[] = [];
  let frontier = { slot: 0, sequence: NO_SEQUENCE };
  const drain = () => {
    for (let next = delivery.next(frontier); next !== undefined; next = delivery.next(frontier)) delivered.push(next);
  };
  const finals = [...log].sort((a, b) => (finalsFirst[a.entry.slot] ?? 0) - (finalsFirst[b.entry.slot] ?? 0));
  let told = 0;
  for (const [i, { entry }] of log.entries()) {
    for (; told < finals.length && told < (finalsFirst[i] ?? 0); told++) tell(finals[told] as LogEntry);
    delivery.add(entry, undefined);
    frontier = { slot: entry.slot, sequence: entry.sequence };
    drain();
  }
  for (; told < finals.length; told++) tell(finals[told] as LogEntry);
  // A clock no-op above every final.
  frontier = { slot: log.length + 1, sequence: Number.MAX_SAFE_INTEGER as Sequence };
  drain();
  return delivered;

  function tell({ entry, final }: LogEntry): void {
    delivery.finalize(entry.digest, final);
    drain();
  }
}

const K = 4;
const block = fc.record({
  clusters: fc.subarray([1, 2, 3, 4], { minLength: 1 }),
  jumps: fc.array(fc.nat(5), { minLength: K, maxLength: K }),
});

it("clusters deliver what they share in the same order, by strictly increasing final sequences, and deliver all", () => {
  const orders = fc.array(fc.array(fc.nat(30), { minLength: 40, maxLength: 40 }), { minLength: K, maxLength: K });
  fc.assert(
    fc.property(fc.array(block, { maxLength: 30 }), orders, (blocks, order) => {
      const logs = logsOf(K, blocks);
      for (const [at, log] of logs.entries()) {
        const delivered = run(log, order[at] ?? []);
        expect(delivered).toHaveLength(log.length);
        const finals = delivered.map(({ final }) => final);
        expect(finals).toEqual([...finals].sort((a, b) => a - b));
        expect(new Set(finals).size).toBe(finals.length);
        expect(finals).toEqual(log.map(({ final }) => final).sort((a, b) => a - b));
      }
    }),
  );
});

it("an entry whose final is unknown holds up what may come after it, and nothing before it", () => {
  const [log] = logsOf(1, [
    { clusters: [1], jumps: [0] },
    { clusters: [1], jumps: [0] },
    { clusters: [1], jumps: [0] },
  ]) as [LogEntry[]];
  const [first, second, third] = log as [LogEntry, LogEntry, LogEntry];
  const delivery = new Delivery(NO_SEQUENCE);
  delivery.add(first.entry, first.entry.sequence);
  delivery.add(second.entry, undefined);
  delivery.add(third.entry, third.entry.sequence);
  const frontier = { slot: 3, sequence: third.entry.sequence };
  expect(delivery.next(frontier)?.entry).toBe(first.entry);
  expect(delivery.next(frontier)).toBeUndefined();
  delivery.finalize(second.entry.digest, sequenceOf(9, 2 as ClusterId));
  expect(delivery.next(frontier)?.entry).toBe(third.entry);
  expect(delivery.next(frontier)).toBeUndefined();
  expect(delivery.next({ slot: 4, sequence: sequenceOf(10, 1 as ClusterId) })?.entry).toBe(second.entry);
});
