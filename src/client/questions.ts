// Unsigned questions of a client under way: reads and proofs. Asked first is the primary of a crash cluster alone,
// which has everything first; when it is silent or gone, and in a byzantine cluster at once, all nodes are. What an
// answer is worth, and which one ends a question, is for those who ask.

import { CodedError } from "../types/codes.js";
import type { PublicKey } from "../types/ids.js";
import { envelopeSchema } from "../types/schema.js";
import type { Home } from "./home.js";
import type { Outbox } from "./outbox.js";
import { IN_FLIGHT_MAX } from "./requests.js";
import type { Time } from "./time.js";

const AGAIN_PAUSE_MS = 50; // a node that is asked again gets so long to come further
const EMPTY = new Uint8Array(0);

/** What is asked of the cluster that owns the accounts. */
export interface Call {
  readonly nonce: number;
  readonly home: Home;
  readonly deadlineAt: number;
}

export interface Question {
  readonly message: Uint8Array;
  resendAt: number;
  attempts: number;
  /** The only node that was asked last. */
  askedAlone: PublicKey | undefined;
}

export interface QuestionsOptions<Pending> {
  readonly outbox: Outbox;
  readonly time: Time;
  /** In words, more than one of them. */
  readonly what: string;
  /** No answer by the deadline, or the client closes. */
  readonly onUnanswered: (pending: Pending) => void;
}

export class Questions<Pending extends Call & Question> {
  readonly #options: QuestionsOptions<Pending>;
  readonly #pending = new Map<number, Pending>();

  constructor(options: QuestionsOptions<Pending>) {
    this.#options = options;
  }

  get count(): number {
    return this.#pending.size;
  }

  get(nonce: number): Pending | undefined {
    return this.#pending.get(nonce);
  }

  /** Throws CodedError "busy". */
  refuseTooMany(): void {
    if (this.#pending.size < IN_FLIGHT_MAX) return;
    throw new CodedError("busy", `${IN_FLIGHT_MAX} ${this.#options.what} are in flight; wait for some of them to end`);
  }

  /** The part of a new question that is kept here. */
  question(kind: number, body: Uint8Array): Question {
    const message = envelopeSchema.encode({ kind, body, signature: EMPTY, block: EMPTY });
    return { message, resendAt: this.#options.time.elapsed(), attempts: 0, askedAlone: undefined };
  }

  begin(pending: Pending): void {
    this.#pending.set(pending.nonce, pending);
    this.#send(pending, this.#options.time.elapsed());
  }

  end({ nonce }: Pending): void {
    this.#pending.delete(nonce);
  }

  askAgainSoon(pending: Pending): void {
    pending.resendAt = Math.min(pending.resendAt, this.#options.time.elapsed() + AGAIN_PAUSE_MS);
  }

  /** Whoever was asked alone and is gone is not waited for. */
  onDisconnect(peer: PublicKey): void {
    const now = this.#options.time.elapsed();
    for (const pending of this.#pending.values()) if (pending.askedAlone === peer) pending.resendAt = now;
  }

  tick(periodMs: number): void {
    const now = this.#options.time.elapsed();
    for (const pending of this.#pending.values()) {
      if (pending.deadlineAt < now + periodMs) this.#options.onUnanswered(pending);
      else if (pending.resendAt <= now) this.#send(pending, now);
    }
  }

  close(): void {
    for (const pending of this.#pending.values()) this.#options.onUnanswered(pending);
  }

  #send(pending: Pending, now: number): void {
    const { home, message } = pending;
    const { outbox } = this.#options;
    const first = pending.attempts === 0 && home.info.model === "crash" && outbox.isConnected(home.primary.key);
    let handed = false;
    for (const node of first ? [home.primary] : home.info.nodes) {
      if (outbox.push(node.key, message)) handed = true;
    }
    if (!handed) return; // nobody is within reach: tried again at the next tick
    pending.attempts++;
    pending.askedAlone = first ? home.primary.key : undefined;
    pending.resendAt = now + home.attemptTimeoutMs(pending.attempts);
  }
}
