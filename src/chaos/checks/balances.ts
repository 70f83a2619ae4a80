// The naive model: balances and owners of one cluster's accounts after every record of its view, from the genesis and
// the results in the ledger alone. Shares no code with the node's execution, so that neither hides the other's mistake.

import { genesisAccounts } from "../../cluster/genesis.js";
import { clusterOfAccount } from "../../cluster/shards.js";
import type { BlockOperation } from "../../types/block.js";
import type { AccountId, ClusterId, PublicKey } from "../../types/ids.js";
import type { Topology } from "../../types/topology.js";
import type { View, ViewRecord } from "../views.js";
import { firstIndex } from "./search.js";

export interface AccountAt {
  readonly height: number;
  readonly balance: bigint;
  readonly owner: PublicKey | undefined;
}

export class Balances {
  readonly #topology: Topology;
  readonly #cluster: ClusterId;
  readonly #states = new Map<string, AccountAt[]>();

  constructor(topology: Topology, { cluster, records }: View) {
    this.#topology = topology;
    this.#cluster = cluster;
    for (const { account, owner, balance } of genesisAccounts(topology, cluster)) {
      this.#states.set(account, [{ height: 0, balance, owner }]);
    }
    for (const record of records) this.#apply(record);
  }

  get accounts(): Iterable<string> {
    return this.#states.keys();
  }

  /** Every change of an account, ascending. */
  changes(account: string): readonly AccountAt[] {
    return this.#states.get(account) ?? [];
  }

  /** Undefined: there is no such account after that record. */
  at(account: string, height: number): AccountAt | undefined {
    const states = this.#states.get(account) ?? [];
    return states[firstIndex(states, (state) => state.height > height) - 1];
  }

  #apply({ height, requests }: ViewRecord): void {
    for (const { id, operations, results } of requests) {
      operations.forEach((operation, i) => {
        if (results[i] === "ok") this.#execute(operation, { height, client: id.split(":")[0] as PublicKey });
      });
    }
  }

  #execute(operation: BlockOperation, at: { readonly height: number; readonly client: PublicKey }): void {
    if (operation.kind === "open") return this.#change(operation.account, { ...at, by: 0n, owner: at.client });
    if (operation.kind === "rejoin") return;
    for (const { account, amount } of operation.debits) this.#change(account, { ...at, by: -amount });
    for (const { account, amount } of operation.credits) this.#change(account, { ...at, by: amount });
  }

  #change(
    account: AccountId,
    { height, by, owner }: { readonly height: number; readonly by: bigint; readonly owner?: PublicKey },
  ): void {
    if (clusterOfAccount(this.#topology, account) !== this.#cluster) return;
    const states = this.#states.get(account) ?? [];
    this.#states.set(account, states);
    const last = states.at(-1);
    const next = { height, balance: (last?.balance ?? 0n) + by, owner: owner ?? last?.owner };
    if (last?.height === height) states.pop();
    states.push(next);
  }
}
