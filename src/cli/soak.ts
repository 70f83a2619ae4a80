// `sharper soak`: a network under a steady load for long, half of what it can do unless a rate is given. Nothing may
// grow with time: memory and file descriptors of every node are sampled all along, and a line is drawn through each.
// Ends with 1 if a node's memory rises by more than a MiB an hour, once the run is long enough to tell.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CommandModule } from "yargs";
import { type LoadReport, progressLine, tablesOf } from "../load/report.js";
import { type RunLoadOptions, runLoad } from "../load/run.js";
import { CodedError } from "../types/codes.js";
import type { FailureModel } from "../types/topology.js";
import { showFinding, verifyLedgers } from "./ledger-verify.js";
import { clientKeys, makeNetwork } from "./local-network.js";
import { type CommonOptions, ExitCode, interruption, printJson, printLine, printTable, runCommand } from "./output.js";
import { allConnected, type NodeProcess, places, startNodes, stopNodes } from "./processes.js";
import { checkWhole, number } from "./shared-options.js";
import { type Sample, sampleOf, type Usage, usageOf } from "./soak-samples.js";

interface SoakOptions extends CommonOptions {
  readonly minutes: number;
  readonly model: FailureModel;
  readonly clusters: number;
  readonly rate?: number | undefined;
  readonly verify: boolean;
}

const PEAK_MS = 15_000; // of a closed loop, to find what half of it is
const PEAK_SESSIONS = 300;
const SAMPLE_MS = 5000;
/** Caches fill, code is compiled, replies are remembered for their 60 s, and LevelDB has compacted once. */
const WARMUP_SHARE = 0.25;
const JUDGED_MINUTES_MIN = 30; // shorter runs see collections and compactions, not growth
const GROWTH_MIB_PER_HOUR_MAX = 1;
const DESCRIPTORS_GROWTH_MAX = 4; // LevelDB opens and closes files of its own

export const command: CommandModule<object, SoakOptions> = {
  command: "soak",
  describe: "Run a network under a steady load for long, and see whether anything grows",
  builder: (program) =>
    program
      .option("minutes", { ...number, default: 60, describe: "Of load, 1 to 10000" })
      .option("model", {
        choices: ["byzantine", "crash"] as const,
        default: "crash" as const,
        describe: "Of all clusters",
      })
      .option("clusters", { ...number, default: 2, describe: "Number of clusters, 1 to 16" })
      .option("rate", { ...number, describe: "Requests per second", defaultDescription: "half of what it can do" })
      .option("verify", { type: "boolean", default: true, describe: "Verify all ledgers afterwards" })
      .epilogue(`Runs of less than ${JUDGED_MINUTES_MIN} minutes are reported and not judged.`)
      .example("$0 soak --minutes 60", "Two crash clusters for an hour"),
  handler: (options) => runCommand(options, () => soak(options)),
};

async function soak(options: SoakOptions): Promise<ExitCode> {
  const { minutes, clusters, model, rate } = options;
  if (!(minutes >= 1 && minutes <= 10_000)) throw new CodedError("usage", "--minutes must be from 1 to 10000");
  checkWhole("clusters", clusters, { min: 1, max: 16 });
  const signal = interruption();
  const folder = await mkdtemp(join(tmpdir(), "sharper-soak-"));
  let processes: readonly NodeProcess[] = [];
  try {
    const topology = await makeNetwork(folder, { name: "soak", model, clusters });
    processes = await startNodes(folder, topology, { withParent: true });
    await allConnected(processes, signal);
    const base = { topology, keys: await clientKeys(folder), signal, ...workload(clusters) };
    const requestsPerSecond = rate ?? (await halfOfPeak(base));
    signal.throwIfAborted();
    say(options, `${processes.length} nodes; ${Math.round(requestsPerSecond)} requests/s for ${minutes} minutes`);
    const samples = new Map<string, Sample[]>(processes.map(({ info }) => [info.id, []]));
    const stopSampling = sampling(processes, samples);
    const load = await runLoad({
      ...base,
      sessions: 1,
      rate: requestsPerSecond,
      warmupMs: Math.min(10_000, minutes * 6000),
      durationMs: minutes * 60_000,
      onProgress: process.stderr.isTTY ? (at) => process.stderr.write(`\r\x1b[K${progressLine(at)}`) : undefined,
    }).finally(stopSampling);
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
    await stopNodes(processes);
    const usages = [...samples].map(([node, all]) => ({ node, usage: usageOf(all.slice(all.length * WARMUP_SHARE)) }));
    const findings = options.verify ? await findingsIn(folder) : [];
    return report(options, { load, usages, findings });
  } finally {
    await stopNodes(processes);
    await rm(folder, { recursive: true, force: true });
  }
}

