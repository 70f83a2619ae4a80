// The rules of execution in their dumbest form (protocol 4), enough for drawn ledgers: one client that owns everything,
// ids never reused, nothing expires. The audit replays with it, so that the ledger's tests need no execution engine.

import { genesisAccounts } from "../../src/cluster/genesis.js";
import { clusterOfAccount } from "../../src/cluster/shards.js";
import type { ReplayedAccount, Replayer } from "../../src/ledger/findings.js";
import type { AccountPosting, Block, BlockOperation } from "../../src/types/block.js";
import { resultNumber } from "../../src/types/codes.js";
import type { AccountId, ClusterId } from "../../src/types/ids.js";
import type { Topology } from "../../src/types/topology.js";

const OK = resultNumber("ok");
const FOREIGN = resultNumber("foreign");
const NO_FUNDS = resultNumber("insufficient-funds");

export class NaiveShard implements Replayer {
  readonly #topology: Topology;
  readonly #cluster: ClusterId;
  readonly #accounts = new Map<AccountId, ReplayedAccount>();
  #verdicts: Uint8Array = new Uint8Array(0);

  constructor(topology: Topology, cluster: ClusterId) {
    this.#topology = topology;
    this.#cluster = cluster;
    for (const { account, balance, owner } of genesisAccounts(topology, cluster)) {
      this.#accounts.set(account, { account, balance, owner });
    }
  }

  judge(block: Block): Uint8Array {
    return Uint8Array.from(block.requests.flatMap(({ operations }) => operations.map((each) => this.#judge(each))));
  }

  apply(block: Block, { results }: { readonly results: Uint8Array }): string | undefined {
    const operations = block.requests.flatMap((request) => request.operations);
    const clusters = operations.map((each) => this.#validators(each));
    this.#verdicts = this.judge(block);
    for (const [i, own] of this.#verdicts.entries()) {
      const alone = clusters[i]?.length === 1;
      if (own === FOREIGN) continue;
      if (alone ? own !== results[i] : own !== OK && results[i] === OK) return `operation ${i} is not what it says`;
    }
    for (const [i, operation] of operations.entries()) {
      if (results[i] !== OK || operation.kind !== "transfer") continue;
      for (const { account, amount } of this.#own(operation.debits)) this.#add(account, -amount);
      for (const { account, amount } of this.#own(operation.credits)) this.#add(account, amount);
    }
    return undefined;
  }

  verdicts(): Uint8Array {
    return this.#verdicts;
  }

  accounts(): Iterable<ReplayedAccount> {
    return this.#accounts.values();
  }

  #judge(operation: BlockOperation): number {
    if (operation.kind !== "transfer") return OK;
    const debits = this.#own(operation.debits);
    if (debits.length === 0) return FOREIGN;
    const covered = debits.every(({ account, amount }) => (this.#accounts.get(account)?.balance ?? 0n) >= amount);
    return covered ? OK : NO_FUNDS;
  }

  #validators(operation: BlockOperation): readonly ClusterId[] {
    if (operation.kind !== "transfer") return [this.#cluster];
    return [...new Set(operation.debits.map(({ account }) => clusterOfAccount(this.#topology, account)))];
  }

  #own(postings: readonly AccountPosting[]): readonly AccountPosting[] {
    return postings.filter(({ account }) => clusterOfAccount(this.#topology, account) === this.#cluster);
  }

  #add(account: AccountId, amount: bigint): void {
    const { balance, owner } = this.#accounts.get(account) ?? { balance: 0n, owner: undefined };
    this.#accounts.set(account, { account, balance: balance + amount, owner });
  }
}

/** The result of each operation: the lowest failing cluster's code, else ok. */
export function combineVerdicts(verdicts: readonly Uint8Array[]): Uint8Array {
  const [first = new Uint8Array(0)] = verdicts;
  return first.map((_, i) => verdicts.map((own) => own[i]).find((code) => code !== OK && code !== FOREIGN) ?? OK);
}
