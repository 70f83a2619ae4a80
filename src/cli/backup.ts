// `sharper backup` copies a node's ledger, its state at a stable checkpoint and the records up to there, into one file
// that proves itself; of a running node through its local entrance, slowly, or of the folder of a stopped one. What was
// written is read back and checked before it gets its name.

import { readFile } from "node:fs/promises";
import { constants, setPriority } from "node:os";
import type { Argv, CommandModule } from "yargs";
import { folderSource } from "../backup/folder-source.js";
import { localSource } from "../backup/local-source.js";
import { type BackupSource, type TakeOptions, takeBackup } from "../backup/take.js";
import type { BlockContext } from "../cluster/block.js";
import { Members } from "../cluster/members.js";
import { parseTopology } from "../cluster/topology.js";
import { ed25519Verifier } from "../crypto/signature.js";
import { metaKey } from "../ledger/keys.js";
import { openLevelStoreOfAny } from "../ledger/level.js";
import { CodedError } from "../types/codes.js";
import type { NodeInfo } from "../types/topology.js";
import { newBackup, readBackup } from "./backup-file.js";
import { findNode } from "./node-identity.js";
import { type CommonOptions, ExitCode, interruption, printJson, printLine, runCommand } from "./output.js";
import { topologyFile } from "./shared-options.js";

interface TakeCommandOptions extends CommonOptions {
  readonly topology: string;
  readonly node: string;
  readonly data: string;
  readonly out: string;
}

interface VerifyOptions extends CommonOptions {
  readonly file: string;
  readonly topology: string;
}

const PROGRESS_EVERY_MS = 1000;

const verifyCommand: CommandModule<object, VerifyOptions> = {
  command: "verify <file>",
  describe: "Check a backup against a topology, as restore does; exit code 1 if it is damaged or proves nothing",
  builder: (program: Argv) =>
    program
      .positional("file", { type: "string", demandOption: true, describe: "What `sharper backup --out` wrote" })
      .option("topology", topologyFile)
      .example("$0 backup verify c1n0.backup --topology net/topology.yaml", ""),
  handler: (options) => runCommand(options, () => verify(options)),
};

const takeCommand: CommandModule<object, TakeCommandOptions> = {
  command: ["take", "$0"],
  describe: "Copy the ledger of a node, running or not, into one file that proves itself",
  builder: (program: Argv) =>
    program
      .option("topology", topologyFile)
      .option("node", { type: "string", demandOption: true, requiresArg: true, describe: "The node's id in it" })
      .option("data", { type: "string", demandOption: true, requiresArg: true, describe: "The node's data folder" })
      .option("out", { type: "string", demandOption: true, requiresArg: true, describe: "The file to make" })
      .epilogue(
        "It ends at the last stable checkpoint of the node's cluster. A running node is asked through the socket " +
          "beside its data folder, on its own machine and by the folder's owner only, and gives some 5 MB/s at most.",
      )
      .example("$0 backup --topology net/topology.yaml --node c1n0 --data net/data/c1n0 --out c1n0.backup", ""),
  handler: (options) => runCommand(options, () => take(options)),
};

export const command: CommandModule = {
  command: "backup",
  describe: "Back up the ledger of a node, running or not",
  builder: (program) => program.command(takeCommand).command(verifyCommand),
  handler: () => undefined,
};

async function take(options: TakeCommandOptions): Promise<ExitCode> {
  const signal = interruption();
  const { context, node } = await readContext(options);
  // Signatures of a long history take a while; what runs on this machine comes first.
  setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  const startedAt = performance.now();
  const file = await newBackup(options.out);
  try {
    const { source, isRunning } = await openSource(options.data, node, context);
    const progress = progressLine(signal);
    try {
      await takeBackup({ source, file, onProgress: progress.show });
    } finally {
      progress.clear();
      await source.close();
    }
    const { checkpoint } = await readBackup({ ...context, path: file.partPath, signal });
    const { bytes } = file;
    await file.keep();
    const { slot, height } = checkpoint;
    const elapsedMs = Math.round(performance.now() - startedAt);
    if (options.json === true) {
      printJson({ node: node.id, file: options.out, running: isRunning, slot, height, bytes, elapsedMs });
      return ExitCode.ok;
    }
    printLine(
      `backed up ${node.id}, ${isRunning ? "while it runs" : "from its folder"}: height ${height}, slot ${slot}`,
    );
    printLine(`checked ${height} records and the state against the checkpoint's certificate`);
    printLine(`wrote ${bytes} bytes to ${options.out} in ${(elapsedMs / 1000).toFixed(1)} s`);
    return ExitCode.ok;
  } finally {
    await file.drop();
  }
}

async function openSource(
  data: string,
  node: NodeInfo,
  context: BlockContext,
): Promise<{ readonly source: BackupSource; readonly isRunning: boolean }> {
  const running = await localSource(data, context);
  if (running !== undefined) {
    const { self, networkId } = running;
    const isIt = networkId === context.topology.networkId && self.cluster === node.cluster && self.node === node.index;
    if (isIt) return { source: running, isRunning: true };
    await running.close();
    throw foreign(data, node);
  }
  const store = await openLevelStoreOfAny(data);
  try {
    const facts = (["network", "node"] as const).map((name) => Buffer.from(store.get(metaKey(name)) ?? []).toString());
    if (facts[0] !== context.topology.networkId || facts[1] !== node.id) throw foreign(data, node);
    const self = { cluster: node.cluster, node: node.index };
    return { source: await folderSource(store, self, context), isRunning: false };
  } catch (error) {
    await store.close();
    throw error;
  }
}

function foreign(data: string, node: NodeInfo): CodedError {
  return new CodedError("store-foreign", `${data} is not the data of node ${node.id} of this network; give its own`);
}

async function verify(options: VerifyOptions): Promise<ExitCode> {
  const context = await contextOf(options.topology);
  const { node, checkpoint } = await readBackup({ ...context, path: options.file, signal: interruption() });
  const { cluster, slot, height, record, state } = checkpoint;
  if (options.json === true) printJson({ verdict: "PROVEN", node: node.id, cluster, slot, height, record, state });
  else {
    printLine(`backup of ${node.id}, cluster ${cluster}: height ${height}, slot ${slot}, record ${record}`);
    printLine("PROVEN");
  }
  return ExitCode.ok;
}

export async function contextOf(topologyPath: string): Promise<BlockContext & { readonly topologyText: string }> {
  const topologyText = await readFile(topologyPath, "utf8");
  const topology = parseTopology(topologyText, topologyPath);
  return { topology, members: new Members(topology), verifier: ed25519Verifier, topologyText };
}

async function readContext({ topology: path, node: id }: TakeCommandOptions) {
  const context = await contextOf(path);
  return { context, node: findNode(context.topology, id, path) };
}

/** On a terminal only. Ctrl-C ends the work at the next answer. */
function progressLine(signal: AbortSignal): {
  readonly show: NonNullable<TakeOptions["onProgress"]>;
  readonly clear: () => void;
} {
  let shownAt = performance.now();
  let isShown = false;
  return {
    show({ records, height }) {
      signal.throwIfAborted();
      if (!process.stderr.isTTY || performance.now() - shownAt < PROGRESS_EVERY_MS) return;
      shownAt = performance.now();
      isShown = true;
      const what = records === 0 ? "the state" : `${records} of ${height} records`;
      process.stderr.write(`\r\x1b[Kcopying ${what}`);
    },
    clear() {
      if (isShown) process.stderr.write("\r\x1b[K");
    },
  };
}
