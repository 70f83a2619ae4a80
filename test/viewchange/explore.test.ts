// Agreement across view changes (protocol 5, I1, I2): random schedules of a small model that opens every view with what
// `keep` says, with crashes, losses, and up to f liars. No slot is decided twice differently, no block in two slots,
// sequences rise with slots, and every opening holds what earlier views decide, then or later. The same model with one
// rule left out does break, so it would show if a rule were missing here. SEEDS=1-100000 explores for longer.

import { describe, expect, test } from "vitest";
import type { ClusterInfo } from "../../src/types/topology.js";
import { parse } from "./actions.js";
import { explore, type Found, type Met } from "./explore.js";
import { Model, type Rules, Violation } from "./model.js";
import { byzantine, clusterOf, crash } from "./notation.js";
import { fewest, keeping, type Weaker, weaker } from "./weaker.js";

const [firstSeed = 1, lastSeed = firstSeed] = (process.env["SEEDS"] ?? "1-4000").split("-").map(Number);
const TIMEOUT_MS = 120_000 + (lastSeed - firstSeed) * 10;

function told(found: Found | undefined): string {
  return found === undefined ? "" : `seed ${found.seed}: ${found.message}\n${found.schedule}`;
}

describe("nothing decided is lost or contradicted", () => {
  test.each([crash(3), crash(4), crash(5), byzantine(4), byzantine(5), byzantine(7)])(
    "$model, $nodes.length nodes",
    (cluster) => {
      const met: Met = { decided: 0, fast: 0, openings: 0, checkpoints: 0, lost: 0 };
      const count = lastSeed - firstSeed + 1;
      expect(told(explore({ cluster, seed: firstSeed, count }, met))).toBe("");
      // Schedules in which nothing happens would prove nothing.
      if (count < 100) return;
      expect(met.decided).toBeGreaterThan(count / 2);
      expect(met.openings).toBeGreaterThan(count / 2);
      expect(met.fast).toBeGreaterThan(count / 10);
      expect(met.checkpoints).toBeGreaterThan(count / 10);
      expect(met.lost).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );
});

/** The violation that ends the schedule, if one does. `strict`: every step before must be possible. */
function play({ cluster, liars = [], schedule }: Weaker, rules: Rules, strict: boolean): string | undefined {
  const model = new Model({ cluster, rules, liars });
  const lines = schedule.trim().split("\n");
  for (const [index, line] of lines.entries()) {
    try {
      const isPossible = model.apply(parse(line));
      if (strict && !isPossible) throw new Error(`step ${index + 1}, ${line.trim()}, is not possible`);
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      return index === lines.length - 1 ? error.message : `too early, at step ${index + 1}: ${error.message}`;
    }
  }
  return undefined;
}

/** Those that random schedules find soon, and where. */
const soonFound: readonly { readonly rule: string; readonly without: Rules; readonly cluster: ClusterInfo }[] = [
  { rule: "the fast quorum", without: weaker[0]?.without ?? {}, cluster: crash(5) },
  { rule: "the primary in the fast quorum", without: { quorumWithoutPrimary: true }, cluster: crash(5) },
  { rule: "enough reports of a round-0 entry", without: keeping({ neededReports: () => 1 }), cluster: crash(5) },
  { rule: "votes of one view", without: { ignoresViews: true }, cluster: crash(3) },
  { rule: "ballots", without: keeping({ ignoresBallots: true }), cluster: crash(5) },
  { rule: "ballots", without: keeping({ ignoresBallots: true }), cluster: byzantine(4) },
  { rule: "decided entries stay", without: keeping({ ignoresDecisions: true }), cluster: crash(5) },
  { rule: "sequence order", without: keeping({ ignoresOrder: true }), cluster: crash(4) },
  { rule: "one slot for a block", without: keeping({ ignoresBlocks: true }), cluster: crash(5) },
  { rule: "self-assignment after the opening", without: { assignsEarly: true }, cluster: crash(5) },
  { rule: "self-assignment after the opening", without: { assignsEarly: true }, cluster: byzantine(4) },
  { rule: "one choice", without: { choosesTwice: true }, cluster: crash(3) },
  { rule: "no COMMIT of displaced accepts", without: { commitsDisplaced: true }, cluster: byzantine(4) },
  { rule: "nothing against what is prepared", without: { ignoresPrepared: true }, cluster: byzantine(5) },
  { rule: "conflicts beyond the slot", without: { comparesSlotsOnly: true }, cluster: byzantine(7) },
  {
    rule: "crash quorums",
    without: { quorum: fewest, ...keeping({}) },
    cluster: clusterOf({ model: "crash", n: 4, f: 1 }),
  },
  {
    rule: "byzantine quorums",
    without: { quorum: ({ faults }) => 2 * faults + 1, ...keeping({}) },
    cluster: byzantine(5),
  },
];

describe("each rule is needed", () => {
  test.each(weaker)("$rule", (weak) => {
    expect(play(weak, weak.without, true)).toBe(weak.breaks);
    expect(play(weak, {}, false)).toBeUndefined();
  });

  test.each(soonFound)(
    "without $rule random schedules go wrong: $cluster.model, $cluster.nodes.length nodes",
    (weak) => {
      const found = explore({ cluster: weak.cluster, rules: weak.without, seed: 1, count: 4000 });
      expect(told(found)).toMatch(/^seed \d+: .*(decided|lost)/);
    },
  );

  test("a schedule is the same for the same seed, and as text", () => {
    const rules = soonFound[0]?.without ?? {};
    const found = explore({ cluster: crash(5), rules, seed: 1, count: 4000 }) as Found;
    expect(explore({ cluster: crash(5), rules, seed: found.seed, count: 1 })).toEqual(found);
    const weak = { rule: "", without: rules, cluster: crash(5), schedule: found.schedule, breaks: found.message };
    expect(play(weak, rules, true)).toBe(found.message);
  });
});
