// What a topology describes, as a document for programs and as tables for people.

import { genesisAccounts } from "../cluster/genesis.js";
import { fastQuorumOf, quorumOf } from "../cluster/quorum.js";
import type { ClusterId } from "../types/ids.js";
import type { ShardMap, Topology } from "../types/topology.js";
import { printLine, printTable } from "./output.js";

export interface Summary {
  readonly network: string;
  /** Undefined: a template, which has none until it is filled in. */
  readonly networkId: string | undefined;
  readonly clusters: readonly {
    readonly cluster: number;
    readonly model: string;
    readonly nodes: number;
    readonly f: number;
    readonly quorum: number;
    readonly fastQuorum: number;
    readonly accounts: number;
  }[];
  readonly shards: string;
  readonly clients: number;
  readonly accounts: number;
  readonly supply: bigint;
  readonly dissemination: string;
  readonly initiator: string;
  readonly intraMs: number;
  readonly crossMs: number;
  readonly blockRequestsMax: number;
}

/** `template`: the name of the template that the topology was made of to look at it. */
export function summaryOf(topology: Topology, template?: string): Summary {
  const accountsOf = new Map<ClusterId, number>();
  let accounts = 0;
  let supply = 0n;
  for (const { cluster, balance } of genesisAccounts(topology)) {
    accountsOf.set(cluster, (accountsOf.get(cluster) ?? 0) + 1);
    accounts++;
    supply += balance;
  }
  return {
    network: template ?? topology.name,
    networkId: template === undefined ? topology.networkId : undefined,
    clusters: topology.clusters.map((cluster) => ({
      cluster: cluster.id,
      model: cluster.model,
      nodes: cluster.nodes.length,
      f: cluster.faults,
      quorum: quorumOf(cluster),
      fastQuorum: fastQuorumOf(cluster),
      accounts: accountsOf.get(cluster.id) ?? 0,
    })),
    shards: showShards(topology.shards),
    clients: topology.clients.length,
    accounts,
    supply,
    ...topology.cross,
    ...topology.timers,
    blockRequestsMax: topology.blockRequestsMax,
  };
}

export function printSummary(summary: Summary): void {
  printTable(
    summary.clusters.map(({ cluster, model, nodes, f, quorum, fastQuorum, accounts }) => ({
      cluster,
      model,
      nodes,
      f,
      quorum,
      "fast quorum": fastQuorum,
      accounts,
    })),
  );
  const facts = [
    ["network", summary.network],
    ["network id", summary.networkId ?? "none yet: a template"],
    ["shard map", summary.shards],
    ["clients", summary.clients],
    ["accounts", summary.accounts],
    ["supply", summary.supply],
    ["cross-shard", `${summary.dissemination}, initiator ${summary.initiator}`],
    ["timers", `intra ${summary.intraMs} ms, cross ${summary.crossMs} ms`],
    ["block", `at most ${summary.blockRequestsMax} requests`],
  ] as const;
  for (const [name, value] of facts) printLine(`${name.padEnd(12)} ${value}`);
}

function showShards(shards: ShardMap): string {
  switch (shards.by) {
    case "hash":
      return "by hash";
    case "range":
      return `by range: ${shards.ranges.map(({ from, cluster }) => `"${from}" -> ${cluster}`).join(", ")}`;
    case "table":
      return `by table of ${shards.accounts.size}, all others -> ${shards.others}`;
  }
}
