// The engine that every node runs: judges and applies delivered blocks in one thread, and lets a block that waits for
// other clusters hold up only what depends on it (protocol 4). The dependency graph is that of the thesis' chapter 5,
// at the granularity of blocks: a block waits for the last earlier unresolved one that touches one of its keys, which
// are the accounts of this cluster and the request ids in it. No two clusters can wait for each other: a block waits
// for verdicts on itself and for blocks before it in the one order, never for later ones.

import type { Members } from "../cluster/members.js";
import { requestId } from "../types/block.js";
import type { AccountId, ClusterId, Digest, NodeIndex, PublicKey } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { Result } from "../types/message.js";
import type { Topology } from "../types/topology.js";
import { Accounts } from "./accounts.js";
import { combine, consumedRequests, settle } from "./apply.js";
import { type ConsumedId, ConsumedIds } from "./consumed.js";
import type {
  AccountValue,
  ExecutedBlock,
  ExecutionEngine,
  ExecutionStep,
  OrderedBlock,
  OwnVerdicts,
} from "./engine.js";
import { type Evaluation, evaluate } from "./evaluate.js";
import { type Incarnation, Incarnations } from "./incarnations.js";
import { areVerdictsOf, foreignValidators, type Part, partsOf } from "./parts.js";
import { RecentVerdicts, VerdictCounts } from "./verdicts.js";

export interface ExecutionOptions {
  readonly topology: Topology;
  readonly members: Members;
  readonly cluster: ClusterId;
  /** This cluster's accounts after the last executed block; all of them, or those that `untouched` does not tell. */
  readonly accounts: Iterable<AccountValue>;
  /** Accounts as of the start, as long as no executed block has changed them. */
  readonly untouched?: (account: AccountId) => AccountValue | undefined;
  /** Ids consumed up to there; expired ones do no harm. */
  readonly consumedIds: Iterable<ConsumedId>;
  /** How often nodes of the cluster have rejoined up to there; by default none has. */
  readonly incarnations?: Iterable<readonly [NodeIndex, Incarnation]>;
}

export function createExecution(options: ExecutionOptions): ExecutionEngine {
  return new Scheduler(options);
}

/** A block that is delivered and not yet executed. */
interface PendingBlock {
  readonly ordered: OrderedBlock;
  readonly parts: readonly Part[];
  /** Verdicts so far, this cluster's among them once the block is evaluated. */
  readonly verdicts: Map<ClusterId, Uint8Array>;
  /** Clusters whose verdicts are needed, this one included where it judges. */
  readonly needed: number;
  /** Accounts and ids under which later blocks find this one; empty if it resolved before any could. */
  keys: readonly string[];
  /** Earlier unresolved blocks that it waits for. */
  blockers: number;
  readonly dependents: PendingBlock[];
  evaluation: Evaluation | undefined;
  /** Defined once resolved: what it will be handed out as, when its turn comes. */
  executed: ExecutedBlock | undefined;
}

interface Step extends ExecutionStep {
  readonly verdicts: OwnVerdicts[];
  readonly executed: ExecutedBlock[];
}

class Scheduler implements ExecutionEngine {
  readonly #topology: Topology;
  readonly #members: Members;
  readonly #cluster: ClusterId;
  readonly #accounts: Accounts;
  readonly #ids: ConsumedIds;
  readonly #counts: VerdictCounts;
  /** By height. */
  readonly #pending = new Map<Digest, PendingBlock>();
  /** Under each key, the last unresolved block that touches it. */
  readonly #lastUnder = new Map<string, PendingBlock>();
  /** Account values of resolved blocks that wait for an earlier height to be handed out. */
  readonly #ahead = new Map<AccountId, AccountValue>();
  /** Own verdicts of executed blocks of several clusters; empty where it had no say. */
  readonly #recent = new RecentVerdicts(limits.undeliveredMax);
  readonly #state: Parameters<typeof evaluate>[2];
  #lastHeight: number | undefined;

