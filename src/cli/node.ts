// `sharper node` runs one node until SIGTERM or SIGINT. It refuses keys that are not the topology's for that node, and
// says so before it opens anything. A parent that started it over an IPC channel hears "connected" once, when it also
// takes part.

import { readFile, rename, writeFile } from "node:fs/promises";
import type { Argv, CommandModule } from "yargs";
import { parseTopology } from "../cluster/topology.js";
import { Host } from "../node/host.js";
import { type NodeLog, openLog } from "../node/log.js";
import { CodedError } from "../types/codes.js";
import { limits } from "../types/limits.js";
import { checkCount } from "./ledger-data.js";
import { findNode, readNodeKey } from "./node-identity.js";
import { type RecoverOptions, recoverNode } from "./node-recover.js";
import { type CommonOptions, ExitCode, runCommand } from "./output.js";

interface NodeOptions extends CommonOptions {
  readonly topology: string;
  readonly node: string;
  readonly key: string;
  readonly data: string;
  readonly status?: string | undefined;
  readonly "log-level": string;
  readonly "log-file"?: string | undefined;
  readonly "with-parent": boolean;
  readonly "client-rate": number;
}

/** How often the status file is written anew. */
const STATUS_EVERY_MS = 1000;
/** A clean stop takes a turn and some closing; whatever takes longer is given up, so that SIGTERM ends within 2 s. */
const STOP_MAX_MS = 1800;

const recoverCommand: CommandModule<object, RecoverOptions> = {
  command: "recover",
  describe: "Set a damaged, lost or old data folder aside, so that the node comes back without its old votes",
  builder: (program) =>
    program
      .epilogue("Nothing is deleted. Then start the node as before; its cluster must have its quorum without it.")
      .example(
        "$0 node recover --topology net/topology.yaml --node c1n0 --key net/nodes/c1n0.key --data net/data/c1n0",
        "",
      ) as Argv<RecoverOptions>,
  handler: (options) => runCommand(options, () => recoverNode(options)),
};

export const command: CommandModule<object, NodeOptions> = {
  command: "node",
  describe: "Run one node of a network",
  builder: (program) =>
    program
      .option("topology", { type: "string", demandOption: true, requiresArg: true, describe: "The topology file" })
      .option("node", { type: "string", demandOption: true, requiresArg: true, describe: "The node's id in it" })
      .option("key", { type: "string", demandOption: true, requiresArg: true, describe: "The node's key file" })
      .option("data", { type: "string", demandOption: true, requiresArg: true, describe: "Folder of its ledger" })
      .option("status", { type: "string", requiresArg: true, describe: "File to write its status to, every second" })
      .option("log-level", { choices: ["debug", "info", "warn", "error"], default: "info", describe: "Least level" })
      .option("log-file", { type: "string", requiresArg: true, describe: "Log there, not to standard output" })
      .option("with-parent", { type: "boolean", default: false, describe: "End when the process that started it ends" })
      .command(recoverCommand)
      .option("client-rate", {
        type: "number",
        default: limits.clientRatePerSecond,
        requiresArg: true,
        describe: "Messages that one client may send in a second",
      })
      .epilogue("Logs are JSON lines. SIGTERM and Ctrl-C end the node cleanly, with exit code 0.")
      .example("$0 node --topology net/topology.yaml --node c1n0 --key net/nodes/c1n0.key --data net/data/c1n0", ""),
  handler: (options) => runCommand(options, () => runNode(options)),
};

async function runNode(options: NodeOptions): Promise<ExitCode> {
  checkCount("client-rate", options["client-rate"], 1);
  const topologyText = await readFile(options.topology, "utf8");
  const topology = parseTopology(topologyText, options.topology);
  const node = findNode(topology, options.node, options.topology);
  const seed = await readNodeKey(options.key, node, topology);
  const path = options["log-file"];
  const log = openLog({ node: node.id, level: options["log-level"], ...(path === undefined ? {} : { path }) });
  const ending = endOfProcess(options["with-parent"]);
  const host = await Host.start({
    topology,
    topologyText,
    node,
    seed,
    dataPath: options.data,
    log,
    clientRate: options["client-rate"],
    onFatal: ending.fail,
    onReady: () => process.send?.({ kind: "connected", node: node.id }),
  }).catch((error: unknown) => {
    log.fatal(fatalOf(error), "does not start");
    log.flush();
    // A channel to a parent keeps a process alive.
    if (process.connected) process.disconnect();
    throw error;
  });
  // What nobody catches may have left anything half done: the node ends with the code of a bug, as after a broken turn.
  process.on("uncaughtException", ending.fail);
  log.info({ network: topology.networkId, cluster: node.cluster, address: node.address, pid: process.pid }, "started");
  const status = options.status === undefined ? undefined : writeStatus(host, options.status, log);
  const error = await ending.promise;
  clearInterval(status);
  const guard = setTimeout(() => process.exit(ExitCode.bug), STOP_MAX_MS);
  if (error !== undefined) log.fatal(fatalOf(error), "stopped");
  // What ended the node may keep its store from closing, too; the first reason is the one that counts.
  await host.stop().catch((later: unknown) => {
    if (error === undefined) throw later;
  });
  clearTimeout(guard);
  log.info("ended");
  log.flush();
  if (process.connected) process.disconnect();
  if (error !== undefined) throw error;
  return ExitCode.ok;
}

function fatalOf(error: unknown): object {
  if (error instanceof CodedError) return { code: error.code, error: error.message };
  return { error: error instanceof Error ? error.stack : String(error) };
}

/** Resolves when the process is asked to end, or with an error when the node broke. */
function endOfProcess(withParent: boolean): {
  readonly promise: Promise<unknown>;
  readonly fail: (error: unknown) => void;
} {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  process.once("SIGTERM", () => resolve(undefined));
  process.once("SIGINT", () => resolve(undefined));
  if (withParent) process.once("disconnect", () => resolve(undefined));
  return { promise, fail: (error) => resolve(error ?? new Error("unknown failure")) };
}

/** A file that is replaced as a whole, so that nobody reads half of it, and by one write at a time. */
function writeStatus(host: Host, path: string, log: NodeLog): NodeJS.Timeout {
  let isWriting = false;
  const write = async (): Promise<void> => {
    // A busy node may take longer than until the next time, and two at once would write half of each.
    if (isWriting) return;
    isWriting = true;
    try {
      await writeFile(`${path}.new`, `${JSON.stringify(await host.status())}\n`);
      await rename(`${path}.new`, path);
    } catch (error) {
      log.warn({ error: String(error) }, "the status file cannot be written");
    } finally {
      isWriting = false;
    }
  };
  void write();
  return setInterval(() => void write(), STATUS_EVERY_MS);
}
