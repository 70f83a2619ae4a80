// `sharper load`: puts a load on a running network and measures it. What is drawn, run and measured is in src/load.

import { access, constants, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Presets, SingleBar } from "cli-progress";
import type { Argv, CommandModule } from "yargs";
import { loadTopology } from "../client/sdk.js";
import type { LoadProgress } from "../load/driver.js";
import { type LoadReport, progressLine, tablesOf } from "../load/report.js";
import { runLoad } from "../load/run.js";
import { CodedError } from "../types/codes.js";
import { clientKeysBeside } from "./client.js";
import { type CommonOptions, ExitCode, interruption, printJson, printLine, printTable, runCommand } from "./output.js";
import { number } from "./shared-options.js";

interface LoadOptions extends CommonOptions {
  readonly topology: string;
  readonly keys?: string | undefined;
  readonly clients: number;
  readonly duration: number;
  readonly warmup: number;
  readonly cross: number;
  readonly "shards-per-cross": number;
  readonly "debits-per-cross": number;
  readonly skew: number;
  readonly batch: number;
  readonly rate?: number | undefined;
  readonly seed: number;
  readonly out?: string | undefined;
}

export const command: CommandModule<object, LoadOptions> = {
  command: "load",
  describe: "Generate load and measure throughput and latency",
  builder: loadOptions,
  handler: (options) => runCommand(options, () => load(options)),
};

function loadOptions(program: Argv<object>): Argv<LoadOptions> {
  return program
    .option("topology", { type: "string", demandOption: true, requiresArg: true, describe: "The topology file" })
    .option("keys", {
      type: "string",
      requiresArg: true,
      describe: "Folder of client keys",
      defaultDescription: "clients/ beside the topology",
    })
    .option("clients", { ...number, default: 128, describe: "Sessions, each with one request in flight" })
    .option("duration", { ...number, default: 20, describe: "Seconds that are measured" })
    .option("warmup", { ...number, default: 2, describe: "Seconds before them" })
    .option("cross", { ...number, default: 0.1, describe: "Share of cross-shard requests, 0 to 1" })
    .option("shards-per-cross", { ...number, default: 2, describe: "Clusters of a cross-shard request" })
    .option("debits-per-cross", { ...number, default: 1, describe: "Clusters of these that are debited" })
    .option("skew", { ...number, default: 0, describe: "Zipf's exponent over accounts; 0 is uniform" })
    .option("batch", { ...number, default: 1, describe: "Transfers in a request" })
    .option("rate", { ...number, describe: "Requests/s: an open loop; latency counts from the intended start" })
    .option("seed", { ...number, default: 1, describe: "Of the workload" })
    .option("out", { type: "string", requiresArg: true, describe: "Write the results there as JSON" })
    .epilogue("Ends with exit code 1 if any transfer failed other than by funds. Ctrl-C ends the load and reports.")
    .example("$0 load --topology net/topology.yaml --duration 20 --cross 0.1", "Highest throughput, closed loop")
    .example("$0 load --topology net/topology.yaml --rate 1000 --out results.json", "Latency at 1000 requests/s");
}

async function load(options: LoadOptions): Promise<ExitCode> {
  if (!Number.isSafeInteger(options.seed)) {
    throw new CodedError("usage", `--seed is ${options.seed}; it must be a whole number`);
  }
  // Known before the load, not after it.
  if (options.out !== undefined) await access(dirname(options.out), constants.W_OK);
  const topology = await loadTopology(options.topology);
  const durationMs = options.duration * 1000;
  const warmupMs = options.warmup * 1000;
  const bar = progressBar((durationMs + warmupMs) / 1000);
  const report = await runLoad({
    topology,
    keys: await keyFiles(options.keys ?? clientKeysBeside(options.topology)),
    sessions: options.clients,
    rate: options.rate,
    durationMs,
    warmupMs,
    cross: options.cross,
    shardsPerCross: options["shards-per-cross"],
    debitsPerCross: options["debits-per-cross"],
    skew: options.skew,
    batch: options.batch,
    seed: options.seed,
    signal: interruption(),
    onProgress: bar.show,
  }).finally(bar.stop);
  if (options.json === true) printJson(report);
  else print(report);
  if (options.out !== undefined) {
    await writeFile(options.out, `${JSON.stringify(report, undefined, 2)}\n`);
    if (options.json !== true) printLine(`results: ${options.out}`);
  }
  return report.result.failedOtherThanByFunds === 0 ? ExitCode.ok : ExitCode.checkFailed;
}

async function keyFiles(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder);
  const keys = names.filter((name) => name.endsWith(".key")).sort();
  if (keys.length > 0) return keys.map((name) => join(folder, name));
  throw new CodedError("key-missing", `${folder} holds no client keys (*.key); give their folder as --keys`);
}

/** On a terminal only. */
function progressBar(seconds: number) {
  if (!process.stderr.isTTY) return { show: undefined, stop: () => undefined };
  const bar = new SingleBar(
    { format: "[{bar}] {line}", barsize: 20, stream: process.stderr, clearOnComplete: true, hideCursor: true },
    Presets.legacy,
  );
  bar.start(seconds, 0, { line: "connecting" });
  return {
    show: (progress: LoadProgress) => {
      bar.update(Math.min(seconds, progress.elapsedMs / 1000), { line: progressLine(progress) });
    },
    stop: () => bar.stop(),
  };
}

function print(report: LoadReport): void {
  const { throughput, latency, endings } = tablesOf(report);
  for (const rows of [throughput, latency, endings]) printTable(rows);
  if (report.result.interrupted) printLine("interrupted: measured until then");
  if (Object.keys(report.result.endings).join() === "unavailable") {
    printLine("no node was within reach; is the network running?");
  }
}
