// `sharper catchup`: one cluster on this machine under a load, and what the load notices while a node that was away
// comes back and takes what it missed, while one comes back with nothing at all, and while one is backed up. The quorum
// must keep nine tenths of its throughput in each. Phases end by what clients hear and nodes say of themselves.

import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { CommandModule } from "yargs";
import { runLoad } from "../load/run.js";
import { CodedError } from "../types/codes.js";
import type { FailureModel, NodeInfo } from "../types/topology.js";
import { type PhaseRow, Phases } from "./catchup-phases.js";
import { showFinding, verifyLedgers } from "./ledger-verify.js";
import { clientKeys } from "./local-network.js";
import { type NetworkRun, withNetwork } from "./network-run.js";
import { type CommonOptions, ExitCode, interruption, printJson, printLine, printTable, runCommand } from "./output.js";
import {
  hasEnded,
  killNode,
  type NodeProcess,
  nodesOf,
  places,
  primaryOf,
  readStatus,
  startNode,
  stopNodes,
} from "./processes.js";
import { checkWhole, keepIn, model, number } from "./shared-options.js";

interface CatchupOptions extends CommonOptions {
  readonly model: FailureModel;
  readonly rate?: number | undefined;
  readonly sessions?: number | undefined;
  readonly transfers: number;
  readonly "keep-in"?: string | undefined;
}

const PHASE_MAX_MS = 1_800_000; // for a network that stands still; else phases end by what happens
const LOAD_MAX_MS = 10 * PHASE_MAX_MS;
const RATE = 300;
const POLL_MS = 50;
/** The least share of the transfers a second before that must be left. */
const KEPT_MIN = 0.9;

export const command: CommandModule<object, CatchupOptions> = {
  command: "catchup",
  describe: "Measure what a load notices of a node that catches up, and of a backup",
  builder: (program) =>
    program
      .option("model", { ...model, describe: "Of the cluster" })
      .option("rate", { ...number, describe: "Requests started per second", defaultDescription: `${RATE}` })
      .option("sessions", { ...number, describe: "So many sessions, each waiting for its answer, instead of a rate" })
      .conflicts("rate", "sessions")
      .option("transfers", { ...number, default: 10_000, describe: "A node misses so many" })
      .option("keep-in", keepIn)
      .epilogue(`Exit code 1 if less than ${KEPT_MIN * 100} % of the transfers per second is left in any of it.`)
      .example("$0 catchup --model crash", "Three nodes")
      .example("$0 catchup --sessions 300", "As much as the machine can do"),
  handler: (options) => runCommand(options, () => catchup(options)),
};

async function catchup(options: CatchupOptions): Promise<ExitCode> {
  const { model, rate = RATE, sessions = 1, transfers } = options;
  checkWhole("rate", rate, { min: 1, max: 100_000 });
  checkWhole("sessions", sessions, { min: 1, max: 100_000 });
  checkWhole("transfers", transfers, { min: 1, max: 1_000_000 });
  const signal = interruption();
  const network = { name: "catchup", model, clusters: 1 };
  return withNetwork(network, { keepIn: options["keep-in"], signal }, async (run) => {
    const rows = await runPhases({ ...run, phases: new Phases(), options });
    await stopNodes(run.running);
    signal.throwIfAborted();
    const { findings } = await verifyLedgers({ data: [join(run.net, "data")], strict: true });
    return report(options, rows, findings.map(showFinding));
  });
}

interface Scene extends NetworkRun {
  readonly phases: Phases;
  readonly options: CatchupOptions;
}

async function runPhases(scene: Scene): Promise<readonly PhaseRow[]> {
  const { net, topology, phases, options, signal } = scene;
  const enough = new AbortController();
  const load = runLoad({
    topology,
    keys: await clientKeys(net),
    sessions: options.sessions ?? 1,
    ...(options.sessions === undefined && { rate: options.rate ?? RATE }),
    warmupMs: 0,
    durationMs: LOAD_MAX_MS,
    cross: 0,
    shardsPerCross: 1,
    debitsPerCross: 1,
    skew: 0,
    batch: 1,
    seed: 1,
    signal: AbortSignal.any([signal, enough.signal]),
    onEnding: (ending) => phases.onEnding(ending),
  });
  load.catch((error: unknown) => phases.fail(error));
  const some = options.transfers / 4;
  try {
    const victim = await lastBackup(scene);
    phases.begin("warm-up");
    await until(scene, () => phases.committed >= some);
    phases.begin("all nodes take part");
    await until(scene, () => phases.committed >= some);
    phases.begin("one is away");
    await kill(scene, victim);
    await until(scene, () => phases.committed >= options.transfers);
    phases.begin("it catches up");
    await comeBack(scene, victim);
    phases.begin("it is lost");
    await kill(scene, victim);
    await until(scene, () => phases.committed >= some);
    await run(scene, ["node", "recover", ...identity(net, victim), "--key", places.key(net, victim.id)]);
    phases.begin("it comes back with nothing");
    await comeBack(scene, victim);
    phases.begin("backup");
    // One that has the whole history: who came back with nothing still fetches it.
    await run(scene, ["backup", ...identity(net, await lastBackup(scene, victim)), "--out", join(net, "backup")]);
    return phases.end();
  } finally {
    enough.abort();
    await load;
  }
}

