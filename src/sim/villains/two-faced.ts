// A primary of the initiator's cluster that shows X to its own cluster and X', other blocks of the same requests, to
// others (protocol 9, scenario 8). It answers who asks for X', and speaks to each cluster of its own block only. The
// fix: queries with evidence bring both blocks everywhere, and ids make the second one's requests void.

import type { Block } from "../../types/block.js";
import { type ClusterId, type Digest, type NodeRef, showNode } from "../../types/ids.js";
import type { NodeMessage } from "../../types/message.js";
import type { Below, Villain, VillainContext } from "../observer.js";
import { happens, Recent, within } from "./draw.js";
import { about, entryIn, once, reword, tell, variantOf } from "./speech.js";

const BLOCKS_MAX = 1024;
const ASKERS_MAX = 64;

export function twoFaced(below: Below): Villain {
  const share = within(below, { from: 30, to: 100 });
  /** What a cluster is shown instead of a block: "digest cluster". */
  const faces = new Recent<string, Block | undefined>(BLOCKS_MAX);
  const invented = new Recent<Digest, Block>(BLOCKS_MAX);
  const askers = new Recent<string, { readonly from: NodeRef; readonly digest: Digest }>(ASKERS_MAX);

  function faceFor(block: Block, cluster: ClusterId, context: VillainContext): Block | undefined {
    const key = `${block.digest} ${cluster}`;
    if (!faces.has(key)) {
      const face = happens(context.below, share) ? variantOf(block, context.below) : undefined;
      faces.set(key, face);
      if (face !== undefined) invented.set(face.digest, face);
    }
    return faces.get(key);
  }

  /** The message as it is said to one cluster. */
  function shown(message: NodeMessage, cluster: ClusterId, context: VillainContext): NodeMessage {
    const entry = entryIn(message);
    const isMine = entry?.cluster === context.node.ref.cluster && cluster !== entry.cluster;
    if (entry === undefined || !isMine) return message;
    const isProposal = message.kind === "propose" || message.kind === "super-propose";
    const face = isProposal ? faceFor(message.block, cluster, context) : faces.get(`${entry.digest} ${cluster}`);
    return face === undefined ? message : about(message, { ...entry, digest: face.digest }, face);
  }

  return {
    name: "two-faced",
    hear(event) {
      if (event.kind !== "message") return event;
      const { from, message } = event.verified;
      if (message.kind !== "fetch" && message.kind !== "accept-query") return event;
      const { digest } = message;
      if (digest !== undefined && invented.has(digest)) askers.set(`${showNode(from)} ${digest}`, { from, digest });
      return event;
    },
    bend(outgoing, context) {
      const shownTo = once((message) => {
        const byCluster = new Map<ClusterId, NodeMessage>();
        return (cluster: ClusterId) => {
          const said = byCluster.get(cluster) ?? shown(message, cluster, context);
          byCluster.set(cluster, said);
          return said;
        };
      });
      const answers = askers.take().flatMap(({ from, digest }) => {
        const block = invented.get(digest);
        return block === undefined ? [] : tell({ kind: "chunk", digest, certificates: [], block }, [from], context);
      });
      return [...reword(outgoing, context, (message, to) => [shownTo(message)(to.cluster)]), ...answers];
    },
  };
}
