// A whole load over the SDK, in virtual time, against nodes that execute everything at once.

import { expect, test } from "vitest";
import type { TransportFactory } from "../../src/client/sdk.js";
import { sha256 } from "../../src/crypto/hash.js";
import { ed25519Signer } from "../../src/crypto/signature.js";
import type { LoadReport } from "../../src/load/report.js";
import { tablesOf } from "../../src/load/report.js";
import { runLoad } from "../../src/load/run.js";
import { carriage } from "../../src/types/message.js";
import { envelopeSchema, replySchema, requestBodySchema } from "../../src/types/schema.js";
import type { NodeInfo, Topology } from "../../src/types/topology.js";
import { clientSeed, topology as network, strangerSeed, VirtualTime } from "../client/world.js";

const LATENCY_MS = 5;
const EMPTY = new Uint8Array(0);
const owners = [clientSeed, strangerSeed].map((seed) => ed25519Signer(seed).publicKey);
const topology: Topology = {
  ...network,
  clients: owners.map((key, i) => ({ id: `client${i}`, key })),
  genesis: ["a", "z"].flatMap((prefix) =>
    owners.map((owner, i) => ({ prefix: `${prefix}${i}-`, count: 50, owner, balance: 1000n })),
  ),
};
const nodes = topology.clusters.flatMap((cluster) => cluster.nodes);

/** All nodes of the cluster that is asked answer after the same time. */
function instantNetwork(time: VirtualTime): TransportFactory {
  return ({ handlers }) => ({
    self: owners[0] as (typeof owners)[number],
    async start() {
      for (const { key } of nodes) handlers.onConnect?.(key);
    },
    stop: async () => undefined,
    send(to, messages) {
      const asked = nodes.find(({ key }) => key === to) as NodeInfo;
      const cancel = time.every(LATENCY_MS, () => {
        cancel();
        for (const node of nodes.filter(({ cluster }) => cluster === asked.cluster)) {
          for (const message of messages) handlers.onMessage(node.key, answer(node, message));
        }
      });
      return true;
    },
    publish: () => undefined,
    connected: () => [],
  });
}

function answer({ cluster, index }: NodeInfo, message: Uint8Array): Uint8Array {
  const { body } = envelopeSchema.decode(message);
  const { nonce, operations } = requestBodySchema.decode(body);
  const request = sha256(body);
  const executed = { refusal: 0, results: new Uint8Array(operations.length), height: 1, sequence: 65_537 };
  const reply = { cluster, node: index, nonce, request, ...executed, digest: request, view: 0, retryAfterMs: 0 };
  const { number } = carriage.reply;
  return envelopeSchema.encode({ kind: number, body: replySchema.encode(reply), signature: EMPTY, block: EMPTY });
}

async function run(options: Partial<Parameters<typeof runLoad>[0]> = {}): Promise<LoadReport> {
  const time = new VirtualTime();
  const report = runLoad({
    topology,
    keys: [clientSeed, strangerSeed],
    sessions: 8,
    warmupMs: 200,
    durationMs: 1000,
    cross: 0.5,
    shardsPerCross: 2,
    debitsPerCross: 1,
    skew: 0,
    batch: 3,
    seed: 1,
    time,
    transport: instantNetwork(time),
    ...options,
  });
  let ended = false;
  void report.then(
    () => (ended = true),
    () => (ended = true),
  );
  while (!ended) {
    await new Promise((turn) => setImmediate(turn));
    time.advance(100);
  }
  return report;
}

test("a load over two keys and two clusters is measured and tabled, and all of it commits", async () => {
  const report = await run();
  const { result, config } = report;
  expect(Object.keys(result.endings)).toEqual(["ok"]);
  expect(result.failedOtherThanByFunds).toBe(0);
  // 8 sessions, 3 transfers each, 200 turns of 5 ms in a second.
  expect(result.transfersPerSecond).toBeGreaterThan(4500);
  expect(result.transfersPerSecond).toBeLessThanOrEqual(4850);
  expect(result.intra.p50Ms).toBeCloseTo(LATENCY_MS, 1);
  expect(result.cross.count).toBeGreaterThan(500);
  expect(config).toMatchObject({ keys: 2, clients: 8, rate: null, clusters: ["byzantine 4", "crash 3"] });
  expect(tablesOf(report).latency.map(({ shards }) => shards)).toEqual(["intra", "cross"]);
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
});

test("an open loop keeps its rate", async () => {
  const { result } = await run({ rate: 400, batch: 1 });
  expect(result.requestsPerSecond).toBeGreaterThan(390);
  expect(result.requestsPerSecond).toBeLessThan(410);
  expect(result.neverStarted).toBe(0);
});

test.each([
  ["no sessions", { sessions: 0 }],
  ["a rate of nothing", { rate: 0 }],
  ["no time", { durationMs: 0 }],
  ["a workload that cannot be", { shardsPerCross: 9 }],
])("%s is refused", async (_what, options) => {
  await expect(run(options)).rejects.toMatchObject({ code: "bad-workload" });
});

test("without a key there is no load", async () => {
  await expect(run({ keys: [] })).rejects.toMatchObject({ code: "key-missing" });
});
