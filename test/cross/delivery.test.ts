// The one order (protocol 3.3): whatever the logs of the clusters and in whatever order a node learns of decisions and
// final sequences, all nodes deliver a cluster's blocks in one order, any two clusters agree on what they share, and
// the union of the views has no cycle.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Delivery } from "../../src/cross/delivery.js";
import {
  type ClusterId,
  type Digest,
  type Entry,
  NO_SEQUENCE,
  type Sequence,
  sequenceOf,
} from "../../src/types/ids.js";

interface Logs {
  /** By cluster, by slot. */
  readonly entries: readonly (readonly Entry[])[];
  readonly finals: ReadonlyMap<Digest, Sequence>;
  readonly clustersOf: ReadonlyMap<Digest, readonly number[]>;
}

interface Drawing {
  readonly clusters: number;
  /** Of each block: a number that says in which clusters it is. */
  readonly blocks: readonly number[];
  /** Where each cluster's log has what, and how its counters grow. */
  readonly order: readonly number[];
  readonly jumps: readonly number[];
}

const drawing: fc.Arbitrary<Drawing> = fc.record({
  clusters: fc.integer({ min: 2, max: 5 }),
  blocks: fc.array(fc.integer({ min: 1, max: 31 }), { minLength: 1, maxLength: 25 }),
  order: fc.array(fc.nat(), { minLength: 130, maxLength: 130 }),
  jumps: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 130, maxLength: 130 }),
});

function logsOf({ clusters, blocks, order, jumps }: Drawing): Logs {
  const clustersOf = new Map<Digest, readonly number[]>();
  blocks.forEach((mask, i) => {
    const involved = Array.from({ length: clusters }, (_, cluster) => cluster).filter(
      (cluster) => (mask >> cluster) % 2 === 1,
    );
    const digest = i.toString(16).padStart(64, "0") as Digest;
    clustersOf.set(digest, involved.length === 0 ? [i % clusters] : involved);
  });
  let drawn = 0;
  const entries = Array.from({ length: clusters }, (_, cluster) => {
    const mine = [...clustersOf].filter(([, involved]) => involved.includes(cluster)).map(([digest]) => digest);
    const log: Entry[] = [];
    let counter = 0;
    while (mine.length > 0) {
      const at = (order[drawn % order.length] as number) % mine.length;
      counter += jumps[drawn++ % jumps.length] as number;
      const id = (cluster + 1) as ClusterId;
      const digest = mine.splice(at, 1)[0] as Digest;
      log.push({ cluster: id, view: 0, round: 1, slot: log.length + 1, sequence: sequenceOf(counter, id), digest });
    }
    return log;
  });
  const finals = new Map<Digest, Sequence>();
  for (const { digest, sequence } of entries.flat()) {
    finals.set(digest, Math.max(sequence, finals.get(digest) ?? 0) as Sequence);
  }
  return { entries, finals, clustersOf };
}

/** One node of a cluster: decisions come in slot order, finals whenever `choices` says; at the end its clock moves on. */
function deliverAll(
  { entries, finals, clustersOf }: Logs,
  cluster: number,
  choices: readonly number[],
): readonly Digest[] {
  const delivery = new Delivery(NO_SEQUENCE);
  const log = [...(entries[cluster] as readonly Entry[])];
  const pending = log.filter(({ digest }) => (clustersOf.get(digest)?.length ?? 0) > 1).map(({ digest }) => digest);
  const delivered: Digest[] = [];
  let frontier = { slot: 0, sequence: NO_SEQUENCE };
  const take = () => {
    for (let next = delivery.next(frontier); next !== undefined; next = delivery.next(frontier)) {
      expect(next.final).toBe(finals.get(next.entry.digest));
      expect(next.final).toBeLessThanOrEqual(frontier.sequence);
      delivered.push(next.entry.digest);
    }
  };
  for (let i = 0; log.length > 0 || pending.length > 0; i++) {
    const choice = choices[i % choices.length] as number;
    if (log.length > 0 && (pending.length === 0 || choice % 2 === 0)) {
      const entry = log.shift() as Entry;
      frontier = { slot: entry.slot, sequence: entry.sequence };
      const isAlone = clustersOf.get(entry.digest)?.length === 1;
      delivery.add(entry, isAlone ? entry.sequence : undefined);
    } else {
      const digest = pending.splice(choice % pending.length, 1)[0] as Digest;
      delivery.finalize(digest, finals.get(digest) as Sequence);
    }
    if (choice % 3 > 0) take();
  }
  take();
  const clock = sequenceOf(1_000_000, (cluster + 1) as ClusterId);
  frontier = { slot: frontier.slot + 1, sequence: clock };
  take();
  expect(delivery.waiting).toBe(0);
  return delivered;
}

