// `sharper simulate`: whole networks in one process, each from one seed, with faults drawn from it; every seed gets a
// verdict, and one that fails the command that repeats it. What a run is, is in src/sim.

import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { availableParallelism } from "node:os";
import type { Argv, CommandModule } from "yargs";
import { PACED, PROFILES, type Profile } from "../sim/plan.js";
import { type PlanWishes, planOf } from "../sim/profiles.js";
import { type RunResult, run } from "../sim/run.js";
import { CodedError } from "../types/codes.js";
import { limits } from "../types/limits.js";
import { type CommonOptions, ExitCode, interruption, printJson, printLine, printTable, runCommand } from "./output.js";
import { progressLine } from "./progress-line.js";
import type { TimedResult } from "./simulate-worker.js";
import { runTasks } from "./worker-pool.js";

interface SimulateOptions extends CommonOptions {
  readonly seeds: string;
  readonly profile?: Profile | undefined;
  readonly clusters?: number | undefined;
  readonly jobs: number;
  readonly trace?: string | undefined;
}

export const command: CommandModule<object, SimulateOptions> = {
  command: "simulate",
  describe: "Run simulated networks with faults, one for each seed, and check them",
  builder: simulateOptions,
  handler: (options) => runCommand(options, () => simulate(options)),
};

const REASONS_MAX = 8;

function simulateOptions(program: Argv<object>): Argv<SimulateOptions> {
  return program
    .option("seeds", { type: "string", demandOption: true, requiresArg: true, describe: "One (7) or many (1..100)" })
    .option("profile", {
      choices: [...PROFILES, PACED] as const,
      requiresArg: true,
      describe: "Which kinds of fault",
      defaultDescription: "by the seed, in turn",
    })
    .option("clusters", { type: "number", requiresArg: true, describe: "How many", defaultDescription: "drawn" })
    .option("jobs", {
      type: "number",
      requiresArg: true,
      default: availableParallelism(),
      defaultDescription: "one for each processor",
      describe: "Seeds at a time",
    })
    .option("trace", { type: "string", describe: "Write the transcript of one seed there, or on stdout" })
    .epilogue(
      "Each seed first has faults, then all heal and the network must converge. Verdicts: PASS, VIOLATION with the " +
        "invariant (docs/protocol.md), NO-PROGRESS. Ends with exit code 1 if a seed fails. With --scale it measures " +
        "networks of growing size instead: see simulate --scale --help.",
    )
    .example("$0 simulate --seeds 1..100", "100 seeds over all profiles")
    .example("$0 simulate --seeds 7 --profile storm --trace", "One seed, with its transcript")
    .example("$0 simulate --seeds 1 --profile paced", "How fast it is: 16 byzantine nodes, a request a second");
}

async function simulate(options: SimulateOptions): Promise<ExitCode> {
  const wishes = wishesOf(options);
  const { jobs } = options;
  if (!Number.isInteger(jobs) || jobs < 1) throw new CodedError("usage", `--jobs is ${jobs}; it must be 1 or more`);
  if (options.trace !== undefined) return traceOne(wishes, options.trace);
  const results: TimedResult[] = [];
  const progress = progressLine("seeds", wishes.length);
  const signal = interruption();
  try {
    await runTasks<PlanWishes, TimedResult>({
      module: new URL("simulate-worker.js", import.meta.url),
      tasks: wishes,
      jobs: Math.min(jobs, wishes.length),
      signal,
      onResult: (result) => {
        results.push(result);
        progress.show(result.verdict === "PASS" ? undefined : failureLines(result, options)[0]);
      },
    });
  } finally {
    progress.end();
  }
  results.sort((a, b) => a.seed - b.seed);
  const failed = results.filter(({ verdict }) => verdict !== "PASS");
  if (options.json === true) {
    const failures = failed.map((result) => ({ ...result, replay: replayOf(result, options) }));
    printJson({ seeds: results.length, failed: failed.length, profiles: rowsOf(results), failures });
  } else {
    for (const result of failed) for (const line of failureLines(result, options)) printLine(line);
    printTable(rowsOf(results));
    if (signal.aborted) printLine("interrupted: seeds until then");
    else printLine(failed.length === 0 ? "PASS" : `${failed.length} of ${results.length} seeds FAILED`);
  }
  return failed.length === 0 ? ExitCode.ok : ExitCode.checkFailed;
}

