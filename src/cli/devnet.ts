// `sharper devnet up|status|down DIR`: all nodes of a network of one folder, as processes of this machine that go on
// after the command. DIR is what `sharper topology new --out DIR` wrote; ledgers, logs and status files go below it.

import { resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { CommandModule } from "yargs";
import { loadTopology } from "../client/sdk.js";
import type { NodeStatus } from "../node/status.js";
import { CodedError } from "../types/codes.js";
import type { Topology } from "../types/topology.js";
import { type CommonOptions, ExitCode, interruption, printJson, printLine, printTable, runCommand } from "./output.js";
import {
  allConnected,
  isRunning,
  nodesOf,
  places,
  readStatus,
  release,
  removeStatus,
  startNodes,
  stopNodes,
} from "./processes.js";

interface DevnetOptions extends CommonOptions {
  readonly dir: string;
}

const STOP_MAX_MS = 5000;
const POLL_MS = 50;

export const command: CommandModule = {
  command: "devnet",
  describe: "Start, look at and stop all nodes of a network on this machine",
  builder: (program) =>
    program
      .command(subcommand("up", "Start all nodes and return when all are connected", up))
      .command(subcommand("status", "Show every node; exit code 1 if one does not run", status))
      .command(subcommand("down", "End all nodes", down))
      .example("$0 devnet up net", "All nodes of the network in net/, in the background")
      .example("$0 devnet down net", "End them; their data stays")
      .demandCommand(1, "no command is given: devnet up, status or down"),
  handler: () => undefined,
};

function subcommand(
  name: string,
  describe: string,
  work: (folder: string, options: DevnetOptions) => Promise<ExitCode>,
): CommandModule<object, DevnetOptions> {
  return {
    command: `${name} <dir>`,
    describe,
    builder: (program) =>
      program
        .positional("dir", { type: "string", demandOption: true, describe: "Folder written by topology new" })
        .example(`$0 devnet ${name} net`, describe),
    handler: (options) => runCommand(options, () => work(resolve(options.dir), options)),
  };
}

async function up(folder: string, options: DevnetOptions): Promise<ExitCode> {
  const topology = await loadTopology(places.topology(folder));
  const running = await runningNodes(folder, topology);
  if (running.length > 0) {
    const ids = running.map(({ node }) => node).join(", ");
    throw new CodedError("already-running", `${ids} run already; end them with "sharper devnet down ${options.dir}"`);
  }
  const processes = await startNodes(folder, topology, { withParent: false });
  try {
    await allConnected(processes, interruption());
  } catch (error) {
    await stopNodes(processes);
    throw error;
  }
  release(processes);
  if (options.json === true)
    printJson({ nodes: processes.map(({ info, child }) => ({ node: info.id, pid: child.pid })) });
  else printLine(`${processes.length} nodes run and are connected; logs are in ${folder}/logs`);
  return ExitCode.ok;
}

async function status(folder: string, { json }: DevnetOptions): Promise<ExitCode> {
  const topology = await loadTopology(places.topology(folder));
  const running = new Map((await runningNodes(folder, topology)).map((each) => [each.node, each]));
  const rows = nodesOf(topology).map(({ id, cluster }) => rowOf(id, cluster, running.get(id)));
  if (json === true) printJson({ nodes: rows });
  else printTable(rows);
  return running.size === rows.length ? ExitCode.ok : ExitCode.checkFailed;
}

async function down(folder: string, { json }: DevnetOptions): Promise<ExitCode> {
  const topology = await loadTopology(places.topology(folder));
  const running = await runningNodes(folder, topology);
  await Promise.all(running.map((each) => end(folder, each)));
  if (json === true) printJson({ ended: running.map(({ node }) => node) });
  else printLine(running.length === 0 ? "no node was running" : `${running.length} nodes ended`);
  return ExitCode.ok;
}

async function end(folder: string, node: NodeStatus): Promise<void> {
  for (let waited = 0; await isRunning(folder, node); waited += POLL_MS) {
    if (waited === 0) process.kill(node.pid, "SIGTERM");
    if (waited === STOP_MAX_MS) process.kill(node.pid, "SIGKILL");
    await pause(POLL_MS);
  }
  await removeStatus(folder, node.node);
}

async function runningNodes(folder: string, topology: Topology): Promise<readonly NodeStatus[]> {
  const running: NodeStatus[] = [];
  for (const { id } of nodesOf(topology)) {
    const known = await readStatus(folder, id);
    if (known !== undefined && (await isRunning(folder, known))) running.push(known);
  }
  return running;
}

function rowOf(node: string, cluster: number, status: NodeStatus | undefined) {
  const role = status === undefined ? "down" : status.primary ? "primary" : "backup";
  return {
    node,
    cluster,
    role,
    pid: status?.pid,
    view: status?.view,
    height: status?.height,
    peers: status?.connected,
    "memory MB": status === undefined ? undefined : Math.round(status.residentBytes / 2 ** 20),
  };
}
