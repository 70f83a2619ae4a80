// A node comes back from a backup (protocol 6): its folder has the ledger up to the backup's checkpoint and no memory of
// any vote, so the node speaks only as its next incarnation, in a view opened without its old word; and where there is
// no quorum that could order that, nobody speaks.

import { describe, expect, test } from "vitest";
import { checkpointOf } from "../../src/cluster/checkpoint.js";
import {
  bootKey,
  bootSchema,
  checkpointKey,
  heightRange,
  historyKey,
  prefixRange,
  snapshotKey,
  type Table,
} from "../../src/ledger/keys.js";
import type { MemoryStore } from "../../src/ledger/memory.js";
import { limits } from "../../src/types/limits.js";
import { certificateSchema } from "../../src/types/schema.js";
import type { FailureModel } from "../../src/types/topology.js";
import { expectConsistent } from "../support/inspect.js";
import type { TestNetwork, TestNode } from "../support/network.js";
import { cutOff, payMixed } from "../support/sleep.js";
import { VoteWatch } from "../support/votes.js";
import { backupOf, networkWithHistory, replaceStore, restored, sourceOf } from "./world.js";

/** Everything on which votes depend, and what says that the folder is in the middle of something. */
const FORGOTTEN: readonly Table[] = ["slot", "view", "said", "start", "catchup", "snapshot", "early", "history"];
const BY_HEIGHT: readonly Table[] = ["record", "position"];

async function countOf(store: MemoryStore, table: Table): Promise<number> {
  let count = 0;
  for await (const _ of store.range(prefixRange(table))) count++;
  return count;
}

function stableHeight(store: MemoryStore): number {
  const row = store.get(checkpointKey());
  return (row === undefined ? undefined : checkpointOf(certificateSchema.decode(row))?.height) ?? 0;
}

async function backupNow(network: TestNetwork, node: TestNode): Promise<Uint8Array> {
  return backupOf(await sourceOf(network, node));
}

async function untilBack(network: TestNetwork, node: TestNode): Promise<void> {
  for (let i = 0; i < 40 && node.replica.waitsFor !== undefined; i++) {
    payMixed(network, 1);
    await network.run(2);
  }
  expect(node.replica.waitsFor).toBeUndefined();
}

describe.each<[FailureModel]>([["crash"], ["byzantine"]])("a node of a %s cluster", (model) => {
  const start = () => networkWithHistory({ models: [model, model], starts: true });

  test("has its ledger in the new folder, and no memory of votes", async () => {
    const network = await start();
    const node = network.node("c1n1");
    const store = await restored(await backupNow(network, node), network, node);
    const height = stableHeight(node.store);
    expect(stableHeight(store)).toBe(height);
    for (const table of FORGOTTEN) expect(await countOf(store, table), table).toBe(0);
    expect(bootSchema.decode(store.get(bootKey()) as Uint8Array)).toMatchObject({
      rejoin: true,
      incarnation: 0,
      isStarted: false,
      wasStarted: false,
    });
    for (const table of BY_HEIGHT as readonly ("record" | "position")[]) {
      for await (const [key, value] of node.store.range(heightRange(table, 0, height))) {
        expect(Buffer.compare(store.get(key) ?? new Uint8Array(0), value), `${table}`).toBe(0);
      }
    }
    await expectConsistent(network, "the restored folder by itself", [{ ...node, store }], { strict: false });
  });

  test("takes part again as its next incarnation, and contradicts nothing that it said before", async () => {
    const network = await start();
    const votes = new VoteWatch(network);
    const node = network.node("c1n1");
    const bytes = await backupNow(network, node);
    // What it votes for now is not in the backup.
    payMixed(network, 20);
    await network.run(2);
    const store = await restored(bytes, network, node);
    await replaceStore(network, node, store);
    expect(node.replica.waitsFor).toBe("its cluster to order its next incarnation");
    await untilBack(network, node);
    const boot = bootSchema.decode(node.store.get(bootKey()) as Uint8Array);
    expect(boot).toMatchObject({ incarnation: 1, rejoin: false, isStarted: true });
    // And a second time, from a backup in which the node has not rejoined yet.
    payMixed(network, 4);
    await replaceStore(network, node, await restored(bytes, network, node));
    await network.run(12);
    await untilBack(network, node);
    expect(bootSchema.decode(node.store.get(bootKey()) as Uint8Array)).toMatchObject({ incarnation: 2 });
    // Its vote counts: nothing goes without it.
    cutOff(network, "c1n2");
    const { height } = node.replica;
    for (let i = 0; i < 8; i++) {
      payMixed(network, 1);
      await network.run(2);
    }
    expect(node.replica.height).toBeGreaterThan(height);
    network.drop = () => false;
    for (let i = 0; i < 60 && node.store.get(historyKey()) !== undefined; i++) await network.run(2);
    payMixed(network, 4);
    await network.run(30);
    expect(node.store.get(snapshotKey())).toBeUndefined();
    expect(votes.contradictions).toEqual([]);
    await expectConsistent(network, "after two restores");
  });

  test("comes back in a silent network, too, though its cluster has gone on by some checkpoints", async () => {
    const network = await start();
    const node = network.node("c1n1");
    const bytes = await backupNow(network, node);
    while (stableHeight(node.store) < 3 * limits.checkpointSlots) payMixed(network, 4);
    await network.run(5);
    await replaceStore(network, node, await restored(bytes, network, node));
    for (let i = 0; i < 30 && node.replica.waitsFor !== undefined; i++) await network.run(2);
    expect(node.replica.waitsFor).toBeUndefined();
    expect(node.replica.height).toBe(network.node("c1n0").replica.height);
  });

  test("waits for ever when all of its cluster was restored, and says for what", async () => {
    const network = await start();
    const own = network.nodesOf(1);
    const backups = await Promise.all(own.map((node) => backupNow(network, node)));
    for (const [i, node] of own.entries()) {
      await replaceStore(network, node, await restored(backups[i] as Uint8Array, network, node));
    }
    const votes = new VoteWatch(network);
    for (let i = 0; i < 20; i++) {
      payMixed(network, 1);
      await network.run(3);
    }
    for (const { replica, name, ref } of own) {
      expect(replica.waitsFor, name).toBe("its cluster to order its next incarnation");
      expect(replica.coordinator.engine.view, name).toBe(0);
      expect(ref.cluster).toBe(1);
    }
    expect(votes.contradictions).toEqual([]);
    // The ledger is all there, for the audit.
    await expectConsistent(network, "restored folders", own, { strict: false });
  });
});
