// The accounts that a workload moves money between: those of the topology's genesis, by cluster and by owner. They are
// kept as numbers and named when they are drawn, so that a network of millions of accounts does not cost gigabytes
// here.

import { clusterOfAccount } from "../cluster/shards.js";
import type { AccountId, ClusterId, PublicKey } from "../types/ids.js";
import type { GenesisAccounts, Topology } from "../types/topology.js";

/** Some accounts of one cluster; positions are what is drawn. */
export interface AccountSet {
  readonly count: number;
  name(position: number): string;
}

export interface ClusterAccounts {
  readonly cluster: ClusterId;
  readonly all: AccountSet;
  /** By owner: an owner's key can debit these. Only owners that have some. */
  readonly owned: ReadonlyMap<PublicKey, AccountSet>;
}

const ACCOUNTS_MAX = 1_000_000; // so many are used, spread over the rows of the genesis; the others stay untouched

/** By ascending cluster; clusters without accounts are left out. */
export function loadAccounts(topology: Topology): readonly ClusterAccounts[] {
  const { genesis } = topology;
  const perRowMax = Math.max(1, Math.floor(ACCOUNTS_MAX / Math.max(1, genesis.length)));
  const clusters = new Map(topology.clusters.map(({ id }) => [id, { all: growing(), owned: new Map() }]));
  genesis.forEach((row, rowIndex) => {
    for (let i = 0; i < Math.min(row.count ?? 1, perRowMax); i++) {
      const entry = clusters.get(clusterOfAccount(topology, nameOf(row, i)));
      if (entry === undefined) continue;
      const number = rowIndex * ACCOUNTS_MAX + i;
      entry.all.push(number);
      const owned = entry.owned.get(row.owner) ?? growing();
      owned.push(number);
      entry.owned.set(row.owner, owned);
    }
  });
  return [...clusters]
    .filter(([, { all }]) => all.length > 0)
    .map(([cluster, { all, owned }]) => ({
      cluster,
      all: setOf(all, genesis),
      owned: new Map([...owned].map(([owner, numbers]) => [owner, setOf(numbers, genesis)])),
    }));
}

function growing(): number[] {
  return [];
}

function setOf(numbers: readonly number[], genesis: readonly GenesisAccounts[]): AccountSet {
  const packed = Float64Array.from(numbers);
  return {
    count: packed.length,
    name(position) {
      const number = packed[position] as number;
      return nameOf(genesis[Math.floor(number / ACCOUNTS_MAX)] as GenesisAccounts, number % ACCOUNTS_MAX);
    },
  };
}

function nameOf({ prefix, count }: GenesisAccounts, index: number): AccountId {
  return (count === undefined ? prefix : `${prefix}${index}`) as AccountId;
}
