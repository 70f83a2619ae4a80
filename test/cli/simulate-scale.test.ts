// `sharper simulate --scale` as a command: what it refuses, what it prints and writes, and how it ends.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ExitCode } from "../../src/cli/output.js";
import { runProgram } from "../../src/cli/program.js";

let out = "";
let err = "";
let folder = "";

beforeEach(async () => {
  out = "";
  err = "";
  folder = await mkdtemp(join(tmpdir(), "scale-"));
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    out += String(text);
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    err += String(text);
    return true;
  });
});

afterEach(async () => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
  await rm(folder, { recursive: true });
});

async function call(...args: readonly string[]): Promise<typeof process.exitCode> {
  const load = () => import("../../src/cli/simulate-scale.js");
  await runProgram(["simulate", "--scale", ...args], [{ name: "simulate", describe: "", load }]);
  return process.exitCode;
}

const SMALL = ["--cost-us", "20000", "--warmup", "0", "--seconds", "3", "--clients-per-cluster", "4"];

test("measures every size, says whether the network scales, and writes document and picture", async () => {
  const files = { document: join(folder, "scale.json"), picture: join(folder, "scale.svg") };
  const code = await call("--clusters", "1,2", ...SMALL, "--out", files.document, "--picture", files.picture);
  const document = JSON.parse(await readFile(files.document, "utf8"));
  expect(document.rows.map(({ clusters }: { clusters: number }) => clusters)).toEqual([1, 2]);
  expect(document.conditions).toMatchObject({ model: "byzantine", cross: 0.1, seed: 1, costs: { verifyUs: 20_000 } });
  expect(document.regions).toHaveLength(4);
  // One cluster alone has no cross-shard transfers, so two cost more: that is found, and is the exit code.
  expect(document.growth.problems.join("; ")).toMatch(/more messages/);
  expect(code).toBe(ExitCode.checkFailed);
  expect(out).toMatch(/DOES NOT SCALE: .*more messages/);
  expect(out).toMatch(/20000 µs to check a signature/);
  expect(await readFile(files.picture, "utf8")).toMatch(/^<svg /);
});

test("one size has no slope to judge; with --json there is one document and nothing else", async () => {
  expect(await call("--clusters", "1", ...SMALL, "--model", "crash", "--json")).toBe(ExitCode.ok);
  expect(JSON.parse(out).growth).toEqual({ moreMessages: 0, problems: [] });
  expect(err).toBe("");
});

test.each([
  [["--clusters", "8,many"], /--clusters is NaN/],
  [["--clusters", "0"], /--clusters is 0/],
  [["--clusters", "1.5"], /--clusters is 1.5; it must be a whole number/],
  [["--cross", "1.1"], /--cross is 1.1/],
  [["--regions", "7"], /--regions is 7/],
  [["--faults", "30"], /needs clusters of 91/],
  [["--cost-us", "0"], /--cost-us is 0/],
  [["--model", "other"], /--model is "other"; it must be one of/],
  [["--out", "/no/such/folder/x.json", "--clusters", "1"], /does not exist/],
] as const)("refuses %j before anything runs", async (args, message) => {
  expect(await call(...args)).toBe(ExitCode.usage);
  expect(err).toMatch(message);
  expect(out).toBe("");
});
