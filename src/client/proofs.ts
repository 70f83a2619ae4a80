// Balances with proof, as of a stable checkpoint of the cluster that owns the accounts. A proof stands by itself, so
// what a single node shows is true; it may only be old. Of f + 1 answers of a byzantine cluster the newest counts: it
// is as new as some correct node had it, and none is older than what this client was shown before.

import type { CertificateContext } from "../cluster/certificate.js";
import { witnessesOf } from "../cluster/quorum.js";
import { balanceProofOf, checkBalanceProof, type ProvenBalance } from "../execution/proof.js";
import type { ClusterId, NodeIndex, PublicKey } from "../types/ids.js";
import { carriage, type Proof } from "../types/message.js";
import { balanceProofSchema, proveSchema } from "../types/schema.js";
import type { Outbox } from "./outbox.js";
import type { ProvenAccount } from "./outcomes.js";
import { type Call, type Question, Questions } from "./questions.js";
import type { Time } from "./time.js";

export interface ProofCall extends Call {
  /** All of this cluster, at most `limits.accountsPerProofMax`. */
  readonly accounts: readonly string[];
  /** "no-checkpoint": all nodes but f say so; "unavailable": too few answers by the deadline. */
  readonly onEnd: (answer: readonly ProvenAccount[] | "no-checkpoint" | "unavailable") => void;
}

interface Pending extends ProofCall, Question {
  /** Nodes that have shown proofs, and what the newest of them were. */
  readonly shown: Set<NodeIndex>;
  best: readonly ProvenAccount[];
  /** Nodes for which nothing is stable. */
  readonly without: Set<NodeIndex>;
}

export class Proofs {
  readonly #context: CertificateContext;
  readonly #questions: Questions<Pending>;
  /** The highest checkpoint of each cluster that this client was shown. */
  readonly #heights = new Map<ClusterId, number>();

  constructor(parts: { readonly outbox: Outbox; readonly time: Time; readonly context: CertificateContext }) {
    const onUnanswered = (pending: Pending) => this.#end(pending, "unavailable");
    this.#questions = new Questions({ ...parts, what: "proofs", onUnanswered });
    this.#context = parts.context;
  }

  get count(): number {
    return this.#questions.count;
  }

  start(call: ProofCall): void {
    this.#questions.refuseTooMany();
    const { nonce, accounts } = call;
    const question = this.#questions.question(carriage.prove.number, proveSchema.encode({ nonce, accounts }));
    this.#questions.begin({ ...call, ...question, shown: new Set(), without: new Set(), best: [] });
  }

  /** An answer of the node it names. What proves nothing is no answer. */
  onAnswer(answer: Proof): void {
    const pending = this.#questions.get(answer.nonce);
    if (pending === undefined || pending.home.info.id !== answer.cluster) return;
    const { info } = pending.home;
    if (answer.certificate === undefined) {
      pending.without.add(answer.node);
      if (pending.without.size >= info.nodes.length - info.faults) this.#end(pending, "no-checkpoint");
      else this.#questions.askAgainSoon(pending);
      return;
    }
    const proven = this.#provenBy(answer, pending);
    const height = proven?.[0]?.height ?? -1;
    if (proven === undefined || height < (this.#heights.get(info.id) ?? 0))
      return this.#questions.askAgainSoon(pending);
    pending.without.delete(answer.node);
    pending.shown.add(answer.node);
    if (height > (pending.best[0]?.height ?? -1)) pending.best = proven;
    if (pending.shown.size < witnessesOf(info)) return;
    this.#heights.set(info.id, Math.max(this.#heights.get(info.id) ?? 0, pending.best[0]?.height ?? 0));
    this.#end(pending, pending.best);
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

  #provenBy(answer: Proof, { accounts }: Pending): readonly ProvenAccount[] | undefined {
    if (answer.proofs.length !== accounts.length) return undefined;
    const shown: ProvenAccount[] = [];
    for (const [i, account] of accounts.entries()) {
      const proof = balanceProofOf(account, i, answer);
      const proven = checkBalanceProof(proof, this.#context);
      if (typeof proven === "string") return undefined;
      shown.push(provenAccountOf(proven, balanceProofSchema.encode(proof)));
    }
    return shown;
  }

  #end(pending: Pending, answer: Parameters<ProofCall["onEnd"]>[0]): void {
    this.#questions.end(pending);
    pending.onEnd(answer);
  }
}

/** What a proof shows, in the words of the SDK. */
export function provenAccountOf({ account, value, checkpoint }: ProvenBalance, proof: Uint8Array): ProvenAccount {
  const { cluster, height, finalSequence: sequence } = checkpoint;
  const { balance = 0n, owner } = value ?? {};
  return { account, exists: value !== undefined, balance, owner, cluster, height, sequence, proof };
}
