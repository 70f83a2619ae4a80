// `sharper simulate --scale`: how throughput, messages and latency grow with the number of clusters, in virtual time,
// with given costs and delays. What a run is, is in src/sim/scale.

import { access, constants, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Argv, CommandModule } from "yargs";
import { smallestCluster } from "../cluster/rules.js";
import { drawChart } from "../sim/scale/chart.js";
import { costsOf } from "../sim/scale/cpu.js";
import { type Growth, growthOf } from "../sim/scale/growth.js";
import { regions } from "../sim/scale/regions.js";
import { runScale, type ScaleOptions, type ScaleRow } from "../sim/scale/run.js";
import { conditionsOf, growthLines, tableRow } from "../sim/scale/table.js";
import { CodedError } from "../types/codes.js";
import { limits } from "../types/limits.js";
import type { Dissemination, FailureModel } from "../types/topology.js";
import { type CommonOptions, ExitCode, printJson, printLine, printTable, runCommand } from "./output.js";
import { number } from "./shared-options.js";

export interface ScaleCommandOptions extends CommonOptions {
  readonly scale?: boolean | undefined;
  readonly clusters: string;
  readonly cross: number;
  readonly model: FailureModel;
  readonly faults: number;
  readonly "clients-per-cluster": number;
  readonly "cost-us": number;
  readonly regions: number;
  readonly spread: boolean;
  readonly batch: number;
  readonly dissemination: Dissemination;
  readonly warmup: number;
  readonly seconds: number;
  readonly seed: number;
  readonly out?: string | undefined;
  readonly picture?: string | undefined;
}

export const command: CommandModule<object, ScaleCommandOptions> = {
  command: "simulate",
  describe: "Measure simulated networks of growing size",
  builder: scaleOptions,
  handler: (options) => runCommand(options, () => simulateScale(options)),
};

export function scaleOptions(program: Argv<object>): Argv<ScaleCommandOptions> {
  return program
    .option("scale", { type: "boolean", describe: "Measure networks of growing size, without faults" })
    .option("clusters", { type: "string", requiresArg: true, default: "8,32,128,512", describe: "Numbers of clusters" })
    .option("cross", { ...number, default: 0.1, describe: "Share of transfers between two random clusters, 0 to 1" })
    .option("model", {
      choices: ["byzantine", "crash"] as const,
      default: "byzantine" as const,
      describe: "Of clusters",
    })
    .option("faults", { ...number, default: 1, describe: "How many nodes of a cluster may fail" })
    .option("clients-per-cluster", { ...number, default: 32, describe: "Each with one transfer under way" })
    .option("cost-us", {
      ...number,
      default: 2000,
      describe: "Core time to check a signature; other work in proportion",
    })
    .option("regions", {
      ...number,
      default: 4,
      describe: `Cloud regions the clusters stand in, 1 to ${regions.length}`,
    })
    .option("spread", { type: "boolean", default: false, describe: "Each cluster's nodes stand in different regions" })
    .option("batch", { ...number, default: 1, describe: "Largest number of requests in a block" })
    .option("dissemination", {
      choices: ["adaptive", "flattened", "super-propose"] as const,
      default: "adaptive" as const,
      describe: "How a block reaches other clusters",
    })
    .option("warmup", { ...number, default: 2, describe: "Virtual seconds before those that are measured" })
    .option("seconds", { ...number, default: 4, describe: "Virtual seconds that are measured" })
    .option("seed", { ...number, default: 1, describe: "Of the workload" })
    .option("out", { type: "string", requiresArg: true, describe: "Write the results there as JSON" })
    .option("picture", { type: "string", requiresArg: true, describe: "Draw the results there as SVG" })
    .epilogue(
      "Every node is a real one, on a simulated core that is slow enough to be busy at some tens of transfers/s. " +
        "Ends with exit code 1 if throughput grows with a slope below 0.95, or messages per transfer by over 10 %.",
    )
    .example("$0 simulate --scale", "8, 32, 128 and 512 byzantine clusters of four: minutes, and 4 GB of memory")
    .example("$0 simulate --scale --clusters 4,16,64 --model crash --cost-us 5000", "Crash clusters of three");
}

