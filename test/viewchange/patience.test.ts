// Whom a node blames (protocol 5): a primary that decides what it can is not suspected for a block over several clusters
// that waits for another cluster, nor for a request that waits its turn among others; for one that never gets it, it is.

import { expect, test } from "vitest";
import type { ClusterId } from "../../src/types/ids.js";
import type { FailureModel } from "../../src/types/topology.js";
import { START, TestNetwork, type TestNode } from "../support/network.js";

const SECONDS = 300;
const PAYMENT_SECONDS = 5;

test.each<[FailureModel]>([["crash"], ["byzantine"]])(
  "a %s cluster keeps its view and its slots moving while another cluster is down",
  async (model) => {
    const network = await TestNetwork.create({ models: [model, model] });
    network.drop = ({ sender, receiver }) => sender.startsWith("c2") || receiver.startsWith("c2");
    const nodes = network.nodesOf(1);
    const across = network.request([network.payment([1, 2])], { validUntil: START + 590_000 });
    for (const { name } of nodes) network.sendBytes(across, name);
    network.settle();
    for (let second = 0; second < SECONDS; second++) {
      if (second % PAYMENT_SECONDS === 0) network.send([network.payment([1], second % 40)], { to: "c1n0" });
      network.advance(500);
      network.advance(500);
    }
    for (const { name, replica } of nodes) {
      const { view, isOpen, frontier } = replica.coordinator.engine;
      expect({ name, view, isOpen }).toEqual({ name, view: 0, isOpen: true });
      // Every payment and the block over both clusters, which is ordered here and waits.
      expect(frontier.slot, name).toBe(SECONDS / PAYMENT_SECONDS + 1);
    }
  },
);

const STEP_MS = 250;

/** One backup holds a request that the primary never gets; another payment is made in every `every`th step. */
async function passedOver(model: FailureModel, every: number) {
  const network = await TestNetwork.create({ models: [model] });
  const [, witness] = network.nodesOf(1);
  network.drop = ({ sender, receiver, kind }) => sender !== "client" && receiver === "c1n0" && kind === "request";
  network.send([network.payment([1], 39)], { to: witness?.name ?? "" });
  network.settle();
  return (seconds: number): number => {
    for (let step = 0; step < (seconds * 1000) / STEP_MS; step++) {
      if (step % every === 0) network.send([network.payment([1], step % 30)], { to: "c1n0" });
      network.advance(STEP_MS);
    }
    return witness?.replica.coordinator.engine.view ?? 0;
  };
}

test.each<[FailureModel]>([["crash"], ["byzantine"]])(
  "a %s primary that orders others is suspected for a request it never orders, but late",
  async (model) => {
    const viewAfter = await passedOver(model, 1);
    expect(viewAfter(7.5), "before its patience ends").toBe(0);
    expect(viewAfter(1.5), "after it").toBe(1);
  },
);

test.each<[FailureModel]>([["crash"], ["byzantine"]])(
  "an idle %s primary is suspected at once for a request it never orders",
  async (model) => {
    const viewAfter = await passedOver(model, 1000);
    expect(viewAfter(2), "after its timer").toBe(1);
  },
);

/** The primary falls silent with a request under way; is it suspected when only half of the time is over? */
async function fallenSilent(model: FailureModel, links: readonly boolean[]) {
  const network = await TestNetwork.create({ models: [model] });
  const nodes = network.nodesOf(1);
  const [, ...backups] = nodes;
  network.drop = ({ sender, receiver }) => sender === "c1n0" || receiver === "c1n0";
  const request = network.request([network.payment([1])]);
  for (const isUp of links) {
    for (const { inbox } of backups) inbox.push({ kind: "link", node: { cluster: 1 as ClusterId, node: 0 }, isUp });
  }
  for (const { name } of nodes) network.sendBytes(request, name);
  network.settle();
  const viewAfter = (ms: number) => {
    network.advance(ms);
    return Math.max(...backups.map(({ replica }) => replica.coordinator.engine.view));
  };
  const { intraMs } = network.topology.timers;
  viewAfter(intraMs / 4);
  return { early: viewAfter(intraMs / 4), late: viewAfter(intraMs / 2) };
}

test.each<[FailureModel]>([["crash"], ["byzantine"]])(
  "a silent %s primary is suspected at half the time if its connections are lost, and not if they came back",
  async (model) => {
    expect(await fallenSilent(model, []), "a silent connection").toEqual({ early: 0, late: 1 });
    expect(await fallenSilent(model, [false]), "lost").toEqual({ early: 1, late: 1 });
    expect(await fallenSilent(model, [false, true]), "back").toEqual({ early: 0, late: 1 });
  },
);

/** Cuts the only connection between the primary and one backup, which is told so, or heals it. */
function setLink(network: TestNetwork, backup: TestNode, isUp: boolean): void {
  const ends = new Set(["c1n0", backup.name]);
  network.drop = ({ sender, receiver }) => !isUp && sender !== receiver && ends.has(sender) && ends.has(receiver);
  backup.inbox.push({ kind: "link", node: { cluster: 1 as ClusterId, node: 0 }, isUp });
  network.settle();
}

test("a byzantine node that loses only its connection to the primary follows the view through the others", async () => {
  const network = await TestNetwork.create({ models: ["byzantine", "byzantine"] });
  const node = network.nodesOf(1).at(-1) as TestNode;
  const load = (ms: number) => {
    for (let elapsed = 0; elapsed < ms; elapsed += 100) {
      network.pay(2, 1);
      network.settle();
      network.advance(100);
    }
  };
  load(1000);
  setLink(network, node, false);
  load(700);
  setLink(network, node, true);
  load(10_000);
  const { view, isOpen } = node.replica.coordinator.engine;
  expect({ view, isOpen }).toEqual({ view: 0, isOpen: true });
});

test("a crash node that stands back for others does not take over when its connection is back", async () => {
  const network = await TestNetwork.create({ models: ["crash"] });
  const nodes = network.nodesOf(1);
  const last = nodes.at(-1) as TestNode;
  setLink(network, last, false);
  network.sendBytes(network.request([network.payment([1])]), last.name);
  network.settle();
  network.advance(501);
  network.advance(49);
  setLink(network, last, true);
  for (let elapsed = 0; elapsed < 2000; elapsed += 50) network.advance(50);
  expect(nodes.map(({ replica }) => replica.coordinator.engine.view)).toEqual([0, 0, 0]);
});
