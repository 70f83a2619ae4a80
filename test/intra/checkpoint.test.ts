// Checkpoints (protocol 6): q equal statements about one point of the delivery order make it stable, at all nodes the same;
// the log below it is forgotten, memory and disk stay within their bounds, and the window moves on.

import { describe, expect, test } from "vitest";
import { Checkpoints } from "../../src/intra/checkpoint.js";
import { checkpointKey } from "../../src/ledger/keys.js";
import { type ClusterId, type Digest, sequenceOf } from "../../src/types/ids.js";
import { limits } from "../../src/types/limits.js";
import type { Checkpoint } from "../../src/types/message.js";
import { certificateSchema, checkpointSchema } from "../../src/types/schema.js";
import type { ClusterInfo, FailureModel, NodeInfo } from "../../src/types/topology.js";
import { expectConsistent, expectIdle, slotsOf } from "../support/inspect.js";
import { TestNetwork, type TestNode } from "../support/network.js";
import { randomOf, shuffle, someOf } from "../support/schedule.js";

const signed = { body: new Uint8Array(1), signature: new Uint8Array(64) };

function clusterOf(model: FailureModel, n: number): ClusterInfo {
  return { id: 1 as ClusterId, model, faults: 1, nodes: Array.from({ length: n }, () => ({}) as NodeInfo) };
}

function checkpointOf(node: number, slot: number, change: Partial<Checkpoint> = {}): Checkpoint {
  const sequence = sequenceOf(slot, 1 as ClusterId);
  const [record, state] = ["ab".repeat(32), "cd".repeat(32)] as [Digest, Digest];
  const cluster = 1 as ClusterId;
  return {
    kind: "checkpoint",
    cluster,
    node,
    slot,
    sequence,
    height: slot,
    record,
    finalSequence: sequence,
    state,
    ...change,
  };
}

describe("counting", () => {
  const fresh = (model: FailureModel = "byzantine", n = 4) =>
    new Checkpoints({ cluster: clusterOf(model, n), stable: 0, done: 0 });

  test("a point is due when the delivered prefix passes a multiple of 64, once", () => {
    const checkpoints = fresh();
    expect([10, 63, 64, 65, 127, 200, 255, 256].map((slot) => checkpoints.advance(slot))).toEqual([
      false,
      false,
      true,
      false,
      false,
      true,
      false,
      true,
    ]);
  });

  test("q equal ones of different nodes are stable", () => {
    const checkpoints = fresh();
    expect(checkpoints.onCheckpoint(checkpointOf(0, 64), signed)).toBeUndefined();
    expect(checkpoints.onCheckpoint(checkpointOf(0, 64), signed)).toBeUndefined();
    expect(checkpoints.onCheckpoint(checkpointOf(1, 64, { state: "ef".repeat(32) as Digest }), signed)).toBeUndefined();
    expect(checkpoints.onCheckpoint(checkpointOf(2, 64), signed)).toBeUndefined();
    const stable = checkpoints.onCheckpoint(checkpointOf(3, 64), signed);
    expect(stable?.certificate.commits).toHaveLength(3);
    expect(checkpoints.stable).toBe(64);
    expect(checkpoints.onCheckpoint(checkpointOf(1, 64), signed)).toBeUndefined();
  });

  test.each<[string, Partial<Checkpoint>]>([
    ["sequence", { sequence: sequenceOf(1, 1 as ClusterId) }],
    ["height", { height: 3 }],
    ["record", { record: "12".repeat(32) as Digest }],
    ["final sequence", { finalSequence: sequenceOf(1, 1 as ClusterId) }],
    ["state", { state: "12".repeat(32) as Digest }],
  ])("ones that differ do not count together: %s", (_, change) => {
    const checkpoints = fresh("crash", 3);
    checkpoints.onCheckpoint(checkpointOf(0, 64), signed);
    expect(checkpoints.onCheckpoint(checkpointOf(1, 64, change), signed)).toBeUndefined();
    expect(checkpoints.onCheckpoint(checkpointOf(2, 64), signed)).toBeDefined();
  });

  test("a node that speaks of a thousand points crowds out only itself", () => {
    const checkpoints = fresh();
    checkpoints.onCheckpoint(checkpointOf(0, 64), signed);
    for (let i = 1; i <= 1000; i++) checkpoints.onCheckpoint(checkpointOf(3, 64 + i), signed);
    checkpoints.onCheckpoint(checkpointOf(1, 64), signed);
    expect(checkpoints.onCheckpoint(checkpointOf(2, 64), signed)?.checkpoint.slot).toBe(64);
    expect(checkpoints.onCheckpoint(checkpointOf(0, 1064), signed)).toBeUndefined();
    expect(checkpoints.onCheckpoint(checkpointOf(1, 1064), signed)?.checkpoint.slot).toBe(1064);
  });
});

