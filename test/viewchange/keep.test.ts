// What a new view keeps (protocol 5), rule by rule.

import { describe, expect, test } from "vitest";
import { clusterOf, sequenceOf } from "../../src/types/ids.js";
import type { Report } from "../../src/viewchange/keep.js";
import { byzantine, CLUSTER, crash, digestOf, keepOf, NO_OP, reportsOf, show, showKept } from "./notation.js";

describe("candidates", () => {
  test("one report of a round-1 entry keeps it, crash as byzantine", () => {
    for (const [cluster, size] of [
      [crash(5), 3],
      [byzantine(4), 3],
    ] as const) {
      const rest = Array.from({ length: size - 1 }, () => ({}));
      const kept = keepOf(cluster, reportsOf({ candidates: ["3.1 1:1 A"] }, ...rest));
      expect(showKept(kept)).toEqual(["1:1 A"]);
      expect(kept.lost).toEqual([]);
    }
  });

  test("whatever is kept is at the new view's round 1, with its slot and sequence", () => {
    const kept = keepOf(
      crash(3),
      reportsOf(
        { decided: ["4.1 1:3 A"], candidates: ["2.1 2:5 B", "1.0 3:6 C"] },
        { candidates: ["1.0 3:6 C", "0.1 5:9 D"] },
      ),
    );
    expect(kept.entries.map(({ entry }) => show(entry))).toEqual([
      "9.1 1:3 A",
      "9.1 2:5 B",
      "9.1 3:6 C",
      "9.1 4:6 -",
      "9.1 5:9 D",
    ]);
  });

  test("of two rounds or two views the higher ballot wins the slot", () => {
    const rounds = keepOf(
      crash(3),
      reportsOf({ candidates: ["0.0 1:1 A", "0.1 1:1 B"] }, { candidates: ["0.0 1:1 A"] }),
    );
    expect(showKept(rounds)).toEqual(["1:1 B"]);
    expect(rounds.lost).toEqual([digestOf("A")]);
    const views = keepOf(crash(3), reportsOf({ candidates: ["1.1 1:1 A"] }, { candidates: ["2.0 1:1 B"] }));
    expect(showKept(views)).toEqual(["1:1 A"]);
    const counted = keepOf(
      crash(3),
      reportsOf({ candidates: ["1.1 1:1 A", "2.0 1:1 B"] }, { candidates: ["2.0 1:1 B"] }),
    );
    expect(showKept(counted)).toEqual(["1:1 B"]);
  });

  test("one slot has one sequence: another sequence of the same block conflicts", () => {
    const kept = keepOf(byzantine(4), reportsOf({ candidates: ["0.1 1:2 A"] }, { candidates: ["1.1 1:5 A"] }, {}));
    expect(showKept(kept)).toEqual(["1:5 A"]);
    expect(kept.lost).toEqual([]);
  });

  test("a block keeps one slot, that of its highest ballot; no-ops may keep many", () => {
    const kept = keepOf(
      crash(3),
      reportsOf({ candidates: ["0.1 1:1 A", "1.1 2:4 A"] }, { candidates: ["0.1 3:5 -", "0.1 4:6 -"] }),
    );
    expect(showKept(kept)).toEqual(["1:0 -", "2:4 A", "3:5 -", "4:6 -"]);
    expect(kept.lost).toEqual([]);
  });

  test("sequences out of slot order conflict, whichever side the kept entry is on", () => {
    const above = keepOf(crash(3), reportsOf({ candidates: ["2.1 2:5 A"] }, { candidates: ["1.1 4:4 B"] }));
    expect(showKept(above)).toEqual(["1:0 -", "2:5 A", "3:5 -", "4:5 -"]);
    expect(above.lost).toEqual([digestOf("B")]);
    const below = keepOf(crash(3), reportsOf({ candidates: ["2.1 4:5 A"] }, { candidates: ["1.1 2:6 B"] }));
    expect(showKept(below)).toEqual(["1:0 -", "2:0 -", "3:0 -", "4:5 A"]);
  });

  test("equal sequences are in order if the higher slot holds a no-op, and only then", () => {
    const noOpAbove = keepOf(crash(3), reportsOf({ candidates: ["2.1 1:5 A"] }, { candidates: ["1.1 3:5 -"] }));
    expect(showKept(noOpAbove)).toEqual(["1:5 A", "2:5 -", "3:5 -"]);
    const noOpBelow = keepOf(crash(3), reportsOf({ candidates: ["2.1 2:5 -"] }, { candidates: ["1.1 3:5 A"] }));
    expect(showKept(noOpBelow)).toEqual(["1:0 -", "2:5 -", "3:5 -"]);
    expect(noOpBelow.lost).toEqual([digestOf("A")]);
    const noOpFirst = keepOf(crash(3), reportsOf({ candidates: ["2.1 3:5 -"] }, { candidates: ["1.1 1:5 A"] }));
    expect(showKept(noOpFirst)).toEqual(["1:5 A", "2:5 -", "3:5 -"]);
  });
});

