// Where requests enter a node and answers leave it (protocol 2.4, 4): queued at the primary, forwarded and watched at a
// backup, answered from the store when they were executed before. What makes a request well-formed was checked at the
// door; here is what depends on this node and the moment.

import { initiatorOf } from "../cluster/block.js";
import type { AccountValue, ExecutedBlock } from "../execution/engine.js";
import type { Batcher } from "../intra/batch.js";
import { replyKey } from "../ledger/keys.js";
import { type Request, rejoinOf, requestId } from "../types/block.js";
import { type Refusal, refusalNumber } from "../types/codes.js";
import type { Effects, Event, Reader } from "../types/effects.js";
import {
  type AccountId,
  type ClusterId,
  type Digest,
  fromHex,
  isAccountId,
  type NodeRef,
  type PublicKey,
  type View,
} from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { Reply } from "../types/message.js";
import { type AccountState, storedReplySchema } from "../types/schema.js";
import { hasShare } from "../types/share.js";
import type { Topology } from "../types/topology.js";
import type { CatchUp } from "./catchup.js";
import type { Now } from "./replica.js";
import type { ProvenState } from "./state-server.js";

export interface IntakeOptions {
  readonly topology: Topology;
  readonly self: NodeRef;
  readonly reader: Reader;
  readonly batcher: Batcher;
  readonly isPrimary: () => boolean;
  readonly view: () => View;
  readonly primary: () => NodeRef;
  readonly height: () => number;
  /** Of the last record. */
  readonly recordTime: () => number;
  readonly account: (id: AccountId) => AccountValue | undefined;
  readonly isDown: (cluster: ClusterId) => boolean;
  readonly catchUp: Pick<CatchUp, "isResting" | "archive">;
}

/** Requests of one client at a backup: those that are timed, and those that wait for that, in the order they came. */
interface Watched {
  readonly armed: Set<Digest>;
  readonly waiting: Set<Digest>;
}

type ReplyRow = ReturnType<typeof storedReplySchema.decode>;

/** What a reply needs of the request it answers. */
type Asker = Pick<Request, "client" | "nonce" | "hash">;

/** How long a refused client should wait when the queue is full: about the time to work off half of it. */
const RETRY_AFTER_MS = 250;
const NO_BYTES = new Uint8Array(0);
const NONE: readonly Digest[] = [];
const NOTHING_STABLE: ProvenState = { certificate: undefined, roots: NO_BYTES, proofs: [] };

export class Intake {
  readonly #options: IntakeOptions;
  /** At a backup: requests that clients sent here, until they are executed. */
  readonly #watched = new Map<Digest, Request>();
  readonly #watchedOf = new Map<PublicKey, Watched>();
  /** Those whose time begins to count now. */
  #armed: Digest[] = [];

  /** Requests in blocks that were under way when the view opened: whoever sends one again gets the same answer. */
  #inherited = new Set<Digest>();
  /** Replies of this turn, of which the store does not know yet. */
  readonly #fresh = new Map<string, ReplyRow>();

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** At the primary: until it is executed. At a backup: while its timer repeats it to the primary. */
  awaits(request: Request): boolean {
    const { isPrimary, batcher } = this.#options;
    return isPrimary() ? this.#inherited.has(request.hash) || batcher.has(request) : this.#watched.has(request.hash);
  }

  /** Would one more request of this client be queued or watched? */
  hasRoom(client: PublicKey): boolean {
    return this.#options.isPrimary() ? this.#options.batcher.hasRoom(client) : this.#mayWatch(client);
  }

  #mayWatch(client: PublicKey): boolean {
    const of = this.#watchedOf.get(client);
    const held = of === undefined ? 0 : of.armed.size + of.waiting.size;
    const [total, holders] = [this.#watched.size, this.#watchedOf.size];
    return hasShare({ held, total, holders, max: limits.queuedRequestsMax });
  }

  /** Of each client a few are timed; the others wait for their turn, lest a flood be taken for a slow primary. */
  #watch(request: Request): void {
    const { hash, client } = request;
    if (this.#watched.has(hash)) return;
    this.#watched.set(hash, request);
    let of = this.#watchedOf.get(client);
    if (of === undefined) {
      of = { armed: new Set(), waiting: new Set() };
      this.#watchedOf.set(client, of);
    }
    of.waiting.add(hash);
    this.#arm(of);
  }

  #unwatch({ hash, client }: Request): boolean {
    const of = this.#watchedOf.get(client);
    if (!this.#watched.delete(hash) || of === undefined) return false;
    of.armed.delete(hash);
    of.waiting.delete(hash);
    this.#arm(of);
    if (of.armed.size === 0) this.#watchedOf.delete(client);
    return true;
  }

