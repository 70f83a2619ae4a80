// Messages per transfer of blocks of one request, kind by kind, as docs/protocol.md has them: what the simulator counts
// on its links is what the protocol says.

import { expect, test } from "vitest";
import { smallestCluster } from "../../../src/cluster/rules.js";
import { costsOf } from "../../../src/sim/scale/cpu.js";
import { runScale } from "../../../src/sim/scale/run.js";
import { limits } from "../../../src/types/limits.js";
import type { FailureModel } from "../../../src/types/topology.js";
import { small } from "./options.js";

/** One transfer after the other, so that the ends of the measured span cut few. */
const idle = { ...small, clientsPerCluster: 1, costs: costsOf(1), seconds: 1 };

function expected(model: FailureModel, n: number): Readonly<Record<string, number>> {
  const everyone = n * (n - 1);
  const checkpoint = everyone / limits.checkpointSlots;
  return model === "crash"
    ? { request: 1, propose: n - 1, accept: n - 1, commit: n - 1, reply: 1, checkpoint }
    : { request: 1, propose: n - 1, accept: everyone, commit: everyone, reply: n, checkpoint };
}

test.each([
  { model: "crash", faults: 1, total: 8 },
  { model: "crash", faults: 2, total: 14 },
  { model: "byzantine", faults: 1, total: 32 },
  { model: "byzantine", faults: 2, total: 98 },
] as const)("intra-shard transfers of $model clusters, f = $faults", async ({ model, faults, total }) => {
  const n = smallestCluster(model, faults);
  const { messagesByKind, messagesPerTransfer } = await runScale({ ...idle, model, faults, clusters: 1, cross: 0 });
  const formula = expected(model, n);
  expect(Object.keys(messagesByKind).sort()).toEqual(Object.keys(formula).sort());
  for (const [kind, count] of Object.entries(formula)) {
    // The span cuts transfers at both of its ends, and holds a whole number of checkpoints.
    const slack = kind === "checkpoint" ? 0.3 : 0.01;
    expect(messagesByKind[kind], kind).toBeGreaterThan((1 - slack) * count);
    expect(messagesByKind[kind], kind).toBeLessThan((1 + slack) * count);
  }
  expect(messagesPerTransfer - (messagesByKind["checkpoint"] ?? 0)).toBeCloseTo(total, 0);
});

test("a cross-shard transfer costs more, and as much in a larger network", async () => {
  const options = { ...idle, cross: 1, dissemination: "super-propose", seconds: 8 } as const;
  const two = await runScale({ ...options, clusters: 2 });
  const six = await runScale({ ...options, clusters: 6 });
  const n = 4;
  // REQUEST, PROPOSE, SUPER-PROPOSE, ACCEPT, SUPER-ACCEPT, COMMIT, RESULT, REPLY of one block over two clusters.
  const block = 1 + (n - 1) + 1 + n * (n - 1) + n * (n - 1) + 2 * n * (2 * n - 1) + n * n + n;
  for (const { messagesPerTransfer, noOpsPerTransfer, clusters } of [two, six]) {
    const noOps = noOpsPerTransfer * (n - 1 + 2 * n * (n - 1));
    expect(messagesPerTransfer - noOps, `${clusters} clusters`).toBeGreaterThan(0.98 * block);
    expect(messagesPerTransfer - noOps, `${clusters} clusters`).toBeLessThan(1.02 * block);
  }
});
