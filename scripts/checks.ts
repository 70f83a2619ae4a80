// What scripts/test runs: lint and format, types and build, the test suites, then simulated seeds, each of which counts
// as a test, then networks of real processes with faults, of which each check counts as one. Counts come from the JSON
// reports of vitest, the simulator and chaos, never from their text. Whatever fails and has no failing test of its own
// (a file that cannot be loaded, a crash, an error outside of tests, seeds that had no time) counts as one failure, so
// that the sum never claims success for a run that had none.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** The part of vitest's JSON report that is read here. */
interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

/** The part of the simulator's JSON report that is read here. */
interface Simulated {
  readonly seeds: number;
  readonly failed: number;
  readonly failures: readonly {
    readonly seed: number;
    readonly profile: string;
    readonly verdict: string;
    readonly replay: string;
  }[];
}

/** The part of a chaos run's JSON report that is read here. */
interface Chaos {
  readonly verdicts: readonly { readonly name: string; readonly problems: readonly string[] }[];
}

const root = resolve(import.meta.dirname, "..");
// Together, with three checks and two chaos runs, below an hour, and with minutes left for the installation.
const checkMaxMs = 3 * 60_000;
const suitesMaxMs = 16 * 60_000;
const seedsMaxMs = numberOf("SIMULATED_MINUTES", 17) * 60_000;
/** On two cores that do nothing else. Machines that share theirs may be slower: then it is told, and no failure. */
const seedsAim = { seeds: 2000, ms: 10 * 60_000 };
const chaosMaxMs = 8 * 60_000;
/** Ten minutes of faults in all; the seeds are fixed, so that a run that fails can be repeated. */
const chaosRuns = [
  ["--model", "crash", "--clusters", "3", "--seed", "3", "--minutes", "5", "--rate", "30"],
  ["--model", "byzantine", "--clusters", "2", "--seed", "1", "--minutes", "5", "--rate", "30"],
];
const shownProblems = 10;
const seedCount = numberOf("SIMULATED_SEEDS", seedsAim.seeds);

const paths = process.argv.slice(2).map(testPath);
const counts: Counts[] = [];
if (paths.length === 0) {
  counts.push(await check("lint and format", [["biome", "check", "."]]));
  counts.push(await check("types and build", [["tsc", "-p", "tsconfig.check.json"], [join(root, "scripts/setup")]]));
} else if (!(await run([join(root, "scripts/setup")], { maxMs: checkMaxMs }))) {
  counts.push({ passed: 0, failed: 1, skipped: 0 });
}
counts.push(await suites(paths));
if (paths.length === 0) {
  counts.push(await simulation());
  for (const options of chaosRuns) counts.push(await chaos(options));
}

const passed = sum((count) => count.passed);
const failed = sum((count) => count.failed);
const skipped = sum((count) => count.skipped);
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exitCode = failed > 0 ? 1 : 0;

/** Paths are taken from where the user stands, else from the root; what names no file is a filter for vitest. */
function testPath(argument: string): string {
  return [resolve(argument), join(root, argument)].find((path) => existsSync(path)) ?? argument;
}

async function check(name: string, commands: readonly (readonly string[])[]): Promise<Counts> {
  console.log(`== ${name}`);
  let ok = true;
  for (const command of commands) ok = (await run(command, { maxMs: checkMaxMs })) && ok;
  console.log(ok ? `${name}: passed` : `${name}: FAILED`);
  return { passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 };
}

