// `sharper fuzz`: mutated inputs at every entrance that a stranger can reach, and into whole simulated networks with
// liars in them, under the eyes of all checkers. An input is a function of the seed and its number; what breaks
// anything is printed in hex, so that it can become a test.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { CommandModule } from "yargs";
import { fullCast } from "../sim/cast.js";
import { Draw } from "../sim/draw.js";
import { makeLiar, makeRogue } from "../sim/fuzz/liar.js";
import type { MakeChecker } from "../sim/observer.js";
import type { RunPlan } from "../sim/plan.js";
import { planOf } from "../sim/profiles.js";
import { run } from "../sim/run.js";
import { kindOfNumber, type MessageKind } from "../types/message.js";
import { envelopeSchema } from "../types/schema.js";
import { type Entrance, entrancesOf } from "./fuzz-entrances.js";
import { checkCount } from "./ledger-data.js";
import { type CommonOptions, ExitCode, printJson, printLine, printTable, runCommand } from "./output.js";

interface FuzzOptions extends CommonOptions {
  readonly inputs: number;
  readonly seed: number;
}

interface Count {
  inputs: number;
  passed: number;
}

export interface Find {
  readonly entrance: string;
  readonly input: string;
  readonly error: string;
}

/** What is held when the garbage is gone: after the warm-up, when all inputs were at the doors, and at the end. */
export interface Memory {
  readonly warmBytes: number;
  readonly doorsBytes: number;
  readonly endBytes: number;
  /** At the end, with the room that the runtime keeps for more. */
  readonly residentBytes: number;
}

/** FOUND: an input broke something. GREW: what was let in or refused is held for good. */
export type FuzzVerdict = "PASS" | "FOUND" | "GREW";

export interface FuzzReport {
  readonly verdict: FuzzVerdict;
  readonly inputs: number;
  readonly passed: number;
  readonly elapsedMs: number;
  readonly memory: Memory;
  readonly entrances: readonly { readonly entrance: string; readonly inputs: number; readonly passed: number }[];
  readonly finds: readonly Find[];
}

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

/** Of all inputs, so many go into simulated networks: one costs as much as twenty at a door. */
const SIMULATED_SHARE = 0.1;
const PER_KIND_MAX = 40;
const FINDS_MAX = 10;
/** Inputs before memory is looked at for the first time, a tenth of all at most: caches are full by then. */
const WARM_UP_INPUTS = 50_000;
/**
 * Doors remember some of what they see, within bounds that are not all reached by then: 21 and 23 MB more after 50,000
 * inputs, 6 MB after 600,000, 7 MB less after 200,000. In a million inputs this is 53 bytes of each.
 */
const GROWTH_BYTES_MAX = 48 << 20;

export const command: CommandModule<object, FuzzOptions> = {
  command: "fuzz",
  describe: "Mutated inputs at every entrance; exit code 1 if one breaks anything, or memory grows",
  builder: (program) =>
    program
      .option("inputs", { type: "number", default: 1_000_000, requiresArg: true, describe: "How many" })
      .option("seed", { type: "number", default: 1, requiresArg: true, describe: "What they are drawn from" })
      .example("$0 fuzz --inputs 50000 --seed 7", ""),
  handler: (options) => runCommand(options, () => fuzzCommand(options)),
};

async function fuzzCommand({ inputs, seed, json }: FuzzOptions): Promise<ExitCode> {
  checkCount("inputs", inputs, 1);
  checkCount("seed", seed);
  const report = await fuzz({ inputs, seed });
  if (json === true) printJson(report);
  else printReport(report, seed);
  return report.verdict === "PASS" ? ExitCode.ok : ExitCode.checkFailed;
}

export async function fuzz({ inputs, seed }: { readonly inputs: number; readonly seed: number }): Promise<FuzzReport> {
  const started = performance.now();
  const entrances = entrancesOf({ envelopes: await corpusOf(seed) }, new Draw(seed, "fuzz"));
  const counts = new Map<string, Count>(entrances.map(({ name }) => [name, { inputs: 0, passed: 0 }]));
  const finds: Find[] = [];
  const turns = entrances.flatMap((entrance) => Array<Entrance>(entrance.share).fill(entrance));
  const atDoors = Math.ceil(inputs * (1 - SIMULATED_SHARE));
  const warmUp = Math.min(WARM_UP_INPUTS, Math.ceil(atDoors / 10));
  const order = new Draw(seed, "order");
  let warmBytes = heldBytes();
  for (let i = 0; i < atDoors && finds.length < FINDS_MAX; i++) {
    if (i === warmUp) warmBytes = heldBytes();
    const entrance = order.pick(turns);
    const count = counts.get(entrance.name) as Count;
    count.inputs++;
    const input = entrance.make();
    try {
      if (entrance.open(input)) count.passed++;
    } catch (error) {
      finds.push({ entrance: entrance.name, input: Buffer.from(input).toString("hex"), error: textOf(error) });
    }
  }
  const doorsBytes = heldBytes();
  const simulated = await fuzzNetworks({ inputs: inputs - atDoors, seed }, finds);
  const rows = entrances.map(({ name }) => ({ entrance: name, ...(counts.get(name) as Count) }));
  const all = [...rows, { entrance: "networks with liars", ...simulated }];
  const memory = { warmBytes, doorsBytes, endBytes: heldBytes(), residentBytes: process.memoryUsage.rss() };
  return {
    verdict: verdictOf({ finds, memory }),
    inputs: all.reduce((sum, each) => sum + each.inputs, 0),
    passed: all.reduce((sum, each) => sum + each.passed, 0),
    elapsedMs: performance.now() - started,
    memory,
    entrances: all,
    finds,
  };
}

