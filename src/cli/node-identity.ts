// Which node of a topology a command is about, and whether the key is that node's: refused before anything is
// opened.

import { readKeyFile } from "../crypto/keys.js";
import { CodedError } from "../types/codes.js";
import type { NodeInfo, Topology } from "../types/topology.js";

export function findNode(topology: Topology, id: string, file: string): NodeInfo {
  const nodes = topology.clusters.flatMap((cluster) => cluster.nodes);
  const node = nodes.find((each) => each.id === id);
  if (node !== undefined) return node;
  throw new CodedError(
    "unknown-node",
    `${file} has no node ${id}; its nodes are ${nodes.map((each) => each.id).join(", ")}`,
  );
}

/** The node's 32 secret bytes. */
export async function readNodeKey(file: string, node: NodeInfo, topology: Topology): Promise<Uint8Array> {
  const { seed, signer } = await readKeyFile(file);
  if (signer.publicKey === node.key) return seed;
  const owner = topology.clusters.flatMap(({ nodes }) => nodes).find(({ key }) => key === signer.publicKey);
  const whose = owner === undefined ? "a key that no node of the topology has" : `the key of node ${owner.id}`;
  throw new CodedError("wrong-key", `${file} holds ${whose}; node ${node.id} has the public key ${node.key}`);
}
