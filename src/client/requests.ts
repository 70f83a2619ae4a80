// Requests that have no ending yet. Each is sent to its cluster's primary; without an answer in time, the same bytes go
// to every node of the cluster, again and again with growing pauses (protocol 2.4), until its answers prove an ending
// or its deadline comes. One call of `tick` for all of them replaces timers of their own.

import { type Request, requestId } from "../types/block.js";
import { CodedError, type ResultCode } from "../types/codes.js";
import { type NodeIndex, type PublicKey, type Sequence, toHex } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { WireReply } from "../types/schema.js";
import { Answers } from "./answers.js";
import type { Home } from "./home.js";
import type { Outbox } from "./outbox.js";
import {
  explainCode,
  type Outcome,
  type RecordPosition,
  type Rejected,
  type RejectionCode,
  type ResolveOptions,
  type Unknown,
} from "./outcomes.js";
import { requestMessage, sentRequest } from "./request.js";
import type { Time } from "./time.js";

/** Calls in flight of one client: over it a caller does not wait for endings, and memory would grow without end. */
export const IN_FLIGHT_MAX = 65_536;

const BUSY_PAUSE_MS = 100; // when a busy primary does not say how long
const BUSY_PATIENCE = 3; // so often a byzantine primary may say it is busy before the others are asked

export interface RequestCall {
  readonly request: Request;
  readonly home: Home;
  /** On the clock of `Time.elapsed`. */
  readonly deadlineAt: number;
  /** It was sent before, and its outcome is unknown. */
  readonly sentBefore: boolean;
  readonly onEnd: (outcome: Outcome) => void;
}

type Audience = "primary" | "all";

interface Pending {
  readonly request: Request;
  readonly home: Home;
  readonly message: Uint8Array;
  readonly hash: Uint8Array;
  readonly answers: Answers;
  readonly startedAt: number;
  readonly sentBefore: boolean;
  /** One, unless it is resolved by several calls at once: they end together, by the earliest deadline. */
  readonly onEnd: ((outcome: Outcome) => void)[];
  deadlineAt: number;
  resendAt: number;
  /** Times it was sent since a node last said that it is busy. */
  attempts: number;
  busyAnswers: number;
  /** Whom it was last sent to, and whom to send it to next. */
  asked: Audience | undefined;
  next: Audience;
  /** The only node that it was last sent to. */
  askedAlone: PublicKey | undefined;
}

export interface RequestsOptions {
  readonly outbox: Outbox;
  readonly time: Time;
  readonly resolve: (bytes: Uint8Array, options?: ResolveOptions) => Promise<Outcome>;
}

export class Requests {
  readonly #outbox: Outbox;
  readonly #time: Time;
  readonly #resolve: RequestsOptions["resolve"];
  readonly #pending = new Map<number, Pending>();

  constructor({ outbox, time, resolve }: RequestsOptions) {
    this.#outbox = outbox;
    this.#time = time;
    this.#resolve = resolve;
  }

  get count(): number {
    return this.#pending.size;
  }

  start({ request, home, deadlineAt, sentBefore, onEnd }: RequestCall): void {
    const same = this.#pending.get(request.nonce);
    if (same !== undefined) {
      same.onEnd.push(onEnd);
      same.deadlineAt = Math.min(same.deadlineAt, deadlineAt);
      return;
    }
    if (this.#pending.size >= IN_FLIGHT_MAX) {
      throw new CodedError("busy", `${IN_FLIGHT_MAX} requests are in flight; wait for some of them to end`);
    }
    const now = this.#time.elapsed();
    const pending: Pending = {
      request,
      home,
      message: requestMessage(request),
      hash: Buffer.from(request.hash, "hex"),
      answers: new Answers({ cluster: home.info, operations: request.operations.length, sentBefore }),
      startedAt: now,
      sentBefore,
      onEnd: [onEnd],
      deadlineAt,
      resendAt: now,
      attempts: 0,
      busyAnswers: 0,
      asked: undefined,
      next: sentBefore ? "all" : "primary",
      askedAlone: undefined,
    };
    this.#pending.set(request.nonce, pending);
    this.#send(pending, now);
  }

  /** A reply of the node it names. Late ones and those to other requests find nothing here. */
  onReply(reply: WireReply): void {
    const pending = this.#pending.get(reply.nonce);
    if (pending === undefined || pending.home.info.id !== reply.cluster) return;
    if (Buffer.compare(reply.request, pending.hash) !== 0) return;
    const verdict = pending.answers.onReply(reply);
    switch (verdict.kind) {
      case "waiting":
        return;
      case "executed":
        this.#onExecuted(pending, verdict.reply, verdict.results);
        return;
      case "refused":
        this.#end(pending, this.#rejected(pending, verdict.code));
        return;
      case "busy":
        this.#onBusy(pending, reply.node, verdict.retryAfterMs);
        return;
      case "doubted":
        // The other nodes are asked at once; if they were, their answers are on the way.
        if (pending.asked === "primary") this.#send(pending, this.#time.elapsed());
        return;
    }
  }

