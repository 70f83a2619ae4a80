// The naive model of one cluster's accounts: genesis, then record after record what its results say was done, nothing
// clever. It keeps every value that an account ever had, so that rows and readings of any height can be compared with
// it. Whether the results are right is not its question.

import { genesisAccounts } from "../../cluster/genesis.js";
import { clusterOfAccount } from "../../cluster/shards.js";
import type { LedgerRecord } from "../../ledger/records.js";
import type { Block, BlockOperation } from "../../types/block.js";
import type { AccountId, ClusterId } from "../../types/ids.js";
import type { Topology } from "../../types/topology.js";

export interface Balance {
  readonly balance: bigint;
  /** Empty: owned by nobody. */
  readonly owner: string;
}

interface Change extends Balance {
  /** From this record on. */
  readonly height: number;
}

const APPLIED = 0;

export class Balances {
  readonly cluster: ClusterId;
  /** What went below zero, in sentences. */
  readonly negatives: string[] = [];
  /** Height of the last record applied. */
  height = 0;
  readonly #shards: Shards;
  readonly #changes = new Map<string, Change[]>();
  readonly #changed = new Set<string>();
  /** Sum of all balances after each height. */
  readonly #sums: bigint[];

  constructor(topology: Topology, cluster: ClusterId) {
    this.cluster = cluster;
    this.#shards = shardsOf(topology);
    let sum = 0n;
    for (const [account, { balance, owner }] of this.#shards.genesis.get(cluster) ?? []) {
      this.#changes.set(account, [{ height: 0, balance, owner }]);
      sum += balance;
    }
    this.#sums = [sum];
  }

  get accounts(): IterableIterator<string> {
    return this.#changes.keys();
  }

  /** Accounts that a record changed. */
  get changed(): ReadonlySet<string> {
    return this.#changed;
  }

  sumAt(height: number): bigint {
    return this.#sums[height] ?? 0n;
  }

  /** The value after the record at `height`; undefined: there was no such account. */
  at(account: string, height: number): Balance | undefined {
    const changes = this.#changes.get(account) ?? [];
    for (let i = changes.length - 1; i >= 0; i--) {
      const change = changes[i] as Change;
      if (change.height <= height) return change;
    }
    return undefined;
  }

  /** The record after the last one applied. */
  apply(record: LedgerRecord, block: Block): void {
    this.height = record.height;
    let sum = this.sumAt(record.height - 1);
    let at = 0;
    for (const { client, operations } of block.requests) {
      for (const operation of operations) {
        if (record.results[at++] === APPLIED) sum += this.#perform(operation, client, record.height);
      }
    }
    this.#sums[record.height] = sum;
  }

  /** By how much the sum of this cluster's balances changed. */
  #perform(operation: BlockOperation, client: string, height: number): bigint {
    if (operation.kind === "open") {
      const { account } = operation;
      // An account that credits had brought into being keeps what it has.
      const { balance } = this.at(account, height) ?? { balance: 0n };
      if (this.#isOwn(account)) this.#set(account, { balance, owner: client }, height);
      return 0n;
    }
    if (operation.kind === "rejoin") return 0n;
    let change = 0n;
    for (const { account, amount } of operation.debits) change += this.#move(account, -amount, height);
    for (const { account, amount } of operation.credits) change += this.#move(account, amount, height);
    return change;
  }

  #move(account: AccountId, amount: bigint, height: number): bigint {
    if (!this.#isOwn(account)) return 0n;
    const { balance, owner } = this.at(account, height) ?? { balance: 0n, owner: "" };
    if (balance + amount < 0n)
      this.negatives.push(`${account} of cluster ${this.cluster} has ${balance + amount} after record ${height}`);
    this.#set(account, { balance: balance + amount, owner }, height);
    return amount;
  }

  #set(account: string, { balance, owner }: Balance, height: number): void {
    const changes = this.#changes.get(account);
    const last = changes?.[changes.length - 1];
    const change = { height, balance, owner };
    this.#changed.add(account);
    if (changes === undefined) this.#changes.set(account, [change]);
    else if (last?.height === height) changes[changes.length - 1] = change;
    else changes.push(change);
  }

  #isOwn(account: AccountId): boolean {
    return this.#shards.ownerOf(account) === this.cluster;
  }
}

/** The sum of all genesis balances. */
export function supplyOf(topology: Topology): bigint {
  let supply = 0n;
  for (const accounts of shardsOf(topology).genesis.values()) {
    for (const { balance } of accounts.values()) supply += balance;
  }
  return supply;
}

export function shardOf(topology: Topology, account: AccountId): ClusterId {
  return shardsOf(topology).ownerOf(account);
}

/** The clusters that hold debit accounts of an operation, or the account it opens: those that judge it. */
export function validatorsOf(topology: Topology, operation: BlockOperation): readonly ClusterId[] {
  const { ownerOf } = shardsOf(topology);
  if (operation.kind === "open") return [ownerOf(operation.account)];
  if (operation.kind === "rejoin") return [operation.cluster];
  return [...new Set(operation.debits.map(({ account }) => ownerOf(account)))].sort((a, b) => a - b);
}

interface Shards {
  readonly ownerOf: (account: AccountId) => ClusterId;
  readonly genesis: ReadonlyMap<ClusterId, ReadonlyMap<string, Balance>>;
}

const known = new WeakMap<Topology, Shards>();

function shardsOf(topology: Topology): Shards {
  const before = known.get(topology);
  if (before !== undefined) return before;
  const owners = new Map<AccountId, ClusterId>();
  const ownerOf = (account: AccountId): ClusterId => {
    let owner = owners.get(account);
    if (owner === undefined) {
      owner = clusterOfAccount(topology, account);
      owners.set(account, owner);
    }
    return owner;
  };
  const genesis = new Map<ClusterId, Map<string, Balance>>();
  for (const { account, balance, owner, cluster } of genesisAccounts(topology)) {
    owners.set(account, cluster);
    let accounts = genesis.get(cluster);
    if (accounts === undefined) {
      accounts = new Map();
      genesis.set(cluster, accounts);
    }
    accounts.set(account, { balance, owner });
  }
  const shards = { ownerOf, genesis };
  known.set(topology, shards);
  return shards;
}
