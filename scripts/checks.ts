// What scripts/test runs: lint and format, types and build, then the test suites. Counts come from vitest's JSON
// report, never from its text; whatever fails without a failing test of its own (a file that cannot be loaded, a crash,
// an error outside of tests) counts as one failure, so that the sum never claims success for a run that had none.

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

const root = resolve(import.meta.dirname, "..");
const suitesMaxMs = 20 * 60_000;

const paths = process.argv.slice(2).map(testPath);
const counts: Counts[] = [];
if (paths.length === 0) {
  counts.push(await check("lint and format", [["biome", "check", "."]]));
  counts.push(await check("types and build", [["tsc", "-p", "tsconfig.check.json"], [join(root, "scripts/setup")]]));
} else if (!(await run([join(root, "scripts/setup")]))) {
  counts.push({ passed: 0, failed: 1, skipped: 0 });
}
counts.push(await suites(paths));

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
  for (const command of commands) ok = (await run(command)) && ok;
  console.log(ok ? `${name}: passed` : `${name}: FAILED`);
  return { passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 };
}

async function suites(filters: readonly string[]): Promise<Counts> {
  console.log("== test suites");
  const folder = mkdtempSync(join(tmpdir(), "sharper-test-"));
  const file = join(folder, "report.json");
  try {
    const ok = await run([
      "vitest",
      "run",
      "--reporter=default",
      "--reporter=json",
      `--outputFile=${file}`,
      ...filters,
    ]);
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

function sum(pick: (count: Counts) => number): number {
  return counts.reduce((total, count) => total + pick(count), 0);
}

/** Runs a command of the project with its output shown; whether it ended with 0 in time. */
function run([command = "", ...args]: readonly string[]): Promise<boolean> {
  return new Promise((done) => {
    const child = spawn(command, args, { cwd: root, stdio: "inherit", timeout: suitesMaxMs });
    child.once("error", (error) => {
      console.error(`${command}: ${error.message}`);
      done(false);
    });
    child.once("exit", (code) => done(code === 0));
  });
}

// Ctrl-C reaches the child as well, and ends it; what follows would only tell of its end.
process.once("SIGINT", () => process.exit(130));