export async function simulateScale(options: ScaleCommandOptions): Promise<ExitCode> {
  const counts = clusterCounts(options.clusters);
  const conditions = conditionsFrom(options);
  const { json, out, picture } = options;
  // Known before the runs, not after them.
  for (const path of [out, picture]) if (path !== undefined) await access(dirname(path), constants.W_OK);
  const rows: ScaleRow[] = [];
  for (const clusters of counts) {
    const startedAt = performance.now();
    const row = await runScale({ ...conditions, clusters });
    rows.push(row);
    if (json !== true) reportRow(row, performance.now() - startedAt);
  }
  const growth = growthOf(rows);
  const document = { conditions, regions: regions.slice(0, conditions.regions), rows, growth };
  if (out !== undefined) await writeFile(out, `${JSON.stringify(document, undefined, 2)}\n`);
  if (picture !== undefined) await writeFile(picture, drawChart(rows, conditionsOf(conditions)[0] as string));
  if (json === true) printJson(document);
  else print({ conditions, rows, growth }, [out, picture]);
  return growth.problems.length === 0 ? ExitCode.ok : ExitCode.checkFailed;
}

function print(
  results: {
    readonly conditions: Omit<ScaleOptions, "clusters">;
    readonly rows: readonly ScaleRow[];
    readonly growth: Growth;
  },
  files: readonly (string | undefined)[],
): void {
  for (const line of conditionsOf(results.conditions)) printLine(line);
  printTable(results.rows.map(tableRow));
  for (const line of growthLines(results.growth)) printLine(line);
  for (const file of files) if (file !== undefined) printLine(`written: ${file}`);
}

/** A long run should show that it goes on. */
function reportRow({ clusters, transfersPerSecond }: ScaleRow, elapsedMs: number): void {
  const seconds = (elapsedMs / 1000).toFixed(0);
  process.stderr.write(`${clusters} clusters: ${Math.round(transfersPerSecond)} transfers/s (took ${seconds} s)\n`);
}

function conditionsFrom(options: ScaleCommandOptions): Omit<ScaleOptions, "clusters"> {
  const { cross, model, faults, spread, dissemination, batch, warmup, seconds, seed } = options;
  const clientsPerCluster = options["clients-per-cluster"];
  checkNumber("cross", cross, { min: 0, max: 1 });
  checkWhole("faults", faults, { min: 0, max: limits.nodesPerClusterMax });
  const nodes = smallestCluster(model, faults);
  if (nodes > limits.nodesPerClusterMax) {
    throw new CodedError(
      "usage",
      `--faults ${faults} needs clusters of ${nodes}; at most ${limits.nodesPerClusterMax}`,
    );
  }
  checkWhole("clients-per-cluster", clientsPerCluster, { min: 1, max: limits.queuedRequestsMax });
  checkNumber("cost-us", options["cost-us"], { min: 1, max: COST_US_MAX });
  checkWhole("regions", options.regions, { min: 1, max: regions.length });
  checkWhole("batch", batch, { min: 1, max: limits.blockRequestsMax });
  checkNumber("warmup", warmup, { min: 0, max: SECONDS_MAX });
  checkNumber("seconds", seconds, { min: SECONDS_MIN, max: SECONDS_MAX });
  checkWhole("seed", seed, { min: 0, max: SEED_MAX });
  return {
    model,
    faults,
    dissemination,
    blockRequestsMax: batch,
    cross,
    clientsPerCluster,
    warmup,
    seconds,
    costs: costsOf(options["cost-us"]),
    regions: options.regions,
    spread,
    seed,
  };
}

const COST_US_MAX = 1_000_000; // a second: beyond, the timers of the protocol are what is measured
const SECONDS_MIN = 0.1;
const SECONDS_MAX = 3600;
const SEED_MAX = 2 ** 31 - 1;

function clusterCounts(text: string): readonly number[] {
  const counts = text.split(",").map(Number);
  for (const count of counts) checkWhole("clusters", count, { min: 1, max: limits.clustersMax });
  return counts;
}

function checkWhole(name: string, value: number, range: { readonly min: number; readonly max: number }): void {
  checkNumber(name, value, range);
  if (!Number.isInteger(value)) throw new CodedError("usage", `--${name} is ${value}; it must be a whole number`);
}

function checkNumber(name: string, value: number, { min, max }: { readonly min: number; readonly max: number }): void {
  if (value >= min && value <= max) return;
  throw new CodedError("usage", `--${name} is ${value}; it must be within ${min} and ${max}`);
}
