// `sharper fuzz`: mutated inputs at every entrance that a stranger can reach, and into whole simulated networks with
// liars in them, under the eyes of all checkers. An input is a function of the seed and its number; what breaks
// anything is printed in hex, so that it can become a test.

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

export interface Find {
  readonly entrance: string;
  readonly input: string;
  readonly error: string;
}

export interface FuzzReport {
  readonly inputs: number;
  readonly passed: number;
  readonly elapsedMs: number;
  readonly residentBytesBefore: number;
  readonly residentBytesAfter: number;
  readonly entrances: readonly { readonly entrance: string; readonly inputs: number; readonly passed: number }[];
  readonly finds: readonly Find[];
}

/** Of all inputs, so many go into simulated networks: one costs as much as twenty at a door. */
const SIMULATED_SHARE = 0.1;
const PER_KIND_MAX = 40;
const FINDS_MAX = 10;
/** Inputs before memory is looked at for the first time, a tenth of all at most: caches are full by then. */
const WARM_UP_INPUTS = 50_000;

export const command: CommandModule<object, FuzzOptions> = {
  command: "fuzz",
  describe: "Mutated inputs at every entrance; exit code 1 if one of them breaks anything",
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
  return report.finds.length === 0 ? ExitCode.ok : ExitCode.checkFailed;
}

export async function fuzz({ inputs, seed }: { readonly inputs: number; readonly seed: number }): Promise<FuzzReport> {
  const started = performance.now();
  const entrances = entrancesOf({ envelopes: await corpusOf(seed) }, new Draw(seed, "fuzz"));
  const counts = new Map(entrances.map(({ name }) => [name, { inputs: 0, passed: 0 }]));
  const finds: Find[] = [];
  const turns = entrances.flatMap((entrance) => Array<Entrance>(entrance.share).fill(entrance));
  const atDoors = Math.ceil(inputs * (1 - SIMULATED_SHARE));
  const warmUp = Math.min(WARM_UP_INPUTS, Math.ceil(atDoors / 10));
  const order = new Draw(seed, "order");
  let before = process.memoryUsage.rss();
  for (let i = 0; i < atDoors && finds.length < FINDS_MAX; i++) {
    if (i === warmUp) before = process.memoryUsage.rss();
    const entrance = order.pick(turns);
    const count = counts.get(entrance.name) as { inputs: number; passed: number };
    count.inputs++;
    const input = entrance.make();
    try {
      if (entrance.open(input)) count.passed++;
    } catch (error) {
      finds.push({ entrance: entrance.name, input: Buffer.from(input).toString("hex"), error: textOf(error) });
    }
  }
  const simulated = await fuzzNetworks({ inputs: inputs - atDoors, seed }, finds);
  const rows = [...counts].map(([entrance, count]) => ({ entrance, ...count }));
  const all = [...rows, { entrance: "networks with liars", ...simulated }];
  return {
    inputs: all.reduce((sum, each) => sum + each.inputs, 0),
    passed: all.reduce((sum, each) => sum + each.passed, 0),
    elapsedMs: performance.now() - started,
    residentBytesBefore: before,
    residentBytesAfter: process.memoryUsage.rss(),
    entrances: all,
    finds,
  };
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
  const { inputs, elapsedMs, entrances, finds, residentBytesBefore, residentBytesAfter } = report;
  printTable(entrances.map(({ entrance, inputs: count, passed }) => ({ entrance, inputs: count, passed })));
  const mib = (bytes: number) => Math.round(bytes / (1 << 20));
  const rate = Math.round((inputs * 1000) / elapsedMs);
  const memory = `resident ${mib(residentBytesBefore)} MiB at the begin, ${mib(residentBytesAfter)} MiB at the end`;
  printLine(`seed ${seed}: ${inputs} inputs in ${Math.round(elapsedMs / 1000)} s, ${rate} inputs/s; ${memory}`);
  for (const { entrance, input, error } of finds) printLine(`FOUND at ${entrance}, seed ${seed}: ${input}\n${error}`);
  printLine(finds.length === 0 ? "PASS" : `FOUND: ${finds.length}`);
}
