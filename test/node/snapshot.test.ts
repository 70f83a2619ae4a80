// A node that lacks more than records close cheaply takes the state itself (protocol 6): pieces under the root that a
// quorum has signed, then the records above, and the older ones in its own time. Wherever it dies meanwhile it goes on.

import { describe, expect, test } from "vitest";
import { prefixRange, snapshotKey } from "../../src/ledger/keys.js";
import { limits } from "../../src/types/limits.js";
import type { FailureModel } from "../../src/types/topology.js";
import { expectConsistent } from "../support/inspect.js";
import type { TestNode } from "../support/network.js";
import { asleep, cutOff, everything, payMixed, putBack, stableSlot } from "../support/sleep.js";
import { byState, expectWhole, wake } from "../support/snapshots.js";
import { VoteWatch } from "../support/votes.js";

// Any gap is worth a question, pieces are small, and old records come in many answers.
Object.assign(limits, {
  catchUpAtOnceMax: 0,
  recordsPerAnswerMax: 24,
  positionsPerChunk: 32,
  stateAnswerBytesMax: 4096,
});

const NETWORKS: readonly (readonly [string, readonly FailureModel[]])[] = [
  ["crash", ["crash", "crash"]],
  ["byzantine beside crash", ["byzantine", "crash"]],
];

describe.each(NETWORKS)("%s", (_, models) => {
  test("a node that slept long takes the state, votes again, and has the old records in the end", async () => {
    const [network, sleeper] = await asleep(models);
    const votes = new VoteWatch(network);
    network.drop = () => false;
    payMixed(network, 2);
    await network.run(20);
    expect(byState(sleeper)).toBeGreaterThan(0);
    await expectConsistent(network, "old records may still be missing");
    await expectWhole(network, sleeper, "awake again");
    cutOff(network, network.nodesOf(1).at(-2)?.name as string);
    const { height } = sleeper.replica;
    payMixed(network, 8);
    await network.run(30);
    expect(sleeper.replica.height).toBe(height + 8);
    expect(votes.contradictions).toEqual([]);
    network.drop = () => false;
    await network.restart(sleeper);
    payMixed(network, 1);
    await network.run(10);
    await expectConsistent(network, "after a restart");
  });

  test("while the others go on", async () => {
    const [network, sleeper] = await asleep(models);
    network.drop = () => false;
    for (let i = 0; i < 120; i++) {
      payMixed(network, 1);
      network.advance(100);
      await network.reload();
    }
    await network.run(30);
    expect(byState(sleeper)).toBeGreaterThan(0);
    await expectWhole(network, sleeper, "meanwhile");
  });

  test("an answer to a request that was executed before is told by a node that has it from the state", async () => {
    const [network, sleeper] = await asleep(models, 1);
    const request = network.request([network.transfer(network.account(1), network.account(1, 1), 1n)]);
    network.sendBytes(request, "c1n0");
    while (stableSlot(network.node("c1n0")) < 2 * limits.checkpointSlots) payMixed(network, 4);
    await wake(network, sleeper);
    await network.run(30);
    expect(byState(sleeper)).toBeGreaterThan(0);
    const told = network.replies.filter(({ nonce }) => nonce > 0).length;
    network.sendBytes(request, sleeper.name);
    network.settle();
    const reply = network.replies[told];
    const first = network.replies.find(({ nonce, node }) => nonce === reply?.nonce && node !== sleeper.ref.node);
    expect({ ...reply, node: 0, view: 0 }).toEqual({ ...first, node: 0, view: 0 });
  });
});

describe.each<[FailureModel]>([["crash"], ["byzantine"]])("a %s node that dies while it takes the state", (model) => {
  test("at any turn, goes on from there", async () => {
    const [network, sleeper] = await asleep([model, model], 2);
    const before = await everything(sleeper);
    let turns = 0;
    let middles = 0;
    for (let deathAt = 1; turns === deathAt - 1; deathAt += 1 + Math.floor(deathAt / 8)) {
      await putBack(network, sleeper, before);
      network.drop = () => false;
      turns = 0;
      network.onTurn = (node, { persist }) => {
        if (node !== sleeper || persist.length === 0) return;
        turns++;
        if (turns !== deathAt) return;
        node.reloading = true;
        network.drop = ({ sender }) => sender === sleeper.name;
      };
      for (let i = 0; i < 60 && !sleeper.reloading; i++) network.advance(500);
      network.onTurn = () => undefined;
      if (sleeper.store.get(snapshotKey()) !== undefined) middles++;
      network.packets.length = 0;
      network.drop = () => false;
      await network.restart(sleeper);
      await network.run(30);
      await expectWhole(network, sleeper, `death in turn ${deathAt}`);
      if (turns < deathAt) break;
      turns = deathAt;
    }
    expect(middles).toBeGreaterThan(2);
  });
});

test("whoever asks for a state is answered once in a turn, and from another cluster not at all", async () => {
  const [network, sleeper] = await asleep(["byzantine", "crash"], 1);
  expect((await sleepersRows(sleeper)).length).toBeGreaterThan(0);
  const source = network.node("c1n0");
  const question = { kind: "fetch-state", slot: 0, part: "list", height: 0, pieces: [] } as const;
  const { sealAs } = await import("../support/forge.js");
  for (let i = 0; i < 100; i++) {
    const event = source.ingress.open(network.node("c1n1").info.key, sealAs(network, "c1n1", question));
    if (event !== undefined) source.inbox.push(event);
  }
  network.turns(source);
  expect(network.packets.filter(({ kind }) => kind === "state")).toHaveLength(1);
  network.packets.length = 0;
  source.ingress.open(network.node("c2n1").info.key, sealAs(network, "c2n1", question));
  expect(source.rejected.at(-1)?.code).toBe("not-allowed");
});

async function sleepersRows({ store }: TestNode): Promise<readonly unknown[]> {
  const rows: unknown[] = [];
  for await (const row of store.range(prefixRange("account"))) rows.push(row);
  return rows;
}
