// A network made up on the spot, for commands that run one on this machine and throw it away: its topology, keys and
// ports. What becomes of it is the commands' own.

import { readdir } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { loadTopology } from "../client/sdk.js";
import { planTopology } from "../cluster/plan.js";
import { smallestCluster } from "../cluster/rules.js";
import { CodedError } from "../types/codes.js";
import type { FailureModel, Topology } from "../types/topology.js";
import { places } from "./processes.js";
import { freshNetwork, writeNetwork } from "./topology.js";

export interface LocalNetwork {
  readonly name: string;
  /** Of all clusters; "mixed": crash and byzantine ones in turn. */
  readonly model: FailureModel | "mixed";
  readonly clusters: number;
  readonly accountsPerCluster?: number;
  readonly balance?: bigint;
}

const ACCOUNTS_PER_CLUSTER = 500;
const BALANCE = 1_000_000n;
const CLIENT_KEYS = 4;

/** Writes it into an empty or new folder. Every cluster has the smallest size that survives one failure. */
export async function makeNetwork(folder: string, { name, model, clusters, ...rest }: LocalNetwork): Promise<Topology> {
  const faults = 1;
  const inTurn = ["crash", "byzantine"] as const;
  const models = Array.from({ length: clusters }, (_, i) => (model === "mixed" ? inTurn[i % 2] : model) ?? "crash");
  const nodes = models.reduce((sum, each) => sum + smallestCluster(each, faults), 0);
  const plan = planTopology({
    ...freshNetwork(),
    name,
    models,
    faults,
    host: "127.0.0.1",
    basePort: await freePorts(nodes),
    accounts: (rest.accountsPerCluster ?? ACCOUNTS_PER_CLUSTER) * clusters,
    balance: rest.balance ?? BALANCE,
    clients: CLIENT_KEYS,
    shards: "hash",
  });
  await writeNetwork(folder, plan);
  return await loadTopology(places.topology(folder));
}

/** The paths of all its clients' keys. */
export async function clientKeys(folder: string): Promise<readonly string[]> {
  const names = (await readdir(places.clients(folder))).filter((name) => name.endsWith(".key")).sort();
  return names.map((name) => join(places.clients(folder), name));
}

/** The first of so many neighbouring ports on which nobody listens now. */
export async function freePorts(count: number): Promise<number> {
  for (let base = 17_000 + Math.floor(Math.random() * 400) * 32; base < 60_000; base += count) {
    const isFree = await Promise.all(Array.from({ length: count }, (_, i) => isPortFree(base + i)));
    if (isFree.every(Boolean)) return base;
  }
  throw new CodedError("EADDRINUSE", `no ${count} neighbouring free ports; end what listens on this machine`);
}

async function isPortFree(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once("error", () => resolve(false));
  server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  return await promise;
}
