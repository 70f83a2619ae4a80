// A real host with a real store and real sockets, the only node of its network: what its disk does to it while it runs.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { planTopology } from "../../src/cluster/plan.js";
import { parseTopology } from "../../src/cluster/topology.js";
import { NodeStore } from "../../src/ledger/node-store.js";
import { Host } from "../../src/node/host.js";
import { openLog } from "../../src/node/log.js";
import type { NodeInfo } from "../../src/types/topology.js";
import { freePorts } from "../process/commands.js";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sharper-host-"));
});

afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true, force: true });
});

async function only(onReady: () => void) {
  let seeds = 0;
  const shape = { name: "host", models: ["crash"], faults: 0, clients: 1, accounts: 10, balance: 5n } as const;
  const place = { host: "127.0.0.1", basePort: await freePorts(1), shards: "hash", suffix: "0" } as const;
  const plan = planTopology({ ...shape, ...place, makeSeed: () => new Uint8Array(32).fill(++seeds) });
  const topology = parseTopology(plan.yaml, "host.yaml");
  const node = topology.clusters[0]?.nodes[0] as NodeInfo;
  const seed = plan.keys.find(({ id }) => id === node.id)?.seed as Uint8Array;
  const log = openLog({ node: node.id, level: "error" });
  const dataPath = join(folder, "data");
  const onFatal = (error: unknown): void => {
    throw error;
  };
  return { topology, topologyText: plan.yaml, node, seed, dataPath, log, onFatal, onReady };
}

test("a disk that does not get done is in the status while the node waits for it, and then the node goes on", async () => {
  const ready = Promise.withResolvers<void>();
  const options = await only(ready.resolve);
  const write = NodeStore.prototype.write;
  const stuck = Promise.withResolvers<void>();
  const isStuck = Promise.withResolvers<void>();
  const host = await Host.start(options);
  try {
    vi.spyOn(NodeStore.prototype, "write").mockImplementation(async function (this: NodeStore, batch) {
      isStuck.resolve();
      await stuck.promise;
      await write.call(this, batch);
    });
    const slow = async () => (await host.status()).metrics["sharper_slow_writes_total"];
    await isStuck.promise;
    await expect.poll(slow, { timeout: 30_000 }).toBe(1);
    expect((await host.status()).waitsFor).toBeDefined();
    stuck.resolve();
    await ready.promise;
  } finally {
    stuck.resolve();
    await host.stop();
  }
});
