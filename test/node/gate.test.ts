// Who may take part after a start (protocol 6): a node says nothing that binds it before its cluster knows of its start,
// a folder that is old, empty or a copy is refused by name, and who has lost what it said comes back as the next
// incarnation of itself, in a view that was opened without its old word.

import { describe, expect, test } from "vitest";
import { bootOf, rejoinWrite } from "../../src/node/boot.js";
import { genesisWrites } from "../../src/node/restore.js";
import { openEnvelope } from "../../src/node/wire.js";
import { limits } from "../../src/types/limits.js";
import type { FailureModel } from "../../src/types/topology.js";
import { TestNetwork, type TestNode } from "../support/network.js";

const models = ["crash", "byzantine"] as const;
const BINDING = ["propose", "accept", "super-accept", "commit", "checkpoint", "prepare", "promise", "view-change"];

async function started(model: FailureModel): Promise<TestNetwork> {
  const network = await TestNetwork.create({ models: [model], starts: true });
  await network.run(1);
  return network;
}

/** Between the nodes named and all others nothing arrives. */
function cut(network: TestNetwork, ...names: readonly string[]): void {
  network.drop = ({ sender, receiver }) => names.includes(sender) || names.includes(receiver);
}

function replaceRows(node: TestNode, rows: ReturnType<TestNode["store"]["rows"]>): void {
  node.store.apply(node.store.rows().map(([key]) => ({ key, value: undefined })));
  node.store.apply(rows.map(([key, value]) => ({ key, value })));
}

/** As a new folder; with `recovered`, as `sharper node recover` leaves it. */
function empty(network: TestNetwork, node: TestNode, recovered: boolean): void {
  replaceRows(node, []);
  node.store.apply(genesisWrites(network.topology, node.ref.cluster, network.text));
  if (recovered) node.store.apply([rejoinWrite()]);
}

async function payments(network: TestNetwork, count: number): Promise<number> {
  const before = network.replies.length;
  for (let i = 0; i < count; i++) {
    network.send([network.payment([1], 2 * i)], { to: primaryOf(network) });
    await network.run(1);
  }
  return network.replies.length - before;
}

function primaryOf(network: TestNetwork): string {
  return network.nodes.find(({ replica }) => replica.coordinator.engine.isPrimary)?.name ?? "c1n0";
}

async function refusal(network: TestNetwork, node: TestNode): Promise<unknown> {
  await network.start(node);
  return network.run(3).catch((error: { code?: string }) => error.code);
}

