// The command line's frame: what it loads, what it refuses, and which exit code each ending has. Commands are given as
// data, so none of the real ones is needed.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { nodeProblem } from "../../src/cli/node-version.js";
import {
  type CommonOptions,
  ExitCode,
  exitCodeOf,
  fail,
  printJson,
  renderTable,
  runCommand,
} from "../../src/cli/output.js";
import { type CommandEntry, runProgram } from "../../src/cli/program.js";
import { CodedError } from "../../src/types/codes.js";

let written: { out: string; err: string };

beforeEach(() => {
  written = { out: "", err: "" };
  vi.spyOn(process.stdout, "write").mockImplementation((text) => collect("out", String(text)));
  vi.spyOn(process.stderr, "write").mockImplementation((text) => collect("err", String(text)));
  vi.spyOn(console, "log").mockImplementation((text) => void collect("out", `${text}\n`));
  vi.spyOn(console, "error").mockImplementation((text) => void collect("err", `${text}\n`));
});

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

function collect(to: "out" | "err", text: string): true {
  written[to] += text;
  return true;
}

const loaded: string[] = [];

const commands: readonly CommandEntry[] = [
  {
    name: "greet",
    describe: "Say hello",
    load: async () => {
      loaded.push("greet");
      return {
        command: {
          command: "greet <name>",
          builder: (program) =>
            program
              .positional("name", { type: "string" })
              .option("times", { type: "number", default: 1, requiresArg: true })
              .option("tag", { type: "string", array: true })
              .option("tone", { choices: ["warm", "cool"] })
              .example("$0 greet Ada", "says hello to Ada"),
          handler: (options) =>
            runCommand(options as CommonOptions, async () => {
              if (options["name"] === "Eve") throw new CodedError("not-owner", "Eve owns no greeting");
              if (options["name"] === "Nil") throw new TypeError("nil");
              printJson({ hello: options["name"], times: options["times"], amount: 1n << 63n });
            }),
        },
      };
    },
  },
  { name: "never", describe: "Must not be loaded", load: () => Promise.reject(new Error("loaded without need")) },
];

async function run(...args: string[]): Promise<number | string | null | undefined> {
  loaded.length = 0;
  await runProgram(args, commands);
  return process.exitCode;
}

describe("program", () => {
  test("help names every command in one line each and loads none", async () => {
    expect(await run("--help")).toBeUndefined();
    expect(written.out).toMatch(/^ {2}sharper greet +Say hello$/m);
    expect(written.out).toMatch(/^ {2}sharper never +Must not be loaded$/m);
    expect(loaded).toEqual([]);
  });

  test("a command's help is its own, with examples", async () => {
    expect(await run("greet", "--help")).toBeUndefined();
    expect(written.out).toContain("sharper greet <name>");
    expect(written.out).toContain("--times");
    expect(written.out).toContain("sharper greet Ada");
    expect(written.out).toMatch(/Exit codes:\n +0 {2}ok\n/);
    expect(written.out).not.toContain("never");
  });

  test("a command runs with its checked options and ends with 0", async () => {
    expect(await run("greet", "Ada", "--times", "2")).toBe(ExitCode.ok);
    expect(JSON.parse(written.out)).toEqual({ hello: "Ada", times: 2, amount: "9223372036854775808" });
  });

  test("options may stand before the command, and lists be given in pieces", async () => {
    expect(await run("--json", "greet", "Ada", "--tag", "a", "--tag", "b")).toBe(ExitCode.ok);
  });

  test.each([
    [["frobnicate"], /unknown command frobnicate; the commands are greet, never; see "sharper --help"/],
    [[], /no command is given; see "sharper --help"/],
    [["--frob"], /see "sharper --help"/],
    [["greet"], /not enough non-option arguments.*see "sharper greet --help"/],
    [["greet", "Ada", "--frob"], /unknown argument: frob; see "sharper greet --help"/],
    [["greet", "Ada", "Bob"], /unknown argument: Bob|unknown command: Bob/],
    [["greet", "Ada", "--times"], /not enough arguments following: times/],
    [["greet", "Ada", "--times", "many"], /--times must be a number/],
    [["greet", "Ada", "--tone", "hot"], /^sharper: --tone is "hot"; it must be one of "warm", "cool"; see/],
    [["greet", "Ada", "--times", "1", "--times", "2"], /--times is given more than once/],
  ])("wrong usage %j is refused with a helpful line and ends with 2", async (args, expected) => {
    expect(await run(...args)).toBe(ExitCode.usage);
    expect(written.err).toMatch(expected);
    expect(written.err.trim().split("\n")).toHaveLength(1);
    expect(written.out).toBe("");
  });

  test("with --json errors are one JSON document on stderr", async () => {
    expect(await run("greet", "Eve", "--json")).toBe(ExitCode.usage);
    expect(JSON.parse(written.err)).toEqual({ error: { code: "not-owner", message: "Eve owns no greeting" } });
    written.err = "";
    expect(await run("greet", "--json")).toBe(ExitCode.usage);
    expect(JSON.parse(written.err)).toMatchObject({ error: { code: "usage" } });
    written.err = "";
    expect(await run("greet", "Nil", "--json")).toBe(ExitCode.bug);
    expect(JSON.parse(written.err)).toEqual({ error: { code: "internal", message: "nil" } });
  });
});