describe("candidates of one ballot that conflict, which correct nodes never make", () => {
  test.each([
    { first: "0.1 1:2 B", second: "0.1 2:1 A", why: "the lower slot" },
    { first: "0.1 1:1 B", second: "0.1 1:2 A", why: "the lower sequence" },
    { first: "0.1 1:1 A", second: "0.1 1:1 B", why: "the lower digest" },
  ])("$why goes first, whoever reports it", ({ first, second }) => {
    for (const [one, other] of [
      [first, second],
      [second, first],
    ] as const) {
      const kept = keepOf(byzantine(4), reportsOf({ candidates: [one] }, { candidates: [other] }, {}));
      expect(showKept(kept)[0]).toBe(first.replace(/^\S+ /, ""));
    }
  });
});

describe("self-assigned entries of a crash cluster", () => {
  test.each([
    { n: 3, promises: 2, needed: 2 },
    { n: 3, promises: 3, needed: 3 },
    { n: 4, promises: 3, needed: 2 },
    { n: 5, promises: 3, needed: 2 },
    { n: 5, promises: 4, needed: 3 },
    { n: 5, promises: 5, needed: 4 },
    { n: 8, promises: 5, needed: 3 },
  ])("n=$n: of $promises promises $needed must report it", ({ n, promises, needed }) => {
    const keepWith = (reporters: number) => {
      const reports = Array.from({ length: promises }, (_, node) =>
        node < reporters ? { candidates: ["0.0 1:1 A"] } : {},
      );
      return keepOf(crash(n), reportsOf(...reports));
    };
    expect(showKept(keepWith(needed))).toEqual(["1:1 A"]);
    const dropped = keepWith(needed - 1);
    expect(showKept(dropped)).toEqual(["1:0 -"]);
    expect(dropped.lost).toEqual([digestOf("A")]);
  });

  test("reports of another view, slot or sequence do not count together", () => {
    for (const other of ["1.0 1:1 A", "0.0 2:1 A", "0.0 1:2 A", "0.0 1:1 B"]) {
      const kept = keepOf(crash(5), reportsOf({ candidates: ["0.0 1:1 A"] }, { candidates: [other] }, {}));
      expect(
        kept.entries.every(({ entry }) => entry.digest === NO_OP),
        other,
      ).toBe(true);
    }
  });

  test("a round-1 report of the same entry does not count towards round 0, nor needs to", () => {
    const kept = keepOf(crash(5), reportsOf({ candidates: ["0.0 1:1 A"] }, { candidates: ["0.1 1:1 A"] }, {}));
    expect(showKept(kept)).toEqual(["1:1 A"]);
  });

  test("a node that says the same twice counts once", () => {
    const kept = keepOf(crash(5), reportsOf({ candidates: ["0.0 1:1 A", "0.0 1:1 A"] }, {}, {}));
    expect(showKept(kept)).toEqual(["1:0 -"]);
  });

  test("in a byzantine cluster a prepared entry of round 0 needs one report", () => {
    const kept = keepOf(byzantine(4), reportsOf({ candidates: ["0.0 1:1 A"] }, {}, {}));
    expect(showKept(kept)).toEqual(["1:1 A"]);
  });
});

