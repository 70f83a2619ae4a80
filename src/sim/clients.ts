// Correct clients of a run: one request at a time each, signed, sent to the node that they take for the primary, and to
// all nodes of the cluster when no answer comes in time (protocol 2.4). They believe one reply of a crash cluster and
// f + 1 equal ones of a byzantine one, and follow the views that replies tell. Some pauses end in a reading of accounts
// instead. Counting answers is done anew here, in the plainest way, and not borrowed from src/client.

import { type BlockContext, decodeRequest } from "../cluster/block.js";
import { primaryOf, witnessesOf } from "../cluster/quorum.js";
import { type Signer, signingBytes } from "../crypto/signature.js";
import { openEnvelope } from "../node/wire.js";
import type { Request } from "../types/block.js";
import { CodecError } from "../types/codec.js";
import { refusalCode } from "../types/codes.js";
import { type ClusterId, fromHex, nodeKey, type PublicKey, toHex, type View } from "../types/ids.js";
import { limits } from "../types/limits.js";
import { carriage, type ReadReply, type Reply } from "../types/message.js";
import { envelopeSchema, readReplySchema, readSchema, replySchema, requestBodySchema } from "../types/schema.js";
import type { ClusterInfo } from "../types/topology.js";
import type { Draw } from "./draw.js";
import type { EventQueue } from "./events.js";
import type { Endpoint, Frame } from "./network.js";
import type { Order, Orders } from "./orders.js";
import type { LoadPlan } from "./plan.js";
import { START } from "./surroundings.js";

export interface ClientSurroundings {
  readonly queue: EventQueue;
  readonly context: BlockContext;
  readonly load: LoadPlan;
  readonly orders: Orders;
  readonly send: (from: Endpoint, to: PublicKey, frame: Frame) => void;
  /** May another request be made by itself? */
  readonly takeTicket: () => boolean;
  readonly onRequest: (request: Request) => void;
  readonly onReply: (client: PublicKey, reply: Reply) => void;
  readonly onRead: (client: PublicKey, reply: ReadReply) => void;
}

interface Pending {
  readonly kind: "request" | "reading";
  readonly nonce: number;
  readonly home: ClusterInfo;
  readonly message: Uint8Array;
  readonly request: Request | undefined;
  readonly accounts: readonly string[];
  /** The latest answer of each node. */
  readonly replies: Map<number, Reply>;
  readonly readings: Map<number, ReadReply>;
  readonly expiredAt: Set<number>;
  attempts: number;
}

const VALID_MS = [200_000, 500_000] as const;
const SHORT_LIVED_MS = [1, 4000] as const;
const READING_ATTEMPTS_MAX = 8;
const DISAGREEMENT_PAUSE_MS = 50;
const NO_BYTES = new Uint8Array(0);

export class SimClient {
  readonly name: string;
  readonly endpoint: Endpoint;
  readonly #signer: Signer;
  readonly #draw: Draw;
  readonly #surroundings: ClientSurroundings;
  /** By node: the highest view it has told. */
  readonly #views = new Map<number, View>();
  /** By cluster: the highest record of which this client was told. */
  readonly #heights = new Map<ClusterId, number>();
  #pending: Pending | undefined;
  #nonce = 0;
  /** Of the latest timer; earlier ones do nothing. */
  #timer = 0;
  #isActive = false;

  constructor(args: {
    readonly name: string;
    readonly endpoint: Endpoint;
    readonly signer: Signer;
    readonly draw: Draw;
    readonly surroundings: ClientSurroundings;
  }) {
    this.name = args.name;
    this.endpoint = args.endpoint;
    this.#signer = args.signer;
    this.#draw = args.draw;
    this.#surroundings = args.surroundings;
  }

  get key(): PublicKey {
    return this.#signer.publicKey;
  }

  /** A request of its own, or a reading, after a pause; and so on. */
  start(): void {
    this.#isActive = true;
    this.#rest();
  }

  /** Makes nothing new; what is pending goes on. */
  stop(): void {
    this.#isActive = false;
  }