/** The command that repeats a run. */
function replayOf({ seed, profile }: RunResult, { clusters }: Pick<SimulateOptions, "clusters">): string {
  const wished = clusters === undefined ? "" : ` --clusters ${clusters}`;
  return `sharper simulate --seeds ${seed} --profile ${profile}${wished} --trace`;
}

function wishesOf({ seeds, profile, clusters }: SimulateOptions): readonly PlanWishes[] {
  const [, first = "", last = first] = /^([0-9]{1,9})(?:\.\.([0-9]{1,9}))?$/.exec(seeds) ?? [];
  if (first === "" || Number(last) < Number(first)) {
    throw new CodedError("usage", `--seeds is ${seeds}; it must be a number (7) or a range (1..100)`);
  }
  if (clusters !== undefined && !(Number.isInteger(clusters) && clusters >= 1 && clusters <= limits.clustersMax)) {
    throw new CodedError("usage", `--clusters is ${clusters}; it must be within 1 and ${limits.clustersMax}`);
  }
  const count = Number(last) - Number(first) + 1;
  return Array.from({ length: count }, (_, i) => ({ seed: Number(first) + i, profile, clusters }));
}

async function traceOne(wishes: readonly PlanWishes[], path: string): Promise<ExitCode> {
  const [only] = wishes;
  if (only === undefined || wishes.length > 1) throw new CodedError("usage", "--trace is for one seed");
  const file = path === "" ? undefined : createWriteStream(path);
  const plan = planOf(only);
  const out = (line: string) => void (file ?? process.stdout).write(`${line}\n`);
  out(`# ${JSON.stringify(plan, (_, value) => (typeof value === "bigint" ? value.toString() : value))}`);
  const result = await run({ plan, trace: out });
  for (const { invariant, reason } of result.violations) out(`# VIOLATION ${invariant}: ${reason}`);
  for (const reason of result.waiting) out(`# waiting: ${reason}`);
  out(`# ${result.verdict} digest ${result.digest}`);
  if (file !== undefined) {
    file.end();
    await once(file, "finish");
    printLine(`${result.verdict}: transcript in ${path}`);
  }
  return result.verdict === "PASS" ? ExitCode.ok : ExitCode.checkFailed;
}

/** What is printed of a seed that failed. */
export function failureLines(result: RunResult, options: Pick<SimulateOptions, "clusters">): readonly string[] {
  const { seed, profile, verdict, violations, waiting } = result;
  // What a network that is stuck breaks at its end follows from its being stuck.
  const broken = violations.map(({ invariant, reason }) => `${invariant}: ${reason}`);
  const reasons = verdict === "NO-PROGRESS" ? [...waiting, ...broken] : broken;
  const shown = reasons.slice(0, REASONS_MAX).map((reason) => `  ${reason}`);
  const rest = reasons.length > REASONS_MAX ? [`  and ${reasons.length - REASONS_MAX} more`] : [];
  return [`seed ${seed} (${profile}): ${verdict}`, ...shown, ...rest, `  replay: ${replayOf(result, options)}`];
}

function rowsOf(results: readonly TimedResult[]) {
  const rows = [...PROFILES, PACED].map((profile) =>
    rowOf(
      profile,
      results.filter((each) => each.profile === profile),
    ),
  );
  return [...rows.filter(({ seeds }) => seeds > 0), rowOf("all", results)];
}

function rowOf(profile: string, results: readonly TimedResult[]) {
  const sum = (of: (result: TimedResult) => number) => results.reduce((total, result) => total + of(result), 0);
  const virtualMs = sum((result) => result.virtualMs);
  const passed = results.filter(({ verdict }) => verdict === "PASS").length;
  return {
    profile,
    seeds: results.length,
    passed,
    failed: results.length - passed,
    transfers: sum((result) => result.transfers),
    messages: sum((result) => result.messages),
    virtual_hours: Number((virtualMs / 3_600_000).toFixed(2)),
    // Of one thread, by its CPU time.
    times_real_time: Math.round(
      virtualMs /
        Math.max(
          1,
          sum((result) => result.computedMs),
        ),
    ),
  };
}
