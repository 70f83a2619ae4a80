// Runs of single-transfer blocks without any fault, for crashes to be put into: one cluster of each model, and two
// clusters of different models with cross-shard blocks.

import { limits } from "../types/limits.js";
import { FAIR_WEATHER } from "./network.js";
import type { ClusterPlan, RunPlan } from "./plan.js";

const crash: ClusterPlan = { model: "crash", faults: 1, nodes: 3, villains: 0 };
const byzantine: ClusterPlan = { model: "byzantine", faults: 1, nodes: 4, villains: 0 };

/** By the number of blocks. */
export const CRASH_PLANS: Readonly<Record<string, (blocks: number) => RunPlan>> = {
  crash: (blocks) => planOf(11, [crash], blocks),
  byzantine: (blocks) => planOf(12, [byzantine], blocks),
  cross: (blocks) => planOf(13, [crash, byzantine], blocks),
};

function planOf(seed: number, clusters: readonly ClusterPlan[], blocks: number): RunPlan {
  return {
    seed,
    profile: "own",
    clusters,
    dissemination: "flattened",
    initiator: "source",
    shards: "range",
    blockRequestsMax: 1,
    tempo: { turnMs: [0.1, 0.5], diskMs: [0.2, 1], bootMs: [5, 20], pruneMs: 0 },
    latency: { inner: [0.2, 1], outer: [1, 5], client: [1, 5] },
    weather: FAIR_WEATHER,
    skewMs: 0,
    load: {
      clients: 4,
      pauseMs: 5,
      requestsMax: blocks,
      cross: clusters.length > 1 ? 0.5 : 0,
      clustersMax: clusters.length,
      batchMax: 1,
      accounts: 4,
      skew: 0,
      balance: 1_000_000n,
      openings: 0,
      mistakes: 0,
      shortLived: 0,
      readings: 0,
      attemptMs: 500,
      volleys: false,
      rogues: 0,
    },
    faults: { kinds: [], everyMs: 1000, lastsMs: [100, 1000] },
    safetyMs: 20 * blocks,
    sleep: undefined,
    catchUpAtOnceMax: limits.catchUpAtOnceMax,
  };
}
