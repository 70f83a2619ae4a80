// The accounts that exist before the first block, expanded from the topology's rows in their order. A generator, since
// a network may begin with millions of them.

import type { AccountId, ClusterId, PublicKey } from "../types/ids.js";
import type { GenesisAccounts, Topology } from "../types/topology.js";
import { clusterOfAccount } from "./shards.js";

export interface GenesisAccount {
  readonly account: AccountId;
  readonly owner: PublicKey;
  readonly balance: bigint;
  readonly cluster: ClusterId;
}

/** All of them, or those of one cluster. */
export function* genesisAccounts(topology: Topology, cluster?: ClusterId): Generator<GenesisAccount> {
  for (const row of topology.genesis) {
    for (const account of accountsOf(row)) {
      const owning = clusterOfAccount(topology, account);
      if (cluster !== undefined && cluster !== owning) continue;
      yield { account, owner: row.owner, balance: row.balance, cluster: owning };
    }
  }
}

function* accountsOf({ prefix, count }: GenesisAccounts): Generator<AccountId> {
  if (count === undefined) {
    yield prefix as AccountId;
    return;
  }
  for (let i = 0; i < count; i++) yield `${prefix}${i}` as AccountId;
}
