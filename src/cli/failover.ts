// `sharper failover`: a network on this machine under a steady load, and the primary of its first cluster killed with
// SIGKILL (protocol 5). Measures how long that cluster commits nothing and whether the others notice, starts the killed
// node again, and looks in the ledgers for everything that clients were told. All phases end by what clients hear. Both
// figures are judged.

import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { CommandModule } from "yargs";
import { runLoad } from "../load/run.js";
import { CodedError } from "../types/codes.js";
import type { FailureModel, Topology } from "../types/topology.js";
import { lostOf } from "./acknowledged.js";
import { failoverVerdict } from "./failover-verdict.js";
import { LoadWatch } from "./failover-watch.js";
import { openLedgers } from "./ledger-data.js";
import { showFinding, verifyLedgers } from "./ledger-verify.js";
import { clientKeys } from "./local-network.js";
import { type NetworkRun, withNetwork } from "./network-run.js";
import { type CommonOptions, ExitCode, interruption, printJson, printLine, printTable, runCommand } from "./output.js";
import {
  allConnected,
  killNode,
  type NodeProcess,
  nodesOf,
  primaryOf,
  readStatus,
  startNode,
  stopNodes,
} from "./processes.js";
import { checkWhole, keepIn, model, number } from "./shared-options.js";

interface FailoverOptions extends CommonOptions {
  readonly model: FailureModel;
  readonly clusters: number;
  readonly rate: number;
  readonly cross: number;
  readonly transfers: number;
  readonly "max-ms": number;
  readonly kept: number;
  readonly "keep-in"?: string | undefined;
}

const LOAD_MAX_MS = 300_000; // the load ends by what is heard; this is for networks that never recover
const CATCH_UP_MAX_MS = 60_000;
const POLL_MS = 100;
const SHOWN_PROBLEMS = 20;

export const command: CommandModule<object, FailoverOptions> = {
  command: "failover",
  describe: "Kill a primary of a network under load, measure, and look for what was lost",
  builder: (program) =>
    program
      .option("model", model)
      .option("clusters", { ...number, default: 3, describe: "Number of clusters, 2 to 16" })
      .option("rate", { ...number, default: 150, describe: "Requests started per second in the whole network" })
      .option("cross", { ...number, default: 0.1, describe: "Share of cross-shard requests, 0 to 1" })
      .option("transfers", { ...number, default: 400, describe: "The cluster commits so many before and after" })
      .option("max-ms", { ...number, default: 2000, describe: "The cluster commits again after so long at most" })
      .option("kept", { ...number, default: 0.9, describe: "The others keep this share of transfers/s at least" })
      .option("keep-in", keepIn)
      .epilogue(
        "Exit code 1 if anything that a client was told is lost, the ledgers are inconsistent, or --max-ms or " +
          "--kept is missed; the last lines say which.",
      )
      .example("$0 failover --model crash", "Three clusters of three nodes"),
  handler: (options) => runCommand(options, () => failover(options)),
};

async function failover(options: FailoverOptions): Promise<ExitCode> {
  checkWhole("clusters", options.clusters, { min: 2, max: 16 });
  checkWhole("rate", options.rate, { min: 1, max: 100_000 });
  checkWhole("transfers", options.transfers, { min: 1, max: 1_000_000 });
  checkWhole("max-ms", options["max-ms"], { min: 1, max: LOAD_MAX_MS });
  if (!(options.kept >= 0 && options.kept <= 1)) throw new CodedError("usage", "--kept must be within 0 and 1");
  const signal = interruption();
  return withNetwork({ ...options, name: "failover" }, { keepIn: options["keep-in"], signal }, async (network) => {
    const run = await runAndKill({ ...network, options });
    await stopNodes(network.running);
    signal.throwIfAborted();
    return report(options, { ...run, ...(await judge(network.net, run.watch)) });
  });
}

interface Scene extends NetworkRun {
  readonly options: FailoverOptions;
}

