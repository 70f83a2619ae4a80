// The door of a node: bytes from an authenticated peer become an event for the core, or a counted rejection. Checked
// here are shape, bounds, who may say what, certificates and signatures, so the core sees only what is true on its
// face, and whatever a peer sends, nothing is thrown past this file. A signature whose message can change nothing any
// more is not checked at all: under load that saves a quarter of the work.

import { type BlockContext, decodeRequest, isSigned } from "../cluster/block.js";
import { checkCertificate } from "../cluster/certificate.js";
import { provenCheckpoint } from "../cluster/checkpoint.js";
import { primaryOf, quorumOf } from "../cluster/quorum.js";
import { isClaimSigned } from "../cluster/rejoin.js";
import { isStartSigned } from "../cluster/start.js";
import { digestOf } from "../crypto/hash.js";
import { signingBytes } from "../crypto/signature.js";
import { type Block, type Request, rejoinOf } from "../types/block.js";
import { CodecError } from "../types/codec.js";
import { type Refusal, type Rejection, resultCode } from "../types/codes.js";
import type { Event } from "../types/effects.js";
import type { ClusterId, Digest, NodeRef, PublicKey } from "../types/ids.js";
import { limits, viewChangeBytesMax } from "../types/limits.js";
import {
  type AcceptQuery,
  carriage,
  isViewMessage,
  type NodeMessage,
  type Result,
  type Stable,
  type Started,
  type Verified,
} from "../types/message.js";
import { type Certificate, proveSchema, readSchema, requestBodySchema, type Signed } from "../types/schema.js";
import type { State } from "../types/state-transfer.js";
import type { FailureModel } from "../types/topology.js";
import { checkViewContent, checkViewSender } from "./view-door.js";
import { type Opened, openEnvelope, openMessage, speakerOf } from "./wire.js";
import { decodeClaims } from "./wire-views.js";

export interface IngressOptions extends BlockContext {
  readonly self: NodeRef;
  /** Blocks that passed this door before and are still in memory. */
  readonly knownBlock: (digest: Digest) => Block | undefined;
  /** Could this message still change anything? */
  readonly wants: (message: NodeMessage) => boolean;
  /** Has the very same request passed this door, and will its execution be answered? */
  readonly awaits: (request: Request) => boolean;
  readonly onRejected: (code: Rejection, from: PublicKey, kind: string) => void;
}

export class Ingress {
  readonly #options: IngressOptions;
  readonly #model: FailureModel;
  readonly #viewChangeBytesMax: number;

  constructor(options: IngressOptions) {
    this.#options = options;
    const own = options.members.clusterOf(options.self.cluster);
    this.#model = own.model;
    this.#viewChangeBytesMax = viewChangeBytesMax(quorumOf(own));
  }

  /** The event these bytes mean; undefined when they were rejected or are of no use. */
  open(from: PublicKey, bytes: Uint8Array): Event | undefined {
    const opened = openEnvelope(bytes);
    if (typeof opened === "string") return this.#reject(opened, from, "envelope");
    const node = this.#options.members.nodeByKey(from);
    const event = node === undefined ? this.#openClient(from, opened) : this.#openNode(node, opened);
    return typeof event === "string" ? this.#reject(event, from, opened.kind) : event;
  }

