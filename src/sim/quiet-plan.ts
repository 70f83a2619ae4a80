// A plan in which nothing goes wrong, and from which others depart: runs whose every fault is chosen, not drawn.

import { limits } from "../types/limits.js";
import { FAIR_WEATHER } from "./network.js";
import type { ClusterPlan, RunPlan } from "./plan.js";

export function quietPlan(seed: number, clusters: readonly ClusterPlan[]): RunPlan {
  return {
    seed,
    profile: "own",
    clusters,
    dissemination: "flattened",
    initiator: "source",
    shards: "range",
    blockRequestsMax: 10,
    tempo: { turnMs: [0.1, 0.5], diskMs: [0.2, 1], bootMs: [5, 20], pruneMs: 0 },
    latency: { inner: [0.2, 1], outer: [1, 5], client: [1, 5] },
    weather: FAIR_WEATHER,
    skewMs: 0,
    load: {
      clients: 2,
      pauseMs: 100,
      requestsMax: 20,
      cross: clusters.length > 1 ? 0.3 : 0,
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
    sleep: undefined,
    catchUpAtOnceMax: limits.catchUpAtOnceMax,
    safetyMs: 5000,
  };
}