async function runAndKill(scene: Scene) {
  const { net, topology, running, options, signal } = scene;
  const { id: cluster } = topology.clusters[0] as Topology["clusters"][number];
  const enough = new AbortController();
  const watch = new LoadWatch(cluster);
  const load = runLoad({
    topology,
    keys: await clientKeys(net),
    sessions: 1,
    rate: options.rate,
    warmupMs: 0,
    durationMs: LOAD_MAX_MS,
    cross: options.cross,
    shardsPerCross: 2,
    debitsPerCross: 1,
    skew: 0,
    batch: 1,
    seed: 1,
    signal: AbortSignal.any([signal, enough.signal]),
    onEnding: (ending) => watch.onEnding(ending),
  }).finally(() => watch.onLoadEnd());
  try {
    // Connections, caches and compiled code are warm when counting begins.
    await watch.until(() => watch.committed >= options.transfers / 4);
    watch.begin();
    await watch.until(() => watch.committed >= options.transfers);
    const killed = await firstPrimary(scene);
    watch.onKill();
    const killedAt = new Date().toISOString();
    await killNode(killed);
    await watch.until(() => watch.firstCommitMs !== undefined);
    await watch.until(() => watch.committed >= options.transfers);
    watch.finish();
    const again = { info: killed.info, child: startNode(net, killed.info, true) };
    running.push(again);
    await allConnected([again], signal);
    await watch.until(() => watch.committed >= options.transfers / 4);
    enough.abort();
    const { result } = await load;
    const view = await caughtUp(scene, again, watch.heights);
    return { watch, endings: result.endings, killed: killed.info.id, killedAt, view };
  } finally {
    enough.abort();
    await load;
  }
}

async function firstPrimary({ net, topology, running }: Scene): Promise<NodeProcess> {
  const primary = await primaryOf(net, topology.clusters[0]?.nodes ?? []);
  const found = running.find(({ info }) => info.id === primary);
  if (found === undefined) throw new CodedError("unavailable", "the first cluster has no primary");
  return found;
}

/** Until every node says that it holds all that its cluster acknowledged, and its cluster's nodes the same height. */
async function caughtUp(
  { net, topology, signal }: Scene,
  again: NodeProcess,
  acknowledged: ReadonlyMap<number, number>,
): Promise<number> {
  for (let waited = 0; ; waited += POLL_MS) {
    signal.throwIfAborted();
    const statuses = await Promise.all(nodesOf(topology).map(({ id }) => readStatus(net, id)));
    const known = statuses.filter((each) => each !== undefined);
    const own = known.find(({ node }) => node === again.info.id);
    const isThere = topology.clusters.every(({ id, nodes }) => {
      const heights = known.filter(({ cluster }) => cluster === id).map(({ height }) => height);
      const isEqual = heights.length === nodes.length && new Set(heights).size === 1;
      return isEqual && (heights[0] ?? 0) >= (acknowledged.get(id) ?? 0);
    });
    if (isThere && own !== undefined && own.pid === again.child.pid) return own.view;
    if (waited >= CATCH_UP_MAX_MS) {
      const heights = known.map(({ node, height }) => `${node} ${height}`).join(", ");
      throw new CodedError("check-failed", `the nodes do not meet: ${heights}; see their logs`);
    }
    await pause(POLL_MS, undefined, { signal });
  }
}

async function judge(net: string, { acknowledged }: LoadWatch) {
  const data = [join(net, "data")];
  const audit = await verifyLedgers({ data, strict: true });
  const ledgers = await openLedgers(data, undefined);
  try {
    return { audit, lost: lostOf(acknowledged, ledgers) };
  } finally {
    await ledgers.close();
  }
}

type Findings = Awaited<ReturnType<typeof runAndKill>> & Awaited<ReturnType<typeof judge>>;

function report(options: FailoverOptions, { watch, endings, killed, killedAt, view, audit, lost }: Findings): ExitCode {
  const { before, after } = watch.othersPerSecond;
  const firstCommitMs = watch.firstCommitMs ?? Number.NaN;
  const findings = [...lost, ...audit.findings.map(showFinding)];
  for (const { node, behind } of audit.nodes) if (behind > 0) findings.push(`node ${node} is ${behind} records behind`);
  const measured = { firstCommitMs, othersKept: after / before };
  const { verdict, problems } = failoverVerdict(findings, measured, { maxMs: options["max-ms"], kept: options.kept });
  const figures = {
    killed,
    killedAt,
    firstCommitMs: Math.round(firstCommitMs),
    view,
    othersBefore: rounded(before),
    othersAfter: rounded(after),
    othersKept: rounded(measured.othersKept),
    othersPauseMs: Math.round(watch.othersPauseMs),
    acknowledged: watch.acknowledged.length,
    lost: lost.length,
    unknown: endings["unknown"] ?? 0,
  };
  if (options.json === true) printJson({ verdict, problems, ...figures, endings, audit });
  else {
    printTable([
      {
        killed,
        "first commit (ms)": figures.firstCommitMs,
        view,
        "others before (intra/s)": figures.othersBefore,
        "others after (intra/s)": figures.othersAfter,
        "others keep (%)": rounded(100 * measured.othersKept),
        "others' longest pause (ms)": figures.othersPauseMs,
        acknowledged: figures.acknowledged,
        unknown: figures.unknown,
        lost: figures.lost,
        verdict,
      },
    ]);
    for (const problem of problems.slice(0, SHOWN_PROBLEMS)) printLine(problem);
  }
  return problems.length === 0 ? ExitCode.ok : ExitCode.checkFailed;
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