async function lastBackup({ net, topology }: Scene, except?: NodeInfo): Promise<NodeInfo> {
  const nodes = nodesOf(topology);
  const primary = await primaryOf(net, nodes);
  const backup = nodes.findLast(({ id }) => id !== primary && id !== except?.id);
  if (backup === undefined) throw new CodedError("unavailable", "the cluster has no backup");
  return backup;
}

async function kill({ running }: Scene, { id }: NodeInfo): Promise<void> {
  await killNode(running.findLast(({ info }) => info.id === id) as NodeProcess);
}

/** Until it takes part and has all that the others had at the last look. */
async function comeBack(scene: Scene, info: NodeInfo): Promise<void> {
  const { net, topology, running } = scene;
  const child = startNode(net, info, true);
  running.push({ info, child });
  const others = nodesOf(topology).filter(({ id }) => id !== info.id);
  await until(scene, async () => {
    if (hasEnded(child)) throw new CodedError("node-failed", `node ${info.id} has ended; see its log`);
    const own = await readStatus(net, info.id);
    const statuses = await Promise.all(others.map(({ id }) => readStatus(net, id)));
    const height = Math.min(...statuses.map((each) => each?.height ?? Number.POSITIVE_INFINITY));
    return own !== undefined && own.pid === child.pid && own.waitsFor === undefined && own.height >= height;
  });
}

function identity(net: string, { id }: NodeInfo): string[] {
  return ["--topology", places.topology(net), "--node", id, "--data", places.data(net, id)];
}

async function run({ signal }: Scene, args: readonly string[]): Promise<void> {
  const stdio: ("ignore" | "pipe" | "ipc")[] = ["ignore", "ignore", "pipe", "ipc"];
  const child = fork(fileURLToPath(new URL("main.js", import.meta.url)), args, { stdio, signal });
  let complaint = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    complaint += text;
  });
  const [code] = await once(child, "close");
  if (code !== 0) throw new CodedError("check-failed", `sharper ${args[0]} ended with ${code}: ${complaint.trim()}`);
}

async function until({ phases, signal }: Scene, isReached: () => boolean | Promise<boolean>): Promise<void> {
  for (let waited = 0; !(await isReached()); waited += POLL_MS) {
    phases.check();
    if (waited > PHASE_MAX_MS) throw new CodedError("check-failed", "a phase did not end; see the nodes' logs");
    await pause(POLL_MS, undefined, { signal });
  }
}

function report(options: CatchupOptions, rows: readonly PhaseRow[], findings: readonly string[]): ExitCode {
  const slowed = rows.filter(({ phase, share }) => phase !== "warm-up" && share < KEPT_MIN);
  const problems = [...slowed.map(({ phase, share }) => `${phase}: ${Math.round(share * 100)} % is left`), ...findings];
  const verdict = findings.length > 0 ? "INCONSISTENT" : slowed.length > 0 ? "SLOWED" : "KEPT";
  if (options.json === true) printJson({ verdict, problems, phases: rows });
  else {
    printTable(
      rows.map(({ phase, seconds, transfersPerSecond, share, slowest, p50Ms, p99Ms }) => ({
        phase,
        seconds: rounded(seconds),
        "transfers/s": rounded(transfersPerSecond),
        "share (%)": Math.round(share * 100),
        "slowest second": slowest,
        "p50 (ms)": rounded(p50Ms),
        "p99 (ms)": rounded(p99Ms),
      })),
    );
    for (const problem of problems) printLine(problem);
    printLine(verdict);
  }
  return problems.length > 0 ? ExitCode.checkFailed : ExitCode.ok;
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
