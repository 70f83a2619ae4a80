// A node that lost its data comes back by the state of others (protocol 6): how often nodes have rejoined is part of
// that state, with the nodes' own words, and each later start comes to the root that a quorum has signed.

import { expect, test } from "vitest";
import { decodeClaim } from "../../src/cluster/rejoin.js";
import { incarnationKey, incarnationSchema, sumKey } from "../../src/ledger/keys.js";
import { rejoinWrite } from "../../src/node/boot.js";
import { recordedIncarnations } from "../../src/node/incarnations.js";
import { genesisWrites } from "../../src/node/restore.js";
import { limits } from "../../src/types/limits.js";
import type { FailureModel } from "../../src/types/topology.js";
import { expectConsistent } from "../support/inspect.js";
import { TestNetwork, type TestNode } from "../support/network.js";
import { payMixed, stableSlot } from "../support/sleep.js";

// Any gap is worth a question.
Object.assign(limits, { catchUpAtOnceMax: 0 });

/** Starts it with a folder that only knows that it has lost one. */
async function startLost(network: TestNetwork, node: TestNode): Promise<void> {
  const { topology, text } = network;
  node.store.apply(node.store.rows().map(([key]) => ({ key, value: undefined })));
  node.store.apply([...genesisWrites(topology, node.ref.cluster, text), rejoinWrite()]);
  await network.start(node);
}

async function recover(network: TestNetwork, node: TestNode): Promise<void> {
  await startLost(network, node);
  await network.run(40);
  // In a silent network nobody tells it of the view that the others have opened.
  payMixed(network, 2);
  await network.run(20);
}

async function pay(network: TestNetwork, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    payMixed(network, 2);
    await network.run(1);
  }
}

/** The cluster's own table: which node has rejoined how often. */
function recorded(network: TestNetwork): readonly (readonly number[])[] {
  const { store, ref } = network.node("c1n0");
  const known = recordedIncarnations(network.members, ref.cluster, { reader: store });
  return known.map(([index, { number }]) => [index, number]);
}

async function goOn(network: TestNetwork): Promise<void> {
  const from = stableSlot(network.node("c1n0"));
  for (let i = 0; i < 100 && stableSlot(network.node("c1n0")) < from + limits.checkpointSlots; i++) {
    payMixed(network, 4);
    await network.run(1);
  }
}

test.each<[FailureModel]>([["crash"], ["byzantine"]])("incarnations come with a state (%s)", async (model) => {
  const network = await TestNetwork.create({ models: [model, model], starts: true });
  await network.run(1);
  await goOn(network);
  for (const [i, name] of ["c1n1", "c1n2"].entries()) {
    const node = network.node(name);
    await recover(network, node);
    const caughtUp = node.notes.filter((note) => note.kind === "caught-up" && note.by === "state");
    expect(caughtUp.length, name).toBeGreaterThan(0);
    expect(node.replica.waitsFor, name).toBeUndefined();
    await goOn(network);
    for (const { store, ref } of network.nodesOf(1)) {
      const known = recordedIncarnations(network.members, ref.cluster, { reader: store });
      expect(known.length, `${name}, node ${ref.node}`).toBe(i + 1);
      for (const [index, { number }] of known) {
        const row = incarnationSchema.decode(store.get(incarnationKey(index)) as Uint8Array);
        const claim = row.claim && decodeClaim(row.claim, ref.cluster);
        expect(claim?.incarnation, `${name}, node ${ref.node}`).toBeGreaterThanOrEqual(number);
      }
      expect(store.get(sumKey())).toBeDefined();
    }
    for (const each of network.nodesOf(1)) await network.restart(each);
    await network.run(5);
  }
  payMixed(network, 2);
  await network.run(20);
  await expectConsistent(network, "after both have rejoined");
});

test.each<[FailureModel]>([["crash"], ["byzantine"]])(
  "who learns from a state that its incarnation was recorded asks for the next one soon (%s)",
  async (model) => {
    const network = await TestNetwork.create({ models: [model, model], starts: true });
    await network.run(1);
    const node = network.node("c1n1");
    await goOn(network);
    // It is not told of what is ordered, and so cannot know that it lacks anything.
    network.drop = ({ receiver }) => receiver === node.name;
    await startLost(network, node);
    await network.run(3);
    expect(recorded(network)).toEqual([[1, 1]]);
    await goOn(network);
    network.drop = () => false;
    await pay(network, 20);
    expect(node.replica.waitsFor).toBeUndefined();
  },
);

test.each<[FailureModel]>([["crash"], ["byzantine"]])(
  "who hears that it lacks more than a checkpoint catches up first, and asks once (%s)",
  async (model) => {
    const network = await TestNetwork.create({ models: [model, model], starts: true });
    await network.run(1);
    const node = network.node("c1n1");
    for (let i = 0; i < 2; i++) await goOn(network);
    network.drop = ({ receiver, kind }) => receiver === node.name && /^(checkpoint|stable)$/.test(kind);
    await startLost(network, node);
    await goOn(network);
    network.drop = () => false;
    await pay(network, 20);
    expect(node.replica.waitsFor).toBeUndefined();
    expect(recorded(network)).toEqual([[1, 1]]);
  },
);

test.each<[FailureModel]>([["crash"], ["byzantine"]])(
  "who stood still and finds its incarnation recorded asks for no other (%s)",
  async (model) => {
    const network = await TestNetwork.create({ models: [model, model], starts: true });
    await network.run(1);
    const node = network.node("c1n1");
    network.drop = ({ sender, kind }) => sender === node.name && kind === "request";
    await startLost(network, node);
    await pay(network, 6);
    expect(recorded(network)).toEqual([]);
    let isStill = false;
    network.drop = ({ sender, kind }) => {
      isStill ||= sender === node.name && kind === "request";
      return false;
    };
    const turns = network.turns.bind(network);
    network.turns = (each) => {
      if (!isStill || each !== node) turns(each);
    };
    while (!isStill) await pay(network, 1);
    await pay(network, 12);
    network.drop = () => false;
    node.inbox.push({ kind: "tick" });
    network.turns = turns;
    await pay(network, 15);
    expect(node.replica.waitsFor).toBeUndefined();
    expect(recorded(network)).toEqual([[1, 1]]);
  },
);
