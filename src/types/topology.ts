// The network as every node and client knows it: parsed and checked by cluster/topology.ts, plain data from then on.

import type { AccountId, ClusterId, NetworkId, NodeIndex, PublicKey } from "./ids.js";

export type FailureModel = "crash" | "byzantine";

export interface NodeInfo {
  /** The operator's name for it, unique in the network. */
  readonly id: string;
  readonly cluster: ClusterId;
  readonly index: NodeIndex;
  readonly key: PublicKey;
  /** A TCP multiaddr, for example /ip4/127.0.0.1/tcp/7000. */
  readonly address: string;
}

export interface ClusterInfo {
  readonly id: ClusterId;
  readonly model: FailureModel;
  /** How many of its nodes may fail (f). */
  readonly faults: number;
  readonly nodes: readonly NodeInfo[];
}

export interface ClientInfo {
  readonly id: string;
  readonly key: PublicKey;
}

/** Which cluster owns an account: by hash over all clusters, by lexicographic ranges, or by explicit table. */
export type ShardMap =
  | { readonly by: "hash" }
  /** Sorted; a range goes from `from` (the first: "") up to the next one's `from`. */
  | { readonly by: "range"; readonly ranges: readonly { readonly from: string; readonly cluster: ClusterId }[] }
  /** Accounts of the table, and one cluster for all others. */
  | { readonly by: "table"; readonly accounts: ReadonlyMap<AccountId, ClusterId>; readonly others: ClusterId };

/** `count` accounts named `${prefix}0` .. `${prefix}${count - 1}`; without a count, one account named `prefix`. */
export interface GenesisAccounts {
  readonly prefix: string;
  readonly count: number | undefined;
  readonly owner: PublicKey;
  readonly balance: bigint;
}

export type Dissemination = "flattened" | "super-propose" | "adaptive";
export type Initiator = "source" | "lowest";

export interface Topology {
  readonly name: string;
  readonly networkId: NetworkId;
  /** Ascending by id. */
  readonly clusters: readonly ClusterInfo[];
  readonly shards: ShardMap;
  readonly clients: readonly ClientInfo[];
  readonly genesis: readonly GenesisAccounts[];
  readonly cross: { readonly dissemination: Dissemination; readonly initiator: Initiator };
  readonly timers: { readonly intraMs: number; readonly crossMs: number };
  /** Largest number of requests in a block; 1 reproduces the paper. */
  readonly blockRequestsMax: number;
}
