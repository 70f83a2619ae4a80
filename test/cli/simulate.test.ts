// `sharper simulate` as a command: which seeds it runs, what it prints of those that pass and fail, and how it ends, also
// on Ctrl-C. Its threads are played by this one; what runs in them, and finds the planted bug, is the real simulator.

import { EventEmitter } from "node:events";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ExitCode } from "../../src/cli/output.js";
import type { PlanWishes } from "../../src/sim/profiles.js";

/** Called before each seed, with how many were begun before it. */
let onSeed: (before: number) => Promise<void> | void = () => undefined;
let onProgress: (line: string) => void = () => undefined;
let begun = 0;
let threads = 0;

class ThreadHere {
  readonly #events = new EventEmitter();
  #isEnded = false;

  constructor() {
    threads++;
  }

  on(event: string, handler: (value: unknown) => void): void {
    this.#events.on(event, handler);
  }

  postMessage(wishes: PlanWishes): void {
    void this.#simulate(wishes).catch((error: unknown) => this.#events.emit("error", error));
  }

  async #simulate(wishes: PlanWishes): Promise<void> {
    await onSeed(begun++);
    const [{ planOf }, { run }] = [await import("../../src/sim/profiles.js"), await import("../../src/sim/run.js")];
    const result = await run({ plan: planOf(wishes) });
    if (!this.#isEnded) this.#events.emit("message", { ...result, elapsedMs: 10 });
  }

  async terminate(): Promise<void> {
    if (this.#isEnded) return;
    this.#isEnded = true;
    threads--;
    this.#events.emit("exit");
  }
}

vi.mock("node:worker_threads", async (importOriginal) => ({ ...(await importOriginal<object>()), Worker: ThreadHere }));

let out = "";
let err = "";
const handlers = new Map<string | symbol, () => void>();

beforeEach(() => {
  // That a command was interrupted is known for the rest of its process.
  vi.resetModules();
  [out, err, begun, threads] = ["", "", 0, 0];
  [onSeed, onProgress] = [() => undefined, () => undefined];
  handlers.clear();
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    out += String(text);
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    err += String(text);
    onProgress(String(text));
    return true;
  });
  vi.spyOn(process, "once").mockImplementation((event: string | symbol, handler: () => void) => {
    handlers.set(event, handler);
    return process;
  });
  let now = 0;
  // Between two looks at the clock there is time for a line of progress.
  vi.spyOn(performance, "now").mockImplementation(() => (now += 20_000));
});

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

async function call(...args: readonly string[]): Promise<typeof process.exitCode> {
  const { runProgram } = await import("../../src/cli/program.js");
  const load = () => import("../../src/cli/simulate.js");
  await runProgram(["simulate", ...args], [{ name: "simulate", describe: "", load }]);
  return process.exitCode;
}

/** The cells of a row of the printed table. */
function row(name: string): readonly (string | number)[] {
  const cells = out.split("\n").map((line) => line.split("│").map((cell) => cell.trim()));
  return (cells.find(([, first]) => first === name) ?? [])
    .slice(1, 5)
    .map((cell, at) => (at === 0 ? cell : Number(cell)));
}

describe("seeds that pass", () => {
  test("are counted for each profile, as they come and in the end, and end with 0", async () => {
    expect(await call("--seeds", "1..3", "--profile", "calm", "--jobs", "2")).toBe(ExitCode.ok);
    expect(row("calm")).toEqual(["calm", 3, 3, 0]);
    expect(row("all")).toEqual(["all", 3, 3, 0]);
    expect(out.trim().split("\n").at(-1)).toBe("PASS");
    expect(err.match(/seeds \d+\/3, failures 0/g)).toEqual([1, 2, 3].map((done) => `seeds ${done}/3, failures 0`));
    expect([begun, threads]).toEqual([3, 0]);
  });

  test("are one JSON document if it was asked for", async () => {
    expect(await call("--seeds", "5..6", "--json")).toBe(ExitCode.ok);
    const { seeds, failed, profiles, failures } = JSON.parse(out);
    expect({ seeds, failed, failures }).toEqual({ seeds: 2, failed: 0, failures: [] });
    const names = profiles.map(({ profile, passed }: { profile: string; passed: number }) => `${profile} ${passed}`);
    expect(names).toEqual(["calm 1", "weather 1", "all 2"]);
  });
});

