// The network of a scale run: clusters of one model and size, each with one client that owns all of the cluster's
// accounts, and the regions in which they stand.

import { networkIdOf } from "../../cluster/identity.js";
import { smallestCluster } from "../../cluster/rules.js";
import type { AccountId, ClusterId, NodeRef } from "../../types/ids.js";
import { limits } from "../../types/limits.js";
import type { ClientInfo, ClusterInfo, Dissemination, FailureModel, Topology } from "../../types/topology.js";
import { CountedSignatures } from "./signatures.js";

export interface NetworkOptions {
  readonly clusters: number;
  readonly model: FailureModel;
  readonly faults: number;
  readonly dissemination: Dissemination;
  /** Requests in a block; 1 is the paper's. */
  readonly blockRequestsMax: number;
}

/** Enough that transfers seldom meet in an account, and few enough for thousands of nodes. */
export const ACCOUNTS_PER_CLUSTER = 64;
const BALANCE = 1_000_000n;
const FIRST_PORT = 1024;

export function scaleTopology(options: NetworkOptions): Topology {
  const { model, faults, dissemination, blockRequestsMax } = options;
  const ids = Array.from({ length: options.clusters }, (_, i) => (i + 1) as ClusterId);
  const clusters = ids.map((id): ClusterInfo => {
    const nodes = Array.from({ length: smallestCluster(model, faults) }, (_, index) => {
      const name = `c${id}n${index}`;
      const address = `/dns4/${name}/tcp/${FIRST_PORT + index}`;
      return { id: name, cluster: id, index, key: CountedSignatures.keyOf(name), address };
    });
    return { id, model, faults, nodes };
  });
  const clients = ids.map((id): ClientInfo => ({ id: `client${id}`, key: CountedSignatures.keyOf(`client${id}`) }));
  const topology: Omit<Topology, "networkId"> = {
    name: "scale",
    clusters,
    shards: { by: "range", ranges: ids.map((cluster, i) => ({ from: i === 0 ? "" : prefixOf(cluster), cluster })) },
    clients,
    genesis: ids.map((id, i) => ({
      prefix: prefixOf(id),
      count: ACCOUNTS_PER_CLUSTER,
      owner: (clients[i] as ClientInfo).key,
      balance: BALANCE,
    })),
    cross: { dissemination, initiator: "source" },
    timers: { intraMs: limits.intraTimeoutMs, crossMs: limits.crossTimeoutMs },
    blockRequestsMax,
  };
  return { ...topology, networkId: networkIdOf(topology) };
}

export function accountOf(cluster: ClusterId, position: number): AccountId {
  return `${prefixOf(cluster)}${position}` as AccountId;
}

/** Region of a node, by position: clusters go round the regions; spread, the nodes of one cluster do, too. */
export function regionOf(
  { cluster, node }: NodeRef,
  { count, spread }: { readonly count: number; readonly spread: boolean },
): number {
  return (cluster - 1 + (spread ? node : 0)) % count;
}

/** Digits enough that the order of names is that of clusters. */
function prefixOf(cluster: ClusterId): string {
  return `k${String(cluster).padStart(5, "0")}-`;
}
