// What a node or client could send if it lied: messages made by hand, with real keys, and delivered to one node of a
// test network that is otherwise silent.

import { decodeRequest, makeBlock } from "../../src/cluster/block.js";
import { ed25519Verifier } from "../../src/crypto/signature.js";
import { seal } from "../../src/node/turn.js";
import { openEnvelope } from "../../src/node/wire.js";
import type { Block, Request } from "../../src/types/block.js";
import {
  type ClusterId,
  counterOf,
  type Digest,
  type Entry,
  type PublicKey,
  type Sequence,
  sequenceOf,
} from "../../src/types/ids.js";
import type { Commit, Message, ViewChange } from "../../src/types/message.js";
import { type Certificate, envelopeSchema, type Operation, type Signed } from "../../src/types/schema.js";
import { contentOf } from "./inspect.js";
import { type RequestOptions, START, type TestNetwork } from "./network.js";

export interface Injected {
  /** Codes that the receiver counted, at the door or after it. */
  readonly codes: readonly string[];
  /** Did anything that any node holds on disk change? */
  readonly changed: boolean;
}

/** Delivers these bytes, and whatever they lead to, and nothing else. */
export async function inject(
  network: TestNetwork,
  { from, to, bytes }: { readonly from: PublicKey; readonly to: string; readonly bytes: Uint8Array },
): Promise<Injected> {
  const node = network.node(to);
  const held = network.packets.splice(0);
  const before = await Promise.all(network.nodes.map(contentOf));
  const rejected = node.rejected.length;
  const notes = node.notes.length;
  network.post(from, node.info.key, bytes);
  network.settle();
  network.packets.push(...held);
  const after = await Promise.all(network.nodes.map(contentOf));
  const refusals = node.notes.slice(notes).flatMap((note) => (note.kind === "rejected" ? [note.code] : []));
  const codes = [...node.rejected.slice(rejected).map(({ code }) => code), ...refusals];
  return { codes, changed: before.join() !== after.join() };
}

export function injectAs(network: TestNetwork, from: string, to: string, message: Message): Promise<Injected> {
  return inject(network, { from: network.node(from).info.key, to, bytes: sealAs(network, from, message) });
}

/** The envelope of a message, signed by a node where its kind is. */
export function sealAs(network: TestNetwork, from: string, message: Message): Uint8Array {
  return seal(message, network.contextOf(network.node(from))).envelope;
}

export function reEnvelope(
  bytes: Uint8Array,
  change: { body?: Uint8Array; signature?: Uint8Array; kind?: number },
): Uint8Array {
  return envelopeSchema.encode({ ...envelopeSchema.decode(bytes), ...change });
}

export function requestOf(network: TestNetwork, operations: readonly Operation[], options?: RequestOptions): Request {
  const opened = openEnvelope(network.request(operations, options));
  if (typeof opened === "string") throw new Error(opened);
  const context = { topology: network.topology, members: network.members, verifier: ed25519Verifier };
  const decoded = decodeRequest(opened, context, false);
  if (!decoded.ok) throw new Error(decoded.code);
  return decoded.value;
}

export function blockOf(requests: readonly Request[], change: Partial<Pick<Block, "clusters" | "time">> = {}): Block {
  return makeBlock({ clusters: requests[0]?.clusters ?? [], time: START, requests, ...change });
}

/** A fresh block of one payment. */
export function paymentBlock(network: TestNetwork, ...clusters: readonly number[]): Block {
  return blockOf([requestOf(network, [network.payment(clusters)])]);
}

/** The entry that a cluster's primary could propose next. */
export function nextEntry(network: TestNetwork, cluster: number, digest: Digest, change: Partial<Entry> = {}): Entry {
  const { engine } = network.node(`c${cluster}n0`).replica.coordinator;
  const sequence = sequenceOf(counterOf(engine.lastSequence) + 1, cluster as ClusterId);
  const id = cluster as ClusterId;
  return { cluster: id, view: 0, round: 1, slot: engine.frontier.slot + 1, sequence, digest, ...change };
}

export function proposal(network: TestNetwork, block: Block, entry: Entry, node = 0): Message {
  const previous: Sequence = network.node(`c${entry.cluster}n0`).replica.coordinator.engine.lastSequence;
  return { kind: "propose", entry, node, previous, block };
}

export function commitOf(entry: Entry, node: number, more: readonly Entry[] = []): Commit {
  return { kind: "commit", cluster: entry.cluster, node, digest: entry.digest, entries: [entry, ...more] };
}

/** COMMITs of these nodes of the entry's cluster, in one certificate. */
export function certificateOf(network: TestNetwork, entry: Entry, nodes: readonly number[]): Certificate {
  const commits = nodes.map((node) => signedOf(network, `c${entry.cluster}n${node}`, commitOf(entry, node)));
  return { cluster: entry.cluster, commits };
}

/** A VIEW-CHANGE of the first node of cluster 1 for view 1, with nothing to report. */
export function changeOf(change: Partial<ViewChange> = {}): ViewChange {
  const none = { incarnation: 0, rejoins: [], stable: undefined, decided: [], prepared: [] };
  return { kind: "view-change", cluster: 1 as ClusterId, node: 0, view: 1, ...none, ...change };
}

export function signedOf(network: TestNetwork, from: string, message: Message): Signed {
  const { body, signature } = envelopeSchema.decode(sealAs(network, from, message));
  return { body, signature };
}