describe("a seed that fails", () => {
  async function plant(): Promise<void> {
    const { bugs } = await import("../sim/planted/bugs.js");
    bugs.find(({ name }) => name === "a vote leaves without being written")?.plant({ sizeLess: 0, isViewless: false });
  }

  test("is printed with what it broke and the command that repeats it, and ends with 1", async () => {
    onSeed = (before) => (before === 1 ? plant() : undefined);
    expect(await call("--seeds", "1..2", "--profile", "calm", "--jobs", "1")).toBe(ExitCode.checkFailed);
    expect(out).toMatch(/^seed 2 \(calm\): VIOLATION I8\n {2}I8: c\dn\d says propose for slot 1 /);
    expect(row("calm")).toEqual(["calm", 2, 1, 1]);
    expect(out.trim().split("\n").at(-1)).toBe("1 of 2 seeds FAILED");
    expect(err).toMatch(/seeds 1\/2, failures 0.*\nseed 2 \(\w+\): VIOLATION I8\n.*seeds 2\/2, failures 1/);

    const [, replay = ""] = /^ {2}replay: sharper simulate (.*)$/m.exec(out) ?? [];
    expect(replay).toBe("--seeds 2 --profile calm --trace");
    out = "";
    expect(await call(...replay.split(" "))).toBe(ExitCode.checkFailed);
    expect(out).toMatch(/^# VIOLATION I8: c\dn\d says propose for slot 1 /m);
  });

  test("has its reasons and that command in the JSON document, too", async () => {
    await plant();
    expect(await call("--seeds", "2", "--profile", "calm", "--clusters", "3", "--json")).toBe(ExitCode.checkFailed);
    const { failed, failures } = JSON.parse(out);
    const replay = "sharper simulate --seeds 2 --profile calm --clusters 3 --trace";
    expect(failed).toBe(1);
    expect(failures).toMatchObject([{ seed: 2, verdict: "VIOLATION I8", replay }]);
  });

  test("is no verdict on the others when it breaks a thread: the command ends as a bug", async () => {
    onSeed = () => {
      throw new Error("seed 1 cannot be judged");
    };
    expect(await call("--seeds", "1..9", "--jobs", "2")).toBe(ExitCode.bug);
    expect(err).toContain("seed 1 cannot be judged");
    expect([out, threads]).toEqual(["", 0]);
  });
});

describe("Ctrl-C", () => {
  const press = () => handlers.get("SIGINT")?.();

  test("between two seeds ends with 130 and the table until then, though none failed", async () => {
    onProgress = (line) => (line.startsWith("seeds 2/") ? press() : undefined);
    expect(await call("--seeds", "1..999", "--profile", "calm", "--jobs", "1")).toBe(ExitCode.interrupted);
    expect(row("calm")).toEqual(["calm", 2, 2, 0]);
    expect(out.trim().split("\n").at(-1)).toBe("interrupted: seeds until then");
    expect([begun, threads]).toEqual([2, 0]);
  });

  test("ends the seeds that run, which then have no verdict", async () => {
    onSeed = (before) => (before === 1 ? press() : undefined);
    expect(await call("--seeds", "1..999", "--jobs", "1", "--json")).toBe(ExitCode.interrupted);
    expect(JSON.parse(out)).toMatchObject({ seeds: 1, failed: 0 });
    expect([begun, threads]).toEqual([2, 0]);
  });
});

test.each([
  [["--seeds", "many"], /--seeds is many/],
  [["--seeds", "9..1"], /--seeds is 9\.\.1/],
  [["--seeds", "1", "--clusters", "0"], /--clusters is 0/],
  [["--seeds", "1", "--jobs", "1.5"], /--jobs is 1\.5/],
  [["--seeds", "1..2", "--trace"], /--trace is for one seed/],
  [["--seeds", "1", "--profile", "sunny"], /--profile is "sunny"; it must be one of/],
  [[], /seeds/],
] as const)("refuses %j before anything runs", async (args, message) => {
  expect(await call(...args)).toBe(ExitCode.usage);
  expect(err).toMatch(message);
  expect([out, begun]).toEqual(["", 0]);
});
