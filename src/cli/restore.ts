// `sharper restore` makes a node's data folder from a backup, after all of it was checked against the topology. The
// folder remembers none of the votes that the node may have given since: the node rejoins as after `node recover`, as
// the next incarnation that its cluster orders (protocol 6), only with its ledger already there.

import type { Argv, CommandModule } from "yargs";
import { BackupInstall } from "../backup/install.js";
import { openNodeStore } from "../ledger/node-store.js";
import { CodedError } from "../types/codes.js";
import type { NodeInfo } from "../types/topology.js";
import { contextOf } from "./backup.js";
import { readBackup } from "./backup-file.js";
import { findNode, readNodeKey } from "./node-identity.js";
import { type CommonOptions, ExitCode, interruption, printJson, printLine, runCommand } from "./output.js";
import { clearPlace, refuseRunning, removeUnfinished, takePlace } from "./set-aside.js";
import { topologyFile } from "./shared-options.js";

interface RestoreOptions extends CommonOptions {
  readonly topology: string;
  readonly node: string;
  readonly key: string;
  readonly data: string;
  readonly from: string;
}

export const command: CommandModule<object, RestoreOptions> = {
  command: "restore",
  describe: "Make a node's data folder from a backup, so that the node comes back without its old votes",
  builder: (program: Argv) =>
    program
      .option("topology", topologyFile)
      .option("node", { type: "string", demandOption: true, requiresArg: true, describe: "The node's id in it" })
      .option("key", { type: "string", demandOption: true, requiresArg: true, describe: "The node's key file" })
      .option("data", { type: "string", demandOption: true, requiresArg: true, describe: "The folder to make" })
      .option("from", { type: "string", demandOption: true, requiresArg: true, describe: "The backup" })
      .epilogue(
        "Then start the node as before: it takes what is missing from its cluster, asks it for a new incarnation and " +
          "votes again. Its cluster must have its quorum without it: if too many are lost, none of them votes.",
      )
      .example(
        "$0 restore --topology net/topology.yaml --node c1n0 --key net/nodes/c1n0.key --data net/data/c1n0 " +
          "--from c1n0.backup",
        "",
      ) as Argv<RestoreOptions>,
  handler: (options) => runCommand(options, () => restoreNode(options)),
};

async function restoreNode(options: RestoreOptions): Promise<ExitCode> {
  const signal = interruption();
  const { topologyText, ...context } = await contextOf(options.topology);
  const node = findNode(context.topology, options.node, options.topology);
  await readNodeKey(options.key, node, context.topology);
  const path = options.data.replace(/\/+$/, "");
  const fresh = `${path}.restoring`;
  await refuseRunning(fresh);
  await clearPlace(path);
  await removeUnfinished(fresh);
  try {
    const store = await openNodeStore({ path: fresh, networkId: context.topology.networkId, nodeId: node.id });
    const content = await (async () => {
      const install = await BackupInstall.begin({ ...context, topologyText, node, store });
      const read = await readBackup({
        ...context,
        path: options.from,
        signal,
        onNode: (of) => refuseOther(of, node, options.from),
        onChecked: (checked) => install.take(checked),
      });
      await install.finish(read);
      return read;
    })().finally(() => store.close());
    // Somebody may have made it meanwhile.
    await clearPlace(path);
    await takePlace({ fresh, path });
    const { height, slot } = content.checkpoint;
    if (options.json === true) printJson({ node: node.id, data: path, from: options.from, height, slot });
    else {
      printLine(`checked ${options.from}: ${height} records and the state, up to slot ${slot}`);
      printLine(`made the data folder of ${node.id} at ${path}`);
      printLine(
        `start ${node.id} as before: it takes what is missing from its cluster, asks it for a new incarnation,`,
      );
      printLine("and votes again when the others have ordered that; until then it counts as one that may fail");
    }
    return ExitCode.ok;
  } finally {
    await removeUnfinished(fresh);
  }
}

function refuseOther(of: NodeInfo, node: NodeInfo, file: string): void {
  if (of.id === node.id) return;
  throw new CodedError("backup-foreign", `${file} is a backup of node ${of.id}, not of ${node.id}; give its own`);
}
