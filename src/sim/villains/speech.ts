// What villains need to bend words: envelopes taken apart and sealed again with the villain's own key, whom a word
// concerns, and blocks that differ from a given one and are as valid. It can sign in the villain's name only.

import { makeBlock } from "../../cluster/block.js";
import { Members } from "../../cluster/members.js";
import { seal } from "../../node/turn.js";
import { attachmentOf, bodyOf, type Opened, openEnvelope, openMessage } from "../../node/wire.js";
import { type Block, isNoOp } from "../../types/block.js";
import type { Event } from "../../types/effects.js";
import { type ClusterId, counterOf, type Digest, type Entry, type NodeRef, sequenceOf } from "../../types/ids.js";
import { limits } from "../../types/limits.js";
import { carriage, type NodeMessage } from "../../types/message.js";
import { type Certificate, envelopeSchema } from "../../types/schema.js";
import type { Topology } from "../../types/topology.js";
import type { Below, Outgoing, VillainContext } from "../observer.js";
import { happens, oneOf } from "./draw.js";

const NO_BYTES = new Uint8Array(0);

const membersByTopology = new WeakMap<Topology, Members>();

export function membersOf({ world: { topology } }: Pick<VillainContext, "world">): Members {
  const known = membersByTopology.get(topology);
  if (known !== undefined) return known;
  const members = new Members(topology);
  membersByTopology.set(topology, members);
  return members;
}

/** One envelope goes to many; it is taken apart once. */
const messageByEnvelope = new WeakMap<Uint8Array, { readonly message: NodeMessage | undefined }>();

/** What a node says to nodes; undefined for what it says to clients, and for forwarded requests. */
export function messageIn(envelope: Uint8Array, context: VillainContext): NodeMessage | undefined {
  const known = messageByEnvelope.get(envelope);
  if (known !== undefined) return known.message;
  const opened = openEnvelope(envelope);
  const message = typeof opened === "string" ? undefined : open(opened, context);
  messageByEnvelope.set(envelope, { message });
  return message;
}

function open(opened: Opened, context: VillainContext): NodeMessage | undefined {
  const { topology } = context.world;
  const trusting = { verifier: { verify: () => true }, knownBlock: () => undefined, vouched: true };
  const message = openMessage(opened, { topology, members: membersOf(context), ...trusting });
  return typeof message === "string" ? undefined : message;
}

/**
 * Each message to a node is replaced by those that `say` returns, in their order; the message itself among them travels
 * as it was. Words to clients stay as they are.
 */
export function reword(
  outgoing: readonly Outgoing[],
  context: VillainContext,
  say: (message: NodeMessage, to: NodeRef) => readonly NodeMessage[],
): readonly Outgoing[] {
  const sealed = new Map<NodeMessage, Uint8Array>();
  return outgoing.flatMap((each) => {
    const to = membersOf(context).nodeByKey(each.to);
    const message = to === undefined ? undefined : messageIn(each.envelope, context);
    if (to === undefined || message === undefined) return [each];
    return say(message, to).map((said) => {
      if (said === message) return each;
      const known = sealed.get(said) ?? sealedOr(each.envelope, said, context);
      sealed.set(said, known);
      return { ...each, envelope: known };
    });
  });
}

/** What lies upon lies add up to may be beyond what can be written: then it is not said. */
function sealedOr(otherwise: Uint8Array, message: NodeMessage, { turn }: VillainContext): Uint8Array {
  try {
    return seal(message, turn).envelope;
  } catch (error) {
    if (error instanceof RangeError) return otherwise;
    throw error;
  }
}

/** Makes a thing of each message once: what goes to many is the same for all, and signed once. */
export function once<T>(make: (message: NodeMessage) => T): (message: NodeMessage) => T {
  const made = new Map<NodeMessage, T>();
  return (message) => {
    const known = made.get(message);
    if (known !== undefined) return known;
    const fresh = make(message);
    made.set(message, fresh);
    return fresh;
  };
}

/** The same word to all of these but the villain itself. */
export function tell(message: NodeMessage, to: readonly NodeRef[], context: VillainContext): readonly Outgoing[] {
  const envelope = sealedOr(NO_BYTES, message, context);
  return envelope === NO_BYTES ? [] : spread(envelope, to, context);
}