const choices = fc.array(fc.nat(), { minLength: 60, maxLength: 60 });

describe("whatever the logs and whatever comes when", () => {
  test("a cluster's nodes deliver everything, once, in the order of final sequences", () => {
    fc.assert(
      fc.property(drawing, choices, choices, (drawn, first, second) => {
        const logs = logsOf(drawn);
        for (let cluster = 0; cluster < drawn.clusters; cluster++) {
          const one = deliverAll(logs, cluster, first);
          expect(deliverAll(logs, cluster, second)).toEqual(one);
          expect(new Set(one).size).toBe(logs.entries[cluster]?.length);
          const finals = one.map((digest) => logs.finals.get(digest) as number);
          expect(finals).toEqual([...finals].sort((a, b) => a - b));
          expect(new Set(finals).size).toBe(finals.length);
        }
      }),
      { numRuns: 300 },
    );
  });

  test("views agree pairwise, and their union has no cycle (scenario 1 of protocol 9)", () => {
    fc.assert(
      fc.property(drawing, choices, (drawn, arrival) => {
        const logs = logsOf(drawn);
        const views = Array.from({ length: drawn.clusters }, (_, cluster) => deliverAll(logs, cluster, arrival));
        for (const a of views) {
          for (const b of views) {
            expect(a.filter((digest) => b.includes(digest))).toEqual(b.filter((digest) => a.includes(digest)));
          }
        }
        expect(hasCycle(views)).toBe(false);
      }),
      { numRuns: 300 },
    );
  });
});

/** Takes away blocks that no view has another before; what cannot be taken away is in a cycle. */
function hasCycle(views: readonly (readonly Digest[])[]): boolean {
  const left = views.map((view) => [...view]);
  for (;;) {
    const heads = new Set(left.flatMap((view) => view.slice(0, 1)));
    if (heads.size === 0) return false;
    const free = [...heads].find((digest) => left.every((view) => view[0] === digest || !view.includes(digest)));
    if (free === undefined) return true;
    for (const view of left) if (view[0] === free) view.shift();
  }
}

describe("one node", () => {
  const entryOf = (slot: number, counter: number): Entry => ({
    cluster: 1 as ClusterId,
    view: 0,
    round: 1,
    slot,
    sequence: sequenceOf(counter, 1 as ClusterId),
    digest: slot.toString(16).padStart(64, "0") as Digest,
  });
  const at = (slot: number, counter: number) => ({ slot, sequence: sequenceOf(counter, 1 as ClusterId) });

  test("waits for a final sequence that is not known, though later blocks are complete", () => {
    const delivery = new Delivery(NO_SEQUENCE);
    const [cross, alone] = [entryOf(1, 1), entryOf(2, 5)];
    delivery.add(cross, undefined);
    delivery.add(alone, alone.sequence);
    expect(delivery.next(at(2, 5))).toBeUndefined();
    delivery.finalize(cross.digest, sequenceOf(3, 2 as ClusterId));
    expect(delivery.next(at(2, 5))?.entry).toEqual(cross);
    expect(delivery.next(at(2, 5))?.entry).toEqual(alone);
  });

  test("lets a block pass one before it in the log whose final sequence is greater", () => {
    const delivery = new Delivery(NO_SEQUENCE);
    const [cross, alone] = [entryOf(1, 1), entryOf(2, 5)];
    delivery.add(cross, undefined);
    delivery.add(alone, alone.sequence);
    delivery.finalize(cross.digest, sequenceOf(9, 2 as ClusterId));
    expect(delivery.next(at(2, 5))?.entry).toEqual(alone);
    // Its final lies above the last slot's sequence: something below it may still be decided.
    expect(delivery.next(at(2, 5))).toBeUndefined();
    expect(delivery.next(at(3, 10))?.entry).toEqual(cross);
  });

  test("takes a final sequence that comes before the entry", () => {
    const delivery = new Delivery(NO_SEQUENCE);
    const cross = entryOf(1, 1);
    delivery.finalize(cross.digest, sequenceOf(3, 2 as ClusterId));
    delivery.add(cross, undefined);
    expect(delivery.next(at(2, 4))?.final).toBe(sequenceOf(3, 2 as ClusterId));
  });

  test("stops at a final sequence that is not above the last one: a broken invariant", () => {
    const delivery = new Delivery(sequenceOf(7, 2 as ClusterId));
    const late = entryOf(1, 3);
    delivery.add(late, late.sequence);
    expect(() => delivery.next(at(1, 3))).toThrow("is delivered after");
  });
});
