// `sharper startup`: how long a node takes to start that has many accounts and a long history. Makes such a folder
// (long-history.ts), starts a real node process on it, and measures the time until it says that it has started, and
// its memory then. The folder is made once and used for several starts.

import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CommandModule } from "yargs";
import { loadTopology } from "../client/sdk.js";
import { Members } from "../cluster/members.js";
import { planTopology } from "../cluster/plan.js";
import { readKeyFile } from "../crypto/keys.js";
import { ed25519Verifier } from "../crypto/signature.js";
import { openLevelStore } from "../ledger/level.js";
import { restore } from "../node/restore.js";
import type { FailureModel, NodeInfo, Topology } from "../types/topology.js";
import { freePorts } from "./local-network.js";
import { writeHistory } from "./long-history.js";
import { type CommonOptions, ExitCode, interruption, printJson, printTable, runCommand } from "./output.js";
import { hasEnded, places, readStatus, startNode, stopNodes } from "./processes.js";
import { keepIn, number } from "./shared-options.js";
import { freshNetwork, writeNetwork } from "./topology.js";

interface StartupOptions extends CommonOptions {
  readonly accounts: number;
  readonly blocks: number;
  readonly starts: number;
  readonly "max-ms": number;
  readonly "keep-in"?: string | undefined;
}

type Measured = Readonly<Record<"start" | "started after ms" | "resident MB", number>>;

const MODEL: FailureModel = "crash";
const POLL_MS = 20;
const MEGABYTE = 1024 * 1024;

export const command: CommandModule<object, StartupOptions> = {
  command: "startup",
  describe: "Measure how long a node with a long history takes to start",
  builder: (program) =>
    program
      .option("accounts", { ...number, default: 1_000_000, describe: "Accounts of its cluster" })
      .option("blocks", { ...number, default: 1_000_000, describe: "Blocks in its ledger" })
      .option("starts", { ...number, default: 3, describe: "Start it so many times" })
      .option("max-ms", { ...number, default: 10_000, describe: "A start that takes longer is a failed check" })
      .option("keep-in", keepIn)
      .epilogue("Exit code 1 if a start takes longer than --max-ms.")
      .example("$0 startup --accounts 100000 --blocks 100000", ""),
  handler: (options) => runCommand(options, () => startup(options)),
};

async function startup(options: StartupOptions): Promise<ExitCode> {
  const signal = interruption();
  const kept = options["keep-in"];
  const net = kept ?? (await mkdtemp(join(tmpdir(), "sharper-startup-")));
  try {
    const topology = await plan(net, options.accounts);
    const [node] = (topology.clusters[0] as Topology["clusters"][number]).nodes as readonly [NodeInfo, ...NodeInfo[]];
    const madeAt = performance.now();
    await fill(net, { topology, node, blocks: options.blocks });
    const makingMs = Math.round(performance.now() - madeAt);
    const measured: Measured[] = [];
    for (let start = 1; start <= options.starts; start++) {
      signal.throwIfAborted();
      measured.push({ start, ...(await measure(net, node, signal)) });
    }
    if (options.json === true) printJson({ accounts: options.accounts, blocks: options.blocks, makingMs, measured });
    else printTable(measured);
    const slowest = Math.max(...measured.map((each) => each["started after ms"]));
    return slowest <= options["max-ms"] ? ExitCode.ok : ExitCode.checkFailed;
  } finally {
    if (kept === undefined) await rm(net, { recursive: true, force: true });
  }
}

async function plan(net: string, accounts: number): Promise<Topology> {
  const sizes = { models: [MODEL], faults: 1, accounts, clients: 4, balance: 1_000_000n, shards: "hash" as const };
  const basePort = await freePorts(3);
  await writeNetwork(net, planTopology({ ...freshNetwork(), name: "startup", host: "127.0.0.1", basePort, ...sizes }));
  return await loadTopology(places.topology(net));
}

interface Filling {
  readonly topology: Topology;
  readonly node: NodeInfo;
  readonly blocks: number;
}

async function fill(net: string, { topology, node, blocks }: Filling): Promise<void> {
  const cluster = topology.clusters[0] as Topology["clusters"][number];
  const keys = await Promise.all(cluster.nodes.map(({ id }) => readKeyFile(places.key(net, id))));
  for (const part of ["data", "logs", "run"]) await mkdir(join(net, part), { mode: 0o700 });
  const path = places.data(net, node.id);
  const store = await openLevelStore({ path, networkId: topology.networkId, nodeId: node.id, create: true });
  try {
    const context = { topology, members: new Members(topology), verifier: ed25519Verifier };
    await writeHistory(store, {
      topology,
      topologyText: await readFile(places.topology(net), "utf8"),
      cluster,
      signers: keys.map(({ signer }) => signer),
      blocks,
      now: Date.now(),
      restore: (made) => restore(made, context, cluster.id),
    });
  } finally {
    await store.close();
  }
}

async function measure(net: string, info: NodeInfo, signal: AbortSignal): Promise<Omit<Measured, "start">> {
  const begun = performance.now();
  const child = startNode(net, info, true);
  const ended = once(child, "exit");
  try {
    for (;;) {
      signal.throwIfAborted();
      // The status file is written as soon as the node runs.
      const status = await readStatus(net, info.id);
      if (status?.pid === child.pid && status !== undefined) {
        const taken = Math.round(performance.now() - begun);
        return { "started after ms": taken, "resident MB": Math.round(status.residentBytes / MEGABYTE) };
      }
      if (hasEnded(child)) throw new Error(`the node ended with code ${child.exitCode}`);
      await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, POLL_MS))]);
    }
  } finally {
    await stopNodes([{ info, child }]);
  }
}
