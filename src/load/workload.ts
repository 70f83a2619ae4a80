// What requests a load consists of: transfers inside one cluster or across several, between accounts drawn uniformly or
// by Zipf, one or many in a request, all of a request's between the same clusters. A workload is drawn from its seed
// alone; what was drawn for one client does not depend on how fast another is.

import type { OperationOrder, PostingOrder } from "../client/sdk.js";
import { CodedError } from "../types/codes.js";
import type { PublicKey } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { AccountSet, ClusterAccounts } from "./accounts.js";
import { type Random, randomOf, zipfOf } from "./random.js";

export interface WorkloadOptions {
  /** Share of requests that are cross-shard, 0..1. */
  readonly cross: number;
  /** Clusters of a cross-shard request, 2 or more. */
  readonly shardsPerCross: number;
  /** Clusters of these that are debited, from 1: with more, several must validate. */
  readonly debitsPerCross: number;
  /** Zipf's exponent over the accounts of a cluster; 0 is uniform. */
  readonly skew: number;
  /** Transfers in a request. */
  readonly batch: number;
  readonly seed: number;
}

export interface WorkItem {
  readonly operations: readonly OperationOrder[];
  readonly cross: boolean;
}

/** Draws the requests of one client. */
export type Workload = () => WorkItem;

const AMOUNT_MAX = 10; // small against any starting balance, so that funds last

const SKEW_MAX = 5; // beyond, nearly all transfers would be from the first account

interface Shard {
  readonly count: number;
  readonly all: Drawer;
  /** Undefined: the client owns nothing here, and can only pay into it. */
  readonly owned: Drawer | undefined;
}

type Drawer = (random: Random) => string;

/** Throws CodedError for options that the network or this client's accounts do not allow. */
export function workloadOf(
  accounts: readonly ClusterAccounts[],
  { client, ...options }: WorkloadOptions & { readonly client: { readonly key: PublicKey; readonly number: number } },
): Workload {
  const shards = accounts.map(({ all, owned }) => shardOf({ all, owned: owned.get(client.key) }, options.skew));
  const paying = shards.filter(({ owned, count }) => owned !== undefined && count > 1);
  checkOptions(options, { shards: shards.length, paying: paying.length });
  const random = randomOf(options.seed + Math.imul(client.number + 1, 0x632be5ab));

  function drawCross(): readonly OperationOrder[] {
    const debited = drawDistinct(paying, options.debitsPerCross, random);
    const others = shards.filter((shard) => !debited.includes(shard));
    const credited = drawDistinct(others, options.shardsPerCross - options.debitsPerCross, random);
    // When all are debited, the money still has to go somewhere: to another account of the first.
    const receivers = credited.length > 0 ? credited : debited.slice(0, 1);
    return repeat(() => drawTransfer({ debited, receivers }, random));
  }

  function drawIntra(): readonly OperationOrder[] {
    const shard = paying[random.below(paying.length)] as Shard;
    return repeat(() => drawTransfer({ debited: [shard], receivers: [shard] }, random));
  }

  function repeat(draw: () => OperationOrder): readonly OperationOrder[] {
    const operations: OperationOrder[] = [];
    for (let i = 0; i < options.batch; i++) operations.push(draw());
    return operations;
  }

  return () => {
    const cross = random.fraction() < options.cross;
    return { operations: cross ? drawCross() : drawIntra(), cross };
  };
}

function shardOf(sets: { readonly all: AccountSet; readonly owned: AccountSet | undefined }, skew: number): Shard {
  return { count: sets.all.count, all: drawerOf(sets.all, skew), owned: sets.owned && drawerOf(sets.owned, skew) };
}

function drawerOf(set: AccountSet, skew: number): Drawer {
  const draw = zipfOf({ count: set.count, skew });
  return (random) => set.name(draw(random));
}

function drawDistinct(from: readonly Shard[], count: number, random: Random): readonly Shard[] {
  const rest = [...from];
  for (let i = 0; i < count; i++) {
    const other = i + random.below(rest.length - i);
    [rest[i], rest[other]] = [rest[other] as Shard, rest[i] as Shard];
  }
  return rest.slice(0, count);
}

function drawTransfer(
  { debited, receivers }: { readonly debited: readonly Shard[]; readonly receivers: readonly Shard[] },
  random: Random,
): OperationOrder {
  const total = Math.max(debited.length, receivers.length) * (1 + random.below(AMOUNT_MAX));
  const debitAccounts = debited.map((shard) => (shard.owned as Drawer)(random));
  const creditAccounts = receivers.map((shard) => drawOther(shard.all, debitAccounts, random));
  return { kind: "transfer", debits: split(debitAccounts, total), credits: split(creditAccounts, total) };
}

/** An account that is not debited: paying oneself would measure nothing. A shard has at least two. */
function drawOther(draw: Drawer, taken: readonly string[], random: Random): string {
  for (;;) {
    const account = draw(random);
    if (!taken.includes(account)) return account;
  }
}

/** Equal parts, the rest to the first. */
function split(accounts: readonly string[], total: number): readonly PostingOrder[] {
  const part = Math.floor(total / accounts.length);
  const rest = total - part * accounts.length;
  return accounts.map((account, i) => ({ account, amount: BigInt(i === 0 ? part + rest : part) }));
}

interface Counts {
  readonly shards: number;
  /** Where the client can debit an account and credit another one. */
  readonly paying: number;
}

function checkOptions(options: WorkloadOptions, { shards, paying }: Counts): void {
  const { cross, shardsPerCross, debitsPerCross, batch, skew } = options;
  const problems: string[] = [];
  if (!(cross >= 0 && cross <= 1)) problems.push(`cross is ${cross}; a share is within 0 and 1`);
  if (!(skew >= 0 && skew <= SKEW_MAX)) problems.push(`skew is ${skew}; it is within 0 (uniform) and ${SKEW_MAX}`);
  if (!Number.isInteger(batch) || batch < 1 || batch > limits.operationsMax) {
    problems.push(`batch is ${batch}; a request holds 1 to ${limits.operationsMax} operations`);
  }
  if (cross > 0) {
    if (!Number.isInteger(shardsPerCross) || shardsPerCross < 2 || shardsPerCross > shards) {
      problems.push(
        `shards per cross is ${shardsPerCross}; with ${shards} clusters that have accounts, 2 to ${shards}`,
      );
    }
    const most = Math.min(shardsPerCross, paying);
    if (!Number.isInteger(debitsPerCross) || debitsPerCross < 1 || debitsPerCross > most) {
      problems.push(`debits per cross is ${debitsPerCross}; with accounts of this client in ${paying}, 1 to ${most}`);
    }
  }
  if (cross < 1 && paying === 0) {
    problems.push("this client owns no account in a cluster of two or more; give it some in the topology's genesis");
  }
  if (problems.length > 0) throw new CodedError("bad-workload", problems.join("; "));
}