  /** A node that is gone will not answer: who was asked alone is not waited for. */
  onDisconnect(peer: PublicKey): void {
    const now = this.#time.elapsed();
    for (const pending of this.#pending.values()) if (pending.askedAlone === peer) pending.resendAt = now;
  }

  /** Sends again what is due, and ends what would be past its deadline at the next call, `periodMs` later. */
  tick(periodMs: number): void {
    const now = this.#time.elapsed();
    for (const pending of this.#pending.values()) {
      if (pending.startedAt >= now) break; // in the order of their starts: the rest are made by endings of this tick
      if (pending.deadlineAt < now + periodMs) this.#giveUp(pending);
      else if (pending.resendAt <= now) this.#send(pending, now);
    }
  }

  /** Ends everything, as at a deadline. */
  close(): void {
    for (const pending of this.#pending.values()) this.#giveUp(pending);
  }

  #send(pending: Pending, now: number): void {
    const { home, message, answers } = pending;
    const primaryOnly = pending.next === "primary" && this.#outbox.isConnected(home.primary.key);
    let handed = false;
    for (const node of primaryOnly ? [home.primary] : home.info.nodes) {
      if (!this.#outbox.push(node.key, message)) continue;
      answers.onHanded(node.index);
      handed = true;
    }
    if (!handed) return; // nobody is within reach: tried again at the next tick
    pending.attempts++;
    pending.asked = primaryOnly ? "primary" : "all";
    pending.askedAlone = primaryOnly ? home.primary.key : undefined;
    pending.next = "all";
    pending.resendAt = now + home.attemptTimeoutMs(pending.attempts);
  }

  #onExecuted(pending: Pending, reply: WireReply, results: readonly ResultCode[]): void {
    const { request, home, startedAt } = pending;
    const latencyMs = this.#time.elapsed() - startedAt;
    home.onExecuted({ height: reply.height, latencyMs });
    const record: RecordPosition = {
      cluster: home.info.id,
      height: reply.height,
      sequence: reply.sequence as Sequence,
      digest: toHex(reply.digest),
    };
    const code = results.length === 1 ? (results[0] as ResultCode) : "ok";
    if (code === "ok")
      this.#end(pending, { outcome: "committed", id: requestId(request), results, ...record, latencyMs });
    else this.#end(pending, this.#rejected(pending, code as RejectionCode, record));
  }

  /** "Busy" is an answer: the primary is alive, so it is asked again after the pause it asks for, and nobody else. */
  #onBusy(pending: Pending, node: NodeIndex, retryAfterMs: number): void {
    const { home } = pending;
    if (node !== home.primary.index) return;
    pending.busyAnswers++;
    pending.attempts = 0;
    pending.next = home.info.model === "byzantine" && pending.busyAnswers >= BUSY_PATIENCE ? "all" : "primary";
    const pauseMs = retryAfterMs === 0 ? BUSY_PAUSE_MS : Math.min(retryAfterMs, limits.timeoutMaxMs);
    // Up to half as long again, lest all who were refused together come back together.
    pending.resendAt = this.#time.elapsed() + pauseMs * (1 + this.#time.chance() / 2);
  }

  #giveUp(pending: Pending): void {
    const refusal = pending.answers.settle();
    if (refusal !== undefined) this.#end(pending, this.#rejected(pending, refusal));
    else if (pending.asked === undefined && !pending.sentBefore)
      this.#end(pending, this.#rejected(pending, "unavailable"));
    else this.#end(pending, this.#unknown(pending));
  }

  #rejected({ request, home, startedAt }: Pending, code: RejectionCode, record?: RecordPosition): Rejected {
    return {
      outcome: "rejected",
      code,
      message: explainCode(code),
      cluster: home.info.id,
      record,
      request: sentRequest(request),
      latencyMs: this.#time.elapsed() - startedAt,
    };
  }

  #unknown({ request, home, answers, startedAt }: Pending): Unknown {
    const sent = sentRequest(request);
    return {
      outcome: "unknown",
      cluster: home.info.id,
      request: sent,
      lastRefusal: answers.lastRefusal,
      latencyMs: this.#time.elapsed() - startedAt,
      resolve: (options) => this.#resolve(sent.bytes, options),
    };
  }

  #end({ request, onEnd }: Pending, outcome: Outcome): void {
    this.#pending.delete(request.nonce);
    for (const end of onEnd) end(outcome);
  }
}
