// `sharper node` runs one node until SIGTERM or SIGINT. It refuses keys that are not the topology's for that node, and
// says so before it opens anything. A parent that started it over an IPC channel hears "connected" once.

import { readFile, rename, writeFile } from "node:fs/promises";
import type { CommandModule } from "yargs";
import { parseTopology } from "../cluster/topology.js";
import { readKeyFile } from "../crypto/keys.js";
import { Host } from "../node/host.js";
import { type NodeLog, openLog } from "../node/log.js";
import { CodedError } from "../types/codes.js";
import { limits } from "../types/limits.js";
import type { NodeInfo, Topology } from "../types/topology.js";
import { checkCount } from "./ledger-data.js";
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
  const { seed, signer } = await readKeyFile(options.key);
  if (signer.publicKey !== node.key) {
    const owner = topology.clusters.flatMap(({ nodes }) => nodes).find(({ key }) => key === signer.publicKey);
    const whose = owner === undefined ? "a key that no node of the topology has" : `the key of node ${owner.id}`;
    throw new CodedError("wrong-key", `${options.key} holds ${whose}; node ${node.id} has the public key ${node.key}`);
  }
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
    onConnected: () => process.send?.({ kind: "connected", node: node.id }),
  });
  log.info({ network: topology.networkId, cluster: node.cluster, address: node.address, pid: process.pid }, "started");
  const status = options.status === undefined ? undefined : writeStatus(host, options.status, log);
  const error = await ending.promise;
  clearInterval(status);
  const guard = setTimeout(() => process.exit(ExitCode.bug), STOP_MAX_MS);
  if (error !== undefined) log.fatal({ error: error instanceof Error ? error.stack : String(error) }, "stopped");
  await host.stop();
  clearTimeout(guard);
  log.info("ended");
  log.flush();
  if (process.connected) process.disconnect();
  if (error !== undefined) throw error;
  return ExitCode.ok;
}

function findNode(topology: Topology, id: string, file: string): NodeInfo {
  const nodes = topology.clusters.flatMap((cluster) => cluster.nodes);
  const node = nodes.find((each) => each.id === id);
  if (node !== undefined) return node;
  throw new CodedError(
    "unknown-node",
    `${file} has no node ${id}; its nodes are ${nodes.map((each) => each.id).join(", ")}`,
  );
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

/** A file that is replaced as a whole, so that nobody reads half of it. */
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
