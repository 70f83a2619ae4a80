// What a new view keeps, of any reports: held against the plainest version of the rules, and against what must hold of
// every result.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { quorumOf, sameEntry } from "../../src/cluster/quorum.js";
import type { Digest, Entry } from "../../src/types/ids.js";
import { type KeepOptions, keep, type Report } from "../../src/viewchange/keep.js";
import { byzantine, crash, entryOf, NO_OP, nameOf, show } from "./notation.js";
import { conflict, plainKeep } from "./plain.js";

const names = ["A", "B", "C", "D", "-"];
const history = ["1:2 P", "2:2 -", "3:5 Q", "4:6 R", "5:6 -", "6:9 S"].map((text) => entryOf(`0.1 ${text}`));

const candidates = fc.record({
  view: fc.integer({ min: 0, max: 3 }),
  round: fc.constantFrom<0 | 1>(0, 1),
  slot: fc.integer({ min: 1, max: 7 }),
  counter: fc.integer({ min: 1, max: 9 }),
  name: fc.constantFrom(...names, "P", "Q", "S"),
});

const reportTexts = fc.record({
  stable: fc.constantFrom<number>(0, 0, 0, 1, 3),
  decided: fc.subarray(history),
  candidates: fc.array(candidates, { maxLength: 5 }),
});

const cases = fc
  .record({
    cluster: fc.constantFrom(crash(3), crash(4), crash(5), byzantine(4), byzantine(5), byzantine(7)),
    extra: fc.nat(7),
    pool: fc.array(reportTexts, { minLength: 7, maxLength: 7 }),
    shared: fc.array(candidates, { maxLength: 2 }),
  })
  .map(({ cluster, extra, pool, shared }) => {
    const size = Math.min(cluster.nodes.length, quorumOf(cluster) + (extra % 3));
    const reports = pool.slice(0, size).map(({ stable, decided, candidates }, node): Report => {
      const point = stable === 0 ? { slot: 0, sequence: 0 as Entry["sequence"] } : (history[stable - 1] as Entry);
      // What several nodes report, so that round-0 entries are kept now and then.
      const all = node + 1 < size || extra % 2 === 0 ? [...candidates, ...shared] : candidates;
      return {
        node,
        stable: { slot: point.slot, sequence: point.sequence },
        decided: decided.filter(({ slot }) => slot > stable),
        candidates: all.map(({ view, round, slot, counter, name }) =>
          entryOf(`${view}.${round} ${slot}:${counter} ${name}`),
        ),
      };
    });
    return { cluster, reports };
  });

const placedAt = (digest: Digest) => history.find((entry) => entry.digest === digest && digest !== NO_OP)?.slot;

describe("any reports", () => {
  const options = (cluster: KeepOptions["cluster"], reports: readonly Report[]) => ({
    cluster,
    view: 9,
    noOp: NO_OP,
    reports,
    placedAt,
  });

  test("the result is that of the rules read word by word", () => {
    fc.assert(
      fc.property(cases, ({ cluster, reports }) => {
        expect(keep(options(cluster, reports))).toEqual(plainKeep(options(cluster, reports)));
      }),
      { numRuns: 1500 },
    );
  });

  test("what is kept never conflicts, has no gap, and holds every decided entry", () => {
    fc.assert(
      fc.property(cases, ({ cluster, reports }) => {
        const { low, top, entries, lost } = keep(options(cluster, reports));
        expect(entries.map(({ entry }) => entry.slot)).toEqual(
          Array.from({ length: top - low.slot }, (_, index) => low.slot + 1 + index),
        );
        for (const { entry } of entries) {
          const isWrong =
            entry.sequence < low.sequence ||
            lost.includes(entry.digest) ||
            entries.some((other) => other.entry !== entry && conflict(other.entry, entry, NO_OP));
          if (isWrong) throw new Error(show(entry));
        }
        for (const entry of reports.flatMap(({ decided }) => decided)) {
          if (entry.slot <= low.slot) continue;
          const there = entries[entry.slot - low.slot - 1];
          if (there?.isDecided !== true || !sameEntry(there.entry, entry)) throw new Error(show(entry));
        }
      }),
      { numRuns: 700 },
    );
  });

  test("the order of reports, and of entries within them, does not matter", () => {
    const shuffled = cases.chain(({ cluster, reports }) =>
      fc
        .tuple(
          fc.shuffledSubarray(reports, { minLength: reports.length }),
          fc.infiniteStream(fc.integer({ min: -1, max: 1 })),
        )
        .map(([order, stream]) => ({
          cluster,
          reports,
          order: order.map((report) => ({
            ...report,
            decided: [...report.decided].reverse(),
            candidates: [...report.candidates].sort(() => stream.next().value as number),
          })),
        })),
    );
    fc.assert(
      fc.property(shuffled, ({ cluster, reports, order }) => {
        expect(keep(options(cluster, order))).toEqual(keep(options(cluster, reports)));
      }),
      { numRuns: 700 },
    );
  });

  test("every reported block is kept, decided below, or lost", () => {
    fc.assert(
      fc.property(cases, ({ cluster, reports }) => {
        const { low, entries, lost } = keep(options(cluster, reports));
        for (const { digest } of reports.flatMap(({ candidates }) => candidates)) {
          const isKept = entries.some(({ entry }) => entry.digest === digest);
          const isBelow = (placedAt(digest) ?? low.slot + 1) <= low.slot;
          const fates = [isKept, digest !== NO_OP && isBelow, lost.includes(digest)].filter(Boolean);
          if (digest !== NO_OP && fates.length !== 1) throw new Error(nameOf(digest));
        }
      }),
      { numRuns: 700 },
    );
  });
});
