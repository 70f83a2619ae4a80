// Whole networks of real replicas under random workloads and schedules. Every run is a function of its seed, which is
// in the test's name; SEEDS=from-to explores others. In the end everything is answered, and the offline audit finds all
// views sound, equal within a cluster and in agreement with each other, and the supply conserved (protocol 10).

import { describe, expect, test } from "vitest";
import type { FailureModel, Initiator } from "../../src/types/topology.js";
import { expectConsistent, expectIdle } from "../support/inspect.js";
import { type NetworkOptions, TestNetwork } from "../support/network.js";
import { below, lose, type Random, randomOf, shuffle, someOf } from "../support/schedule.js";
import { VoteWatch } from "../support/votes.js";

const [firstSeed = 1, lastSeed = firstSeed] = (process.env["SEEDS"] ?? "1").split("-").map(Number);
const seeds = Array.from({ length: lastSeed - firstSeed + 1 }, (_, i) => firstSeed + i);

const NETWORKS: Readonly<Record<string, readonly FailureModel[]>> = {
  crash: ["crash", "crash", "crash", "crash"],
  byzantine: ["byzantine", "byzantine", "byzantine", "byzantine"],
  mixed: ["crash", "byzantine", "crash", "byzantine"],
};
const WAYS = ["flattened", "super-propose", "adaptive"] as const;
const INITIATORS: readonly Initiator[] = ["source", "lowest"];

function combinations(): (NetworkOptions & { readonly name: string; readonly seed: number })[] {
  return Object.entries(NETWORKS).flatMap(([name, models]) =>
    WAYS.flatMap((dissemination) =>
      INITIATORS.flatMap((initiator) => seeds.map((seed) => ({ name, models, dissemination, initiator, seed }))),
    ),
  );
}

/** Sends one payment over `count` random clusters and returns what was sent, to be sent again. */
function payAtRandom(network: TestNetwork, random: Random, count: number): () => void {
  const clusters = someOf(random, { count, max: network.topology.clusters.length });
  const bytes = network.request([network.payment(clusters, below(random, 3))]);
  const initiator = network.topology.cross.initiator === "lowest" ? Math.min(...clusters) : clusters[0];
  const send = () => network.sendBytes(bytes, `c${initiator}n0`);
  send();
  return send;
}

function answered(network: TestNetwork): number {
  return new Set(network.replies.map(({ request }) => Buffer.from(request).toString("hex"))).size;
}

/** Time passes, until all timers have done what they can. */
function wait(network: TestNetwork, seconds: number): void {
  for (let i = 0; i < 2 * seconds; i++) network.advance(500);
}

describe.each([2, 3])("100 % cross-shard over %i random clusters, all primaries at once", (count) => {
  test.each(combinations())("$name, $dissemination, $initiator, seed $seed", async ({ seed, name: _, ...options }) => {
    const network = await TestNetwork.create({ ...options, blockRequestsMax: 2 });
    const random = randomOf(seed);
    shuffle(network, random);
    for (let i = 0; i < 40; i++) payAtRandom(network, random, count);
    network.settle();
    expect(answered(network)).toBe(40);
    expect(network.tick).toBe(0);
    await expectConsistent(network, `seed ${seed}`);
    expectIdle(network, `seed ${seed}`);
  });
});

describe("messages of all kinds are lost, and asked for again (protocol 3.4, 6)", () => {
  test.each(combinations())("$name, $dissemination, $initiator, seed $seed", async ({ seed, name: _, ...options }) => {
    const network = await TestNetwork.create({ ...options, blockRequestsMax: 2 });
    const random = randomOf(seed);
    shuffle(network, random);
    lose(network, random, { share: 0.2, concerns: () => true });
    const sent: (() => void)[] = [];
    for (let i = 0; i < 24; i++) {
      sent.push(payAtRandom(network, random, 1 + below(random, 3)));
      for (let steps = below(random, 30); steps > 0; steps--) network.deliverOne();
      if (random() < 0.1) network.advance(below(random, 2000));
    }
    wait(network, 5);
    network.drop = () => false;
    wait(network, 25);
    // Primaries changed, and what one had promised to answer its successor may not know of: the clients ask again.
    for (const send of sent) send();
    wait(network, 20);
    expect(answered(network)).toBe(24);
    await expectConsistent(network, `seed ${seed}`);
    expectIdle(network, `seed ${seed}`);
  });
});

describe("nodes restart from their stores, contradict nothing they said, and go on (protocol 6)", () => {
  test.each(combinations())("$name, $dissemination, $initiator, seed $seed", async ({ seed, name: _, ...options }) => {
    const network = await TestNetwork.create({ ...options, blockRequestsMax: 2 });
    const random = randomOf(seed);
    shuffle(network, random);
    const votes = new VoteWatch(network);
    const sent: (() => void)[] = [];
    for (let i = 0; i < 24; i++) {
      sent.push(payAtRandom(network, random, 1 + below(random, 3)));
      for (let steps = below(random, 60); steps > 0; steps--) network.deliverOne();
      const node = network.nodes[below(random, network.nodes.length)];
      if (node !== undefined && random() < 0.5) await network.restart(node);
      if (random() < 0.1) network.advance(below(random, 2000));
    }
    wait(network, 20);
    // A primary's queue of requests dies with it: the clients ask again.
    for (const send of sent) send();
    wait(network, 20);
    expect(votes.contradictions).toEqual([]);
    expect(votes.count).toBeGreaterThan(100);
    expect(answered(network)).toBe(24);
    await expectConsistent(network, `seed ${seed}`);
    expectIdle(network, `seed ${seed}`);
  });
});

describe("one backup of each cluster is silent, and the others go on without it", () => {
  test.each(combinations())("$name, $dissemination, $initiator, seed $seed", async ({ seed, name: _, ...options }) => {
    const network = await TestNetwork.create({ ...options, blockRequestsMax: 2 });
    const random = randomOf(seed);
    shuffle(network, random);
    const silent = network.topology.clusters.map(({ id, nodes }) => `c${id}n${1 + below(random, nodes.length - 1)}`);
    network.drop = ({ sender, receiver }) => silent.includes(sender) || silent.includes(receiver);
    for (let i = 0; i < 24; i++) {
      payAtRandom(network, random, 1 + below(random, 3));
      for (let steps = below(random, 60); steps > 0; steps--) network.deliverOne();
    }
    wait(network, 60);
    expect(answered(network)).toBe(24);
    const others = network.nodes.filter(({ name }) => !silent.includes(name));
    await expectConsistent(network, `seed ${seed}`, others);
    expectIdle(network, `seed ${seed}`, others);
  });
});
