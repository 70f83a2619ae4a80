// A node whose answers are wrong: verdicts with other codes, unasked and before anyone knows better; certificates of
// other blocks, or made by itself alone; bodies that are not what was asked for; and clients are told other results,
// balances and views (protocol 3.4, 4: what is proven is believed, and f + 1 equal answers).

import { seal } from "../../node/turn.js";
import { openEnvelope } from "../../node/wire.js";
import type { Block } from "../../types/block.js";
import { RESULTS } from "../../types/codes.js";
import type { ClusterId, Digest } from "../../types/ids.js";
import type { Chunk, Committed, NodeMessage, Result } from "../../types/message.js";
import { type Certificate, readReplySchema, replySchema } from "../../types/schema.js";
import type { State } from "../../types/state-transfer.js";
import type { Below, Outgoing, Villain, VillainContext } from "../observer.js";
import { Allowance, happens, oneOf, Recent, within } from "./draw.js";
import { digestOfNumber, membersOf, once, reword, selfMade, tell, variantOf } from "./speech.js";

const KEPT_MAX = 256;
const UNASKED_PER_SECOND = 40;

export function misinform(below: Below): Villain {
  const share = within(below, { from: 20, to: 100 });
  const speaksUnasked = happens(below, 60);
  const allowance = new Allowance(UNASKED_PER_SECOND);
  const certificates = new Recent<string, Certificate>(KEPT_MAX);
  const blocks = new Recent<Digest, Block>(KEPT_MAX);
  let news: Block[] = [];

  function learn(message: NodeMessage): void {
    if ("certificates" in message) {
      for (const each of message.certificates) certificates.set(`${message.digest} ${each.cluster}`, each);
    }
    if (!("block" in message) || message.block === undefined || blocks.has(message.block.digest)) return;
    blocks.set(message.block.digest, message.block);
    news.push(message.block);
  }

  function wrongCertificate(digest: Digest, cluster: ClusterId, context: VillainContext): Certificate {
    const { below: draw } = context;
    const foreign = certificates.values();
    if (foreign.length === 0 || happens(draw, 50)) return selfMade(digest, cluster, context);
    const other = oneOf(draw, foreign);
    return happens(draw, 50) ? other : { ...other, cluster };
  }

  function wrong(message: NodeMessage, context: VillainContext): NodeMessage {
    const { below: draw } = context;
    switch (message.kind) {
      case "result":
        return { ...message, verdicts: wrongVerdicts(message.verdicts, draw) };
      case "committed":
        return wrongCommitted(message, context);
      case "chunk":
        return wrongChunk(message, context);
      case "state":
        return wrongState(message, draw);
      default:
        return message;
    }
  }

  function wrongCommitted(message: Committed, context: VillainContext): Committed {
    const { digest } = message;
    const changed = message.certificates.map(({ cluster }) => wrongCertificate(digest, cluster as ClusterId, context));
    return { ...message, certificates: changed };
  }

  function wrongChunk(message: Chunk, context: VillainContext): Chunk {
    const { digest, block } = message;
    const { below: draw } = context;
    const clusters = block.clusters.map((cluster) => wrongCertificate(digest, cluster, context));
    const variant = variantOf(block, draw);
    return oneOf(draw, [
      { ...message, certificates: clusters },
      { ...message, block: variant ?? block },
      { ...message, digest: variant?.digest ?? digest, block: variant ?? block },
      { ...message, block: { ...block, bytes: block.bytes.subarray(0, draw(block.bytes.length)) } },
    ]);
  }

  /** Before it can know: verdicts, decisions. The first word of a node is the one that counts. */
  function unasked(block: Block, context: VillainContext): readonly Outgoing[] {
    const { node, below: draw, world } = context;
    const { cluster, node: self } = node.ref;
    if (!speaksUnasked || !happens(draw, share) || !allowance.take(world.now)) return [];
    const to = membersOf(context).nodesOf(block.clusters);
    const verdicts = wrongVerdicts(new Uint8Array(block.operations), draw);
    const result: Result = {
      kind: "result",
      cluster,
      node: self,
      digest: block.digest,
      verdicts,
      final: happens(draw, 50),
    };
    const proof = block.clusters.map((each) => wrongCertificate(block.digest, each, context));
    const committed: Committed = { kind: "committed", digest: block.digest, certificates: proof };
    return [...tell(result, to, context), ...(happens(draw, 30) ? tell(committed, to, context) : [])];
  }

  return {
    name: "misinform",
    hear(event) {
      if (event.kind === "message") learn(event.verified.message);
      return event;
    },
    bend(outgoing, context) {
      const { below: draw } = context;
      const said = once((message) => {
        learn(message);
        return happens(draw, share) ? wrong(message, context) : message;
      });
      const bent = reword(outgoing, context, (message) => [said(message)]).map((each) => {
        const isToNode = membersOf(context).nodeByKey(each.to) !== undefined;
        return isToNode || !happens(draw, share) ? each : { ...each, envelope: wrongReply(each.envelope, context) };
      });
      const fresh = news;
      news = [];
      return [...fresh.flatMap((block) => unasked(block, context)), ...bent];
    },
  };
}

