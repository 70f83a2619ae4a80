// I10: once the last fault has healed, every request that a correct client sent and that is still valid gets a reply
// that the client may believe: its results, or a refusal that no repetition would change. And every correct node
// catches up with its cluster.

import { recordKey } from "../../ledger/keys.js";
import type { Request } from "../../types/block.js";
import { refusalCode } from "../../types/codes.js";
import { type ClusterId, type Digest, toHex } from "../../types/ids.js";
import type { Checker, MakeChecker } from "../observer.js";
import { historyOf } from "./history.js";
import { isExpected, reporter, short } from "./report.js";

/** Refusals after which a client asks again. */
const PASSING = new Set(["busy", "cluster-unavailable"]);

export const makeLiveness: MakeChecker = (world, report): Checker => {
  const violated = reporter("I10", report);
  const history = historyOf(world);
  const open = new Map<Digest, Request>();
  let isHealed = false;

  function recordedIn(hash: Digest): readonly ClusterId[] {
    const clusters = world.topology.clusters.map(({ id }) => id);
    return clusters.filter((cluster) =>
      history.view(cluster).some((seen) => {
        const block = seen === undefined ? undefined : history.block(seen.record.digest);
        return block?.requests.some((request) => request.hash === hash) === true;
      }),
    );
  }

  return {
    onTurn: (node, plan) => void history.take(node, plan),
    onRequest(request) {
      open.set(request.hash, request);
    },
    onReply(_client, { refusal, request }) {
      const code = refusalCode(refusal);
      if (code !== undefined && !PASSING.has(code)) open.delete(toHex(request));
    },
    onHealed() {
      isHealed = true;
    },
    onEnd() {
      if (!isHealed) return;
      for (const node of world.nodes) {
        const height = history.height(node.ref.cluster);
        if (height < 1 || !isExpected(node) || node.store.get(recordKey(height)) !== undefined) continue;
        violated(`${node.name} lacks record ${height}, which others of its cluster have`);
      }
      const waiting = [...open.values()].filter(({ validUntil }) => validUntil >= world.time);
      for (const request of waiting.slice(0, 5)) {
        const recorded = recordedIn(request.hash);
        const where = recorded.length === 0 ? "it has no record" : `it has records in clusters ${recorded}`;
        const { clusters, nonce, client, hash } = request;
        const which = `request ${nonce} of ${short(client)} (${short(hash)}) over clusters ${clusters}`;
        violated(`${which} has no reply, ${where}; ${waiting.length} requests wait`);
      }
    },
  };
};
