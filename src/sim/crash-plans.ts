// Runs of single-transfer blocks without any fault, for crashes to be put into: one cluster of each model, and two
// clusters of different models with cross-shard blocks.

import type { ClusterPlan, RunPlan } from "./plan.js";
import { quietPlan } from "./quiet-plan.js";

const crash: ClusterPlan = { model: "crash", faults: 1, nodes: 3, villains: 0 };
const byzantine: ClusterPlan = { model: "byzantine", faults: 1, nodes: 4, villains: 0 };

/** By the number of blocks. */
export const CRASH_PLANS: Readonly<Record<string, (blocks: number) => RunPlan>> = {
  crash: (blocks) => planOf(11, [crash], blocks),
  byzantine: (blocks) => planOf(12, [byzantine], blocks),
  cross: (blocks) => planOf(13, [crash, byzantine], blocks),
};

function planOf(seed: number, clusters: readonly ClusterPlan[], blocks: number): RunPlan {
  const plan = quietPlan(seed, clusters);
  const cross = clusters.length > 1 ? 0.5 : 0;
  return {
    ...plan,
    blockRequestsMax: 1,
    load: { ...plan.load, clients: 4, pauseMs: 5, requestsMax: blocks, cross },
    safetyMs: 20 * blocks,
  };
}