export function verdictOf({ finds, memory }: Pick<FuzzReport, "finds" | "memory">): FuzzVerdict {
  if (finds.length > 0) return "FOUND";
  const { warmBytes, doorsBytes, endBytes } = memory;
  return Math.max(doorsBytes, endBytes) - warmBytes > GROWTH_BYTES_MAX ? "GREW" : "PASS";
}

/** What is in use once the garbage is gone: resident memory rises and falls with when the runtime looks for that. */
export function heldBytes(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Whole networks in which byzantine nodes and clients say mutated things, one after the other. */
async function fuzzNetworks(
  { inputs, seed }: { readonly inputs: number; readonly seed: number },
  finds: Find[],
): Promise<{ readonly inputs: number; readonly passed: number }> {
  const tally = { inputs: 0 };
  const cast = { ...fullCast, villains: { fuzzer: makeLiar(tally) }, rogues: { fuzzer: makeRogue(tally) } };
  for (let network = 0; tally.inputs < inputs && finds.length < FINDS_MAX; network++) {
    const plan = smallPlan(seed * 1_000_000 + network);
    const { verdict, violations, waiting } = await run({ plan, cast });
    if (verdict === "PASS") continue;
    const reasons = [...violations.map(({ reason }) => reason), ...waiting].slice(0, 3).join("; ");
    finds.push({ entrance: "networks with liars", input: `seed ${plan.seed}`, error: `${verdict}: ${reasons}` });
  }
  return { inputs: tally.inputs, passed: tally.inputs };
}

function smallPlan(seed: number): RunPlan {
  const drawn = planOf({ seed, profile: "treason" });
  const clusters = [
    { model: "crash", faults: 1, nodes: 3, villains: 0 },
    { model: "byzantine", faults: 1, nodes: 4, villains: 1 },
  ] as const;
  const load = { ...drawn.load, cross: 0.3, clustersMax: 2, requestsMax: 40, rogues: 1 };
  return { ...drawn, clusters, load, safetyMs: 6000 };
}

/** Some envelopes of every kind that such a network sends. */
async function corpusOf(seed: number): Promise<readonly Uint8Array[]> {
  const byKind = new Map<MessageKind | undefined, Uint8Array[]>();
  const listen: MakeChecker = () => ({
    onTurn(_node, { outbound }) {
      for (const envelope of [...outbound.values()].flat()) {
        const kind = kindOfNumber(envelopeSchema.decode(envelope).kind);
        const known = byKind.get(kind) ?? [];
        if (known.length < PER_KIND_MAX) byKind.set(kind, [...known, envelope]);
      }
    },
  });
  for (let i = 0; i < 4; i++) {
    const plan = { ...smallPlan(seed + i), faults: planOf({ seed: seed + i, profile: "storm" }).faults };
    await run({ plan, cast: { checkers: [listen], villains: {}, rogues: {} } });
  }
  return [...byKind.values()].flat();
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function printReport(report: FuzzReport, seed: number): void {
  const { inputs, elapsedMs, entrances, finds, memory, verdict } = report;
  printTable(entrances.map(({ entrance, inputs: count, passed }) => ({ entrance, inputs: count, passed })));
  const mib = (bytes: number) => Math.round(bytes / (1 << 20));
  const rate = Math.round((inputs * 1000) / elapsedMs);
  const held = `held ${mib(memory.warmBytes)} MiB when warm, then ${mib(memory.doorsBytes)}, ${mib(memory.endBytes)}`;
  printLine(`seed ${seed}: ${inputs} inputs in ${Math.round(elapsedMs / 1000)} s, ${rate} inputs/s; ${held}`);
  for (const { entrance, input, error } of finds) printLine(`FOUND at ${entrance}, seed ${seed}: ${input}\n${error}`);
  printLine(verdict === "FOUND" ? `FOUND: ${finds.length}` : verdict);
}