describe("decided entries", () => {
  test("they stay whatever the ballots of candidates that conflict with them", () => {
    const kept = keepOf(
      crash(3),
      reportsOf({ decided: ["0.1 2:5 A"] }, { candidates: ["7.1 2:6 B", "7.1 1:9 C", "7.1 3:4 D", "7.1 4:7 A"] }),
    );
    expect(showKept(kept)).toEqual(["1:0 -", "2:5 A decided", "3:5 -", "4:5 -"]);
    expect(kept.lost).toEqual(["B", "C", "D"].map(digestOf).sort());
  });

  test("the same decision reported in two ballots is one", () => {
    const kept = keepOf(crash(3), reportsOf({ decided: ["0.1 1:5 A"] }, { decided: ["3.1 1:5 A"] }));
    expect(showKept(kept)).toEqual(["1:5 A decided"]);
  });

  test("one reported as candidate elsewhere is decided", () => {
    const kept = keepOf(crash(3), reportsOf({ candidates: ["4.1 1:5 A"] }, { decided: ["3.1 1:5 A"] }));
    expect(showKept(kept)).toEqual(["1:5 A decided"]);
    expect(kept.lost).toEqual([]);
  });

  test.each([
    { what: "one slot, two blocks", decided: ["0.1 1:5 A", "0.1 1:5 B"] },
    { what: "one slot, two sequences", decided: ["0.1 1:5 A", "0.1 1:6 A"] },
    { what: "one block, two slots", decided: ["0.1 1:5 A", "0.1 2:6 A"] },
    { what: "sequences out of order", decided: ["0.1 1:5 A", "0.1 2:4 B"] },
    { what: "a block with the sequence below it", decided: ["0.1 1:5 A", "0.1 2:5 B"] },
  ])("two that conflict are a broken invariant: $what", ({ decided }) => {
    const [one = "", other = ""] = decided;
    expect(() => keepOf(crash(3), reportsOf({ decided: [one] }, { decided: [other] }))).toThrow("is decided against");
    expect(() => keepOf(crash(3), reportsOf({ decided: [other] }, { decided: [one] }))).toThrow("is decided against");
  });

  test("one that conflicts with the stable checkpoint is a broken invariant", () => {
    const reports = reportsOf({ stable: [4, 9] }, { decided: ["0.1 5:8 A"] });
    expect(() => keepOf(crash(3), reports)).toThrow("is decided against");
    const again = reportsOf({ stable: [4, 9] }, { decided: ["0.1 5:10 A"] });
    expect(() => keepOf(crash(3), again, { A: 2 })).toThrow("is decided against");
  });
});