/** The stable checkpoint on a node's disk, without who signed it. */
function stableOf({ store }: TestNode): unknown {
  const row = store.get(checkpointKey());
  if (row === undefined) return undefined;
  const statements = certificateSchema.decode(row).commits.map(({ body }) => {
    const { node: _, ...rest } = checkpointSchema.decode(body);
    return JSON.stringify({
      ...rest,
      record: Buffer.from(rest.record).toString("hex"),
      state: Buffer.from(rest.state).toString("hex"),
    });
  });
  expect(new Set(statements).size).toBe(1);
  return JSON.parse(statements[0] as string);
}

async function expectBounded(network: TestNetwork, cluster: number): Promise<void> {
  const stable = network.nodesOf(cluster).map(stableOf);
  expect(new Set(stable.map((each) => JSON.stringify(each))).size).toBe(1);
  for (const node of network.nodesOf(cluster)) {
    const { slot } = stable[0] as { readonly slot: number };
    const { frontier } = node.replica.coordinator.engine;
    expect(frontier.slot - slot).toBeLessThan(2 * limits.checkpointSlots);
    // A few more than the frontier has: accepts of round 0 that came to nothing.
    expect(await slotsOf(node)).toBeLessThan(2 * limits.checkpointSlots);
    expect(node.replica.coordinator.engine.decisionAt(slot)).toBeUndefined();
  }
}

describe.each(["crash", "byzantine"] as const)("a network of %s clusters", (model) => {
  test("goes on beyond the window, and forgets", async () => {
    const network = await TestNetwork.create({ models: [model] });
    for (let i = 0; i < limits.windowSlots + 30; i++) {
      network.pay(1);
      network.settle();
    }
    const [first] = network.nodes;
    expect(first?.replica.height).toBe(limits.windowSlots + 30);
    expect(stableOf(first as TestNode)).toMatchObject({ slot: limits.windowSlots, height: limits.windowSlots });
    await expectBounded(network, 1);
    await expectConsistent(network, model);
  });

  test("has equal checkpoints at all nodes of a cluster, whatever comes when, and restarts on them", async () => {
    const network = await TestNetwork.create({ models: [model, model, model], blockRequestsMax: 1 });
    const random = randomOf(7);
    shuffle(network, random);
    for (let i = 0; i < 90; i++) {
      network.pay(...someOf(random, { count: 2, max: 3 }));
      if (i % 3 === 2) network.settle();
      if (i === 60) for (const node of network.nodes) await network.restart(node);
    }
    for (let i = 0; i < 10; i++) network.advance(1000);
    for (const cluster of [1, 2, 3]) {
      expect(stableOf(network.node(`c${cluster}n0`))).toBeDefined();
      await expectBounded(network, cluster);
    }
    for (const node of network.nodes) await network.restart(node);
    network.pay(1, 2, 3);
    for (let i = 0; i < 10; i++) network.advance(1000);
    await expectConsistent(network, model);
    expectIdle(network, model);
  });
});

test("a node that restarts behind a stable checkpoint leaves out nothing", async () => {
  const network = await TestNetwork.create({ models: ["crash", "crash"] });
  // Its records wait for a verdict that does not come.
  network.drop = ({ receiver, kind }) => receiver === "c1n2" && kind === "result";
  network.pay(2, 1);
  network.settle();
  for (let i = 0; i < limits.checkpointSlots + 5; i++) {
    network.pay(1);
    network.settle();
  }
  const behind = network.node("c1n2");
  expect(behind.replica.height).toBe(0);
  expect(behind.notes.some(({ kind }) => kind === "stable")).toBe(true);
  await network.restart(behind);
  network.drop = () => false;
  for (let i = 0; i < 10; i++) network.advance(1000);
  await expectConsistent(network, "restarted behind a checkpoint");
  expect(behind.replica.height).toBe(network.node("c1n0").replica.height);
});

test("a clock no-op that is under way survives a checkpoint that covers another one", async () => {
  const network = await TestNetwork.create({ models: ["crash", "crash"] });
  for (let i = 0; i < 40; i++) {
    network.pay(1, 2);
    network.settle();
  }
  // Slot by slot a block and a no-op: whenever the next checkpoint becomes stable, one of them is under way.
  const random = randomOf(3);
  shuffle(network, random);
  for (let i = 0; i < 60; i++) network.pay(1, 2);
  for (let i = 0; i < 60; i++) network.pay(1);
  network.settle();
  for (let i = 0; i < 5; i++) network.advance(1000);
  await expectConsistent(network, "no-op under way");
  expectIdle(network, "no-op under way");
});
