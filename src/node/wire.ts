// Messages to bytes and back (types/wire.proto): what the turn seals, the door opens. Opening checks shape and bounds
// only; who may say what, and signatures, are the door's business (ingress.ts). Nothing here throws for bad bytes.

import { type BlockContext, decodeBlock } from "../cluster/block.js";
import { decodeCommit, encodeCommit } from "../cluster/certificate.js";
import { decodeCheckpoint, encodeCheckpoint } from "../cluster/checkpoint.js";
import { decodeStart, encodeStart, signedStart } from "../cluster/start.js";
import type { Block } from "../types/block.js";
import { CodecError } from "../types/codec.js";
import type { Rejection } from "../types/codes.js";
import { type ClusterId, type Digest, fromHex, type NodeRef, toHex } from "../types/ids.js";
import { kindOfNumber, type Message, type NodeMessage, unreachable } from "../types/message.js";
import {
  chunkSchema,
  committedSchema,
  envelopeSchema,
  fetchRecordsSchema,
  fetchSchema,
  fetchStateSchema,
  proofSchema,
  proveSchema,
  querySchema,
  readReplySchema,
  readSchema,
  recordsSchema,
  replySchema,
  resultSchema,
  stableSchema,
  startedSchema,
  stateSchema,
  unknownSchema,
  viewQuerySchema,
} from "../types/schema.js";
import { STATE_PARTS } from "../types/state-transfer.js";
import { decodeVote, encodeVote } from "./votes.js";
import { decodeClaims, decodeViewMessage, encodeViewMessage } from "./wire-views.js";

/** An envelope taken apart; `message` is made by `openMessage` once the sender is known to be allowed. */
export interface Opened {
  readonly kind: Message["kind"];
  readonly body: Uint8Array;
  readonly signature: Uint8Array;
  readonly block: Uint8Array;
}

export function openEnvelope(bytes: Uint8Array): Opened | Rejection {
  try {
    const { kind: number, body, signature, block } = envelopeSchema.decode(bytes);
    const kind = kindOfNumber(number);
    return kind === undefined ? "unknown-kind" : { kind, body, signature, block };
  } catch (error) {
    return codecRejection(error);
  }
}

export interface OpeningContext extends BlockContext {
  readonly knownBlock: (digest: Digest) => Block | undefined;
  /** The sender has checked the requests' signatures and does not lie: between crash clusters (docs/protocol.md, 5). */
  readonly vouched: boolean;
}

/** The exact bytes that are signed and sent as the envelope's body. */
export function bodyOf(message: Message): Uint8Array {
  switch (message.kind) {
    case "propose":
    case "super-accept":
      return encodeVote(message, message.previous);
    case "accept":
    case "super-propose":
      return encodeVote(message, 0);
    case "commit":
      return encodeCommit(message);
    case "result":
      return resultSchema.encode({ ...message, digest: fromHex(message.digest) });
    case "accept-query":
      return querySchema.encode({ ...message, digest: fromHex(message.digest) });
    case "committed":
      return committedSchema.encode({ ...message, digest: fromHex(message.digest) });
    case "unknown":
      return unknownSchema.encode({ digest: fromHex(message.digest) });
    case "fetch":
      return fetchSchema.encode({ digest: fromHex(message.digest ?? ""), slot: message.slot ?? 0 });
    case "chunk":
      return chunkSchema.encode({ ...message, digest: fromHex(message.digest) });
    case "checkpoint":
      return encodeCheckpoint(message);
    case "stable":
      return stableSchema.encode(message);
    case "view-query":
      return viewQuerySchema.encode(message);
    case "new-view":
      return message.original?.body ?? encodeViewMessage(message);
    case "prepare":
    case "promise":
    case "view-change":
      return encodeViewMessage(message);
    case "fetch-records":
      return fetchRecordsSchema.encode(message);
    case "records":
      return recordsSchema.encode(message);
    case "fetch-state":
      return fetchStateSchema.encode({ ...message, part: STATE_PARTS.indexOf(message.part) });
    case "state":
      return stateSchema.encode({ ...message, part: STATE_PARTS.indexOf(message.part) });
    case "request":
      return message.request.signed.body;
    case "start":
      return encodeStart(message);
    case "started": {
      const { starts, rejoins, nonce, mark, ...rest } = message;
      const signed = { starts: starts.map((each) => each.signed), rejoins: rejoins.map((each) => each.signed) };
      return startedSchema.encode({ ...rest, ...mark, nonce: fromHex(nonce), ...signed });
    }
    case "reply":
      return replySchema.encode(message);
    case "read":
      return readSchema.encode(message);
    case "read-reply":
      return readReplySchema.encode(message);
    case "prove":
      return proveSchema.encode(message);
    case "proof":
      return proofSchema.encode(message);
    default:
      return unreachable(message);
  }
}

/** The block that travels beside the body, if the message has one. */
export function attachmentOf(message: Message): Block | undefined {
  switch (message.kind) {
    case "propose":
    case "super-propose":
    case "super-accept":
    case "chunk":
      return message.block;
    default:
      return undefined;
  }
}

/** A node's message, but for requests, from its parts. The block's requests are checked, signatures included. */
export function openMessage(opened: Opened, context: OpeningContext): NodeMessage | Rejection {
  try {
    return decodeMessage(opened, context);
  } catch (error) {
    return codecRejection(error);
  }
}