describe("the stable checkpoint", () => {
  test("the highest one reported is where the new view begins", () => {
    const kept = keepOf(
      crash(3),
      reportsOf({ decided: ["0.1 1:1 A", "0.1 2:3 B", "0.1 3:4 C"] }, { stable: [2, 3], candidates: ["0.1 4:6 D"] }),
    );
    expect(kept.low).toEqual({ slot: 2, sequence: sequenceOf(3, CLUSTER) });
    expect(showKept(kept)).toEqual(["3:4 C decided", "4:6 D"]);
  });

  test("candidates at or below it are dropped; what is placed there is not placed anew", () => {
    const kept = keepOf(
      crash(3),
      reportsOf({ candidates: ["0.1 1:1 A", "0.1 2:2 B"] }, { stable: [2, 3], candidates: ["1.1 3:5 C"] }),
      { A: 1, X: 2 },
    );
    expect(showKept(kept)).toEqual(["3:5 C"]);
    expect(kept.lost).toEqual([digestOf("B")]);
  });

  test("candidates with a sequence below its sequence are dropped, and with an equal one unless a no-op", () => {
    const reports = reportsOf({ stable: [2, 5] }, { candidates: ["0.1 3:4 A", "0.1 4:5 B", "0.1 5:5 -", "0.1 6:6 C"] });
    const kept = keepOf(crash(3), reports);
    expect(showKept(kept)).toEqual(["3:5 -", "4:5 -", "5:5 -", "6:6 C"]);
    expect(kept.lost).toEqual(["A", "B"].map(digestOf).sort());
    const noOp = keepOf(crash(3), reportsOf({ stable: [2, 5] }, { candidates: ["0.1 4:4 -", "0.1 3:7 D"] }));
    expect(showKept(noOp)).toEqual(["3:7 D", "4:7 -"]);
  });

  test("a stale duplicate of a block decided at or below it is dropped and not placed anew (scenario 11)", () => {
    const reports = reportsOf({ stable: [2, 5] }, { candidates: ["0.1 3:6 A"] });
    const kept = keepOf(crash(3), reports, { A: 2 });
    expect(showKept(kept)).toEqual(["3:5 -"]);
    expect(kept.lost).toEqual([]);
    // Decided below it as another report says.
    const told = reportsOf({ stable: [2, 5], candidates: ["0.1 3:6 A"] }, { decided: ["1.1 1:2 A"] });
    expect(showKept(keepOf(crash(3), told))).toEqual(["3:5 -"]);
    expect(keepOf(crash(3), told).lost).toEqual([]);
    // Placed above it, as far as this node knows: no reason to drop what was reported.
    expect(showKept(keepOf(crash(3), reports, { A: 3 }))).toEqual(["3:6 A"]);
  });

  test("two different ones of one slot are a broken invariant", () => {
    expect(() => keepOf(crash(3), reportsOf({ stable: [2, 5] }, { stable: [2, 6] }))).toThrow("two stable checkpoints");
  });

  test("the no-op decided there does not settle the no-ops above", () => {
    const kept = keepOf(crash(3), reportsOf({ stable: [2, 5] }, { candidates: ["0.1 3:7 -"] }), { "-": 2 });
    expect(showKept(kept)).toEqual(["3:7 -"]);
  });
});

describe("top and what fills it", () => {
  test("nothing reported: nothing kept, top is the checkpoint's slot", () => {
    expect(keepOf(crash(3), reportsOf({}, {}))).toEqual({
      low: { slot: 0, sequence: 0 },
      top: 0,
      entries: [],
      lost: [],
    });
    expect(keepOf(crash(3), reportsOf({ stable: [8, 8] }, {})).top).toBe(8);
  });

  test("top is the highest slot reported, though nothing reported there is kept", () => {
    const kept = keepOf(crash(3), reportsOf({ candidates: ["0.1 1:1 A", "0.0 3:3 B"] }, {}));
    expect(kept.top).toBe(3);
    expect(showKept(kept)).toEqual(["1:1 A", "2:1 -", "3:1 -"]);
    expect(kept.lost).toEqual([digestOf("B")]);
  });

  test("empty slots hold no-ops with the sequence of the slot below, as stamps of this cluster", () => {
    const kept = keepOf(crash(3), reportsOf({ candidates: ["0.1 2:4 A"] }, { candidates: ["0.1 4:6 B"] }));
    expect(showKept(kept)).toEqual(["1:0 -", "2:4 A", "3:4 -", "4:6 B"]);
    for (const { entry } of kept.entries) expect(clusterOf(entry.sequence)).toBe(CLUSTER);
  });
});

describe("the reports", () => {
  test("fewer than a quorum, or two of one node, are the caller's error", () => {
    expect(() => keepOf(crash(5), reportsOf({}, {}))).toThrow("reports of 3 different nodes");
    const [one, other] = reportsOf({}, {}) as [Report, Report];
    expect(() => keepOf(crash(3), [one, one])).toThrow("reports of 2 different nodes");
    expect(() => keepOf(crash(3), [one, other, other])).toThrow("reports of 2 different nodes");
  });
});
