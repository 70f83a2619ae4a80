// `sharper crashes`: crashes a simulated node at every boundary between two effects of a run, one run for each
// boundary, with all checkers on. What a boundary is, is in sim/crashes.ts. A part of them, or every n-th, can be asked
// for; then it is said that these are not all.

import { availableParallelism } from "node:os";
import type { CommandModule } from "yargs";
import { CRASH_PLANS } from "../sim/crash-plans.js";
import { boundariesOf } from "../sim/crashes.js";
import { CodedError } from "../types/codes.js";
import { asked, type CrashTally, type CrashTask, isClean, type Part, tallyOf } from "./crashes-tally.js";
import type { CrashOutcome } from "./crashes-worker.js";
import { type CommonOptions, ExitCode, interruption, printJson, printLine, printTable, runCommand } from "./output.js";
import { progressLine } from "./progress-line.js";
import { checkWhole, number } from "./shared-options.js";
import { runTasks } from "./worker-pool.js";

interface CrashesOptions extends CommonOptions {
  readonly kind?: string | undefined;
  readonly blocks: number;
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly every: number;
  readonly jobs: number;
}

const KINDS = Object.keys(CRASH_PLANS);
const REASONS_MAX = 8;

export const command: CommandModule<object, CrashesOptions> = {
  command: "crashes",
  describe: "Crash a simulated node at every boundary between two effects of a run",
  builder: (program) =>
    program
      .option("kind", { choices: KINDS, requiresArg: true, describe: "Of run", defaultDescription: "each in turn" })
      .option("blocks", { ...number, default: 200, describe: "Of the run" })
      .option("from", { ...number, describe: "First boundary of a part, of one kind", defaultDescription: "0" })
      .option("to", { ...number, describe: "Last boundary of a part, of one kind", defaultDescription: "the last" })
      .option("every", { ...number, default: 1, describe: "A sample: only every so many boundaries one" })
      .option("jobs", {
        ...number,
        default: availableParallelism(),
        defaultDescription: "one for each processor",
        describe: "Runs at a time",
      })
      .epilogue("Exit code 1 if a run fails, or if a boundary that was asked for was not tried.")
      .example("$0 crashes --kind crash", "All boundaries of a run of one crash cluster")
      .example("$0 crashes --kind cross --from 4000 --to 7999", "Some of them: a long run in parts")
      .example("$0 crashes --every 50", "A sample of all kinds"),
  handler: (options) => runCommand(options, () => crashes(options)),
};

async function crashes(options: CrashesOptions): Promise<ExitCode> {
  const { kind, from, to, every, blocks, jobs } = options;
  checkWhole("blocks", blocks, { min: 1, max: 10_000 });
  checkWhole("every", every, { min: 1, max: 1_000_000 });
  checkWhole("jobs", jobs, { min: 1, max: 256 });
  if (kind === undefined && (from ?? to) !== undefined) {
    throw new CodedError("usage", "--from and --to are boundaries of one kind of run; say which with --kind");
  }
  const signal = interruption();
  const tallies: CrashTally[] = [];
  for (const each of kind === undefined ? KINDS : [kind]) {
    if (!signal.aborted) tallies.push(await tryAll(each, options, signal));
  }
  report(options, tallies);
  return tallies.every(isClean) ? ExitCode.ok : ExitCode.checkFailed;
}

async function tryAll(kind: string, options: CrashesOptions, signal: AbortSignal): Promise<CrashTally> {
  const { blocks, jobs } = options;
  const plan = CRASH_PLANS[kind]?.(blocks);
  if (plan === undefined) throw new CodedError("usage", `--kind is ${kind}; it must be one of ${KINDS.join(", ")}`);
  const places = await boundariesOf(plan);
  const part = partOf(options, places.length);
  const tasks = asked(part).map((boundary): CrashTask => ({ kind, blocks, boundary }));
  const outcomes: CrashOutcome[] = [];
  const progress = progressLine(`${kind} boundaries`, tasks.length);
  try {
    await runTasks<CrashTask, CrashOutcome>({
      module: new URL("crashes-worker.js", import.meta.url),
      tasks,
      jobs: Math.min(jobs, tasks.length),
      signal,
      onResult: (outcome) => {
        outcomes.push(outcome);
        const { boundary, verdict } = outcome;
        progress.show(verdict === "PASS" ? undefined : `${kind}, boundary ${boundary}: ${verdict}`);
      },
    });
  } finally {
    progress.end();
  }
  return tallyOf({ kind, places, part, outcomes });
}

function partOf({ from = 0, to, every }: CrashesOptions, boundaries: number): Part {
  const last = boundaries - 1;
  checkWhole("from", from, { min: 0, max: last });
  checkWhole("to", to ?? last, { min: from, max: last });
  return { from, to: to ?? last, every };
}

function report(options: CrashesOptions, tallies: readonly CrashTally[]): void {
  const isDone = tallies.every(isClean);
  const isAll = tallies.every(({ boundaries, tried }) => tried === boundaries);
  const failed = tallies.reduce((sum, tally) => sum + tally.failed, 0);
  if (options.json === true) {
    printJson({ verdict: isDone ? (isAll ? "ALL" : "PART") : failed > 0 ? "FAILED" : "INCOMPLETE", kinds: tallies });
    return;
  }
  for (const { kind, failures } of tallies) {
    for (const { boundary, place, verdict, reasons } of failures) {
      printLine(`${kind}, boundary ${boundary} (${place}): ${verdict}`);
      for (const reason of reasons.slice(0, REASONS_MAX)) printLine(`  ${reason}`);
      const again = `--kind ${kind} --blocks ${options.blocks} --from ${boundary} --to ${boundary}`;
      printLine(`  again: sharper crashes ${again}`);
    }
  }
  printTable(tallies.map(({ failures: _, missing, ...row }) => row));
  for (const { kind, missing } of tallies) {
    if (missing !== undefined) printLine(`${kind}: not all were tried; the first that was not is ${missing}`);
  }
  if (failed > 0) printLine(`${failed} FAILED`);
  else if (!isDone) printLine("INCOMPLETE");
  else printLine(isAll ? "PASS: every boundary was tried" : "PASS of those that were asked for, which are not all");
}
