// The network of a run as every node knows it: clusters, keys, accounts, shards, made from the run's plan without a
// topology file. Addresses lead nowhere, since nobody dials.

import { networkIdOf } from "../cluster/identity.js";
import type { AccountId, ClusterId, PublicKey } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { ClientInfo, ClusterInfo, GenesisAccounts, ShardMap, Topology } from "../types/topology.js";
import type { RunPlan } from "./plan.js";
import type { KeyRing } from "./scheme.js";

/** What sorts after every letter that begins an account's name; a network of more clusters is sharded by hash. */
const LETTERS = "abcdefghijklm";

export function topologyOf(plan: RunPlan, keys: KeyRing): Topology {
  const clusters = plan.clusters.map((each, i): ClusterInfo => {
    const id = (i + 1) as ClusterId;
    const nodes = sequence(each.nodes).map((index) => {
      const name = `c${id}n${index}`;
      return { id: name, cluster: id, index, key: keys.signer(name).publicKey, address: "/ip4/127.0.0.1/tcp/1" };
    });
    return { id, model: each.model, faults: each.faults, nodes };
  });
  const clients = sequence(plan.load.clients + plan.load.rogues).map((i): ClientInfo => {
    const id = clientName(i);
    return { id, key: keys.signer(id).publicKey };
  });
  const genesis = clusters.flatMap(({ id }) => clients.map(({ key }, i) => rowOf(id, i, key, plan)));
  const topology = {
    name: `seed-${plan.seed}`,
    clusters,
    shards: shardsOf(plan, clusters, genesis),
    clients,
    genesis,
    cross: { dissemination: plan.dissemination, initiator: plan.initiator },
    timers: { intraMs: limits.intraTimeoutMs, crossMs: limits.crossTimeoutMs },
    blockRequestsMax: plan.blockRequestsMax,
  };
  return { ...topology, networkId: networkIdOf(topology) };
}

export function clientName(index: number): string {
  return `client${index}`;
}

/** Accounts that this client owns, named after a cluster: there they are, unless names are sharded by hash. */
function rowOf(cluster: ClusterId, client: number, owner: PublicKey, plan: RunPlan): GenesisAccounts {
  const { accounts, balance } = plan.load;
  return { prefix: `${letterOf(cluster)}${client}-`, count: accounts, owner, balance };
}

function shardsOf(
  { shards }: RunPlan,
  clusters: readonly ClusterInfo[],
  genesis: readonly GenesisAccounts[],
): ShardMap {
  if (shards === "hash" || clusters.length > LETTERS.length) return { by: "hash" };
  if (shards === "range") {
    return { by: "range", ranges: clusters.map(({ id }, i) => ({ from: i === 0 ? "" : letterOf(id), cluster: id })) };
  }
  const accounts = new Map<AccountId, ClusterId>();
  for (const { prefix, count } of genesis) {
    const { id } = clusters.find((each) => prefix.startsWith(letterOf(each.id))) as ClusterInfo;
    for (const i of sequence(count ?? 0)) accounts.set(`${prefix}${i}` as AccountId, id);
  }
  const others = (clusters[0] as ClusterInfo).id;
  return { by: "table", accounts, others };
}

function letterOf(cluster: ClusterId): string {
  return LETTERS[(cluster - 1) % LETTERS.length] as string;
}

function sequence(length: number): readonly number[] {
  return Array.from({ length }, (_, i) => i);
}