function decodeMessage({ kind, body, block: blockBytes }: Opened, context: OpeningContext): NodeMessage | Rejection {
  switch (kind) {
    case "propose":
    case "super-propose":
    case "super-accept": {
      const vote = decodeVote(body);
      if (vote === undefined) return "malformed";
      const { entry, node, previous } = vote;
      if (kind === "super-accept" && blockBytes.length === 0) return { kind, entry, node, previous, block: undefined };
      const block = openBlock(blockBytes, entry.digest, context);
      if (typeof block === "string") return block;
      if (!block.clusters.includes(entry.cluster)) return "not-involved";
      return kind === "super-propose" ? { kind, entry, node, block } : { kind, entry, node, previous, block };
    }
    case "accept": {
      const vote = decodeVote(body);
      return vote === undefined ? "malformed" : { kind, entry: vote.entry, node: vote.node };
    }
    case "commit":
      return decodeCommit(body) ?? "malformed";
    case "result": {
      const { cluster, digest, ...said } = resultSchema.decode(body);
      return withDigest(digest, (hex) => ({ kind, cluster: cluster as ClusterId, digest: hex, ...said }));
    }
    case "accept-query": {
      const { digest, missing, verdicts, body: wantsBody, evidence } = querySchema.decode(body);
      const wanted = { missing: missing as readonly ClusterId[], verdicts: verdicts as readonly ClusterId[] };
      return withDigest(digest, (hex) => ({ kind, digest: hex, ...wanted, body: wantsBody, evidence }));
    }
    case "committed": {
      const { digest, certificates } = committedSchema.decode(body);
      return withDigest(digest, (hex) => ({ kind, digest: hex, certificates }));
    }
    case "unknown":
      return withDigest(unknownSchema.decode(body).digest, (hex) => ({ kind, digest: hex }));
    case "fetch": {
      const { digest, slot } = fetchSchema.decode(body);
      if (slot === 0) return withDigest(digest, (hex) => ({ kind, digest: hex }));
      return digest.length === 0 ? { kind, slot } : "malformed";
    }
    case "chunk": {
      const { digest, certificates } = chunkSchema.decode(body);
      const hex = toHex<Digest>(digest);
      const block = openBlock(blockBytes, hex, context);
      return typeof block === "string" ? block : { kind, digest: hex, certificates, block };
    }
    case "checkpoint":
      return decodeCheckpoint(body) ?? "malformed";
    case "view-query":
      return { kind, view: viewQuerySchema.decode(body).view };
    case "stable": {
      const { certificate } = stableSchema.decode(body);
      return certificate === undefined ? "malformed" : { kind, certificate };
    }
    case "prepare":
    case "promise":
    case "view-change":
    case "new-view":
      return decodeViewMessage(kind, body) ?? "malformed";
    case "fetch-records": {
      const range = fetchRecordsSchema.decode(body);
      return range.from === 0 || range.from > range.to ? "malformed" : { kind, ...range };
    }
    case "records":
      return { kind, ...recordsSchema.decode(body) };
    case "start": {
      const start = decodeStart(body);
      return start === undefined ? "malformed" : { kind, ...start };
    }
    case "started": {
      const { cluster: id, boot, nonce, fresh, view, slot, ...signed } = startedSchema.decode(body);
      const cluster = id as ClusterId;
      const starts = signed.starts.map(signedStart);
      const rejoins = decodeClaims(signed.rejoins, cluster);
      if (!starts.every((each) => each !== undefined) || rejoins === undefined) return "malformed";
      return { kind, cluster, boot, nonce: toHex(nonce), fresh, mark: { view, slot }, starts, rejoins };
    }
    case "fetch-state": {
      const { part: number, ...asked } = fetchStateSchema.decode(body);
      const part = STATE_PARTS[number];
      return part === undefined ? "malformed" : { kind, part, ...asked };
    }
    case "state": {
      const { part: number, ...given } = stateSchema.decode(body);
      const part = STATE_PARTS[number];
      return part === undefined ? "malformed" : { kind, part, ...given };
    }
    case "request":
    case "reply":
    case "read":
    case "read-reply":
    case "prove":
    case "proof":
      return "not-allowed";
    default:
      return unreachable(kind);
  }
}

function withDigest<M extends NodeMessage>(bytes: Uint8Array, make: (digest: Digest) => M): M | Rejection {
  return bytes.length === 32 ? make(toHex<Digest>(bytes)) : "malformed";
}

/** A block that is known by digest was checked before; signatures are the cost of a block, so that matters. */
function openBlock(bytes: Uint8Array, digest: Digest, context: OpeningContext): Block | Rejection {
  const known = context.knownBlock(digest);
  if (known !== undefined) return Buffer.compare(known.bytes, bytes) === 0 ? known : "bad-block";
  const decoded = decodeBlock(bytes, context, !context.vouched);
  if (!decoded.ok) return decoded.code === "bad-signature" ? "bad-signature" : "bad-block";
  return decoded.value.digest === digest ? decoded.value : "bad-block";
}

/** In whose name a signed message speaks; undefined for messages that speak for their channel only. */
export function speakerOf(message: NodeMessage): NodeRef | undefined {
  switch (message.kind) {
    case "propose":
    case "accept":
    case "super-propose":
    case "super-accept":
      return { cluster: message.entry.cluster, node: message.node };
    case "commit":
    case "result":
    case "checkpoint":
    case "prepare":
    case "promise":
    case "view-change":
    case "start":
      return { cluster: message.cluster, node: message.node };
    // Passed on by anyone of the cluster.
    case "new-view":
    case "accept-query":
    case "committed":
    case "unknown":
    case "view-query":
    case "fetch":
    case "chunk":
    case "stable":
    case "fetch-records":
    case "records":
    case "started":
    case "fetch-state":
    case "state":
      return undefined;
    default:
      return unreachable(message);
  }
}

function codecRejection(error: unknown): Rejection {
  if (error instanceof CodecError) return "malformed";
  throw error;
}
