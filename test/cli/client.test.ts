// The client's commands: what they refuse before any network is needed, and how endings become messages and exit codes.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type ClientOptions, showOutcome } from "../../src/cli/client.js";
import { ExitCode } from "../../src/cli/output.js";
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

describe("endings", () => {
  test("committed says where the record is", () => {
    expect(showOutcome(ending({ outcome: "committed", results: ["ok"], ...place }), options)).toBe(ExitCode.ok);
    expect(out).toBe("committed: cluster 2, height 5, sequence 1.2, in 1.0 ms\n");
  });

  test.each([
    ["insufficient-funds", ExitCode.rejected],
    ["cluster-unavailable", ExitCode.unavailable],
    ["unavailable", ExitCode.unavailable],
  ])("a rejection with %s ends with %d", (code, exitCode) => {
    const outcome = ending({ outcome: "rejected", code, message: "so it is", record: undefined });
    expect(showOutcome(outcome, options)).toBe(exitCode);
    expect(err).toBe(`sharper: rejected, ${code}: so it is\n`);
  });

  test("unknown gives the exact command that finds out", () => {
    const outcome = ending({ outcome: "unknown", lastRefusal: undefined, resolve: () => undefined });
    expect(showOutcome(outcome, options)).toBe(ExitCode.unknown);
    expect(err.split("\n")[1]).toBe("sharper transfer --topology 'my net/topology.yaml' --key k.key --resume AQID");
  });

  test("for programs the request's token is in the document", () => {
    showOutcome(ending({ outcome: "unknown", lastRefusal: "busy", resolve: () => undefined }), {
      ...options,
      json: true,
    });
    expect(JSON.parse(out)).toMatchObject({
      outcome: "unknown",
      lastRefusal: "busy",
      request: { id: "x:1", resume: "AQID" },
    });
  });
});

test("documents show sequences as the ledger commands do", () => {
  const json = { ...options, json: true };
  showOutcome(ending({ outcome: "committed", results: ["ok"], ...place }), json);
  expect(JSON.parse(out)).toMatchObject({ outcome: "committed", sequence: "1.2" });
  out = "";
  showOutcome(ending({ outcome: "rejected", code: "not-owner", message: "", record: place }), json);
  expect(JSON.parse(out)).toMatchObject({ outcome: "rejected", record: { sequence: "1.2" } });
});

describe("wrong usage ends with 2", () => {
  const commands = [
    { name: "transfer", describe: "", load: () => import("../../src/cli/transfer.js") },
    { name: "account", describe: "", load: () => import("../../src/cli/account.js") },
    { name: "balance", describe: "", load: () => import("../../src/cli/balance.js") },
    { name: "demo", describe: "", load: () => import("../../src/cli/demo.js") },
    { name: "load", describe: "", load: () => import("../../src/cli/load.js") },
  ];
  const common = ["--topology", "none.yaml", "--key", "none.key"];

  test.each([
    ["nothing to move", ["transfer", ...common]],
    ["no amount", ["transfer", ...common, "--from", "a", "--to", "b"]],
    ["an amount that is no number", ["transfer", ...common, "--from", "a", "--to", "b", "--amount", "5.5"]],
    ["an amount of nothing", ["transfer", ...common, "--from", "a", "--to", "b", "--amount", "0"]],
    ["more than can exist", ["transfer", ...common, "--from", "a", "--to", "b", "--amount", `${1n << 63n}`]],
    ["an account that is no name", ["transfer", ...common, "--from", "a!", "--to", "b", "--amount", "5"]],
    ["an account to open that is no name", ["account", "open", ...common, "a!"]],
    ["a balance of what is no name", ["balance", ...common, "a", "b!"]],
    ["a load with half a seed", ["load", "--topology", "none.yaml", "--seed", "1.5"]],
    ["a load whose results have no place", ["load", "--topology", "none.yaml", "--out", "none/there.json"]],
    ["a demo of no clients", ["demo", "--clients", "0"]],
    ["a demo that is more than all cross-shard", ["demo", "--cross", "2"]],
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
