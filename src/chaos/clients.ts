// The load of a run, and its memory: SDK clients with a few sessions each that move money inside and across clusters,
// open accounts and read balances, and write down what they asked and heard. What ends unknown is resolved beside the
// load, with the same bytes, for as long as it is valid. Runs on little money, so that some transfers fail by funds.

import { setTimeout as pause } from "node:timers/promises";
import { type Client, connect, type OperationOrder, type Outcome } from "../client/sdk.js";
import { loadAccounts } from "../load/accounts.js";
import { type Random, randomOf } from "../load/random.js";
import { type Workload, workloadOf } from "../load/workload.js";
import type { ClusterId } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { Topology } from "../types/topology.js";
import { type History, idOf, type Read, toldBy, type Write } from "./history.js";

export interface ClientsOptions {
  readonly topology: Topology;
  readonly keys: readonly string[];
  readonly sessionsPerClient: number;
  /** Calls started per second, all sessions together, while the network answers quickly. */
  readonly rate: number;
  readonly seed: number;
}

/** What a session does next, by weight. */
const weights = [
  ["intra", 8],
  ["cross", 3],
  ["many-debits", 1],
  ["batch", 2],
  ["open", 1],
  ["read", 4],
] as const;
type Activity = (typeof weights)[number][0];

const DEADLINE_MS = 5000;
/** Longer than any fault of a schedule lasts, so that every unknown request can be resolved. */
const VALID_FOR_MS = 180_000;
const BATCH = 4;
const READ_ACCOUNTS_MAX = 6;

export class Clients {
  readonly #options: ClientsOptions;
  readonly #clients: readonly Client[];
  readonly #startedAt = performance.now();
  readonly #writes: Write[] = [];
  readonly #reads: Read[] = [];
  readonly #sessions: Promise<void>[] = [];
  readonly #resolving = new Set<Promise<void>>();
  #stopping = false;
  #opened = 0;
  #unknown = 0;

  static async connect(options: ClientsOptions): Promise<Clients> {
    const { topology, keys } = options;
    return new Clients(options, await Promise.all(keys.map((key) => connect({ topology, key }))));
  }

  private constructor(options: ClientsOptions, clients: readonly Client[]) {
    this.#options = options;
    this.#clients = clients;
  }

  /** On the clock of the history. */
  get elapsedMs(): number {
    return performance.now() - this.#startedAt;
  }