  /** What it still waits for, for people; undefined: nothing. */
  get waitsFor(): string | undefined {
    if (this.#pending?.kind !== "request") return undefined;
    const { nonce, request, home } = this.#pending;
    return `${this.name}'s request ${nonce} (${request?.hash.slice(0, 8)}) to cluster ${home.id}`;
  }

  get isBusy(): boolean {
    return this.#pending !== undefined;
  }

  /** Signs and sends what was ordered, if nothing is pending. */
  ask({ operations, home }: Order, validMs?: number): void {
    if (this.#pending !== undefined) return;
    const { context, queue, onRequest } = this.#surroundings;
    const nonce = ++this.#nonce;
    const lasts = validMs ?? this.#draw.integer(VALID_MS);
    const validUntil = Math.floor(START + queue.now) + lasts;
    const body = requestBodySchema.encode({
      client: fromHex(this.key),
      nonce,
      validUntil,
      operations,
      rejoin: undefined,
    });
    const { number } = carriage.request;
    const signature = this.#signer.sign(signingBytes(context.topology.networkId, number, body));
    const decoded = decodeRequest({ body, signature }, context);
    if (!decoded.ok) throw new Error(`an order of ${this.name} is not valid (${decoded.code})`);
    const message = envelopeSchema.encode({ kind: number, body, signature, block: NO_BYTES });
    onRequest(decoded.value);
    this.#begin({ kind: "request", nonce, home: this.#cluster(home), message, request: decoded.value, accounts: [] });
  }

  receive(from: PublicKey, frame: Frame): void {
    for (const envelope of frame) this.#onEnvelope(from, envelope);
  }

  #rest(): void {
    const { queue, load } = this.#surroundings;
    const { pauseMs, volleys } = load;
    const at = volleys ? (Math.floor(queue.now / pauseMs) + 1) * pauseMs : queue.now + this.#draw.wait(pauseMs);
    queue.at(at, () => {
      if (this.#isActive && this.#pending === undefined) this.#next();
    });
  }

  #next(): void {
    const { load, orders, takeTicket } = this.#surroundings;
    if (this.#draw.chance(load.readings)) {
      this.#read();
      return;
    }
    if (!takeTicket()) return;
    const isShort = this.#draw.chance(load.shortLived);
    this.ask(orders.next(this.key, this.#draw), isShort ? this.#draw.integer(SHORT_LIVED_MS) : undefined);
  }

  #read(): void {
    const { context, orders } = this.#surroundings;
    const home = this.#draw.pick(context.topology.clusters);
    const accounts = orders.someAccounts(home.id, this.#draw);
    this.#begin({ kind: "reading", ...this.#question(accounts), home, request: undefined });
  }

  #question(accounts: readonly string[]): Pick<Pending, "nonce" | "message" | "accounts"> {
    const nonce = ++this.#nonce;
    const body = readSchema.encode({ nonce, accounts });
    const { number } = carriage.read;
    const message = envelopeSchema.encode({ kind: number, body, signature: NO_BYTES, block: NO_BYTES });
    return { nonce, message, accounts };
  }

  #begin(parts: Pick<Pending, "kind" | "nonce" | "home" | "message" | "request" | "accounts">): void {
    this.#pending = { ...parts, replies: new Map(), readings: new Map(), expiredAt: new Set(), attempts: 0 };
    this.#attempt(this.#pending);
  }

  #attempt(pending: Pending): void {
    const { load, send } = this.#surroundings;
    const { home, message, kind } = pending;
    if (kind === "reading" && pending.attempts >= READING_ATTEMPTS_MAX) {
      this.#end();
      return;
    }
    const asksOne = pending.attempts === 0 && (kind === "request" || home.model === "crash");
    const primary = primaryOf(home, this.#viewOf(home));
    const asked = asksOne ? home.nodes.filter(({ index }) => index === primary) : home.nodes;
    for (const { key } of asked) send(this.endpoint, key, [message]);
    const wait = Math.min(load.attemptMs * 2 ** pending.attempts, limits.timeoutMaxMs);
    pending.attempts++;
    this.#retryAfter(wait, pending);
  }

  #retryAfter(delay: number, pending: Pending): void {
    const timer = ++this.#timer;
    this.#surroundings.queue.after(delay, () => {
      if (timer === this.#timer && this.#pending === pending) this.#attempt(pending);
    });
  }

  #end(): void {
    this.#pending = undefined;
    this.#timer++;
    if (this.#isActive) this.#rest();
  }

  // ---- answers

  #onEnvelope(from: PublicKey, envelope: Uint8Array): void {
    const opened = openEnvelope(envelope);
    if (typeof opened === "string") return;
    try {
      if (opened.kind === "reply") {
        const reply = replySchema.decode(opened.body);
        this.#onReply(from, { ...reply, kind: "reply", cluster: reply.cluster as ClusterId });
      } else if (opened.kind === "read-reply") {
        const reading = readReplySchema.decode(opened.body);
        this.#onReading(from, { ...reading, kind: "read-reply", cluster: reading.cluster as ClusterId });
      }
    } catch (error) {
      // A byzantine node may say anything.
      if (!(error instanceof CodecError)) throw error;
    }
  }

  #onReply(from: PublicKey, reply: Reply): void {
    const pending = this.#pending;
    if (!this.#isFrom(from, reply)) return;
    this.#views.set(nodeKey(reply), Math.max(reply.view, this.#views.get(nodeKey(reply)) ?? 0));
    const request = pending?.request;
    if (pending === undefined || request === undefined) return;
    if (reply.cluster !== pending.home.id || toHex(reply.request) !== request.hash) return;
    if (reply.refusal !== 0) this.#onRefusal(reply, pending, request);
    else if (reply.results.length === request.operations.length) this.#onExecuted(reply, pending);
  }

  #onExecuted(reply: Reply, pending: Pending): void {
    pending.replies.set(reply.node, reply);
    const equal = [...pending.replies.values()].filter((other) => sayTheSame(other, reply));
    if (equal.length < witnessesOf(pending.home)) return;
    this.#told(reply);
    this.#surroundings.onReply(this.key, reply);
    this.#end();
  }

  /** Only one that cannot be executed any more is given up: without a word about what became of it. */
  #onRefusal(reply: Reply, pending: Pending, request: Request): void {
    const code = refusalCode(reply.refusal);
    if (code === "busy") this.#retryAfter(Math.max(1, reply.retryAfterMs), pending);
    if (code !== "expired" || request.validUntil > START + this.#surroundings.queue.now) return;
    pending.expiredAt.add(reply.node);
    if (pending.expiredAt.size >= witnessesOf(pending.home)) this.#end();
  }

  /** Of one record, and none before what this client knows of: else it asks again. */
  #onReading(from: PublicKey, reading: ReadReply): void {
    const pending = this.#pending;
    if (pending?.kind !== "reading" || !this.#isFrom(from, reading) || reading.cluster !== pending.home.id) return;
    if (reading.nonce !== pending.nonce || !answers(reading, pending.accounts)) return;
    pending.readings.set(reading.node, reading);
    const { home, readings } = pending;
    const isNew = reading.height >= (this.#heights.get(home.id) ?? 0);
    const equal = [...readings.values()].filter((other) => readTheSame(other, reading));
    if (isNew && equal.length >= witnessesOf(home)) {
      this.#told(reading);
      this.#surroundings.onRead(this.key, reading);
      this.#end();
      return;
    }
    if (readings.size <= (home.model === "crash" ? 0 : home.faults + 1)) return;
    const { attempts } = pending;
    const again = { ...pending, ...this.#question(pending.accounts), readings: new Map(), attempts };
    this.#pending = again;
    this.#retryAfter(DISAGREEMENT_PAUSE_MS, again);
  }

  #told({ cluster, height }: { readonly cluster: ClusterId; readonly height: number }): void {
    this.#heights.set(cluster, Math.max(height, this.#heights.get(cluster) ?? 0));
  }

  #isFrom(from: PublicKey, { cluster, node }: { readonly cluster: ClusterId; readonly node: number }): boolean {
    return this.#surroundings.context.members.node({ cluster, node })?.key === from;
  }

  /** The highest view that surely one correct node has reached. */
  #viewOf(home: ClusterInfo): View {
    const views = home.nodes.map(({ cluster, index }) => this.#views.get(nodeKey({ cluster, node: index })) ?? 0);
    return views.sort((a, b) => b - a)[witnessesOf(home) - 1] ?? 0;
  }

  #cluster(id: ClusterId): ClusterInfo {
    return this.#surroundings.context.members.clusterOf(id);
  }
}

function sayTheSame(a: Reply, b: Reply): boolean {
  return (
    a.height === b.height &&
    a.sequence === b.sequence &&
    Buffer.compare(a.digest, b.digest) === 0 &&
    Buffer.compare(a.results, b.results) === 0
  );
}

function readTheSame(a: ReadReply, b: ReadReply): boolean {
  return Buffer.compare(readReplySchema.encode({ ...a, node: 0 }), readReplySchema.encode({ ...b, node: 0 })) === 0;
}

function answers({ accounts }: ReadReply, asked: readonly string[]): boolean {
  return accounts.length === asked.length && accounts.every(({ account }, i) => account === asked[i]);
}
