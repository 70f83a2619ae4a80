// `sharper demo`: a whole network on this machine, made, started, loaded, stopped and verified, in under a minute. It
// is what a newcomer runs first, so it says what it does, leaves nothing behind, and ends with one table and one word.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CommandModule } from "yargs";
import { connect } from "../client/sdk.js";
import { clusterOfAccount } from "../cluster/shards.js";
import type { AuditReport } from "../ledger/audit.js";
import { type LoadReport, progressLine } from "../load/report.js";
import { runLoad } from "../load/run.js";
import type { NodeStatus } from "../node/status.js";
import { CodedError } from "../types/codes.js";
import type { AccountId } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { FailureModel, Topology } from "../types/topology.js";
import { demoRows } from "./demo-table.js";
import { showFinding, verifyLedgers } from "./ledger-verify.js";
import { clientKeys, makeNetwork } from "./local-network.js";
import { type CommonOptions, ExitCode, interruption, printJson, printLine, printTable, runCommand } from "./output.js";
import { allConnected, type NodeProcess, nodesOf, places, readStatus, startNodes, stopNodes } from "./processes.js";
import { checkWhole, keepIn, model, number } from "./shared-options.js";

interface DemoOptions extends CommonOptions {
  readonly model: FailureModel;
  readonly clusters: number;
  readonly seconds: number;
  readonly batch: number;
  readonly cross: number;
  readonly "shards-per-cross": number;
  readonly clients: number;
  readonly "keep-in"?: string | undefined;
}

const OPENED_PER_CLUSTER = 4;
const WARMUP_MS = 2000;
const SECONDS_MAX = 25;
const CLIENTS_MAX = 10_000;

export const command: CommandModule<object, DemoOptions> = {
  command: "demo",
  describe: "Run a whole network with load on it, then verify its ledgers",
  builder: (program) =>
    program
      .option("model", model)
      .option("clusters", { ...number, default: 4, describe: "Number of clusters, 1 to 16" })
      .option("seconds", { ...number, default: 10, describe: `Of measured load, at most ${SECONDS_MAX}` })
      .option("batch", { ...number, default: 1, describe: "Transfers in a request" })
      .option("cross", { ...number, default: 0.1, describe: "Share of cross-shard requests, 0 to 1" })
      .option("shards-per-cross", { ...number, default: 2, describe: "Clusters of a cross-shard request" })
      .option("clients", { ...number, default: 1000, describe: "Sessions, each with one request in flight" })
      .option("keep-in", keepIn)
      .epilogue("The last line is CONSISTENT, or what is wrong (exit code 1).")
      .example("$0 demo --model crash --seconds 5", "Four clusters of three nodes"),
  handler: (options) => runCommand(options, () => demo(options)),
};

async function demo(options: DemoOptions): Promise<ExitCode> {
  checkWhole("clusters", options.clusters, { min: 1, max: 16 });
  checkWhole("seconds", options.seconds, { min: 1, max: SECONDS_MAX });
  checkWhole("batch", options.batch, { min: 1, max: limits.operationsMax });
  checkWhole("clients", options.clients, { min: 1, max: CLIENTS_MAX });
  checkWhole("shards-per-cross", options["shards-per-cross"], { min: 2, max: 16 });
  if (!(options.cross >= 0 && options.cross <= 1)) throw new CodedError("usage", "--cross must be within 0 and 1");
  const signal = interruption();
  const kept = options["keep-in"];
  const folder = kept ?? (await mkdtemp(join(tmpdir(), "sharper-demo-")));
  let processes: readonly NodeProcess[] = [];
  try {
    const topology = await makeNetwork(folder, { ...options, name: "demo" });
    processes = await startNodes(folder, topology, { withParent: true });
    say(options, `${processes.length} nodes in ${topology.clusters.length} ${options.model} clusters are starting`);
    await allConnected(processes, signal);
    const opened = await openAccounts(folder, topology);
    signal.throwIfAborted();
    say(options, `${opened} accounts opened; ${options.seconds} s of load begin`);
    const load = await runLoad({
      ...(await loadOptions(folder, topology, options)),
      signal,
      onProgress: process.stderr.isTTY ? (at) => process.stderr.write(`\r\x1b[K${progressLine(at)}`) : undefined,
    });
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
    const statuses = await statusesOf(folder, topology);
    await stopNodes(processes);
    signal.throwIfAborted();
    say(options, "all nodes ended; verifying their ledgers");
    const audit = await verifyLedgers({ data: nodesOf(topology).map(({ id }) => places.data(folder, id)) });
    return report(options, { load, audit, statuses });
  } finally {
    await stopNodes(processes);
    if (kept === undefined) await rm(folder, { recursive: true, force: true });
  }
}

/** New accounts in every cluster, by real requests; the load's own accounts are those of the topology. */
async function openAccounts(folder: string, topology: Topology): Promise<number> {
  const [key] = await clientKeys(folder);
  const client = await connect({ topology, key: key as string });
  try {
    const names: string[] = [];
    for (const { id } of topology.clusters) {
      for (let i = 0, found = 0; found < OPENED_PER_CLUSTER; i++) {
        if (clusterOfAccount(topology, `demo-${i}` as AccountId) !== id) continue;
        names.push(`demo-${i}`);
        found++;
      }
    }
    const outcomes = await Promise.all(names.map((name) => client.openAccount(name, { deadlineMs: 15_000 })));
    const failed = outcomes.find(({ outcome }) => outcome !== "committed");
    if (failed !== undefined) throw new CodedError("unavailable", `an account could not be opened: ${failed.outcome}`);
    return names.length;
  } finally {
    await client.close();
  }
}

async function loadOptions(folder: string, topology: Topology, options: DemoOptions) {
  return {
    topology,
    keys: await clientKeys(folder),
    sessions: options.clients,
    durationMs: options.seconds * 1000,
    warmupMs: WARMUP_MS,
    cross: topology.clusters.length === 1 ? 0 : options.cross,
    shardsPerCross: Math.min(options["shards-per-cross"], topology.clusters.length),
    debitsPerCross: 1,
    skew: 0,
    batch: options.batch,
    seed: 1,
  };
}

async function statusesOf(folder: string, topology: Topology): Promise<readonly NodeStatus[]> {
  const statuses = await Promise.all(nodesOf(topology).map(({ id }) => readStatus(folder, id)));
  return statuses.filter((status) => status !== undefined);
}

function report(
  options: DemoOptions,
  {
    load,
    audit,
    statuses,
  }: { readonly load: LoadReport; readonly audit: AuditReport; readonly statuses: readonly NodeStatus[] },
): ExitCode {
  const rows = demoRows({ load, audit, statuses });
  const failed = load.result.failedOtherThanByFunds;
  const problems = audit.findings.map(showFinding);
  if (failed > 0) problems.push(`${failed} transfers failed other than by funds`);
  const verdict = problems.length === 0 ? "CONSISTENT" : (problems[0] as string);
  if (options.json === true) printJson({ verdict, problems, load, nodes: statuses, audit });
  else {
    printTable(rows);
    for (const problem of problems.slice(1, 20)) printLine(problem);
    printLine(verdict);
  }
  return problems.length === 0 ? ExitCode.ok : ExitCode.checkFailed;
}

function say({ json }: CommonOptions, line: string): void {
  if (json !== true) printLine(line);
}
