// A node that sleeps until its peers have forgotten what it lacks, and what is asked of it when it is back: the same
// view, state and progress as its peers, row by row.

import { expect } from "vitest";
import { checkpointOf } from "../../src/cluster/checkpoint.js";
import { catchUpKey, checkpointKey, heightOfKey, heightRange, prefixRange, type Table } from "../../src/ledger/keys.js";
import { limits } from "../../src/types/limits.js";
import { certificateSchema, type Operation } from "../../src/types/schema.js";
import type { FailureModel } from "../../src/types/topology.js";
import { expectConsistent, expectIdle } from "./inspect.js";
import { TestNetwork, type TestNode } from "./network.js";

/** What must be equal at nodes that have the same view. Certificates may be others. */
const EQUAL: readonly Table[] = [
  "record",
  "account",
  "reply",
  "expiry",
  "height",
  "placed",
  "verdict",
  "progress",
  "position",
  "chunk",
];

/**
 * Blocks of cluster 1 alone and with cluster 2, brought by either, so that its log has no-ops as well; some of them ask
 * for more than there is, here or there.
 */
export function payMixed(network: TestNetwork, blocks: number): void {
  for (let i = 0; i < blocks; i++) {
    const clusters = [[1], [1, 2], [1], [2, 1]][i % 4] as readonly number[];
    if (i % 16 > 11) network.send([tooMuch(network, clusters)]);
    else network.pay(...clusters);
    network.settle();
    if (i % 16 === 0) network.advance(100);
  }
}

function tooMuch(network: TestNetwork, [from = 1, to = from]: readonly number[]): Operation {
  return network.transfer(network.account(from), network.account(to, 5), 1_000_000n);
}

/** Nothing reaches this node, and nothing that it says reaches anybody. */
export function cutOff(network: TestNetwork, name: string): void {
  network.drop = ({ sender, receiver }) => receiver === name || sender === name;
}

/** A network in which the last node of cluster 1 has slept through some checkpoints, and still sleeps. */
export async function asleep(
  models: readonly FailureModel[],
  checkpoints = 3,
  accounts = 400,
): Promise<readonly [TestNetwork, TestNode]> {
  const network = await TestNetwork.create({ models, accounts });
  const sleeper = network.nodesOf(1).at(-1) as TestNode;
  payMixed(network, 8);
  await network.run(5);
  cutOff(network, sleeper.name);
  payMixed(network, 1);
  const awake = network.node("c1n0");
  for (let i = 0; stableSlot(awake) < checkpoints * limits.checkpointSlots; i++) {
    payMixed(network, 4);
    network.advance(500);
    if (i > 500) throw new Error("no checkpoint becomes stable");
  }
  await network.run(5);
  return [network, sleeper];
}

export function stableSlot({ store }: TestNode): number {
  const row = store.get(checkpointKey());
  return row === undefined ? 0 : (checkpointOf(certificateSchema.decode(row))?.slot ?? 0);
}

export function caughtUp({ notes }: TestNode): number {
  return notes.filter(({ kind }) => kind === "caught-up").length;
}

/** The network is quiet, and the node has all that its peers have. */
export async function expectAwake(
  network: TestNetwork,
  node: TestNode,
  what: string,
  equal: readonly Table[] = EQUAL,
): Promise<void> {
  const model = network.nodesOf(node.ref.cluster).find(({ name }) => name !== node.name) as TestNode;
  await expectConsistent(network, what);
  expectIdle(network, what);
  expect(node.store.get(catchUpKey()), what).toBeUndefined();
  expect(stableSlot(node), what).toBe(stableSlot(model));
  // The log below the checkpoint is forgotten on disk, too.
  for await (const [key] of node.store.range(heightRange("slot", 0, stableSlot(node)))) {
    expect(heightOfKey(key), what).toBeUndefined();
  }
  for (const table of equal) {
    expect(await contentOf(node, table), `${what}: ${table}`).toEqual(await contentOf(model, table));
  }
}

export type Rows = readonly (readonly [Uint8Array, Uint8Array])[];

export async function everything({ store }: TestNode): Promise<Rows> {
  const rows: (readonly [Uint8Array, Uint8Array])[] = [];
  for await (const pair of store.range({ gte: Uint8Array.of(0), lt: Uint8Array.of(255) })) rows.push(pair);
  return rows;
}

/** The node starts again from what its store held before. */
export async function putBack(network: TestNetwork, node: TestNode, rows: Rows): Promise<void> {
  const present = await everything(node);
  node.store.apply(present.map(([key]) => ({ key, value: undefined })));
  node.store.apply(rows.map(([key, value]) => ({ key, value })));
  node.inbox.length = 0;
  node.notes.length = 0;
  await network.restart(node);
}

async function contentOf({ store }: TestNode, table: Table): Promise<readonly string[]> {
  const rows: string[] = [];
  for await (const [key, value] of store.range(prefixRange(table))) {
    rows.push(`${Buffer.from(key).toString("hex")} ${Buffer.from(value).toString("hex")}`);
  }
  return rows;
}
