// `sharper node recover` puts the data folder of a node aside that was damaged, lost or is an old copy, and makes a
// new one that knows it: at the next start the node takes what it lacks from its peers, has its cluster order its
// next incarnation, and only then takes part again (protocol 6). Nothing is ever deleted.

import { readFile } from "node:fs/promises";
import { parseTopology } from "../cluster/topology.js";
import { openNodeStore } from "../ledger/node-store.js";
import { rejoinWrite } from "../node/boot.js";
import { genesisWrites } from "../node/restore.js";
import { findNode, readNodeKey } from "./node-identity.js";
import { type CommonOptions, ExitCode, printJson } from "./output.js";
import { refuseRunning, removeUnfinished, takePlace } from "./set-aside.js";

export interface RecoverOptions extends CommonOptions {
  readonly topology: string;
  readonly node: string;
  readonly key: string;
  readonly data: string;
}

export async function recoverNode(options: RecoverOptions): Promise<ExitCode> {
  const topologyText = await readFile(options.topology, "utf8");
  const topology = parseTopology(topologyText, options.topology);
  const node = findNode(topology, options.node, options.topology);
  await readNodeKey(options.key, node, topology);
  const path = options.data.replace(/\/+$/, "");
  const fresh = `${path}.recovering`;
  await refuseRunning(fresh);
  await removeUnfinished(fresh);
  const aside = await (async () => {
    // It gets its name when it is whole: a folder that does not know that it must rejoin would begin as a new node's.
    const store = await openNodeStore({ path: fresh, networkId: topology.networkId, nodeId: node.id });
    const writes = [...genesisWrites(topology, node.cluster, topologyText), rejoinWrite()];
    await store.write(writes).finally(() => store.close());
    // As late as can be: nobody may have started it meanwhile.
    await refuseRunning(path);
    return takePlace({ fresh, path });
  })().finally(() => removeUnfinished(fresh));
  if (options.json === true) {
    printJson({ node: node.id, data: path, aside: aside ?? null });
    return ExitCode.ok;
  }
  process.stdout.write(
    `${aside === undefined ? `${path} was not there` : `moved ${path} to ${aside}, which nothing needs any more`}\n` +
      `made a new data folder at ${path}\n` +
      `start ${node.id} as before: it takes its ledger from its cluster, asks it for a new incarnation, and votes\n` +
      "again when the others have ordered that; until then it counts as one of the nodes that may fail\n",
  );
  return ExitCode.ok;
}
