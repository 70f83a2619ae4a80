// A simulated node dies where in a turn it is told to: what is durable and what was sent depend on the point alone, and
// nothing is ever sent that is not durable.

import { describe, expect, test } from "vitest";
import { Members } from "../../src/cluster/members.js";
import type { TurnPlan } from "../../src/node/turn.js";
import { SimClient } from "../../src/sim/clients.js";
import { Draw } from "../../src/sim/draw.js";
import { EventQueue } from "../../src/sim/events.js";
import { SimHost } from "../../src/sim/host.js";
import { Orders } from "../../src/sim/orders.js";
import { quietPlan } from "../../src/sim/quiet-plan.js";
import { KeyRing } from "../../src/sim/scheme.js";
import type { CrashPoint, Surroundings } from "../../src/sim/surroundings.js";
import { topologyOf } from "../../src/sim/terrain.js";
import type { NodeInfo } from "../../src/types/topology.js";

/** A primary alone with a client: whatever it says goes nowhere. */
async function stage() {
  const plan = quietPlan(1, [{ model: "byzantine", faults: 1, nodes: 4, villains: 0 }]);
  const keys = new KeyRing(plan.seed);
  const topology = topologyOf(plan, keys);
  const context = { topology, members: new Members(topology), verifier: keys.verifier };
  const queue = new EventQueue();
  const plans: TurnPlan[] = [];
  const sent: string[] = [];
  let starts = 0;
  const cluster = context.members.clusterOf(1 as never);
  const info = cluster.nodes[0] as NodeInfo;
  const surroundings: Surroundings = {
    queue,
    world: { topology, nodes: [], verifier: keys.verifier, now: 0, time: 0 },
    context,
    tempo: { turnMs: [1, 1], diskMs: [5, 5], bootMs: [10, 10], pruneMs: 0 },
    catchUpAtOnceMax: 1024,
    keyOf: (node) => (context.members.node(node) as NodeInfo).key,
    send: (_from, to) => void sent.push(to),
    onTurn: (_host, turn) => void plans.push(turn),
    onCrash: () => undefined,
    onStart: () => void starts++,
    onLost: () => undefined,
    onRefused: (_host, code) => {
      throw new Error(code);
    },
    onBroken: (_host, error) => {
      throw error;
    },
    onRejected: () => undefined,
  };
  const signer = keys.signer(info.id);
  const draw = new Draw(1, "host test");
  // It is alone, so it asks nobody whether it may take part, as byzantine nodes do.
  const villain = { name: "alone" };
  const host = new SimHost({ surroundings, info, cluster, endpoint: 0, signer, draw, villain, skewMs: 0 });
  await host.boot();
  await queue.runUntil(10);
  plans.length = 0;
  const client = new SimClient({
    name: "client0",
    endpoint: 4,
    signer: keys.signer("client0"),
    draw,
    surroundings: {
      queue,
      context,
      load: plan.load,
      orders: new Orders(topology, plan.load),
      send: (_from, to, frame) => {
        if (to === info.key) host.receive(client.key, frame);
      },
      takeTicket: () => true,
      onRequest: () => undefined,
      onReply: () => undefined,
      onRead: () => undefined,
    },
  });
  const request = () => client.ask(new Orders(topology, plan.load).next(client.key, draw));
  return { queue, host, plans, sent, request, starts: () => starts };
}

describe("a node that is told to die in its next turn", () => {
  test.each<[CrashPoint, { durable: boolean; sent: number | "some" }]>([
    ["before", { durable: false, sent: 0 }],
    ["between", { durable: true, sent: 0 }],
    ["partly", { durable: true, sent: "some" }],
    ["after", { durable: true, sent: 3 }],
  ])("%s the effects", async (point, expected) => {
    const { queue, host, plans, sent, request } = await stage();
    const rowsBefore = await rowsOf(host);
    host.doom(point);
    request();
    await queue.runUntil(400);
    expect(host.running).toBeUndefined();
    expect(plans.length).toBe(expected.durable ? 1 : 0);
    expect((await rowsOf(host)) > rowsBefore).toBe(expected.durable);
    if (expected.sent === "some") expect(sent.length).toBeLessThanOrEqual(3);
    else expect(sent.length).toBe(expected.sent);
  });

  test("without a turn to come it dies all the same", async () => {
    const { queue, host } = await stage();
    host.doom("between");
    await queue.runUntil(1000);
    expect(host.running).toBeUndefined();
  });

  test("when it is spared it lives", async () => {
    const { queue, host, sent, request } = await stage();
    host.doom("before");
    host.spare();
    request();
    await queue.runUntil(400);
    expect(host.running).toBeDefined();
    expect(sent.length).toBeGreaterThan(0);
  });
});

describe("a node", () => {
  test("that dies while it writes has not written", async () => {
    const { queue, host, plans, request } = await stage();
    const rowsBefore = await rowsOf(host);
    request();
    await queue.runUntil(13);
    host.crash();
    await queue.runUntil(100);
    expect(plans).toEqual([]);
    expect(await rowsOf(host)).toBe(rowsBefore);
  });

  test("starts again from its disk, once", async () => {
    const { queue, host, starts } = await stage();
    host.crash();
    host.restart();
    host.restart();
    await queue.runUntil(1000);
    expect(host.running).toBeDefined();
    expect(starts()).toBe(2);
  });

  test("that stands still takes what came meanwhile afterwards", async () => {
    const { queue, host, sent, request } = await stage();
    host.pause.begin(200);
    request();
    await queue.runUntil(199);
    expect(sent).toEqual([]);
    await queue.runUntil(300);
    expect(sent.length).toBeGreaterThan(0);
  });
});

async function rowsOf(host: SimHost): Promise<number> {
  let count = 0;
  for await (const _row of host.store.range({ gte: Uint8Array.of(0), lt: Uint8Array.of(255, 255) })) count++;
  return count;
}
