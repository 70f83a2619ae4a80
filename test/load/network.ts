// A topology for load tests: four clusters, accounts by hash, two clients.

import type { OperationOrder } from "../../src/client/sdk.js";
import { clusterOfAccount } from "../../src/cluster/shards.js";
import type { AccountId, ClusterId, NetworkId, PublicKey } from "../../src/types/ids.js";
import type { ClusterInfo, Topology } from "../../src/types/topology.js";

export const ada = "a".repeat(64) as PublicKey;
export const bea = "b".repeat(64) as PublicKey;

export const topology: Topology = {
  name: "load-test",
  networkId: "0".repeat(64) as NetworkId,
  clusters: [1, 2, 3, 4].map((id): ClusterInfo => ({ id: id as ClusterId, model: "crash", faults: 1, nodes: [] })),
  shards: { by: "hash" },
  clients: [
    { id: "ada", key: ada },
    { id: "bea", key: bea },
  ],
  genesis: [
    { prefix: "ada-", count: 400, owner: ada, balance: 1000n },
    { prefix: "bea-", count: 400, owner: bea, balance: 1000n },
    { prefix: "alone", count: undefined, owner: bea, balance: 1000n },
  ],
  cross: { dissemination: "adaptive", initiator: "source" },
  timers: { intraMs: 1000, crossMs: 2500 },
  blockRequestsMax: 100,
};

export function clustersOf(operation: OperationOrder): readonly ClusterId[] {
  if (operation.kind === "open") throw new Error("a load opens no accounts");
  const accounts = [...operation.debits, ...operation.credits].map(({ account }) => account as AccountId);
  return [...new Set(accounts.map((account) => clusterOfAccount(topology, account)))].sort((a, b) => a - b);
}
