// A chaos run from the first process to the last verdict: a network, its clients, the faults of a seed; then everything
// heals and must meet again; then all is stopped, and what the clients heard is compared with what lies on the disks.

import { setTimeout as pause } from "node:timers/promises";
import { checks } from "../chaos/checks/all.js";
import type { Evidence } from "../chaos/checks/evidence.js";
import { type Staleness, stalenessOf } from "../chaos/checks/reads.js";
import { sequencesOf } from "../chaos/checks/supply.js";
import { Clients } from "../chaos/clients.js";
import type { History } from "../chaos/history.js";
import { CLIENTS } from "../chaos/mesh.js";
import { longestOutages, type Outage } from "../chaos/outages.js";
import { type Fault, scheduleOf } from "../chaos/schedule.js";
import { placesOf, viewsOf } from "../chaos/views.js";
import { loadTopology } from "../client/sdk.js";
import type { ClusterId } from "../types/ids.js";
import type { FailureModel } from "../types/topology.js";
import { type FaultOutcome, performFaults } from "./chaos-faults.js";
import { Stage } from "./chaos-stage.js";
import { openLedgers } from "./ledger-data.js";
import { showFinding, verifyLedgers } from "./ledger-verify.js";
import { clientKeys, makeNetwork } from "./local-network.js";
import { places, readStatus } from "./processes.js";

export interface ChaosOptions {
  readonly folder: string;
  readonly model: FailureModel | "mixed";
  readonly clusters: number;
  readonly durationMs: number;
  readonly seed: number;
  readonly rate: number;
  readonly damage: boolean;
  readonly signal: AbortSignal;
  readonly onLine: (line: string) => void;
}

export interface Verdict {
  readonly name: string;
  readonly problems: readonly string[];
}

export interface ChaosResult {
  readonly verdicts: readonly Verdict[];
  readonly faults: readonly FaultOutcome[];
  readonly history: History;
  readonly unknown: number;
  readonly outages: readonly Outage[];
  /** At how many sequences the supply was counted. */
  readonly sequences: number;
  readonly records: number;
  readonly staleness: Staleness;
}

const ACCOUNTS_PER_CLUSTER = 24; // few, so that requests meet on them
const BALANCE = 100n; // little, so that some transfers fail by funds
const SESSIONS_PER_CLIENT = 4;
const MEET_MAX_MS = 120_000;
const STATUS_MS = 1200; // a status file is at most so old

export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { folder, durationMs, seed, signal, onLine } = options;
  const network = { ...options, name: "chaos", accountsPerCluster: ACCOUNTS_PER_CLUSTER, balance: BALANCE };
  const topology = await makeNetwork(folder, network);
  const faults = scheduleFor(options, topology);
  const stage = await Stage.open(folder, topology, signal);
  try {
    const clients = await Clients.connect({
      topology: await loadTopology(stage.topologyFile(CLIENTS)),
      keys: await clientKeys(folder),
      sessionsPerClient: SESSIONS_PER_CLIENT,
      rate: options.rate,
      seed,
    });
    try {
      onLine(`${stage.nodes.length} nodes are connected; ${faults.length} faults follow in ${durationMs / 1000} s`);
      clients.start();
      // Ends what would wait for answers.
      signal.addEventListener("abort", () => void clients.close(), { once: true });
      const startedMs = clients.elapsedMs;
      const keepsCopies = options.damage;
      const performed = await performFaults({ stage, faults, seed, durationMs, keepsCopies, signal, onLine });
      const endMs = clients.elapsedMs - startedMs;
      stage.healAll();
      onLine(`${(endMs / 1000).toFixed(1).padStart(7)} s  everything heals; the load ends`);
      await clients.stop();
      const meeting = await meet({ stage, clients, topology, folder, signal });
      await clients.close();
      await stage.close();
      onLine("all nodes ended; comparing what clients heard with the ledgers");
      const { history, unknown } = clients;
      const ids = topology.clusters.map(({ id }) => id);
      const outages = longestOutages(history.writes, { clusters: ids, endMs });
      const running = [
        { name: "no node ends by itself", problems: stage.findings },
        { name: "after the last fault all nodes meet", problems: meeting },
      ];
      const { verdicts, ...judged } = await judge(folder, history);
      return { verdicts: [...running, ...verdicts], faults: performed, history, unknown, outages, ...judged };
    } finally {
      await clients.close();
    }
  } finally {
    await stage.close();
  }
}

