// The simulator and its checkers find every planted bug within 200 seeds. A seed counts that passes without the bug, so
// that it is the bug that was found.

import { afterEach, expect, test, vi } from "vitest";
import type { Profile } from "../../../src/sim/plan.js";
import { planOf } from "../../../src/sim/profiles.js";
import { type RunResult, run } from "../../../src/sim/run.js";
import type { Ballot, Entry, NodeIndex } from "../../../src/types/ids.js";
import type { ClusterInfo } from "../../../src/types/topology.js";
import { type Bug, bugs, type QuorumBug } from "./bugs.js";

const SEEDS = 200;
const SEARCH_MS = 900_000;
const quorum = vi.hoisted((): QuorumBug => ({ sizeLess: 0, isViewless: false }));

vi.mock("../../../src/cluster/quorum.js", async (importOriginal) => {
  const ours = await importOriginal<typeof import("../../../src/cluster/quorum.js")>();
  const quorumOf = (cluster: ClusterInfo) => ours.quorumOf(cluster) - quorum.sizeLess;
  const fastQuorumOf = (cluster: ClusterInfo) => ours.fastQuorumOf(cluster) - quorum.sizeLess;
  const isQuorum = (cluster: ClusterInfo, ballot: Ballot, voters: ReadonlySet<NodeIndex>) => {
    if (ballot.round === 1) return voters.size >= quorumOf(cluster);
    return voters.size >= fastQuorumOf(cluster) && voters.has(ours.primaryOf(cluster, ballot.view));
  };
  const voteKey = (entry: Entry) => ours.voteKey(quorum.isViewless ? { ...entry, view: 0 } : entry);
  return { ...ours, quorumOf, fastQuorumOf, isQuorum, voteKey };
});

afterEach(repair);

function repair(): void {
  vi.restoreAllMocks();
  quorum.sizeLess = 0;
  quorum.isViewless = false;
}

test.each(bugs)("$name: found", { timeout: SEARCH_MS }, async (bug) => {
  const found = await firstFound(bug);
  expect(found?.violations.length, `none of seeds 1..${SEEDS} ${bug.profile} finds it`).toBeGreaterThan(0);
});

async function firstFound(bug: Bug): Promise<RunResult | undefined> {
  for (let seed = 1; seed <= SEEDS; seed++) {
    bug.plant(quorum);
    const result = await runOf(seed, bug.profile);
    repair();
    const isFound = result.violations.length > 0 && (await runOf(seed, bug.profile)).verdict === "PASS";
    if (isFound) return result;
  }
  return undefined;
}

function runOf(seed: number, profile: Profile): Promise<RunResult> {
  return run({ plan: planOf({ seed, profile }) });
}
