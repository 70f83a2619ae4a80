// I9: what a client was told survives. A reply that a correct node gives is what its own store holds; one that a client
// believes is the record of that block, and stays so, in the store of every correct node of that cluster, whatever
// failed meanwhile; the reply that is kept for repetitions says the same.

import { checkpointKey, recordKey, replyKey } from "../../ledger/keys.js";
import { type Digest, type PublicKey, toHex } from "../../types/ids.js";
import { storedReplySchema, type WireReply } from "../../types/schema.js";
import type { Checker, MakeChecker, SimNode } from "../observer.js";
import { stableOf } from "./facts.js";
import { historyOf, type SeenRecord } from "./history.js";
import { isExpected, reporter, short } from "./report.js";

/** A request's place in its block. */
interface Place {
  readonly first: number;
  readonly count: number;
  readonly validUntil: number;
}

interface Believed {
  readonly client: PublicKey;
  readonly reply: WireReply;
  readonly validUntil: number;
}

export const makeReplies: MakeChecker = (world, report): Checker => {
  const violated = reporter("I9", report);
  const history = historyOf(world);
  const places = new Map<Digest, ReadonlyMap<Digest, Place>>();
  const believed: Believed[] = [];
  let isHealed = false;

  function placeOf(block: Digest, request: Digest): Place | undefined {
    let known = places.get(block);
    if (known === undefined) {
      let first = 0;
      const ofBlock = new Map<Digest, Place>();
      for (const { hash, operations, validUntil } of history.block(block)?.requests ?? []) {
        ofBlock.set(hash, { first, count: operations.length, validUntil });
        first += operations.length;
      }
      places.set(block, ofBlock);
      known = ofBlock;
    }
    return known.get(request);
  }

  /** What is wrong with a reply, by the record it names; else where its request is in the block. */
  function judge(reply: WireReply, seen: SeenRecord | undefined): string | Place {
    if (seen === undefined) return "no correct node of the cluster has that record";
    const { digest, finalSequence, results } = seen.record;
    if (toHex<Digest>(reply.digest) !== digest) return `that record is block ${short(digest)}`;
    if (reply.sequence !== finalSequence) return `that record has sequence ${finalSequence}`;
    const place = placeOf(digest, toHex(reply.request));
    if (place === undefined) return "that block does not hold the request";
    const share = results.subarray(place.first, place.first + place.count);
    return Buffer.compare(share, reply.results) === 0 ? place : `that record says ${share.join(" ")}`;
  }

  function seenOf({ cluster, height }: WireReply): SeenRecord | undefined {
    return history.view(cluster as never)[height];
  }

  /** The state of a stable checkpoint stands for records up to it (protocol 6). */
  function isInState(node: SimNode, height: number): boolean {
    return stableOf(node.store.get(checkpointKey())).height >= height;
  }

  function checkStored(node: SimNode, { client, reply, validUntil }: Believed): void {
    const { height, nonce } = reply;
    const what = `${node.name} has lost what ${show(reply)} told ${short(client)}`;
    const bytes = node.store.get(recordKey(height));
    const seen = seenOf(reply);
    const isCovered = bytes === undefined && isInState(node, height);
    const isThere = bytes !== undefined && seen !== undefined && Buffer.compare(bytes, seen.bytes) === 0;
    if (!isCovered && !isThere) violated(`${what}: record ${height}`);
    const row = node.store.get(replyKey(client, nonce));
    const stored = row === undefined ? undefined : storedReplySchema.decode(row);
    const isKept = stored !== undefined && Buffer.compare(stored.request, reply.request) === 0;
    if (isKept && !sameReply(stored, reply)) violated(`${what}: it keeps another reply, of record ${stored.height}`);
    const lastTime = history.view(node.ref.cluster).at(-1)?.record.time ?? 0;
    const hadEffect = reply.results.includes(0);
    if (!isKept && hadEffect && validUntil >= lastTime) violated(`${what}: the reply for repetitions`);
  }

  return {
    onTurn(node, plan) {
      const turn = history.take(node, plan);
      if (turn === undefined) return;
      for (const statement of turn.said) {
        if (statement.kind !== "reply" || statement.reply.refusal !== 0) continue;
        const { reply } = statement;
        const judged = judge(reply, seenOf(reply));
        if (typeof judged === "string") violated(`${node.name} gives ${show(reply)}, yet ${judged}`);
        else if (node.store.get(recordKey(reply.height)) === undefined && !isInState(node, reply.height))
          violated(`${node.name} gives ${show(reply)} before that record is stored`);
        if (reply.cluster !== node.ref.cluster || reply.node !== node.ref.node)
          violated(`${node.name} gives ${show(reply)} in the name of node ${reply.node} of cluster ${reply.cluster}`);
      }
    },
    onReply(client, reply) {
      if (reply.refusal !== 0) return;
      const judged = judge(reply, seenOf(reply));
      if (typeof judged === "string") violated(`${short(client)} believes ${show(reply)}, yet ${judged}`);
      else believed.push({ client, reply, validUntil: judged.validUntil });
    },
    onHealed() {
      isHealed = true;
    },
    onEnd() {
      if (!isHealed) return;
      for (const node of world.nodes) {
        if (!isExpected(node)) continue;
        for (const each of believed) if (each.reply.cluster === node.ref.cluster) checkStored(node, each);
      }
    },
  };
};

function sameReply(
  stored: Pick<WireReply, "height" | "sequence" | "digest" | "results">,
  { height, sequence, digest, results }: WireReply,
): boolean {
  return (
    stored.height === height &&
    stored.sequence === sequence &&
    Buffer.compare(stored.digest, digest) === 0 &&
    Buffer.compare(stored.results, results) === 0
  );
}

function show({ nonce, cluster, height, digest }: WireReply): string {
  return `reply ${nonce} (record ${height} of cluster ${cluster}, block ${short(toHex(digest))})`;
}