describe.each(models)("a %s cluster", (model) => {
  test("begins when all its nodes start at once", async () => {
    const network = await started(model);
    expect(network.nodes.map(({ replica }) => replica.waitsFor)).toEqual(network.nodes.map(() => undefined));
    expect(await payments(network, 1)).toBeGreaterThan(0);
  });

  test("hears nothing binding of a node before its start is known", async () => {
    const network = await started(model);
    const node = network.node("c1n1");
    const said = new Set<string>();
    network.onTurn = (by, { outbound, inbound }) => {
      if (by !== node || by.replica.waitsFor === undefined) return;
      for (const envelope of [...outbound.values()].flat()) {
        const opened = openEnvelope(envelope);
        if (typeof opened !== "string") said.add(opened.kind);
      }
      for (const event of inbound) if (event.kind === "message") said.add(event.verified.message.kind);
    };
    network.drop = ({ receiver, kind }) => receiver === "c1n1" && kind === "started";
    await network.restart(node);
    await payments(network, 3);
    expect(node.replica.waitsFor).toBeDefined();
    expect([...said].filter((kind) => BINDING.includes(kind))).toEqual([]);
    network.drop = () => false;
    await network.run(12);
    expect(node.replica.waitsFor).toBeUndefined();
    expect(new Set(network.nodes.map(({ replica }) => replica.height))).toEqual(new Set([3]));
  });

  test("refuses an empty folder of a node that took part", async () => {
    const network = await started(model);
    await payments(network, 2);
    empty(network, network.node("c1n1"), false);
    expect(await refusal(network, network.node("c1n1"))).toBe("stale-storage");
  });

  test("refuses a copy from before the node's last start", async () => {
    const network = await started(model);
    const node = network.node("c1n1");
    const copy = node.store.rows();
    for (let i = 0; i < 3; i++) {
      await network.restart(node);
      await network.run(2);
    }
    replaceRows(node, copy);
    expect(await refusal(network, node)).toBe("stale-storage");
  });

  test("refuses a second process on a copy of the folder", async () => {
    const network = await started(model);
    const node = network.node("c1n1");
    const copy = node.store.rows();
    await network.restart(node);
    await network.run(2);
    replaceRows(node, copy);
    expect(await refusal(network, node)).toBe("duplicate-identity");
  });

  test("refuses a copy that is older than what others have heard of the node", async () => {
    const network = await started(model);
    const node = network.node("c1n1");
    const copy = node.store.rows();
    await payments(network, 3);
    replaceRows(node, copy);
    expect(await refusal(network, node)).toBe("stale-storage");
  });

  test("refuses an empty folder and an old copy however often they were started before anybody answered", async () => {
    const network = await started(model);
    const node = network.node("c1n1");
    const copy = node.store.rows();
    for (let i = 0; i < 2; i++) {
      await network.restart(node);
      await network.run(2);
    }
    for (const make of [() => empty(network, node, false), () => replaceRows(node, copy)]) {
      make();
      network.drop = ({ receiver, kind }) => receiver === "c1n1" && kind === "started";
      for (let i = 0; i < 6; i++) {
        await network.start(node);
        await network.run(1);
      }
      network.drop = () => false;
      expect(await refusal(network, node)).toBe("stale-storage");
    }
  });

  test("refuses a copy that was taken while a start was unheard, however often it is started", async () => {
    const network = await started(model);
    const node = network.node("c1n1");
    // A start that nobody answers; the operator stops the node and copies its folder.
    network.drop = ({ receiver, kind }) => receiver === "c1n1" && kind === "started";
    await network.start(node);
    await network.run(1);
    const copy = node.store.rows();
    // The next start is acknowledged: the node takes part.
    network.drop = () => false;
    await network.start(node);
    await network.run(4);
    expect(node.replica.waitsFor).toBeUndefined();
    replaceRows(node, copy);
    const codes = ["stale-storage", "duplicate-identity"];
    expect(codes).toContain(await refusal(network, node));
    // As a supervisor does.
    expect(codes).toContain(await refusal(network, node));
  });

  test("tells a bounded number of starts that nobody answered apart, and then begins as the last of them", async () => {
    const network = await started(model);
    const node = network.node("c1n1");
    network.drop = ({ receiver, kind }) => receiver === "c1n1" && kind === "started";
    for (let i = 0; i < limits.unheardStartsMax + 3; i++) await network.start(node);
    expect(bootOf(node.store).nonces.length).toBe(8 * limits.unheardStartsMax);
    network.drop = () => false;
    await network.run(4);
    expect(node.replica.waitsFor).toBeUndefined();
  });

  test("goes on after starts that nobody answered", async () => {
    const network = await started(model);
    const node = network.node("c1n1");
    network.drop = ({ receiver, kind }) => receiver === "c1n1" && kind === "started";
    for (let i = 0; i < 3; i++) {
      await network.start(node);
      await network.run(1);
    }
    network.drop = () => false;
    for (let i = 0; i < 2; i++) {
      await network.start(node);
      await network.run(4);
      expect(node.replica.waitsFor).toBeUndefined();
    }
  });

  test("a node that heard of another's return from others only does not hold its old word against it", async () => {
    const network = await started(model);
    const node = network.node("c1n1");
    await payments(network, 3);
    empty(network, node, true);
    const isFirst = ({ sender, receiver, kind }: { sender: string; receiver: string; kind: string }) =>
      sender === "c1n1" && receiver === "c1n0" && kind === "start";
    network.drop = isFirst;
    await network.start(node);
    await network.run(30);
    await network.restart(network.node("c1n0"));
    await network.run(10);
    network.drop = () => false;
    await network.restart(node);
    await network.run(10);
    expect(node.replica.waitsFor).toBeUndefined();
  });

  test("is as old as before after a start that nobody answered, whatever it has learned meanwhile", async () => {
    const network = await started(model);
    const node = network.node("c1n1");
    const copy = node.store.rows();
    await payments(network, 3);
    replaceRows(node, copy);
    network.drop = ({ receiver, kind }) => receiver === "c1n1" && kind === "started";
    await network.start(node);
    await network.run(4);
    expect(node.replica.height).toBe(3);
    network.drop = () => false;
    expect(await refusal(network, node)).toBe("stale-storage");
  });

  test("takes a node back that has lost what it said, as its next incarnation and in another view", async () => {
    const network = await started(model);
    const node = network.node("c1n1");
    await payments(network, 2);
    empty(network, node, true);
    await network.start(node);
    await network.run(20);
    expect(node.replica.waitsFor).toBeUndefined();
    expect(bootOf(node.store).incarnation).toBe(1);
    expect(node.replica.coordinator.engine.view).toBeGreaterThan(0);
    // Its vote counts again: without it there is no quorum.
    const other = network.nodes.find(({ name }) => name !== "c1n1" && name !== primaryOf(network)) as TestNode;
    cut(network, other.name);
    expect(await payments(network, 2)).toBeGreaterThan(0);
    network.drop = () => false;
    await payments(network, 1);
    await network.run(10);
    expect(new Set(network.nodes.map(({ replica }) => replica.height))).toEqual(new Set([6]));
  });

  test("takes back the primary, which another node replaces first", async () => {
    const network = await started(model);
    await payments(network, 2);
    empty(network, network.node("c1n0"), true);
    await network.start(network.node("c1n0"));
    await network.run(30);
    expect(network.node("c1n0").replica.waitsFor).toBeUndefined();
    expect(await payments(network, 1)).toBeGreaterThan(0);
  });

  test("takes a node back a second time", async () => {
    const network = await started(model);
    const node = network.node("c1n1");
    for (const incarnation of [1, 2]) {
      empty(network, node, true);
      await network.start(node);
      await network.run(40);
      expect(bootOf(node.store)).toMatchObject({ incarnation, rejoin: false, isStarted: true });
    }
  });

  test("takes a node back while another has never taken part", async () => {
    const network = await TestNetwork.create({ models: [model], starts: true });
    network.drop = ({ receiver, kind }) => receiver === "c1n1" && kind === "started";
    await network.run(3);
    expect(network.nodes.filter(({ replica }) => replica.waitsFor !== undefined).map(({ name }) => name)).toEqual([
      "c1n1",
    ]);
    empty(network, network.node("c1n2"), true);
    await network.start(network.node("c1n2"));
    network.drop = () => false;
    await network.run(40);
    expect(network.nodes.map(({ replica }) => replica.waitsFor)).toEqual(network.nodes.map(() => undefined));
  });

  test("refuses the folder from before the node rejoined", async () => {
    const network = await started(model);
    const node = network.node("c1n1");
    const old = node.store.rows();
    empty(network, node, true);
    await network.start(node);
    await network.run(20);
    expect(node.replica.waitsFor).toBeUndefined();
    replaceRows(node, old);
    expect(await refusal(network, node)).toBe("stale-storage");
  });

  test("does not take a node back while others are missing that it needs", async () => {
    const network = await started(model);
    const node = network.node("c1n1");
    empty(network, node, true);
    cut(network, "c1n2");
    await network.start(node);
    await network.run(20);
    expect(node.replica.waitsFor).toBeDefined();
    network.drop = () => false;
    await network.run(40);
    expect(node.replica.waitsFor).toBeUndefined();
  });
});