  get history(): History {
    return { writes: this.#writes, reads: this.#reads };
  }

  /** Requests whose first answer was "unknown". */
  get unknown(): number {
    return this.#unknown;
  }

  get unresolved(): number {
    return this.#resolving.size;
  }

  start(): void {
    const { sessionsPerClient, seed, topology } = this.#options;
    const accounts = loadAccounts(topology);
    const most = Math.min(3, topology.clusters.length);
    const involved = Math.min(2, most);
    this.#clients.forEach((client, number) => {
      for (let session = 0; session < sessionsPerClient; session++) {
        const turn = number * sessionsPerClient + session;
        const parts = { shardsPerCross: involved, debitsPerCross: 1, skew: 0.6, batch: 1, cross: 0 };
        const make = (own: Partial<typeof parts>): Workload =>
          workloadOf(accounts, { ...parts, ...own, seed, client: { key: client.key, number: turn } });
        const cross = involved > 1 ? 1 : 0;
        const workloads = {
          intra: make({}),
          cross: make({ cross }),
          "many-debits": make({ cross, shardsPerCross: most, debitsPerCross: involved }),
          batch: make({ cross: cross / 2, batch: BATCH }),
        };
        const names = accounts.flatMap(({ all }) => Array.from({ length: all.count }, (_, i) => all.name(i)));
        this.#sessions.push(this.#run({ client, number, workloads, names, random: randomOf(seed * 1009 + turn) }));
      }
    });
  }

  /** Starts nothing new; returns when all calls have ended, and all that was unknown is resolved or given up. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#sessions);
    while (this.#resolving.size > 0) await Promise.all(this.#resolving);
  }

  /** One transfer between any two accounts of these clusters; whether it was executed. */
  async probe({ from, to }: { readonly from: ClusterId; readonly to: ClusterId }): Promise<boolean> {
    const accounts = loadAccounts(this.#options.topology);
    const payer = accounts.find(({ cluster }) => cluster === from);
    const payee = accounts.find(({ cluster }) => cluster === to);
    const number = this.#clients.findIndex(({ key }) => payer?.owned.has(key));
    const client = this.#clients[number];
    const owned = client && payer?.owned.get(client.key);
    if (client === undefined || owned === undefined || payee === undefined) return false;
    const debits = [{ account: owned.name(0), amount: 1n }];
    const credits = [{ account: payee.all.name(payee.all.count - 1), amount: 1n }];
    const outcome = await this.#write({ client, number }, [{ kind: "transfer", debits, credits }]);
    return toldBy(outcome).kind === "recorded";
  }

  async close(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#clients.map((client) => client.close()));
    await Promise.all([...this.#sessions, ...this.#resolving]);
  }

  async #run(session: Session): Promise<void> {
    const { random } = session;
    const { rate, sessionsPerClient } = this.#options;
    const periodMs = (1000 * sessionsPerClient * this.#clients.length) / rate;
    while (!this.#stopping) {
      await pause(periodMs * (0.5 + random.fraction()));
      if (this.#stopping) return;
      const activity = draw(random);
      if (activity === "read") await this.#read(session);
      else if (activity === "open") await this.#write(session, [{ kind: "open", account: this.#newName(random) }]);
      else await this.#write(session, session.workloads[activity]().operations);
    }
  }

  /** Sometimes a name that somebody has opened before, which must be refused to all but one. */
  #newName(random: Random): string {
    if (random.below(4) > 0) this.#opened++;
    return `opened-${this.#opened}`;
  }

  async #write({ client, number }: Caller, operations: readonly OperationOrder[]): Promise<Outcome> {
    const startedMs = this.elapsedMs;
    const outcome = await client.submit({ operations, deadlineMs: DEADLINE_MS, validForMs: VALID_FOR_MS });
    const write = {
      client: number,
      id: idOf(outcome),
      operations,
      clusters: clustersOf(client, operations),
      startedMs,
    };
    if (outcome.outcome !== "unknown") {
      this.#writes.push({ ...write, endedMs: this.elapsedMs, told: toldBy(outcome), wasUnknown: false });
      return outcome;
    }
    this.#unknown++;
    const deadlineMs = VALID_FOR_MS - DEADLINE_MS + limits.clockAheadMs;
    const resolving: Promise<void> = outcome.resolve({ deadlineMs }).then((resolved) => {
      this.#writes.push({ ...write, endedMs: this.elapsedMs, told: toldBy(resolved), wasUnknown: true });
      this.#resolving.delete(resolving);
    });
    this.#resolving.add(resolving);
    return outcome;
  }

  async #read({ client, number, names, random }: Session): Promise<void> {
    const startedMs = this.elapsedMs;
    const count = 1 + random.below(READ_ACCOUNTS_MAX);
    const asked = Array.from({ length: count }, () => names[random.below(names.length)] as string);
    const outcome = await client.balance(asked, { deadlineMs: DEADLINE_MS });
    const answers = outcome.outcome === "read" ? outcome.accounts : [];
    this.#reads.push({ client: number, startedMs, endedMs: this.elapsedMs, answers });
  }
}

interface Caller {
  readonly client: Client;
  readonly number: number;
}

interface Session extends Caller {
  readonly workloads: Readonly<Record<Exclude<Activity, "open" | "read">, Workload>>;
  /** All accounts of the genesis. */
  readonly names: readonly string[];
  readonly random: Random;
}

function draw(random: Random): Activity {
  let point = random.below(weights.reduce((sum, [, weight]) => sum + weight, 0));
  for (const [activity, weight] of weights) {
    point -= weight;
    if (point < 0) return activity;
  }
  throw new Error("a point beyond all weights");
}

function clustersOf(client: Client, operations: readonly OperationOrder[]): readonly ClusterId[] {
  const accounts = operations.flatMap((operation) =>
    operation.kind === "open"
      ? [operation.account]
      : [...operation.debits, ...operation.credits].map(({ account }) => account),
  );
  return [...new Set(accounts.map((account) => client.clusterOf(account)))].sort((a, b) => a - b);
}
