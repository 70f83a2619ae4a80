// Scale runs small enough for tests: slow cores, so that a second of virtual time holds few transfers.

import { costsOf } from "../../../src/sim/scale/cpu.js";
import type { ScaleOptions, ScaleRow } from "../../../src/sim/scale/run.js";

export const small: ScaleOptions = {
  clusters: 2,
  model: "byzantine",
  faults: 1,
  dissemination: "adaptive",
  blockRequestsMax: 1,
  cross: 0.1,
  clientsPerCluster: 12,
  warmup: 1,
  seconds: 2,
  costs: costsOf(4000),
  regions: 4,
  spread: false,
  seed: 7,
};

/** A row of a table, with what the test does not look at. */
export function rowOf(given: Partial<ScaleRow> & Pick<ScaleRow, "clusters" | "transfersPerSecond">): ScaleRow {
  const latency = { count: 10, p50Ms: 100, p95Ms: 200, p99Ms: 300 };
  return {
    nodes: 4 * given.clusters,
    messagesPerTransfer: 40,
    messagesByKind: {},
    intra: latency,
    cross: latency,
    collisionsPerTransfer: 0,
    noOpsPerTransfer: 0,
    failed: 0,
    rejected: 0,
    queried: 0,
    busy: 1,
    ...given,
  };
}