type Base = Pick<RunLoadOptions, "topology" | "keys" | "signal"> & ReturnType<typeof workload>;

function workload(clusters: number) {
  const cross = clusters === 1 ? 0 : 0.1;
  return { cross, shardsPerCross: Math.min(2, clusters), debitsPerCross: 1, skew: 0, batch: 1, seed: 1 };
}

async function halfOfPeak(base: Base): Promise<number> {
  const { result } = await runLoad({ ...base, sessions: PEAK_SESSIONS, warmupMs: PEAK_MS / 3, durationMs: PEAK_MS });
  if (result.requestsPerSecond > 0) return result.requestsPerSecond / 2;
  throw new CodedError("unavailable", "the network executes nothing, so there is no half of it");
}

/** Returns how to end it. */
function sampling(processes: readonly NodeProcess[], samples: ReadonlyMap<string, Sample[]>): () => void {
  const startedAt = performance.now();
  const timer = setInterval(() => {
    for (const { info, child } of processes) {
      void sampleOf(child.pid ?? 0, performance.now() - startedAt).then((sample) => {
        if (sample !== undefined) samples.get(info.id)?.push(sample);
      });
    }
  }, SAMPLE_MS);
  return () => clearInterval(timer);
}

async function findingsIn(folder: string): Promise<readonly string[]> {
  const { findings } = await verifyLedgers({ data: [places.data(folder, "")] });
  return findings.map(showFinding);
}

interface Soaked {
  readonly load: LoadReport;
  readonly usages: readonly { readonly node: string; readonly usage: Usage }[];
  readonly findings: readonly string[];
}

function report(options: SoakOptions, { load, usages, findings }: Soaked): ExitCode {
  const isJudged = options.minutes >= JUDGED_MINUTES_MIN && !load.result.interrupted;
  const growing = usages.flatMap(({ node, usage }) => growthOf(node, usage));
  const problems = [...(isJudged ? growing : []), ...findings];
  const verdict =
    problems.length > 0 ? (findings.length > 0 ? "INCONSISTENT" : "GROWS") : isJudged ? "FLAT" : "TOO SHORT";
  if (options.json === true) printJson({ verdict, problems, growing, load, usages });
  else {
    const { throughput, latency, endings } = tablesOf(load);
    for (const rows of [throughput, latency, endings, usages.map(rowOf)]) printTable(rows);
    for (const problem of problems) printLine(problem);
    printLine(
      verdict === "TOO SHORT" ? `TOO SHORT to judge growth: ${JUDGED_MINUTES_MIN} minutes are the least` : verdict,
    );
  }
  return problems.length > 0 ? ExitCode.checkFailed : ExitCode.ok;
}

function growthOf(node: string, { residentMiBPerHour, descriptors }: Usage): readonly string[] {
  const problems: string[] = [];
  if (residentMiBPerHour > GROWTH_MIB_PER_HOUR_MAX) {
    problems.push(`${node}'s resident memory grows by ${residentMiBPerHour.toFixed(1)} MiB an hour`);
  }
  if (descriptors.last > descriptors.first + DESCRIPTORS_GROWTH_MAX) {
    problems.push(`${node} has ${descriptors.last} file descriptors open, ${descriptors.first} at first`);
  }
  return problems;
}

function rowOf({ node, usage }: Soaked["usages"][number]) {
  const { residentMiB, residentMiBPerHour, anonymousMiBPerHour, descriptors } = usage;
  return {
    node,
    "resident at first (MiB)": Math.round(residentMiB.first),
    "in the end": Math.round(residentMiB.last),
    "slope (MiB/h)": rounded(residentMiBPerHour),
    "of that anonymous": rounded(anonymousMiBPerHour),
    "files at first": descriptors.first,
    "files at last": descriptors.last,
    "at most": descriptors.most,
  };
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}

function say({ json }: CommonOptions, line: string): void {
  if (json !== true) printLine(line);
}