function wrongVerdicts(verdicts: Uint8Array, below: Below): Uint8Array {
  const code = below(RESULTS.length);
  return oneOf(below, [
    verdicts.map((known) => (known === 0 ? 1 + below(RESULTS.length - 1) : 0)),
    verdicts.map(() => code),
    verdicts.map(() => below(RESULTS.length)),
    verdicts.subarray(0, below(verdicts.length + 1)),
    Uint8Array.of(...verdicts, 0),
  ]);
}

/** Another balance, another list, a piece too few; or that there is nothing. */
function wrongState(message: State, below: Below): State {
  const bend = (bytes: Uint8Array): Uint8Array => {
    const copy = Uint8Array.from(bytes);
    if (copy.length > 0) copy[below(copy.length)] = below(256);
    return copy;
  };
  const { list, pieces } = message;
  return oneOf(below, [
    { ...message, pieces: pieces.map((piece) => ({ ...piece, bytes: bend(piece.bytes) })) },
    { ...message, list: list && { ...list, accounts: bend(list.accounts) } },
    { ...message, list: list && { ...list, incarnations: bend(list.incarnations), rejoins: [] } },
    { ...message, list: list && { ...list, recordsBytes: 0, stateBytes: below(1 << 30) } },
    { ...message, pieces: pieces.slice(1) },
    { ...message, slot: 0, part: "list", list: undefined, pieces: [] },
  ]);
}

function wrongReply(envelope: Uint8Array, { turn, below }: VillainContext): Uint8Array {
  const opened = openEnvelope(envelope);
  if (typeof opened === "string") return envelope;
  const { cluster, node } = turn.self;
  if (opened.kind === "reply") {
    const reply = replySchema.decode(opened.body);
    const changed = oneOf(below, [
      { refusal: 0, results: wrongVerdicts(reply.results, below) },
      { height: reply.height + 1 },
      { sequence: reply.sequence + 65_536 },
      { digest: Uint8Array.from(Buffer.from(digestOfNumber(below(100)), "hex")) },
      { refusal: 1 + below(15), results: new Uint8Array(0) },
      { view: reply.view + 1 + below(100) },
    ]);
    return seal({ ...reply, ...changed, kind: "reply", cluster, node }, turn).envelope;
  }
  if (opened.kind !== "read-reply") return envelope;
  const reading = readReplySchema.decode(opened.body);
  const accounts = reading.accounts.map((each) => ({ ...each, balance: each.balance + BigInt(below(1000)) }));
  const height = reading.height + below(3);
  return seal({ ...reading, kind: "read-reply", cluster, node, accounts, height }, turn).envelope;
}
