// Messages per block, counted on the network and compared with what the protocol says, kind by kind. A message to
// several nodes counts once for each of them, what a node says to itself not at all. n: nodes of each cluster, p = |P|.
//
// Clock no-ops (protocol 3.3) are counted apart: in an idle network every cluster of P but the one whose sequence is
// the final one needs one, which costs what a block of its own would cost, less request and reply. RESULTs are those of
// the one validator, the initiator (protocol 4).

import { describe, expect, test } from "vitest";
import { noOpBlock } from "../../src/cluster/block.js";
import { decodeCommit } from "../../src/cluster/certificate.js";
import { openEnvelope } from "../../src/node/wire.js";
import { toHex } from "../../src/types/ids.js";
import { voteSchema } from "../../src/types/schema.js";
import type { FailureModel } from "../../src/types/topology.js";
import { type NetworkOptions, type Packet, TestNetwork } from "../support/network.js";

type Counts = Readonly<Record<string, number>>;

/** One round in one crash cluster (2.1): the primary to the others, they to it, and it to them again. */
function paxosRound(n: number): Counts {
  return { propose: n - 1, accept: n - 1, commit: n - 1 };
}

/** One round in one byzantine cluster (2.2): accepts and COMMITs from everyone to everyone. */
function pbftRound(n: number): Counts {
  return { propose: n - 1, accept: n * (n - 1), commit: n * (n - 1) };
}

const expected: Readonly<Record<FailureModel, Readonly<Record<string, (n: number, p: number) => Counts>>>> = {
  crash: {
    flattened: (n, p) => ({
      request: 1,
      // π(i) to all other nodes of P (3, step 2).
      propose: p * n - 1,
      // Own cluster: backups to π(i). Each other: all n to π(i), and the backups to their own primary (step 3).
      accept: n - 1 + (p - 1) * (n + n - 1),
      // Every primary of P to all other nodes of P (step 4).
      commit: p * (p * n - 1),
      // One signed RESULT, its primary's, to the nodes of the other clusters.
      result: (p - 1) * n,
      reply: 1,
    }),
    "super-propose": (n, p) => ({
      request: 1,
      propose: n - 1,
      "super-propose": p - 1,
      accept: n - 1,
      // In each other cluster: the primary's with the block to its backups, then all n to π(i), backups to their
      // primary.
      "super-accept": (p - 1) * (n - 1 + n + n - 1),
      commit: p * (p * n - 1),
      result: (p - 1) * n,
      reply: 1,
    }),
  },
  byzantine: {
    flattened: (n, p) => ({
      request: 1,
      propose: p * n - 1,
      // Within each cluster, from everyone to everyone (step 3).
      accept: p * n * (n - 1),
      // Every node of P to all other nodes of P.
      commit: p * n * (p * n - 1),
      // Every node of the validator to every node of the other clusters.
      result: n * (p - 1) * n,
      reply: n,
    }),
    "super-propose": (n, p) => ({
      request: 1,
      propose: n - 1,
      "super-propose": p - 1,
      accept: n * (n - 1),
      // The primary's SUPER-ACCEPT with the block is its vote as well, so it is one from everyone to everyone.
      "super-accept": (p - 1) * n * (n - 1),
      commit: p * n * (p * n - 1),
      result: n * (p - 1) * n,
      reply: n,
    }),
  },
};

/** What crosses the network from here on, by kind: of blocks, and of no-ops. */
function watch(network: TestNetwork): { readonly blocks: Counts; readonly noOps: Counts } {
  const blocks: Record<string, number> = {};
  const noOps: Record<string, number> = {};
  const noOpDigests = new Set<string>(network.topology.clusters.map(({ id }) => noOpBlock(id).digest));
  network.onDelivered = (packet) => {
    const counts = noOpDigests.has(digestOf(packet)) ? noOps : blocks;
    counts[packet.kind] = (counts[packet.kind] ?? 0) + 1;
  };
  return { blocks, noOps };
}

function digestOf({ kind, bytes }: Packet): string {
  const opened = openEnvelope(bytes);
  if (typeof opened === "string") return "";
  if (kind === "commit") return decodeCommit(opened.body)?.digest ?? "";
  return kind === "propose" || kind === "accept" ? toHex(voteSchema.decode(opened.body).digest) : "";
}

function times(counts: Counts, factor: number): Counts {
  return nonZero(Object.fromEntries(Object.entries(counts).map(([kind, count]) => [kind, count * factor])));
}

function nonZero(counts: Counts): Counts {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}

const sizes: readonly { readonly model: FailureModel; readonly faults: number; readonly n: number }[] = [
  { model: "crash", faults: 1, n: 3 },
  { model: "crash", faults: 2, n: 5 },
  { model: "byzantine", faults: 1, n: 4 },
  { model: "byzantine", faults: 2, n: 7 },
];

describe.each(sizes)("$model clusters of $n", ({ model, faults, n }) => {
  async function count(p: number, dissemination: NonNullable<NetworkOptions["dissemination"]>) {
    const network = await TestNetwork.create({ models: Array(3).fill(model), faults, dissemination });
    network.settle();
    const counts = watch(network);
    network.pay(...[1, 2, 3].slice(0, p));
    network.settle();
    return counts;
  }

  test.each([
    ["flattened", 1],
    ["flattened", 2],
    ["flattened", 3],
    ["super-propose", 1],
    ["super-propose", 2],
    ["super-propose", 3],
  ] as const)("a block, %s, |P| = %i", async (dissemination, p) => {
    const { blocks, noOps } = await count(p, dissemination);
    const formula = expected[model][dissemination];
    expect(blocks).toEqual(nonZero(formula?.(n, p) ?? {}));
    expect(noOps).toEqual(times(model === "crash" ? paxosRound(n) : pbftRound(n), p - 1));
  });

  test("an intra-shard block costs one round of its cluster, a request and its replies", async () => {
    const round = model === "crash" ? paxosRound(n) : pbftRound(n);
    const { blocks } = await count(1, "flattened");
    expect(blocks).toEqual({ ...round, request: 1, reply: model === "crash" ? 1 : n });
  });

  test("a block costs the same however many requests it holds", async () => {
    const network = await TestNetwork.create({ models: [model, model], faults });
    network.settle();
    // The first block of a set of clusters leaves at once; what comes while it is under way shares the next one.
    network.pay(1, 2);
    network.deliverOne();
    for (let i = 0; i < 10; i++) network.pay(1, 2);
    const { blocks } = watch(network);
    network.settle();
    const { request: _, reply: __, ...messages } = expected[model]["flattened"]?.(n, 2) ?? {};
    expect(blocks).toMatchObject(times(messages, 2));
  });
});
