// A made-up run for the tests of the checks: two clusters with two accounts each, requests that are executed one after
// the other, and what a client hears of each. What it makes is consistent; tests plant one lie in it.

import type { Evidence } from "../../src/chaos/checks/evidence.js";
import type { Read, Write } from "../../src/chaos/history.js";
import { placesOf, type View, type ViewRecord } from "../../src/chaos/views.js";
import type { AccountBalance } from "../../src/client/sdk.js";
import { genesisAccounts } from "../../src/cluster/genesis.js";
import { planTopology } from "../../src/cluster/plan.js";
import { clusterOfAccount } from "../../src/cluster/shards.js";
import { parseTopology } from "../../src/cluster/topology.js";
import type { ResultCode } from "../../src/types/codes.js";
import { type AccountId, type ClusterId, type Digest, type PublicKey, sequenceOf } from "../../src/types/ids.js";

const plan = planTopology({
  name: "checks",
  suffix: "test",
  makeSeed: (() => {
    let seeds = 0;
    return () => new Uint8Array(32).fill(++seeds);
  })(),
  models: ["crash", "crash"],
  faults: 1,
  host: "127.0.0.1",
  basePort: 7000,
  clients: 1,
  accounts: 8,
  balance: 100n,
  shards: "hash",
});
export const topology = parseTopology(plan.yaml, "checks.yaml");
const owner = topology.clients[0]?.key as PublicKey;

/** The first accounts of each cluster. */
export function account(cluster: number, index: number): AccountId {
  const own = [...genesisAccounts(topology, cluster as ClusterId)][index];
  if (own === undefined) throw new Error(`cluster ${cluster} has no account ${index}`);
  return own.account;
}

export interface Ordered {
  readonly from: AccountId;
  readonly to: AccountId;
  readonly amount: bigint;
  readonly client?: number;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly result?: ResultCode;
}

/** Grows by one block at a time; fields are open for tests to falsify. */
export class World {
  writes: Write[] = [];
  reads: Read[] = [];
  views: { cluster: ClusterId; records: ViewRecord[] }[] = topology.clusters.map(({ id }) => ({
    cluster: id,
    records: [],
  }));
  #nonce = 0;

  /** Ordered, executed, recorded and acknowledged by the payer's cluster. */
  transfer({ from, to, amount, client = 0, startedMs, endedMs, result = "ok" }: Ordered): Write {
    const id = `${owner}:${++this.#nonce}`;
    const digest = this.#nonce.toString(16).padStart(64, "0") as Digest;
    const initiator = clusterOfAccount(topology, from);
    const clusters = [...new Set([initiator, clusterOfAccount(topology, to)])].sort((a, b) => a - b);
    const sequence = sequenceOf(this.#nonce, initiator);
    const operations = [
      { kind: "transfer" as const, debits: [{ account: from, amount }], credits: [{ account: to, amount }] },
    ];
    const results = [result];
    for (const cluster of clusters) {
      const { records } = this.view(cluster);
      records.push({
        height: records.length + 1,
        sequence,
        digest,
        requests: [{ id, clusters, operations, results }],
      });
    }
    const height = this.view(initiator).records.length;
    const told = { kind: "recorded" as const, cluster: initiator, height, sequence, digest, results };
    const write: Write = { client, id, operations, clusters, startedMs, endedMs, told, wasUnknown: false };
    this.writes.push(write);
    return write;
  }

  read(answer: { account: AccountId; balance: bigint; height: number | undefined }, read: Omit<Read, "answers">): void {
    const cluster = clusterOfAccount(topology, answer.account);
    const answers: AccountBalance[] = [{ ...answer, exists: true, owner, cluster }];
    this.reads.push({ ...read, answers });
  }

  view(cluster: number): { cluster: ClusterId; records: ViewRecord[] } {
    const view = this.views.find((each) => each.cluster === cluster);
    if (view === undefined) throw new Error(`no cluster ${cluster}`);
    return view;
  }

  /** Tells of another record in a cluster's view. */
  replace(cluster: number, height: number, change: (record: ViewRecord) => ViewRecord): void {
    const view = this.view(cluster);
    view.records = view.records.map((record) => (record.height === height ? change(record) : record));
  }

  /** What a write was told, changed. */
  retell(write: Write, told: Write["told"]): void {
    this.writes = this.writes.map((each) => (each === write ? { ...each, told } : each));
  }

  get evidence(): Evidence {
    const views: readonly View[] = this.views;
    return { topology, history: { writes: this.writes, reads: this.reads }, views, places: placesOf(views) };
  }
}

/** Two transfers inside cluster 1, one to cluster 2, and readings of two clients; all as it should be. */
export function soundWorld(): World {
  const world = new World();
  world.transfer({ from: account(1, 0), to: account(1, 1), amount: 10n, startedMs: 0, endedMs: 10 });
  world.read({ account: account(1, 1), balance: 110n, height: 1 }, { client: 0, startedMs: 12, endedMs: 14 });
  world.transfer({ from: account(1, 0), to: account(1, 1), amount: 5n, client: 1, startedMs: 15, endedMs: 20 });
  world.transfer({ from: account(1, 1), to: account(2, 0), amount: 7n, startedMs: 30, endedMs: 40 });
  world.transfer({
    from: account(2, 1),
    to: account(2, 0),
    amount: 999n,
    startedMs: 50,
    endedMs: 60,
    result: "insufficient-funds",
  });
  world.read({ account: account(1, 1), balance: 108n, height: 3 }, { client: 0, startedMs: 70, endedMs: 75 });
  return world;
}