/** The same bytes to all of these but the villain itself. */
export function spread(
  envelope: Uint8Array,
  to: readonly NodeRef[],
  { node, turn }: VillainContext,
): readonly Outgoing[] {
  const others = to.filter((ref) => ref.cluster !== node.ref.cluster || ref.node !== node.ref.node);
  return others.map((ref) => ({ to: turn.keyOf(ref), envelope }));
}

export function everyone(context: VillainContext): readonly NodeRef[] {
  return membersOf(context).nodesOf(context.world.topology.clusters.map(({ id }) => id));
}

export function ownCluster(context: VillainContext): readonly NodeRef[] {
  return membersOf(context).nodesOf([context.node.ref.cluster]);
}

/** The envelope in which an event came, as far as it can be told from the event. */
export function envelopeOf(event: Event): Uint8Array | undefined {
  if (event.kind === "request") {
    const { body, signature } = event.request.signed;
    return envelopeSchema.encode({ kind: carriage.request.number, body, signature, block: NO_BYTES });
  }
  if (event.kind !== "message") return undefined;
  const { message, signed } = event.verified;
  return envelopeSchema.encode({
    kind: carriage[message.kind].number,
    body: signed?.body ?? bodyOf(message),
    signature: signed?.signature ?? NO_BYTES,
    block: attachmentOf(message)?.bytes ?? NO_BYTES,
  });
}

/** The entry of its own cluster's log that a message is about. */
export function entryIn(message: NodeMessage): Entry | undefined {
  if ("entry" in message) return message.entry;
  return message.kind === "commit" ? message.entries.find(({ cluster }) => cluster === message.cluster) : undefined;
}

/** The same message about another entry, and with another block where it has one. */
export function about(message: NodeMessage, entry: Entry, block?: Block): NodeMessage {
  if (message.kind === "commit") {
    const entries = message.entries.map((each) =>
      each.cluster === entry.cluster ? entry : { ...each, digest: entry.digest },
    );
    return { ...message, digest: entry.digest, entries };
  }
  if (!("entry" in message)) return message;
  if (block === undefined || !("block" in message) || message.block === undefined) return { ...message, entry };
  return { ...message, entry, block };
}

export function moved(entry: Entry, counters: number): Entry {
  const counter = Math.min(Math.max(1, counterOf(entry.sequence) + counters), limits.counterMax);
  return { ...entry, sequence: sequenceOf(counter, entry.cluster) };
}

/** Another block of the same requests, or of some of them, that is as valid; undefined for a no-op. */
export function variantOf(block: Block, below: Below): Block | undefined {
  if (isNoOp(block)) return undefined;
  const { clusters, time, requests } = block;
  const later = makeBlock({ clusters, time: time + 1 + below(1000), requests });
  if (requests.length === 1 || happens(below, 50)) return later;
  const fewer = requests.filter((_, i) => i !== below(requests.length));
  const reversed = [...requests].reverse();
  const chosen = oneOf(below, [fewer, reversed, requests.slice(0, 1)]);
  return makeBlock({ clusters, time, requests: chosen.length === 0 ? reversed : chosen });
}

/**
 * A certificate that the villain makes alone: COMMITs in the names of as many nodes as are needed, or all in its own,
 * all with its own signature.
 */
export function selfMade(digest: Digest, cluster: ClusterId, context: VillainContext): Certificate {
  const { below, turn } = context;
  const { nodes } = membersOf(context).clusterOf(cluster);
  const entry: Entry = {
    cluster,
    view: 0,
    round: 1,
    slot: 1 + below(64),
    sequence: sequenceOf(1 + below(64), cluster),
    digest,
  };
  const isInOwnName = happens(below, 50);
  const commits = nodes.slice(0, 1 + below(nodes.length)).map(({ index }) => {
    const speaker = isInOwnName ? turn.self : { cluster, node: index };
    const { signed } = seal({ kind: "commit", ...speaker, digest, entries: [entry] }, turn);
    return signed ?? { body: NO_BYTES, signature: NO_BYTES };
  });
  return { cluster, commits };
}

export function digestOfNumber(number: number): Digest {
  return number.toString(16).padStart(64, "0") as Digest;
}

/** The clusters of P where the message names them, else all. */
export function involvedIn(message: NodeMessage, context: VillainContext): readonly ClusterId[] {
  if ("block" in message && message.block !== undefined) return message.block.clusters;
  return context.world.topology.clusters.map(({ id }) => id);
}