  constructor(options: ExecutionOptions) {
    const { topology, members, cluster, accounts, untouched, consumedIds, incarnations } = options;
    this.#topology = topology;
    this.#members = members;
    this.#cluster = cluster;
    this.#accounts = new Accounts(accounts, untouched);
    this.#ids = new ConsumedIds(consumedIds);
    const nodes = topology.clusters.reduce((sum, { id, nodes }) => (id === cluster ? sum : sum + nodes.length), 1);
    this.#counts = new VerdictCounts({ members, nodes });
    this.#state = {
      isClient: (key: PublicKey) => members.isClient(key),
      ids: this.#ids,
      read: (account: AccountId) => this.#ahead.get(account) ?? this.#accounts.get(account),
      incarnations: new Incarnations(incarnations),
    };
  }

  get pending(): number {
    return this.#pending.size;
  }

  deliver(ordered: OrderedBlock): ExecutionStep {
    const { block, height } = ordered;
    if (this.#lastHeight !== undefined && height !== this.#lastHeight + 1) {
      throw new Error(`height ${height} delivered after ${this.#lastHeight}`);
    }
    if (this.#pending.has(block.digest)) throw new Error(`block ${block.digest} delivered twice`);
    this.#lastHeight = height;
    const pending = this.#expect(ordered);
    this.#pending.set(block.digest, pending);
    const step: Step = { verdicts: [], executed: [] };
    if (this.#lastUnder.size > 0) this.#link(pending);
    if (pending.blockers === 0) this.#run(pending, step);
    if (pending.executed === undefined && pending.keys.length === 0) this.#link(pending);
    return step;
  }

  onResult(result: Result): ExecutionStep {
    const step: Step = { verdicts: [], executed: [] };
    if (!this.wants(result)) return step;
    const pending = this.#pending.get(result.digest);
    if (pending === undefined) {
      this.#counts.keepEarly(result);
      return step;
    }
    const settled = this.#counts.add(result);
    if (settled === undefined) return step;
    pending.verdicts.set(settled.cluster, settled.verdicts);
    this.#run(pending, step);
    return step;
  }

  waitsFor(digest: Digest): readonly ClusterId[] {
    return this.#counts.awaits(digest);
  }

  verdictsOf(digest: Digest): Uint8Array | undefined {
    const pending = this.#pending.get(digest);
    if (pending !== undefined) return pending.verdicts.get(this.#cluster);
    const verdicts = this.#recent.get(digest);
    return verdicts === undefined || verdicts.length === 0 ? undefined : verdicts;
  }

  account(id: AccountId): AccountValue | undefined {
    return this.#accounts.get(id);
  }

  wants({ cluster, digest }: { readonly cluster: ClusterId; readonly digest: Digest }): boolean {
    if (cluster === this.#cluster || this.#members.findCluster(cluster) === undefined) return false;
    if (this.#pending.has(digest)) return this.#counts.awaits(digest).includes(cluster);
    return this.#recent.get(digest) === undefined;
  }

  #expect(ordered: OrderedBlock): PendingBlock {
    const { block } = ordered;
    const parts = partsOf({ topology: this.#topology, cluster: this.#cluster, block });
    const verdicts = new Map<ClusterId, Uint8Array>();
    const foreign = foreignValidators(parts, this.#cluster);
    if (foreign.length > 0) {
      const isPossible = (cluster: ClusterId, said: Uint8Array) => areVerdictsOf(cluster, said, parts);
      const settled = this.#counts.expect(block.digest, foreign, isPossible);
      for (const { cluster, verdicts: said } of settled) verdicts.set(cluster, said);
    }
    const needed = foreign.length + (judgesAny(parts) ? 1 : 0);
    return {
      ordered,
      parts,
      verdicts,
      needed,
      keys: [],
      blockers: 0,
      dependents: [],
      evaluation: undefined,
      executed: undefined,
    };
  }

  /** Makes the block wait for those that hold its keys, and takes its place under each key. */
  #link(pending: PendingBlock): void {
    const keys = keysOf(pending);
    const before = new Set<PendingBlock>();
    for (const key of keys) {
      const last = this.#lastUnder.get(key);
      if (last !== undefined) before.add(last);
      this.#lastUnder.set(key, pending);
    }
    pending.keys = keys;
    pending.blockers = before.size;
    for (const blocker of before) blocker.dependents.push(pending);
  }

  /** Takes a block as far as it goes, then those that waited for it alone, and so on. */
  #run(first: PendingBlock, step: Step): void {
    const ready = [first];
    for (let pending = ready.pop(); pending !== undefined; pending = ready.pop()) {
      if (pending.blockers > 0) continue;
      if (pending.evaluation === undefined) this.#evaluate(pending, step);
      if (pending.verdicts.size < pending.needed) continue;
      this.#resolve(pending, step);
      for (const dependent of pending.dependents) {
        dependent.blockers--;
        ready.push(dependent);
      }
    }
  }

  #evaluate(pending: PendingBlock, step: Step): void {
    const { ordered, parts } = pending;
    pending.evaluation = evaluate(ordered, parts, this.#state);
    if (!judgesAny(parts)) return;
    const { verdicts } = pending.evaluation;
    pending.verdicts.set(this.#cluster, verdicts);
    if (ordered.block.clusters.length > 1) step.verdicts.push({ block: ordered.block, verdicts });
  }

  /** All verdicts are known: fixes results and the values written, lets the keys go, and hands out what is next. */
  #resolve(pending: PendingBlock, step: Step): void {
    const { ordered, parts, evaluation, verdicts } = pending;
    if (evaluation === undefined) throw new Error(`block ${ordered.block.digest} resolved before it was evaluated`);
    const results = ordered.block.clusters.length === 1 ? evaluation.verdicts : combine(parts, verdicts);
    const accounts = settle(evaluation, parts, results);
    pending.executed = { ordered, results, accounts, consumed: consumedRequests(evaluation, results) };
    for (const key of pending.keys) if (this.#lastUnder.get(key) === pending) this.#lastUnder.delete(key);
    this.#handOut(step);
    if (!this.#pending.has(ordered.block.digest)) return;
    for (const value of accounts) this.#ahead.set(value.account, value);
  }

  #handOut(step: Step): void {
    for (const [digest, { ordered, executed, verdicts }] of this.#pending) {
      if (executed === undefined) break;
      this.#pending.delete(digest);
      for (const value of executed.accounts) {
        this.#accounts.set(value);
        if (this.#ahead.get(value.account) === value) this.#ahead.delete(value.account);
      }
      this.#ids.sweep({ recordTime: ordered.recordTime, added: ordered.block.requests.length });
      if (ordered.block.clusters.length > 1) this.#recent.add(digest, verdicts.get(this.#cluster) ?? NO_SAY);
      step.executed.push(executed);
    }
  }
}

const NO_SAY = new Uint8Array(0);

function judgesAny(parts: readonly Part[]): boolean {
  return parts.some(({ judges }) => judges);
}

/** Account names have at most 64 characters and no blank, ids have more, so none equals one of another kind. */
function keysOf({ ordered, parts }: PendingBlock): readonly string[] {
  const keys = new Set<string>();
  for (const { opens, rejoins, debits, credits } of parts) {
    if (opens !== undefined) keys.add(opens);
    if (rejoins !== undefined) keys.add(`node ${rejoins.node}`);
    for (const { account } of debits) keys.add(account);
    for (const { account } of credits) keys.add(account);
  }
  for (const request of ordered.block.requests) keys.add(requestId(request));
  return [...keys];
}