test.each([
  ["22.12.0", true],
  ["24.0.0", true],
  ["22.11.9", false],
  ["20.20.2", false],
])("Node %s will do: %s", (version, good) => {
  expect(nodeProblem(version) === undefined).toBe(good);
});

describe("output", () => {
  test("a file that is not there is named, with what would be right", () => {
    const missing = Object.assign(new Error("ENOENT: no such file"), {
      code: "ENOENT",
      syscall: "open",
      path: "a.yaml",
    });
    expect(fail(missing, {})).toBe(ExitCode.usage);
    expect(exitCodeOf(Object.assign(new Error("not open", { cause: missing }), { code: "LEVEL_NOT_OPEN" }))).toBe(2);
    expect(written.err).toBe("sharper: a.yaml does not exist; give the path of one that does\n");
  });

  test.each([
    [new CodedError("zero-amount", ""), ExitCode.usage],
    [new CodedError("store-corrupt", ""), ExitCode.damaged],
    [new CodedError("store-rolled-back", ""), ExitCode.damaged],
    [new CodedError("stale-storage", ""), ExitCode.damaged],
    [new CodedError("disk-full", ""), ExitCode.disk],
    [Object.assign(new Error("Corruption"), { code: "LEVEL_CORRUPTION" }), ExitCode.damaged],
    [new CodedError("outcome-unknown", ""), ExitCode.unknown],
    [new CodedError("deadline", ""), ExitCode.unavailable],
    [new CodedError("busy", ""), ExitCode.unavailable],
    [new CodedError("key-missing", ""), ExitCode.usage],
    [Object.assign(new Error("no such file"), { code: "ENOENT", syscall: "open" }), ExitCode.usage],
    [new TypeError("nil"), ExitCode.bug],
    ["thrown text", ExitCode.bug],
  ])("%s ends with its own exit code", (error, expected) => {
    expect(exitCodeOf(error)).toBe(expected);
  });

  test("a table has the fields' names as its head and numbers to the right", () => {
    const text = renderTable([
      { account: "alice", balance: 5n },
      { account: "bob", balance: 1250n },
    ]);
    const lines = text.split("\n");
    expect(lines[1]).toMatch(/│ account │ balance │/);
    expect(lines[3]).toMatch(/│ alice +│ +5 │/);
    expect(lines[4]).toMatch(/│ bob +│ +1250 │/);
    expect(renderTable([])).toBe("");
  });
});
