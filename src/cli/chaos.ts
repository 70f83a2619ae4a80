// `sharper chaos`: real processes under load with a random fault every 5 to 20 s, drawn from a seed; at the end a
// comparison of what clients were told with what is in the ledgers. Ends with tables and one word; exit code 1 and the
// folder of the network if anything is wrong.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CommandModule } from "yargs";
import { CodedError } from "../types/codes.js";
import type { FailureModel } from "../types/topology.js";
import { type ChaosResult, runChaos } from "./chaos-run.js";
import { faultRows, outageRows, outcomeRows, verdictRows } from "./chaos-table.js";
import { type CommonOptions, ExitCode, interruption, printJson, printLine, printTable, runCommand } from "./output.js";
import { checkWhole, keepIn, number, type Range } from "./shared-options.js";

interface ChaosCommand extends CommonOptions {
  readonly minutes: number;
  readonly model: FailureModel | "mixed";
  readonly clusters: number;
  readonly seed: number;
  readonly rate: number;
  readonly damage: boolean;
  readonly "keep-in"?: string | undefined;
}

const SHOWN_PROBLEMS = 30;

export const command: CommandModule<object, ChaosCommand> = {
  command: "chaos",
  describe: "Run a network with random faults under load, and compare what clients heard with the ledgers",
  builder: (program) =>
    program
      .option("minutes", { ...number, default: 10, describe: "For which faults happen, 0.2 to 600" })
      .option("model", {
        choices: ["crash", "byzantine", "mixed"] as const,
        default: "mixed" as const,
        describe: "Of the clusters; mixed: crash and byzantine in turn",
      })
      .option("clusters", { ...number, default: 3, describe: "Number of clusters, 1 to 8" })
      .option("seed", { ...number, default: 1, describe: "Of faults and load" })
      .option("rate", { ...number, default: 60, describe: "Calls started per second" })
      .option("damage", { type: "boolean", default: true, describe: "Also damage data folders of killed nodes" })
      .option("keep-in", keepIn)
      .epilogue("The last line is CONSISTENT or VIOLATED (exit code 1); then the network's folder is kept.")
      .example("$0 chaos --minutes 5 --model crash --seed 7", "Three clusters of three nodes, for five minutes")
      .example("$0 chaos --no-damage", "No damage to data"),
  handler: (options) => runCommand(options, () => chaos(options)),
};

async function chaos(options: ChaosCommand): Promise<ExitCode> {
  const { model, clusters, seed, rate, damage, minutes } = options;
  checkRange("minutes", minutes, { min: 0.2, max: 600 });
  checkRange("rate", rate, { min: 1, max: 10_000 });
  checkWhole("clusters", clusters, { min: 1, max: 8 });
  checkWhole("seed", seed, { min: 0, max: 2 ** 31 });
  const signal = interruption();
  const kept = options["keep-in"];
  const folder = kept ?? (await mkdtemp(join(tmpdir(), "sharper-chaos-")));
  const say = (line: string): void => {
    if (options.json === true) process.stderr.write(`${line}\n`);
    else printLine(line);
  };
  let isGood = false;
  try {
    say(`chaos --model ${model} --clusters ${clusters} --minutes ${minutes} --rate ${rate} --seed ${seed}`);
    const durationMs = minutes * 60_000;
    const result = await runChaos({ folder, model, clusters, durationMs, seed, rate, damage, signal, onLine: say });
    await writeFile(join(folder, "history.json"), asJson(result.history));
    isGood = result.verdicts.every(({ problems }) => problems.length === 0);
    report(options, result);
    return isGood ? ExitCode.ok : ExitCode.checkFailed;
  } finally {
    if (kept === undefined && (isGood || signal.aborted)) await rm(folder, { recursive: true, force: true });
    else say(`the network's data, logs and history.json are in ${folder}`);
  }
}

function report(options: ChaosCommand, result: ChaosResult): void {
  const { verdicts } = result;
  const verdict = verdicts.every(({ problems }) => problems.length === 0) ? "CONSISTENT" : "VIOLATED";
  const rows = {
    faults: faultRows(result.faults),
    outcomes: outcomeRows(result),
    outages: outageRows(result),
    checks: verdictRows(verdicts),
  };
  if (options.json === true) {
    printJson({ verdict, seed: options.seed, model: options.model, ...rows, verdicts });
    return;
  }
  printTable(rows.faults);
  printTable(rows.outcomes);
  printTable(rows.outages);
  printTable(rows.checks);
  const problems = verdicts.flatMap((each) => each.problems);
  for (const problem of problems.slice(0, SHOWN_PROBLEMS)) printLine(problem);
  if (problems.length > SHOWN_PROBLEMS) printLine(`... and ${problems.length - SHOWN_PROBLEMS} more; see --json`);
  printLine(verdict);
}

function asJson(value: unknown): string {
  return JSON.stringify(value, (_key, field) => (typeof field === "bigint" ? field.toString() : field), 1);
}

function checkRange(name: string, value: number, { min, max }: Range): void {
  if (value >= min && value <= max) return;
  throw new CodedError("usage", `--${name} must be a number from ${min} to ${max}`);
}
