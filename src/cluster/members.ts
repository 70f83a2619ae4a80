// Who belongs to the network: look-ups over a topology by node, key and cluster id. Everything is indexed once, so that
// the door can ask for every message.

import type { ClusterId, NodeRef, PublicKey } from "../types/ids.js";
import { nodeKey } from "../types/ids.js";
import type { ClientInfo, ClusterInfo, NodeInfo, Topology } from "../types/topology.js";

export class Members {
  readonly #clusters = new Map<number, ClusterInfo>();
  readonly #nodes = new Map<number, NodeInfo>();
  readonly #nodesByKey = new Map<PublicKey, NodeRef>();
  readonly #clientsByKey = new Map<PublicKey, ClientInfo>();

  constructor(topology: Topology) {
    for (const cluster of topology.clusters) {
      this.#clusters.set(cluster.id, cluster);
      for (const node of cluster.nodes) {
        const ref = { cluster: cluster.id, node: node.index };
        this.#nodes.set(nodeKey(ref), node);
        this.#nodesByKey.set(node.key, ref);
      }
    }
    for (const client of topology.clients) this.#clientsByKey.set(client.key, client);
  }

  node(ref: NodeRef): NodeInfo | undefined {
    return this.#nodes.get(nodeKey(ref));
  }

  nodeByKey(key: PublicKey): NodeRef | undefined {
    return this.#nodesByKey.get(key);
  }

  /** For ids that were checked before. */
  clusterOf(id: ClusterId): ClusterInfo {
    const cluster = this.#clusters.get(id);
    if (cluster === undefined) throw new Error(`cluster ${id} is not in the topology`);
    return cluster;
  }

  /** For ids from outside. */
  findCluster(id: number): ClusterInfo | undefined {
    return this.#clusters.get(id);
  }

  /** All nodes of the clusters, ascending by cluster, then node. */
  nodesOf(clusters: readonly ClusterId[]): readonly NodeRef[] {
    const ascending = [...new Set(clusters)].sort((a, b) => a - b);
    return ascending.flatMap((id) => this.clusterOf(id).nodes.map(({ cluster, index }) => ({ cluster, node: index })));
  }

  isClient(key: PublicKey): boolean {
    return this.#clientsByKey.has(key);
  }

  clientByKey(key: PublicKey): ClientInfo | undefined {
    return this.#clientsByKey.get(key);
  }
}
