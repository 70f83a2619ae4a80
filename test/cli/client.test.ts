// The client's commands: what they refuse before any network is needed, and how endings become messages and exit codes.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type ClientOptions, showOutcome } from "../../src/cli/client.js";
import { ExitCode, exitCodeOf } from "../../src/cli/output.js";
import { runProgram } from "../../src/cli/program.js";
import type { Outcome } from "../../src/client/sdk.js";

let out: string;
let err: string;

beforeEach(() => {
  out = "";
  err = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    out += String(text);
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    err += String(text);
    return true;
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

const options: ClientOptions = { topology: "my net/topology.yaml", key: "k.key", deadline: 10 };
const place = { cluster: 2, height: 5, sequence: 65_538, digest: "d".repeat(64) };
const request = { id: "x:1", validUntil: 1_700_000_000_000, bytes: Uint8Array.of(1, 2, 3) };

function ending(parts: object): Outcome {
  return { cluster: 2, latencyMs: 1, request, ...parts } as unknown as Outcome;
}

function thrownBy(outcome: Outcome, json = false): unknown {
  try {
    showOutcome(outcome, { ...options, json });
  } catch (error) {
    return error;
  }
  return undefined;
}

describe("endings", () => {
  test("committed says where the record is", () => {
    showOutcome(ending({ outcome: "committed", results: ["ok"], ...place }), options);
    expect(out).toBe("committed: cluster 2, height 5, sequence 1.2, in 1.0 ms\n");
  });

  test.each([
    ["insufficient-funds", ExitCode.rejected],
    ["cluster-unavailable", ExitCode.unavailable],
    ["unavailable", ExitCode.unavailable],
  ])("a rejection with %s ends with %d", (code, exitCode) => {
    const error = thrownBy(ending({ outcome: "rejected", code, message: "so it is", record: undefined }));
    expect(error).toMatchObject({ code, message: `rejected, ${code}: so it is` });
    expect(exitCodeOf(error)).toBe(exitCode);
  });

  test("unknown gives the exact command that finds out", () => {
    const error = thrownBy(ending({ outcome: "unknown", lastRefusal: undefined, resolve: () => undefined }));
    expect(exitCodeOf(error)).toBe(ExitCode.unknown);
    expect((error as Error).message.split("\n")[1]).toBe(
      "sharper transfer --topology 'my net/topology.yaml' --key k.key --resume AQID",
    );
  });

  test("for programs the request's token is in the document", () => {
    thrownBy(ending({ outcome: "unknown", lastRefusal: "busy", resolve: () => undefined }), true);
    expect(JSON.parse(out)).toMatchObject({
      outcome: "unknown",
      lastRefusal: "busy",
      request: { id: "x:1", resume: "AQID" },
    });
  });
});

describe("wrong usage ends with 2", () => {
  const commands = [
    { name: "transfer", describe: "", load: () => import("../../src/cli/transfer.js") },
    { name: "account", describe: "", load: () => import("../../src/cli/account.js") },
    { name: "load", describe: "", load: () => import("../../src/cli/load.js") },
  ];
  const common = ["--topology", "none.yaml", "--key", "none.key"];

  test.each([
    ["nothing to move", ["transfer", ...common]],
    ["no amount", ["transfer", ...common, "--from", "a", "--to", "b"]],
    ["an amount that is no number", ["transfer", ...common, "--from", "a", "--to", "b", "--amount", "5.5"]],
    ["a debit without an amount", ["transfer", ...common, "--debit", "a", "--credit", "b=1"]],
    ["a deadline of nothing", ["transfer", ...common, "--from", "a", "--to", "b", "--amount", "5", "--deadline", "0"]],
    ["a topology that is not there", ["transfer", ...common, "--from", "a", "--to", "b", "--amount", "5"]],
    ["two ways at once", ["transfer", ...common, "--resume", "A", "--debit", "a=1", "--credit", "b=1"]],
    ["an account command that is none", ["account", "close", "x"]],
    ["a load without a topology", ["load"]],
  ])("%s", async (_what, args) => {
    await runProgram(args, commands);
    expect(process.exitCode).toBe(ExitCode.usage);
    expect(err).toMatch(/^sharper: /);
    expect(out).toBe("");
  });
});
