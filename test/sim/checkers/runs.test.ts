// All checkers over whole runs of real replicas, and nothing to complain of: pairs and triples of clusters, restarts,
// lost messages, all models (protocol 10). SEEDS=from-to explores other runs.

import { describe, expect, test } from "vitest";
import type { AccountId } from "../../../src/types/ids.js";
import type { Operation } from "../../../src/types/schema.js";
import type { FailureModel } from "../../../src/types/topology.js";
import { TestNetwork } from "../../support/network.js";
import { below, lose, type Random, randomOf, shuffle, someOf } from "../../support/schedule.js";
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

/** One to three operations over the same clusters, debits in one or more of them, of amounts that run out. */
function operationsOver(network: TestNetwork, random: Random, clusters: readonly number[]): readonly Operation[] {
  return Array.from({ length: 1 + below(random, 3) }, () => {
    const accounts = clusters.map((cluster) => network.account(cluster, below(random, 3)));
    const [only] = accounts as [AccountId];
    const share = BigInt(1 + below(random, 200));
    if (accounts.length === 1) return network.transfer(only, network.account(clusters[0] as number, 3), share);
    const debited = 1 + below(random, accounts.length - 1);
    const each = (amount: number) => (account: AccountId) => ({ account, amount: share * BigInt(amount) });
    const debits = accounts.slice(0, debited).map(each(accounts.length - debited));
    return { open: "", debits, credits: accounts.slice(debited).map(each(debited)) };
  });
}

describe("the checkers are silent about correct nodes", () => {
  test.each(runs)("$name, $dissemination, seed $seed", async ({ name: _, seed, ...options }) => {
    const network = await TestNetwork.create({ ...options, blockRequestsMax: 2 });
    const watched = watch(network);
    const random = randomOf(seed);
    shuffle(network, random);
    const resend: (() => void)[] = [];
    for (let i = 0; i < 40; i++) {
      const clusters = someOf(random, { count: 1 + below(random, 3), max: options.models.length });
      const bytes = network.request(operationsOver(network, random, clusters));
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
        const bytes = network.request(operationsOver(network, random, clusters));
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

  test.each(runs)("a backup of each cluster is down: $name, $dissemination, seed $seed", async (run) => {
    const { name: _, seed, ...options } = run;
    const network = await TestNetwork.create({ ...options, blockRequestsMax: 2 });
    const random = randomOf(seed);
    shuffle(network, random);
    const down = network.topology.clusters.map(({ id, nodes }) => `c${id}n${1 + below(random, nodes.length - 1)}`);
    network.drop = ({ sender, receiver }) => down.includes(sender) || down.includes(receiver);
    const watched = watch(network, { isCorrect: (name) => !down.includes(name) });
    for (let i = 0; i < 24; i++) {
      const clusters = someOf(random, { count: 1 + below(random, 3), max: options.models.length });
      network.send(operationsOver(network, random, clusters));
      for (let steps = below(random, 60); steps > 0; steps--) network.deliverOne();
    }
    for (let i = 0; i < 120; i++) network.advance(500);
    expect(watched.end(), `seed ${seed}`).toEqual([]);
  });
});
