// Restarts in and after view changes (protocol 2.3, 5, 10): what a node said before it died binds it afterwards, what it
// meant to say is said again, and an opening that was obeyed once is not judged anew.

import { describe, expect, test } from "vitest";
import { slotKey } from "../../src/ledger/keys.js";
import type { Slot } from "../../src/types/ids.js";
import { storedSlotSchema } from "../../src/types/schema.js";
import type { FailureModel } from "../../src/types/topology.js";
import { balanceOf, expectConsistent } from "../support/inspect.js";
import { type Packet, TestNetwork, type TestNode } from "../support/network.js";

function touches({ sender, receiver }: Packet, name: string): boolean {
  return sender === name || receiver === name;
}

function pass(network: TestNetwork, { steps, ms }: { readonly steps: number; readonly ms: number }): void {
  for (let step = 0; step < steps; step++) network.advance(ms);
}

function heightsOf(network: TestNetwork, names: readonly string[]): readonly number[] {
  return names.map((name) => network.node(name).replica.height);
}

/** The first primary is silent, all others are asked to pay, and they open view 1 to do it. */
function openNextView(network: TestNetwork, drop: (packet: Packet) => boolean = () => false): void {
  network.drop = (packet) => drop(packet) || touches(packet, "c1n0");
  const others = network.nodes.slice(1);
  for (const { name } of others) network.send([network.payment([1])], { to: name, nonce: 777 });
  pass(network, { steps: 80, ms: 50 });
  for (const { name, replica } of others) {
    const { view, isOpen } = replica.coordinator.engine;
    expect({ name, view, isOpen }).toEqual({ name, view: 1, isOpen: true });
  }
}

function slotOf({ name, store }: TestNode, slot: number) {
  const row = store.get(slotKey(slot as Slot));
  if (row === undefined) throw new Error(`${name} has no slot ${slot}`);
  return storedSlotSchema.decode(row);
}

describe.each<[FailureModel]>([["crash"], ["byzantine"]])("a %s cluster", (model) => {
  test("decides what the primary of a later view chose alone before it restarted", async () => {
    const network = await TestNetwork.create({ models: [model] });
    openNextView(network);
    network.drop = (packet) => packet.sender === "c1n1" || touches(packet, "c1n0");
    network.send([network.payment([1], 3)], { to: "c1n1", nonce: 778 });
    network.settle();
    network.drop = () => false;
    await network.restart(network.node("c1n1"));
    pass(network, { steps: 240, ms: 500 });
    for (const { name, replica } of network.nodes) {
      const { view, isOpen } = replica.coordinator.engine;
      expect({ name, height: replica.height, view, isOpen }).toEqual({ name, height: 2, view: 1, isOpen: true });
    }
    await expectConsistent(network, model);
  });
});

test("a crash cluster opens the next view when all that are left restarted with an entry accepted", async () => {
  const network = await TestNetwork.create({ models: ["crash"] });
  const left = ["c1n0", "c1n2"];
  openNextView(network);
  network.drop = () => false;
  network.send([network.payment([1], 2)], { to: "c1n1" });
  pass(network, { steps: 100, ms: 50 });
  expect(heightsOf(network, left)).toEqual([2, 2]);

  // The primary of view 1 has its entry accepted by all, and dies before it knows.
  network.drop = ({ receiver, kind }) => receiver === "c1n1" && kind === "accept";
  const request = network.request([network.payment([1], 3)]);
  network.sendBytes(request, "c1n1");
  network.settle();
  network.drop = (packet) => touches(packet, "c1n1");
  const accepted = slotOf(network.node("c1n0"), 3).accepted;
  expect(accepted?.view).toBe(1);
  for (const name of left) {
    expect(slotOf(network.node(name), 3).accepted?.digest, name).toEqual(accepted?.digest);
    await network.restart(network.node(name));
  }

  const payer = network.account(1, 3);
  const balances = left.map((name) => balanceOf(network.node(name), payer));
  for (const name of left) network.sendBytes(request, name);
  pass(network, { steps: 60, ms: 500 });
  for (const [at, name] of left.entries()) {
    const node = network.node(name);
    const { view, isOpen } = node.replica.coordinator.engine;
    expect({ name, view, isOpen }).toEqual({ name, view: 2, isOpen: true });
    expect(slotOf(node, 3).decided?.digest, name).toEqual(accepted?.digest);
    // Asked for twice and paid once.
    expect(balanceOf(node, payer), name).toBe((balances[at] ?? 0n) - 1n);
  }
});

test("a node whose own checkpoint is behind its view's opening keeps what it said in that view", async () => {
  const network = await TestNetwork.create({ models: ["byzantine"] });
  const node = network.node("c1n2");
  const blind = ({ receiver, kind }: Packet) => receiver === node.name && (kind === "checkpoint" || kind === "stable");
  network.drop = blind;
  for (let n = 0; n < 70; n++) {
    network.send([network.payment([1], n % 50)]);
    network.settle();
  }
  openNextView(network, blind);

  // Prepared and committed by the node, and decided by nobody.
  network.drop = (packet) => blind(packet) || touches(packet, "c1n0") || packet.kind === "commit";
  network.send([network.payment([1], 5)], { to: "c1n1" });
  network.settle();
  const before = slotOf(node, node.replica.coordinator.engine.frontier.slot + 1);
  expect([before.accepted?.view, before.committed?.view, before.decided]).toEqual([1, 1, undefined]);
  expect(before.prepared.length).toBeGreaterThan(0);

  network.drop = () => true;
  await network.restart(node);
  network.settle();
  expect(node.replica.coordinator.engine.view).toBe(1);
  expect(slotOf(node, before.slot)).toEqual(before);
});

test("a primary that dies between its choice and its own PROPOSE reports nothing that others refuse", async () => {
  const network = await TestNetwork.create({ models: ["byzantine"] });
  const primary = network.node("c1n0");
  const alive = ["c1n0", "c1n1", "c1n2"];
  network.pay(1);
  network.settle();

  // The turn of its choice is durable and sent; what it then says to itself is lost with it.
  network.onTurn = (node) => {
    node.reloading ||= node === primary;
  };
  network.send([network.payment([1], 2)], { to: primary.name });
  network.deliverOne();
  network.onTurn = () => undefined;
  await network.boot(primary);

  // The others prepare it, and nobody decides it: f nodes are down and COMMITs are lost.
  const undecided = new Set(["commit", "committed", "chunk"]);
  network.drop = ({ kind }) => undecided.has(kind);
  network.settle();
  for (const name of ["c1n1", "c1n2"]) expect(slotOf(network.node(name), 2).accepted?.view, name).toBe(0);
  network.drop = (packet) => undecided.has(packet.kind) || touches(packet, "c1n3");
  for (const name of alive) {
    network.node(name).replica.coordinator.suspect();
    network.node(name).inbox.push({ kind: "tick" });
  }
  network.settle();
  pass(network, { steps: 80, ms: 500 });

  network.drop = (packet) => touches(packet, "c1n3");
  pass(network, { steps: 120, ms: 500 });
  expect(heightsOf(network, alive)).toEqual([2, 2, 2]);
  for (const name of alive) {
    const { replica, rejected } = network.node(name);
    expect(rejected, name).toEqual([]);
    expect(replica.coordinator.engine.isOpen, name).toBe(true);
    expect(replica.coordinator.engine.view, name).toBeGreaterThan(0);
  }
});
