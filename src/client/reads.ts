// Reads of accounts. In a byzantine cluster all nodes are asked, and an answer is what f + 1 of them say equally; in a
// crash cluster its primary is asked, which has everything first, and the others when it is silent or gone. No answer
// is older than a result or a balance that this client was told before, so a client reads its own writes and never goes
// back in time. A height, too, is told only if f + 1 say it: of equal balances at different heights nobody can tell
// which one is a liar's.

import { witnessesOf } from "../cluster/quorum.js";
import { CodedError } from "../types/codes.js";
import { type PublicKey, toHex } from "../types/ids.js";
import { carriage, type ReadReply } from "../types/message.js";
import { type AccountState, envelopeSchema, readSchema } from "../types/schema.js";
import type { Home } from "./home.js";
import type { Outbox } from "./outbox.js";
import type { AccountBalance } from "./outcomes.js";
import { IN_FLIGHT_MAX } from "./requests.js";
import type { Time } from "./time.js";

const DISAGREEMENT_PAUSE_MS = 50; // nodes that are at different records get so long to meet
const EMPTY = new Uint8Array(0);

export interface ReadCall {
  readonly nonce: number;
  readonly home: Home;
  /** All of this cluster, at most `limits.accountsPerReadMax`. */
  readonly accounts: readonly string[];
  readonly deadlineAt: number;
  /** Undefined: no answer by the deadline. */
  readonly onEnd: (answer: readonly AccountBalance[] | undefined) => void;
}

interface Pending extends ReadCall {
  readonly message: Uint8Array;
  /** The latest answer of each node, if it is not too old. */
  readonly answers: (ReadReply | undefined)[];
  /** No older record will do. */
  readonly height: number;
  resendAt: number;
  attempts: number;
  /** The only node that was asked last. */
  askedAlone: PublicKey | undefined;
}

export class Reads {
  readonly #outbox: Outbox;
  readonly #time: Time;
  readonly #pending = new Map<number, Pending>();

  constructor({ outbox, time }: { readonly outbox: Outbox; readonly time: Time }) {
    this.#outbox = outbox;
    this.#time = time;
  }

  get count(): number {
    return this.#pending.size;
  }

  start(call: ReadCall): void {
    if (this.#pending.size >= IN_FLIGHT_MAX) {
      throw new CodedError("busy", `${IN_FLIGHT_MAX} reads are in flight; wait for some of them to end`);
    }
    const { nonce, accounts, home } = call;
    const body = readSchema.encode({ nonce, accounts });
    const message = envelopeSchema.encode({ kind: carriage.read.number, body, signature: EMPTY, block: EMPTY });
    const now = this.#time.elapsed();
    const first = { resendAt: now, attempts: 0, askedAlone: undefined };
    const pending: Pending = { ...call, message, answers: [], height: home.height, ...first };
    this.#pending.set(nonce, pending);
    this.#send(pending, now);
  }

  /** An answer of the node it names. */
  onAnswer(answer: ReadReply): void {
    const pending = this.#pending.get(answer.nonce);
    if (pending === undefined || pending.home.info.id !== answer.cluster) return;
    if (!answersQuestion(answer, pending.accounts)) return;
    if (answer.height < pending.height) {
      this.#askAgainSoon(pending);
      return;
    }
    pending.answers[answer.node] = answer;
    const agreeing = pending.answers.filter((other) => other !== undefined && sameStates(other, answer)) as ReadReply[];
    const meeting = agreeing.filter(({ height }) => height === answer.height);
    const witnesses = witnessesOf(pending.home.info);
    if (meeting.length >= witnesses) {
      pending.home.onRead(answer.height);
      return this.#end(pending, balancesOf(answer, answer.height));
    }
    if (agreeing.length >= witnesses) {
      // Under load nodes may never be at the same record when they answer. The lowest of theirs is no lie, or too low.
      if (pending.attempts > 1) {
        pending.home.onRead(Math.min(...agreeing.map(({ height }) => height)));
        return this.#end(pending, balancesOf(answer, undefined));
      }
      this.#askAgainSoon(pending);
    }
    const count = pending.answers.filter((other) => other !== undefined).length;
    if (count > pending.home.info.faults + 1) this.#askAgainSoon(pending);
  }

  /** Whoever was asked alone and is gone is not waited for. */
  onDisconnect(peer: PublicKey): void {
    const now = this.#time.elapsed();
    for (const pending of this.#pending.values()) if (pending.askedAlone === peer) pending.resendAt = now;
  }

  tick(periodMs: number): void {
    const now = this.#time.elapsed();
    for (const pending of this.#pending.values()) {
      if (pending.deadlineAt < now + periodMs) this.#end(pending, undefined);
      else if (pending.resendAt <= now) this.#send(pending, now);
    }
  }

  close(): void {
    for (const pending of this.#pending.values()) this.#end(pending, undefined);
  }

  #send(pending: Pending, now: number): void {
    const { home, message } = pending;
    const first = pending.attempts === 0 && home.info.model === "crash" && this.#outbox.isConnected(home.primary.key);
    let handed = false;
    for (const node of first ? [home.primary] : home.info.nodes) {
      if (this.#outbox.push(node.key, message)) handed = true;
    }
    if (!handed) return; // nobody is within reach: tried again at the next tick
    pending.attempts++;
    pending.askedAlone = first ? home.primary.key : undefined;
    pending.resendAt = now + home.attemptTimeoutMs(pending.attempts);
  }

  #askAgainSoon(pending: Pending): void {
    pending.resendAt = Math.min(pending.resendAt, this.#time.elapsed() + DISAGREEMENT_PAUSE_MS);
  }

  #end({ nonce, onEnd }: Pending, answer: readonly AccountBalance[] | undefined): void {
    this.#pending.delete(nonce);
    onEnd(answer);
  }
}

function answersQuestion({ accounts }: ReadReply, asked: readonly string[]): boolean {
  return accounts.length === asked.length && accounts.every((state, i) => state.account === asked[i]);
}

/** At whatever height: an account may well be the same at both. */
function sameStates(a: ReadReply, b: ReadReply): boolean {
  return a === b || a.accounts.every((state, i) => sameState(state, b.accounts[i] as AccountState));
}

function sameState(a: AccountState, b: AccountState): boolean {
  return a.exists === b.exists && a.balance === b.balance && Buffer.compare(a.owner, b.owner) === 0;
}

function balancesOf({ cluster, accounts }: ReadReply, height: number | undefined): readonly AccountBalance[] {
  return accounts.map(({ account, exists, balance, owner }) => {
    return { account, exists, balance, owner: owner.length === 0 ? undefined : toHex(owner), cluster, height };
  });
}