async function suites(filters: readonly string[]): Promise<Counts> {
  console.log("== test suites");
  const folder = mkdtempSync(join(tmpdir(), "sharper-test-"));
  const file = join(folder, "report.json");
  try {
    const ok = await run(
      ["vitest", "run", "--reporter=default", "--reporter=json", `--outputFile=${file}`, ...filters],
      { maxMs: suitesMaxMs },
    );
    return existsSync(file)
      ? countsOf(JSON.parse(readFileSync(file, "utf8")), ok)
      : { passed: 0, failed: 1, skipped: 0 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function countsOf({ testResults }: Report, ok: boolean): Counts {
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  const passed = tests.filter(({ status }) => status === "passed").length;
  const failedTests = tests.filter(({ status }) => status === "failed").length;
  const failedFiles = testResults.filter(
    ({ status, assertionResults }) => status === "failed" && assertionResults.every((test) => test.status !== "failed"),
  ).length;
  const failed = failedTests + failedFiles;
  return {
    passed,
    failed: !ok && failed === 0 ? 1 : failed,
    skipped: tests.length - passed - failedTests,
  };
}

/** Seeds over all profiles, by the command line as it was built. */
async function simulation(): Promise<Counts> {
  console.log("== simulated seeds");
  let text = "";
  const begun = performance.now();
  const command = [process.execPath, join(root, "dist/cli/main.js"), "simulate"];
  const ok = await run([...command, "--seeds", `1..${seedCount}`, "--jobs", "2", "--json"], {
    maxMs: seedsMaxMs,
    read: (chunk) => {
      text += chunk;
    },
  });
  const report = simulatedOf(text);
  for (const { seed, profile, verdict, replay } of report.failures) {
    console.log(`seed ${seed} (${profile}): ${verdict}\n  replay: scripts/${replay}`);
  }
  // A run that breaks off reports what it has, and says nothing of the rest.
  const isBroken = report.seeds !== seedCount || (!ok && report.failed === 0);
  if (isBroken) console.log(`broken off: ${report.seeds} of ${seedCount} seeds have a verdict`);
  const passed = report.seeds - report.failed;
  console.log(
    `simulated seeds: ${passed} passed, ${report.failed} failed; ${timeAgainstAim(performance.now() - begun)}`,
  );
  return { passed, failed: report.failed + (isBroken ? 1 : 0), skipped: 0 };
}

/** As many seeds as the aim is for, or in proportion. */
function timeAgainstAim(ms: number): string {
  const minutes = (each: number) => `${(each / 60_000).toFixed(1)} min`;
  const aim = (seedsAim.ms * seedCount) / seedsAim.seeds;
  const verdict = ms <= aim ? "within" : "BEYOND";
  return `${minutes(ms)}, ${verdict} the aim of ${minutes(aim)} (which counts on two cores that do nothing else)`;
}

function simulatedOf(text: string): Simulated {
  try {
    return JSON.parse(text);
  } catch {
    return { seeds: 0, failed: 0, failures: [] };
  }
}

/** Real processes and random faults; each thing that is checked at the end counts. */
async function chaos(options: readonly string[]): Promise<Counts> {
  console.log(`== chaos ${options.join(" ")}`);
  let text = "";
  const ok = await run([process.execPath, join(root, "dist/cli/main.js"), "chaos", ...options, "--json"], {
    maxMs: chaosMaxMs,
    read: (chunk) => {
      text += chunk;
    },
  });
  const { verdicts } = chaosOf(text);
  const broken = verdicts.filter(({ problems }) => problems.length > 0);
  for (const { name, problems } of broken) {
    console.log(`${name}: ${problems.length} violations\n  ${problems.slice(0, shownProblems).join("\n  ")}`);
  }
  const failed = broken.length;
  console.log(`chaos: ${verdicts.length - failed} passed, ${failed} failed`);
  return { passed: verdicts.length - failed, failed: !ok && failed === 0 ? 1 : failed, skipped: 0 };
}

function chaosOf(text: string): Chaos {
  try {
    return JSON.parse(text);
  } catch {
    return { verdicts: [] };
  }
}

function numberOf(variable: string, usual: number): number {
  const text = process.env[variable] ?? String(usual);
  if (/^[1-9][0-9]{0,8}$/.test(text)) return Number(text);
  console.error(`${variable} is ${text}; it must be a number from 1 on`);
  process.exit(2);
}

function sum(pick: (count: Counts) => number): number {
  return counts.reduce((total, count) => total + pick(count), 0);
}

interface RunOptions {
  readonly maxMs: number;
  /** Gets what the command prints; without it that is shown. */
  readonly read?: (chunk: string) => void;
}

/** Runs a command of the project; whether it ended with 0 in time. */
function run([command = "", ...args]: readonly string[], { maxMs, read }: RunOptions): Promise<boolean> {
  return new Promise((done) => {
    const stdout = read === undefined ? "inherit" : "pipe";
    const child = spawn(command, args, { cwd: root, stdio: ["inherit", stdout, "inherit"], timeout: maxMs });
    if (read !== undefined) child.stdout?.setEncoding("utf8").on("data", read);
    child.once("error", (error) => {
      console.error(`${command}: ${error.message}`);
      done(false);
    });
    child.once("close", (code) => done(code === 0));
  });
}

// Ctrl-C reaches the child as well, and ends it; what follows would only tell of its end.
process.once("SIGINT", () => process.exit(130));
