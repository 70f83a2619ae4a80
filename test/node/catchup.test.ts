// A node that slept until its peers had forgotten the slots it lacks (protocol 6): it learns of a stable checkpoint with
// proof, takes the records in between from its peers' ledgers, checks and executes them, and is then as if it had never
// been away. Whatever a source says, and wherever the node dies meanwhile, its store is never less than a whole view.

import { describe, expect, test } from "vitest";
import { checkpointOf } from "../../src/cluster/checkpoint.js";
import { catchUpKey, checkpointKey, prefixRange, type Table } from "../../src/ledger/keys.js";
import { limits } from "../../src/types/limits.js";
import { certificateSchema } from "../../src/types/schema.js";
import type { FailureModel } from "../../src/types/topology.js";
import { expectConsistent, expectIdle } from "../support/inspect.js";
import { TestNetwork, type TestNode } from "../support/network.js";
import { VoteWatch } from "../support/votes.js";

const NETWORKS: readonly (readonly [string, readonly FailureModel[]])[] = [
  ["crash", ["crash", "crash"]],
  ["byzantine", ["byzantine", "byzantine"]],
  ["crash beside byzantine", ["crash", "byzantine"]],
  ["byzantine beside crash", ["byzantine", "crash"]],
];

/** What must be equal, row by row, at nodes that have the same view. Certificates may be others. */
const EQUAL: readonly Table[] = ["record", "account", "reply", "expiry", "height", "placed", "verdict", "progress"];

/** Blocks of cluster 1 alone and with cluster 2, brought by either, so that its log has no-ops as well. */
function pay(network: TestNetwork, blocks: number): void {
  for (let i = 0; i < blocks; i++) {
    network.pay(...([[1], [1, 2], [1], [2, 1]][i % 4] as readonly number[]));
    network.settle();
    if (i % 16 === 0) network.advance(100);
  }
}

function deafen(network: TestNetwork, name: string): void {
  network.drop = ({ sender, receiver }) => receiver === name || sender === name;
}

/** A network in which the last node of cluster 1 has slept through some checkpoints. */
async function asleep(models: readonly FailureModel[], checkpoints = 3): Promise<readonly [TestNetwork, TestNode]> {
  const network = await TestNetwork.create({ models });
  const sleeper = network.nodesOf(1).at(-1) as TestNode;
  pay(network, 8);
  await network.run(5);
  deafen(network, sleeper.name);
  pay(network, 1);
  // Until somebody else's log begins after so many intervals.
  const awake = network.node("c1n0");
  for (let i = 0; stableSlot(awake) < checkpoints * limits.checkpointSlots; i++) {
    pay(network, 4);
    network.advance(500);
    if (i > 500) throw new Error("no checkpoint becomes stable");
  }
  await network.run(5);
  return [network, sleeper];
}

function stableSlot({ store }: TestNode): number {
  const row = store.get(checkpointKey());
  return row === undefined ? 0 : (checkpointOf(certificateSchema.decode(row))?.slot ?? 0);
}

async function rowsOf({ store }: TestNode, table: Table): Promise<readonly string[]> {
  const rows: string[] = [];
  for await (const [key, value] of store.range(prefixRange(table))) {
    rows.push(`${Buffer.from(key).toString("hex")} ${Buffer.from(value).toString("hex")}`);
  }
  return rows;
}

async function expectWhole(network: TestNetwork, node: TestNode, what: string): Promise<void> {
  const model = network.node("c1n0");
  await expectConsistent(network, what);
  expectIdle(network, what);
  expect(node.store.get(catchUpKey()), what).toBeUndefined();
  expect(stableSlot(node), what).toBe(stableSlot(model));
  for (const table of EQUAL) expect(await rowsOf(node, table), `${what}: ${table}`).toEqual(await rowsOf(model, table));
}

function caughtUp({ notes }: TestNode): number {
  return notes.filter(({ kind }) => kind === "caught-up").length;
}

describe.each(NETWORKS)("%s", (_, models) => {
  test("a node that slept through three checkpoints catches up by records, and votes again", async () => {
    const [network, sleeper] = await asleep(models);
    network.drop = () => false;
    pay(network, 2);
    await network.run(20);
    expect(caughtUp(sleeper)).toBeGreaterThan(0);
    await expectWhole(network, sleeper, "awake again");
    // It counts again: another of its cluster may now be away.
    const votes = new VoteWatch(network);
    deafen(network, network.nodesOf(1).at(-2)?.name as string);
    const { height } = sleeper.replica;
    pay(network, 8);
    await network.run(30);
    expect(sleeper.replica.height).toBe(height + 8);
    expect(votes.contradictions).toEqual([]);
  });

  test("and to a silent network, after a restart, as well", async () => {
    const [network, sleeper] = await asleep(models, 1);
    network.drop = () => false;
    await network.restart(sleeper);
    await network.run(20);
    expect(caughtUp(sleeper)).toBeGreaterThan(0);
    await expectWhole(network, sleeper, "after a restart");
  });

  test("while the others go on", async () => {
    const [network, sleeper] = await asleep(models);
    network.drop = () => false;
    for (let i = 0; i < 200; i++) {
      pay(network, 1);
      network.advance(100);
      await network.reload();
    }
    await network.run(30);
    expect(caughtUp(sleeper)).toBeGreaterThan(0);
    await expectWhole(network, sleeper, "meanwhile");
  });
});