  #arm({ armed, waiting }: Watched): void {
    for (const hash of waiting) {
      if (armed.size >= limits.armedPerClientMax) return;
      waiting.delete(hash);
      armed.add(hash);
      this.#armed.push(hash);
    }
  }

  /** Forwarded to the primary, and watched from now on: their hashes. */
  takeArmed(out: Effects): readonly Digest[] {
    if (this.#armed.length === 0) return NONE;
    const armed = this.#armed.filter((hash) => this.#watched.has(hash));
    this.#armed = [];
    for (const hash of armed) this.#forward(this.#watched.get(hash) as Request, out);
    return armed;
  }

  onRequest(now: Now, { request, forwarded }: Extract<Event, { kind: "request" }>, out: Effects): void {
    const { topology, self, batcher } = this.#options;
    const stored = this.#storedReply(request);
    if (stored !== undefined) {
      if (isReplyTo(stored, request)) this.#resend(request, stored, out);
      else this.refuse(request, "id-reused", out);
      return;
    }
    const refusal = this.#refusalOf(request, now, { topology, self });
    if (refusal !== undefined) {
      this.refuse(request, refusal, out);
      return;
    }
    if (this.#options.isPrimary()) {
      if (this.#inherited.has(request.hash)) return;
      const queued = batcher.add(request, forwarded);
      if (queued === "busy" || queued === "id-reused") this.refuse(request, queued, out);
      return;
    }
    if (this.#watched.has(request.hash)) return;
    if (!this.#mayWatch(request.client)) {
      this.refuse(request, "busy", out);
      return;
    }
    this.#watch(request);
  }

  /** Whatever a client says, past the door. */
  onClient(now: Now, event: Exclude<Event, { kind: "message" | "tick" }>, out: Effects): void {
    switch (event.kind) {
      case "request":
        return this.onRequest(now, event, out);
      case "refused":
        return this.refuse(event, event.code, out);
      case "read":
        return this.#options.catchUp.isResting ? undefined : this.onRead(event, out);
      case "prove":
        return this.#onProve(event, out);
    }
  }

  /** The watched request is still not executed: forwarded again. False: nothing to watch any more, or too late. */
  repeat(hash: Digest, now: Now, out: Effects): boolean {
    const request = this.#watched.get(hash);
    if (request === undefined) return false;
    const isUsedUp = this.#storedReply(request) !== undefined;
    if (isUsedUp || request.validUntil < now.time) {
      this.#unwatch(request);
      return false;
    }
    this.#forward(request, out);
    return true;
  }

  /** A new view is open: its primary takes in what this node watches or had queued. Returns what must be watched. */
  onView(now: Now, underWay: ReadonlySet<Digest>, out: Effects): readonly Digest[] {
    const { batcher } = this.#options;
    this.#inherited = new Set(underWay);
    if (this.#options.isPrimary()) {
      for (const request of this.#watched.values()) {
        const isTimed = this.#watchedOf.get(request.client)?.armed.has(request.hash);
        if (!underWay.has(request.hash)) batcher.add(request, isTimed);
      }
      return NONE;
    }
    for (const request of batcher.clear()) {
      if (this.#mayWatch(request.client)) this.#watch(request);
    }
    this.#armed = [];
    const armed = [...this.#watchedOf.values()].flatMap((of) => [...of.armed]);
    return armed.filter((hash) => this.repeat(hash, now, out));
  }

  /** Replies of a block with a new record. `speaks`: this node answers unasked (byzantine: all; crash: the primary). */
  answer(executed: ExecutedBlock, speaks: boolean, out: Effects): void {
    const { topology, self, batcher } = this.#options;
    const { block, height, finalSequence } = executed.ordered;
    const where = { height, sequence: finalSequence, digest: fromHex(block.digest) };
    for (const { request, results } of executed.consumed) {
      const { validUntil, hash } = request;
      this.#fresh.set(requestId(request), { request: fromHex(hash), validUntil, results, ...where });
    }
    let at = 0;
    for (const request of block.requests) {
      const results = executed.results.subarray(at, at + request.operations.length);
      at += request.operations.length;
      batcher.executed(request);
      this.#inherited.delete(request.hash);
      const isWatched = this.#unwatch(request);
      if (!isWatched && !(speaks && initiatorOf(request, topology) === self.cluster)) continue;
      // A repetition is told what the first was told.
      const stored = this.#storedReply(request);
      if (stored !== undefined && isReplyTo(stored, request)) this.#resend(request, stored, out);
      else this.#reply(request, { refusal: 0, results, ...where, retryAfterMs: 0 }, out);
    }
  }

  onRead({ read, from }: Extract<Event, { kind: "read" }>, out: Effects): void {
    const { self, height, account } = this.#options;
    const accounts = read.accounts.map((id) => stateOf(id, isAccountId(id) ? account(id) : undefined));
    const { nonce } = read;
    out.reply.push({ client: from, message: { kind: "read-reply", ...self, nonce, height: height(), accounts } });
  }

  #onProve({ prove: { nonce, accounts }, from }: Extract<Event, { kind: "prove" }>, out: Effects): void {
    if (!accounts.every(isAccountId)) {
      out.notes.push({ kind: "rejected", code: "malformed", from: undefined, message: "prove" });
      return;
    }
    const state = this.#options.catchUp.archive.prove(accounts) ?? NOTHING_STABLE;
    out.reply.push({ client: from, message: { kind: "proof", ...this.#options.self, nonce, ...state } });
  }

  #refusalOf(
    request: Request,
    now: Now,
    { topology, self }: Pick<IntakeOptions, "topology" | "self">,
  ): Refusal | undefined {
    if (initiatorOf(request, topology) !== self.cluster) return "wrong-cluster";
    if (request.validUntil < now.time) return "expired";
    if (request.validUntil > now.time + limits.requestLifetimeMs) return "valid-too-long";
    if (this.#involvesDown(request) && !this.awaits(request)) return "cluster-unavailable";
    return undefined;
  }

  /** Whoever refuses the watched request, since a cluster is down, is right. */
  isUnavailable(hash: Digest): boolean {
    const request = this.#watched.get(hash);
    return request !== undefined && this.#involvesDown(request);
  }

  #involvesDown({ clusters }: Request): boolean {
    return clusters.length > 1 && clusters.some((cluster) => this.#options.isDown(cluster));
  }

  /** Not to itself: a primary whose view is not open takes in what it watches when it opens. */
  #forward(request: Request, out: Effects): void {
    const { self, primary } = this.#options;
    const to = primary();
    if (to.node !== self.node) out.send.push({ to: [to], message: { kind: "request", request } });
  }

  /** The store knows of this turn's replies from now on. */
  endTurn(): void {
    this.#fresh.clear();
  }

  /** Of this request, or of another one that still holds its id: stores keep replies longer than they must. */
  #storedReply(request: Request): ReplyRow | undefined {
    const fresh = this.#fresh.get(requestId(request));
    if (fresh !== undefined) return fresh;
    const row = this.#options.reader.get(replyKey(request.client, request.nonce));
    const stored = row === undefined ? undefined : storedReplySchema.decode(row);
    const isPast = stored !== undefined && stored.validUntil < this.#options.recordTime();
    return isPast && !isReplyTo(stored, request) ? undefined : stored;
  }

  #resend(request: Request, { height, sequence, digest, results }: ReplyRow, out: Effects): void {
    this.#reply(request, { refusal: 0, results, height, sequence, digest, retryAfterMs: 0 }, out);
  }

  /** Not ordered, and why. */
  refuse(request: Asker, code: Refusal, out: Effects): void {
    if (isOfNode(request)) return;
    const retryAfterMs = code === "busy" ? RETRY_AFTER_MS : 0;
    const refused = { refusal: refusalNumber(code), results: NO_BYTES, height: 0, sequence: 0, digest: NO_BYTES };
    this.#reply(request, { ...refused, retryAfterMs }, out);
    out.notes.push({ kind: "rejected", code, from: undefined, message: "request" });
  }

  #reply(
    request: Asker,
    answer: Pick<Reply, "refusal" | "results" | "height" | "sequence" | "digest" | "retryAfterMs">,
    out: Effects,
  ): void {
    const { self, view } = this.#options;
    // Nodes see in the log what became of what they asked for.
    if (isOfNode(request)) return;
    const { nonce, hash, client } = request;
    const message: Reply = { kind: "reply", ...self, nonce, request: fromHex(hash), view: view(), ...answer };
    out.reply.push({ client, message });
  }
}

function isOfNode(request: Asker & { readonly operations?: Request["operations"] }): boolean {
  return request.operations !== undefined && rejoinOf({ operations: request.operations }) !== undefined;
}

function isReplyTo({ request }: ReplyRow, { hash }: Request): boolean {
  return Buffer.compare(request, fromHex(hash)) === 0;
}

function stateOf(account: string, value: AccountValue | undefined): AccountState {
  if (value === undefined) return { account, exists: false, balance: 0n, owner: NO_BYTES };
  const owner = value.owner === undefined ? NO_BYTES : fromHex(value.owner);
  return { account, exists: true, balance: value.balance, owner };
}
