// Reads of accounts. In a byzantine cluster all nodes are asked, and an answer is what f + 1 of them say equally; in a
// crash cluster its primary is asked, which has everything first, and the others when it is silent or gone. No answer
// is older than a result or a balance that this client was told before, so a client reads its own writes and never goes
// back in time. A height, too, is told only if f + 1 say it: of equal balances at different heights nobody can tell
// which one is a liar's.

import { witnessesOf } from "../cluster/quorum.js";
import { type PublicKey, toHex } from "../types/ids.js";
import { carriage, type ReadReply } from "../types/message.js";
import { type AccountState, readSchema } from "../types/schema.js";
import type { Outbox } from "./outbox.js";
import type { AccountBalance } from "./outcomes.js";
import { type Call, type Question, Questions } from "./questions.js";
import type { Time } from "./time.js";

export interface ReadCall extends Call {
  /** All of this cluster, at most `limits.accountsPerReadMax`. */
  readonly accounts: readonly string[];
  /** Undefined: no answer by the deadline. */
  readonly onEnd: (answer: readonly AccountBalance[] | undefined) => void;
}

interface Pending extends ReadCall, Question {
  /** The latest answer of each node, if it is not too old. */
  readonly answers: (ReadReply | undefined)[];
  /** No older record will do. */
  readonly height: number;
}

export class Reads {
  readonly #questions: Questions<Pending>;

  constructor(parts: { readonly outbox: Outbox; readonly time: Time }) {
    const onUnanswered = (pending: Pending) => this.#end(pending, undefined);
    this.#questions = new Questions({ ...parts, what: "reads", onUnanswered });
  }

  get count(): number {
    return this.#questions.count;
  }

  start(call: ReadCall): void {
    this.#questions.refuseTooMany();
    const { nonce, accounts, home } = call;
    const question = this.#questions.question(carriage.read.number, readSchema.encode({ nonce, accounts }));
    this.#questions.begin({ ...call, ...question, answers: [], height: home.height });
  }

  /** An answer of the node it names. */
  onAnswer(answer: ReadReply): void {
    const pending = this.#questions.get(answer.nonce);
    if (pending === undefined || pending.home.info.id !== answer.cluster) return;
    if (!answersQuestion(answer, pending.accounts)) return;
    if (answer.height < pending.height) {
      this.#questions.askAgainSoon(pending);
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
      this.#questions.askAgainSoon(pending);
    }
    const count = pending.answers.filter((other) => other !== undefined).length;
    if (count > pending.home.info.faults + 1) this.#questions.askAgainSoon(pending);
  }

  onDisconnect(peer: PublicKey): void {
    this.#questions.onDisconnect(peer);
  }

  tick(periodMs: number): void {
    this.#questions.tick(periodMs);
  }

  close(): void {
    this.#questions.close();
  }

  #end(pending: Pending, answer: readonly AccountBalance[] | undefined): void {
    this.#questions.end(pending);
    pending.onEnd(answer);
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