  #reject(code: Rejection, from: PublicKey, kind: string): undefined {
    this.#options.onRejected(code, from, kind);
  }

  // ---- clients

  #openClient(from: PublicKey, opened: Opened): Event | Rejection | undefined {
    if (!this.#options.members.isClient(from)) return "unknown-sender";
    if (opened.kind === "request") return this.#openRequest(opened, from);
    if (opened.kind === "prove") {
      const prove = attempt(() => proveSchema.decode(opened.body));
      return prove === undefined ? "malformed" : { kind: "prove", from, prove: { kind: "prove", ...prove } };
    }
    if (opened.kind !== "read") return "not-allowed";
    const read = attempt(() => readSchema.decode(opened.body));
    return read === undefined ? "malformed" : { kind: "read", from, read: { kind: "read", ...read } };
  }

  /** `from`: the client itself, or undefined for a request that a node forwards. */
  #openRequest({ body, signature }: Opened, from: PublicKey | undefined): Event | Rejection | undefined {
    if (body.length > limits.requestBytesMax) return "oversized";
    const signed = { body: body.slice(), signature: signature.slice() };
    const shaped = decodeRequest(signed, this.#options, false);
    // When answers are slow, clients send again: that must cost less than the first time, or slow becomes never.
    if (shaped.ok && this.#options.awaits(shaped.value)) {
      // Only a backup's word that it watches the request is news.
      const { client } = shaped.value;
      return from === undefined ? { kind: "request", from: client, request: shaped.value, forwarded: true } : undefined;
    }
    // Before the signature: whose it is costs nothing to see, and a stranger's key is not to be remembered.
    if (shaped.ok && from !== undefined && shaped.value.client !== from) return "wrong-sender";
    if (shaped.ok && !this.#mayAsk(shaped.value)) return "unknown-sender";
    const isForged = shaped.ok && !isSigned(shaped.value, this.#options);
    const decoded = isForged ? ({ ok: false, code: "bad-signature" } as const) : shaped;
    if (decoded.ok) {
      const event = { kind: "request", from: decoded.value.client, request: decoded.value } as const;
      return from === undefined ? { ...event, forwarded: true } : event;
    }
    // Only to its own channel: nobody is told that somebody else's forged request was refused.
    if (from === undefined) return requestRejection(decoded.code);
    const nonce = attempt(() => requestBodySchema.decode(body))?.nonce;
    if (nonce === undefined) return "malformed";
    return { kind: "refused", client: from, nonce, hash: digestOf(body), code: decoded.code };
  }

  /** Clients, and nodes of the own cluster for themselves. */
  #mayAsk(request: Request): boolean {
    const { members, self } = this.#options;
    return members.isClient(request.client) || rejoinOf(request)?.cluster === self.cluster;
  }

  // ---- nodes

  #openNode(from: NodeRef, opened: Opened): Event | Rejection | undefined {
    const { self } = this.#options;
    if (opened.kind === "request") {
      return from.cluster === self.cluster ? this.#openRequest(opened, undefined) : "not-allowed";
    }
    if (opened.kind === "view-change" && opened.body.length > this.#viewChangeBytesMax) return "oversized";
    const decoded = openMessage(opened, { ...this.#options, vouched: this.#isVouched(from) });
    if (typeof decoded === "string") return decoded;
    const message = decoded.kind === "accept-query" ? this.#checkEvidence(decoded) : decoded;
    const refused = this.#checkSender(from, message) ?? this.#checkContent(message);
    if (refused !== undefined) return refused;
    if (!this.#options.wants(message)) return undefined;
    // Whoever passes a NEW-VIEW on, it speaks for the primary of its view.
    const signer = message.kind === "new-view" ? { cluster: message.cluster, node: message.node } : from;
    const signed = this.#signatureOf(message, signer, opened);
    if (signed === "bad-signature") return signed;
    // After the signature: what a view change proves takes hundreds of them, and that in nobody's name for nothing.
    const unproven = isViewMessage(message) ? checkViewContent(message, this.#options) : undefined;
    return unproven ?? { kind: "message", verified: { from, message, signed } as Verified };
  }

  /** A crash node fails by stopping, never by lying: that it speaks of a block means that it has checked it. */
  #isVouched({ cluster }: NodeRef): boolean {
    return this.#model === "crash" && this.#options.members.clusterOf(cluster).model === "crash";
  }

  /** Who may say what: the speaker is the channel's owner, proposals come from primaries, checkpoints stay at home. */
  #checkSender(from: NodeRef, message: NodeMessage): Rejection | undefined {
    const { members, self } = this.#options;
    const speaker = speakerOf(message);
    if (speaker !== undefined && (speaker.cluster !== from.cluster || speaker.node !== from.node))
      return "wrong-sender";
    const own = members.clusterOf(from.cluster);
    const isOwn = from.cluster === self.cluster;
    switch (message.kind) {
      case "propose":
        if (message.entry.round !== 1) return "malformed";
        return from.node === primaryOf(own, message.entry.view) ? undefined : "not-primary";
      case "super-propose":
        if (isOwn || message.entry.round !== 1) return "not-allowed";
        return from.node === primaryOf(own, message.entry.view) ? undefined : "not-primary";
      case "super-accept":
        if (message.entry.round !== 1) return "malformed";
        if (message.block === undefined) return undefined;
        if (!isOwn) return "not-allowed";
        return from.node === primaryOf(own, message.entry.view) ? undefined : "not-primary";
      case "commit":
        if (message.entries.some(({ cluster }) => members.findCluster(cluster) === undefined)) return "malformed";
        if (own.model === "crash") return undefined;
        return message.entries.length === 1 && message.entries[0]?.cluster === from.cluster ? undefined : "malformed";
      case "fetch":
        return isOwn || message.slot === undefined ? undefined : "not-allowed";
      case "checkpoint":
      case "stable":
      case "view-query":
      case "fetch-records":
      case "records":
      case "start":
      case "started":
      case "fetch-state":
      case "state":
        return isOwn ? undefined : "not-allowed";
      case "prepare":
      case "promise":
      case "view-change":
      case "new-view":
        return checkViewSender(message, from, self, this.#options);
      default:
        return undefined;
    }
  }

  /** Blocks concern this node, and certificates prove what they claim. */
  #checkContent(message: NodeMessage): Rejection | undefined {
    const { self, knownBlock } = this.#options;
    if ("block" in message && message.block !== undefined && !message.block.clusters.includes(self.cluster)) {
      return "not-involved";
    }
    if (message.kind === "chunk") return this.#checkCertificates(message.certificates, message.block);
    if (message.kind === "result") return this.#checkResult(message);
    if (message.kind === "stable") return this.#checkStable(message);
    if (message.kind === "started") return this.#checkStarted(message);
    if (message.kind === "state") return this.#checkState(message);
    if (message.kind !== "committed") return undefined;
    const block = knownBlock(message.digest);
    // Without the block P is unknown, and with it who may attest; such an answer was not asked for, or came too late.
    return block === undefined ? "bad-certificate" : this.#checkCertificates(message.certificates, block);
  }

  /**
   * Evidence that does not convince here is left out, and the question is answered all the same: what a node of a crash
   * cluster rightly believes need not convince one of a byzantine cluster (protocol 3, step 4).
   */
  #checkEvidence(query: AcceptQuery): AcceptQuery {
    const block = query.evidence === undefined ? undefined : this.#options.knownBlock(query.digest);
    const isGood =
      query.evidence !== undefined &&
      block !== undefined &&
      this.#checkCertificates([query.evidence], block) === undefined;
    return isGood ? query : { ...query, evidence: undefined };
  }

  /** As far as the block is known; execution looks again when it comes to count. */
  #checkResult({ digest, cluster, verdicts }: Result): Rejection | undefined {
    const block = this.#options.knownBlock(digest);
    if (block === undefined) return undefined;
    if (!block.clusters.includes(cluster)) return "not-involved";
    const isPossible = verdicts.length === block.operations && verdicts.every((code) => resultCode(code) !== undefined);
    return isPossible ? undefined : "malformed";
  }

  /** Checked only while it may still be news: it holds a quorum of signatures. */
  #checkStable(message: Stable): Rejection | undefined {
    const { self, wants } = this.#options;
    const isFine = !wants(message) || provenCheckpoint(message.certificate, this.#options, self.cluster) !== undefined;
    return isFine ? undefined : "bad-certificate";
  }

  /** What it shows must be signed by whom it speaks of, all of the own cluster. */
  #checkStarted({ cluster, starts, rejoins }: Started): Rejection | undefined {
    const own = this.#options.self.cluster;
    const isGood =
      cluster === own &&
      starts.every((each) => each.start.cluster === own && isStartSigned(each, this.#options)) &&
      rejoins.every((claim) => isClaimSigned(claim, own, this.#options));
    return isGood ? undefined : "bad-signature";
  }

  /** A list is that of a stable checkpoint, with words that nodes signed. What nobody asked for is not looked at. */
  #checkState(message: State): Rejection | undefined {
    const { self, wants } = this.#options;
    if (message.list === undefined || !wants(message)) return undefined;
    const { certificate } = message.list;
    const proven = certificate && provenCheckpoint(certificate, this.#options, self.cluster);
    if (proven?.slot !== message.slot) return "bad-certificate";
    const claims = decodeClaims(message.list.rejoins, self.cluster);
    const isTold = claims?.every((claim) => isClaimSigned(claim, self.cluster, this.#options));
    return isTold === true ? undefined : "bad-signature";
  }

  #checkCertificates(certificates: readonly Certificate[], block: Block): Rejection | undefined {
    const expected = { digest: block.digest, clusters: block.clusters as readonly ClusterId[], holder: this.#model };
    const isGood = certificates.every((each) => checkCertificate(each, this.#options, expected).ok);
    return isGood ? undefined : "bad-certificate";
  }

  #signatureOf(message: NodeMessage, from: NodeRef, { body, signature }: Opened): Signed | undefined | "bad-signature" {
    const { members, topology, verifier } = this.#options;
    const { signed: rule, number } = carriage[message.kind];
    const model = members.clusterOf(from.cluster).model;
    if (rule === "never" || (rule === "byzantine" && model === "crash")) return undefined;
    const publicKey = members.node(from)?.key;
    if (publicKey === undefined) return "bad-signature";
    const bytes = signingBytes(topology.networkId, number, body);
    if (!verifier.verify({ bytes, signature, publicKey })) return "bad-signature";
    // Copies: a vote that is kept must not keep the whole frame it came in.
    return { body: body.slice(), signature: signature.slice() };
  }
}

function requestRejection(code: Refusal): Rejection {
  return code === "bad-signature" ? "bad-signature" : "malformed";
}

function attempt<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    if (error instanceof CodecError) return undefined;
    throw error;
  }
}
