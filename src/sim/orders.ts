// What clients ask for: transfers inside a cluster or across several, openings, batches, and requests that are sure to
// fail, all drawn. It knows which accounts exist at the start and who owns them, and which were opened since.

import { genesisAccounts } from "../cluster/genesis.js";
import { clusterOfAccount } from "../cluster/shards.js";
import { zipfOf } from "../load/random.js";
import type { AccountId, ClusterId, PublicKey } from "../types/ids.js";
import type { Operation, Posting } from "../types/schema.js";
import type { Topology } from "../types/topology.js";
import type { Draw } from "./draw.js";
import type { LoadPlan } from "./plan.js";

export interface Order {
  readonly operations: readonly Operation[];
  /** The cluster that initiates it: whom to send it to. */
  readonly home: ClusterId;
}

interface Shard {
  readonly cluster: ClusterId;
  readonly all: AccountId[];
  readonly owned: Map<PublicKey, AccountId[]>;
}

const AMOUNT_MAX = 9;
const MUCH = 1_000_000_000n;

export class Orders {
  readonly #topology: Topology;
  readonly #load: LoadPlan;
  readonly #shards: readonly Shard[];
  #opened = 0;

  constructor(topology: Topology, load: LoadPlan) {
    this.#topology = topology;
    this.#load = load;
    this.#shards = topology.clusters.map(({ id }) => ({ cluster: id, all: [], owned: new Map() }));
    for (const { account, owner } of genesisAccounts(topology)) this.#add(account, owner);
  }

  /** What a client asks for next. */
  next(client: PublicKey, draw: Draw): Order {
    const { openings, cross, clustersMax } = this.#load;
    if (draw.chance(openings)) return this.#opening(client, draw);
    const paying = this.#shards.filter(({ owned }) => owned.has(client));
    if (paying.length === 0) return this.#opening(client, draw);
    const isCross = clustersMax > 1 && draw.chance(cross);
    const count = isCross ? draw.integer([2, clustersMax]) : 1;
    const source = draw.pick(paying);
    const others = draw.sample(
      this.#shards.filter((shard) => shard !== source),
      count - 1,
    );
    // Some requests debit several clusters, so that several must agree.
    const alsoPaying = draw.some(others, 0.25).filter((shard) => paying.includes(shard));
    return this.#transfers({ client, debited: [source, ...alsoPaying], involved: [source, ...others], draw });
  }

  /** A little money from one account to another of one cluster: what clients do to keep the logs moving. */
  trickle(client: PublicKey, cluster: ClusterId, draw: Draw): Order | undefined {
    const shard = this.#shards.find((each) => each.cluster === cluster) as Shard;
    if (!shard.owned.has(client)) return undefined;
    return this.#transfers({ client, debited: [shard], involved: [shard], draw });
  }

  /** Accounts of one cluster, for a reading. */
  someAccounts(cluster: ClusterId, draw: Draw): readonly AccountId[] {
    const { all } = this.#shards.find((each) => each.cluster === cluster) as Shard;
    return draw.sample(all, draw.integer([1, 5]));
  }

  #opening(client: PublicKey, draw: Draw): Order {
    // Some names are taken, and some of those that are not will be credited before they are opened.
    const isTaken = draw.chance(0.1);
    const shard = draw.pick(this.#shards.filter(({ all }) => all.length > 0));
    const account = isTaken ? draw.pick(shard.all) : (`n${this.#opened++}` as AccountId);
    const home = clusterOfAccount(this.#topology, account);
    if (!isTaken) this.#add(account, client);
    return { operations: [{ open: account, debits: [], credits: [] }], home };
  }

  #transfers(args: {
    readonly client: PublicKey;
    readonly debited: readonly Shard[];
    readonly involved: readonly Shard[];
    readonly draw: Draw;
  }): Order {
    const { client, debited, involved, draw } = args;
    const { batchMax, mistakes } = this.#load;
    const count = draw.integer([1, batchMax]);
    const operations: Operation[] = [];
    for (let i = 0; i < count; i++) {
      const isMistake = draw.chance(mistakes);
      const debits = debited.map((shard) => this.#debit({ shard, client, draw, isMistake }));
      const creditedOnly = involved.filter((shard) => !debited.includes(shard));
      const receivers = creditedOnly.length > 0 ? creditedOnly : [draw.pick(involved)];
      const sum = debits.reduce((total, { amount }) => total + amount, 0n);
      operations.push({ open: "", debits, credits: this.#credits(receivers, { debits, sum, draw }) });
    }
    const first = operations[0]?.debits[0] as Posting;
    const source = clusterOfAccount(this.#topology, first.account as AccountId);
    const isLowest = this.#topology.cross.initiator === "lowest";
    const lowest = involved.reduce<number>((least, { cluster }) => Math.min(least, cluster), source);
    return { operations, home: (isLowest ? lowest : source) as ClusterId };
  }

  #debit(args: {
    readonly shard: Shard;
    readonly client: PublicKey;
    readonly draw: Draw;
    readonly isMistake: boolean;
  }): Posting {
    const { shard, client, draw, isMistake } = args;
    const owned = shard.owned.get(client) as AccountId[];
    // Enough for a share in each credit of the widest transfer.
    const amount = BigInt(8 + draw.below(AMOUNT_MAX));
    if (!isMistake) return { account: this.#one(owned, draw), amount };
    // Another's money, or more than there is.
    if (draw.chance(0.5)) return { account: draw.pick(shard.all), amount };
    return { account: this.#one(owned, draw), amount: MUCH };
  }

  #credits(
    receivers: readonly Shard[],
    { debits, sum, draw }: { readonly debits: readonly Posting[]; readonly sum: bigint; readonly draw: Draw },
  ): readonly Posting[] {
    const share = sum / BigInt(receivers.length);
    return receivers.map((shard, i) => {
      const free = shard.all.filter((account) => debits.every((debit) => debit.account !== account));
      const account = free.length > 0 ? this.#one(free, draw) : this.#spareName(shard);
      return { account, amount: i === 0 ? sum - share * BigInt(receivers.length - 1) : share };
    });
  }

  /** The first ones are hot. */
  #one(accounts: readonly AccountId[], draw: Draw): AccountId {
    return accounts[zipfOf({ count: accounts.length, skew: this.#load.skew })(draw)] as AccountId;
  }

  /** An account that nobody has opened. */
  #spareName({ cluster, all }: Shard): AccountId {
    for (let i = 0; ; i++) {
      const account = `unowned${i}` as AccountId;
      if (clusterOfAccount(this.#topology, account) === cluster && !all.includes(account)) return account;
      // A range may hold no such name: then the money goes round.
      if (i > 100) return all[0] as AccountId;
    }
  }

  #add(account: AccountId, owner: PublicKey): void {
    const cluster = clusterOfAccount(this.#topology, account);
    const shard = this.#shards.find((each) => each.cluster === cluster) as Shard;
    shard.all.push(account);
    const owned = shard.owned.get(owner);
    if (owned === undefined) shard.owned.set(owner, [account]);
    else owned.push(account);
  }
}