type Topology = Awaited<ReturnType<typeof loadTopology>>;

function scheduleFor({ seed, durationMs, damage }: ChaosOptions, { clusters }: Topology): readonly Fault[] {
  const shape = clusters.map(({ id, nodes, faults }) => ({ id, nodes: nodes.length, faults }));
  return scheduleOf({ clusters: shape, seed, durationMs, damage });
}

interface Meeting {
  readonly stage: Stage;
  readonly clients: Clients;
  readonly topology: Topology;
  readonly folder: string;
  readonly signal: AbortSignal;
}

/**
 * Until every cluster commits for itself and with the next one, and all its nodes are connected and at one height,
 * twice in a row. Every round brings new requests, as a node that was away may learn only from those.
 */
async function meet(meeting: Meeting): Promise<readonly string[]> {
  const { topology, clients, signal } = meeting;
  const startedAt = performance.now();
  const ids = topology.clusters.map(({ id }) => id);
  for (;;) {
    const pairs = ids.flatMap((from, i) => [from, ids[(i + 1) % ids.length] as ClusterId].map((to) => ({ from, to })));
    const executed = await Promise.all(pairs.map((pair) => clients.probe(pair)));
    let apart: readonly string[] = pairs
      .filter((_, i) => !executed[i])
      .map(({ from, to }) => `no transfer from cluster ${from} to ${to} is executed`);
    for (let looks = 0; apart.length === 0 && looks < 2; looks++) {
      await pause(STATUS_MS, undefined, { signal });
      apart = await apartIn(meeting);
    }
    if (apart.length === 0) {
      await clients.stop();
      return [];
    }
    if (performance.now() - startedAt > MEET_MAX_MS) return apart;
  }
}

async function apartIn({ topology, folder, stage }: Meeting): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const { id, nodes } of topology.clusters) {
    const statuses = await Promise.all(nodes.map((node) => readStatus(folder, node.id)));
    const known = statuses.filter((status) => status !== undefined);
    const heights = known.map(({ node, height }) => `${node} at ${height}`).join(", ");
    if (known.length < nodes.length || new Set(known.map(({ height }) => height)).size > 1) {
      problems.push(`cluster ${id} has not met: ${heights}`);
    }
    for (const { node, connected } of known) {
      const others = stage.nodes.length - 1;
      if (connected < others) problems.push(`${node} is connected to ${connected} of ${others} nodes`);
    }
  }
  return problems;
}

async function judge(folder: string, history: History) {
  const data = [places.data(folder, "")];
  const audit = await verifyLedgers({ data, strict: true });
  const behind = audit.nodes.filter((node) => node.behind > 0);
  const ledgers = await openLedgers(data, undefined);
  try {
    const views = await viewsOf(ledgers);
    const evidence: Evidence = { topology: ledgers.topology, history, views, places: placesOf(views) };
    const verdicts = checks.map(({ name, find }): Verdict => ({ name, problems: find(evidence) }));
    const audited = [
      ...audit.findings.map(showFinding),
      ...behind.map((node) => `node ${node.node} is ${node.behind} records behind`),
    ];
    verdicts.push({ name: "ledgers verify", problems: audited });
    return {
      verdicts,
      sequences: sequencesOf(evidence),
      records: audit.records,
      staleness: stalenessOf(evidence),
    };
  } finally {
    await ledgers.close();
  }
}
