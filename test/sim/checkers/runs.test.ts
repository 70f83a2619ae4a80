// All checkers over whole runs of real replicas, and nothing to complain of: pairs and triples of clusters, restarts,
// lost messages, all models (protocol 10). SEEDS=from-to explores other runs.

import { describe, expect, test } from "vitest";
import type { FailureModel } from "../../../src/types/topology.js";
import { TestNetwork } from "../../support/network.js";
import { below, lose, randomOf, shuffle, someOf } from "../../support/schedule.js";
import { watch } from "../../support/watched.js";

const [firstSeed = 1, lastSeed = firstSeed] = (process.env["SEEDS"] ?? "1").split("-").map(Number);
const seeds = Array.from({ length: lastSeed - firstSeed + 1 }, (_, i) => firstSeed + i);

const NETWORKS: Readonly<Record<string, readonly FailureModel[]>> = {
  crash: ["crash", "crash", "crash"],
  byzantine: ["byzantine", "byzantine", "byzantine"],
  mixed: ["crash", "byzantine", "crash", "byzantine"],
};
const WAYS = ["flattened", "super-propose"] as const;
const runs = Object.entries(NETWORKS).flatMap(([name, models]) =>
  WAYS.flatMap((dissemination) => seeds.map((seed) => ({ name, models, dissemination, seed }))),
);

describe("the checkers are silent about correct nodes", () => {
  test.each(runs)("$name, $dissemination, seed $seed", async ({ name: _, seed, ...options }) => {
    const network = await TestNetwork.create({ ...options, blockRequestsMax: 2 });
    const watched = watch(network);
    const random = randomOf(seed);
    shuffle(network, random);
    const resend: (() => void)[] = [];
    for (let i = 0; i < 40; i++) {
      const clusters = someOf(random, { count: 1 + below(random, 3), max: options.models.length });
      const bytes = network.request([network.payment(clusters, below(random, 3))]);
      resend.push(() => network.sendBytes(bytes, `c${clusters[0]}n0`));
      resend[i]?.();
      for (let steps = below(random, 60); steps > 0; steps--) network.deliverOne();
      const node = network.nodes[below(random, network.nodes.length)];
      if (node !== undefined && random() < 0.3) await network.restart(node);
      if (random() < 0.1) network.advance(below(random, 2000));
    }
    for (let i = 0; i < 40; i++) network.advance(500);
    // A primary's queue dies with it: the clients ask again.
    for (const send of resend) send();
    for (let i = 0; i < 20; i++) network.advance(500);
    expect(watched.end(), `seed ${seed}`).toEqual([]);
  });

  test.each(runs)(
    "messages between clusters are lost: $name, $dissemination, seed $seed",
    async ({ name: _, seed, ...options }) => {
      const network = await TestNetwork.create({ ...options, blockRequestsMax: 2 });
      const watched = watch(network);
      const random = randomOf(seed);
      shuffle(network, random);
      const concerns = ({ sender, receiver }: { sender: string; receiver: string }) =>
        sender.slice(0, 2) !== receiver.slice(0, 2);
      lose(network, random, { share: 0.2, concerns });
      const sent: (() => void)[] = [];
      for (let i = 0; i < 24; i++) {
        const clusters = someOf(random, { count: 1 + below(random, 3), max: options.models.length });
        const bytes = network.request([network.payment(clusters)]);
        sent.push(() => network.sendBytes(bytes, `c${clusters[0]}n0`));
        sent.at(-1)?.();
        for (let steps = below(random, 30); steps > 0; steps--) network.deliverOne();
      }
      for (let i = 0; i < 10; i++) network.advance(500);
      network.drop = () => false;
      for (let i = 0; i < 50; i++) network.advance(500);
      // Primaries changed: what one had promised to answer, its successor may not know of.
      for (const send of sent) send();
      for (let i = 0; i < 40; i++) network.advance(500);
      expect(watched.end(), `seed ${seed}`).toEqual([]);
    },
  );
});