test("a crash cluster begins only when all its nodes were there once, for a new folder may have been emptied", async () => {
  const network = await TestNetwork.create({ models: ["crash"], starts: true });
  cut(network, "c1n2");
  await network.run(10);
  expect(network.node("c1n1").replica.waitsFor).toBeDefined();
  network.drop = () => false;
  await network.run(10);
  expect(network.nodes.map(({ replica }) => replica.waitsFor)).toEqual([undefined, undefined, undefined]);
});

test("a node of a crash cluster that took part before starts without those that are down, if after a while", async () => {
  const network = await started("crash");
  const node = network.node("c1n1");
  cut(network, "c1n2");
  await network.restart(node);
  network.settle();
  expect(node.replica.waitsFor).toBeDefined();
  await network.run(5);
  expect(node.replica.waitsFor).toBeUndefined();
});

test("a new node of a crash cluster begins with others that began after they had answered it", async () => {
  const network = await TestNetwork.create({ models: ["crash"], faults: 2, starts: true });
  // The others answer c1n1 at once, when they are as new as it is; the fifth's answer is lost.
  network.drop = ({ sender, receiver, kind }) => kind === "started" && sender === "c1n4" && receiver === "c1n1";
  network.settle();
  const waiting = network.nodes.filter(({ replica }) => replica.waitsFor !== undefined);
  expect(waiting.map(({ name }) => name)).toEqual(["c1n1"]);
  // It is recovering now, and answers nobody.
  empty(network, network.node("c1n4"), true);
  await network.start(network.node("c1n4"));
  network.drop = () => false;
  await network.run(30);
  expect(network.nodes.map(({ replica }) => replica.waitsFor)).toEqual(network.nodes.map(() => undefined));
});

test("the only node of a cluster starts by itself", async () => {
  const edit = (text: string) => text.replace("faults: 1", "faults: 0").replace(/^ *- \{ id: c1n[12],.*\n/gm, "");
  const network = await TestNetwork.create({ models: ["crash"], starts: true, edit });
  await network.run(1);
  expect(network.nodes.map(({ replica }) => replica.waitsFor)).toEqual([undefined]);
});
