// Balances with proof, as of a stable checkpoint of the cluster that owns the accounts. A proof stands by itself, so
// what a single node shows is true; it may only be old. Of f + 1 answers of a byzantine cluster the newest counts: it
// is as new as some correct node had it, and none is older than what this client was shown before.

import type { CertificateContext } from "../cluster/certificate.js";
import { witnessesOf } from "../cluster/quorum.js";
import { balanceProofOf, checkBalanceProof, type ProvenBalance } from "../execution/proof.js";
import { CodedError } from "../types/codes.js";
import type { ClusterId, NodeIndex, PublicKey } from "../types/ids.js";
import { carriage, type Proof } from "../types/message.js";
import { balanceProofSchema, envelopeSchema, proveSchema } from "../types/schema.js";
import type { Home } from "./home.js";
import type { Outbox } from "./outbox.js";
import type { ProvenAccount } from "./outcomes.js";
import { IN_FLIGHT_MAX } from "./requests.js";
import type { Time } from "./time.js";

const AGAIN_PAUSE_MS = 50; // a node that is asked again gets so long to come further
const EMPTY = new Uint8Array(0);

export interface ProofCall {
  readonly nonce: number;
  readonly home: Home;
  /** All of this cluster, at most `limits.accountsPerProofMax`. */
  readonly accounts: readonly string[];
  readonly deadlineAt: number;
  /** "no-checkpoint": all nodes but f say so; "unavailable": too few answers by the deadline. */
  readonly onEnd: (answer: readonly ProvenAccount[] | "no-checkpoint" | "unavailable") => void;
}

interface Pending extends ProofCall {
  readonly message: Uint8Array;
  /** Nodes that have shown proofs, and what the newest of them were. */
  readonly shown: Set<NodeIndex>;
  best: readonly ProvenAccount[];
  /** Nodes for which nothing is stable. */
  readonly without: Set<NodeIndex>;
  resendAt: number;
  attempts: number;
  /** The only node that was asked last. */
  askedAlone: PublicKey | undefined;
}

export class Proofs {
  readonly #outbox: Outbox;
  readonly #time: Time;
  readonly #context: CertificateContext;
  readonly #pending = new Map<number, Pending>();
  /** The highest checkpoint of each cluster that this client was shown. */
  readonly #heights = new Map<ClusterId, number>();

  constructor(parts: { readonly outbox: Outbox; readonly time: Time; readonly context: CertificateContext }) {
    this.#outbox = parts.outbox;
    this.#time = parts.time;
    this.#context = parts.context;
  }

  get count(): number {
    return this.#pending.size;
  }

  start(call: ProofCall): void {
    if (this.#pending.size >= IN_FLIGHT_MAX) {
      throw new CodedError("busy", `${IN_FLIGHT_MAX} proofs are in flight; wait for some of them to end`);
    }
    const { nonce, accounts } = call;
    const body = proveSchema.encode({ nonce, accounts });
    const message = envelopeSchema.encode({ kind: carriage.prove.number, body, signature: EMPTY, block: EMPTY });
    const now = this.#time.elapsed();
    const fresh = { shown: new Set<NodeIndex>(), without: new Set<NodeIndex>(), best: [], attempts: 0 };
    const pending: Pending = { ...call, ...fresh, message, resendAt: now, askedAlone: undefined };
    this.#pending.set(nonce, pending);
    this.#send(pending, now);
  }

  /** An answer of the node it names. What proves nothing is no answer. */
  onAnswer(answer: Proof): void {
    const pending = this.#pending.get(answer.nonce);
    if (pending === undefined || pending.home.info.id !== answer.cluster) return;
    const { info } = pending.home;
    if (answer.certificate === undefined) {
      pending.without.add(answer.node);
      if (pending.without.size >= info.nodes.length - info.faults) this.#end(pending, "no-checkpoint");
      else this.#askAgainSoon(pending);
      return;
    }
    const proven = this.#provenBy(answer, pending);
    const height = proven?.[0]?.height ?? -1;
    if (proven === undefined || height < (this.#heights.get(info.id) ?? 0)) return this.#askAgainSoon(pending);
    pending.without.delete(answer.node);
    pending.shown.add(answer.node);
    if (height > (pending.best[0]?.height ?? -1)) pending.best = proven;
    if (pending.shown.size < witnessesOf(info)) return;
    this.#heights.set(info.id, Math.max(this.#heights.get(info.id) ?? 0, pending.best[0]?.height ?? 0));
    this.#end(pending, pending.best);
  }

  /** Whoever was asked alone and is gone is not waited for. */
  onDisconnect(peer: PublicKey): void {
    const now = this.#time.elapsed();
    for (const pending of this.#pending.values()) if (pending.askedAlone === peer) pending.resendAt = now;
  }

  tick(periodMs: number): void {
    const now = this.#time.elapsed();
    for (const pending of this.#pending.values()) {
      if (pending.deadlineAt < now + periodMs) this.#end(pending, "unavailable");
      else if (pending.resendAt <= now) this.#send(pending, now);
    }
  }

  close(): void {
    for (const pending of this.#pending.values()) this.#end(pending, "unavailable");
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
    pending.resendAt = Math.min(pending.resendAt, this.#time.elapsed() + AGAIN_PAUSE_MS);
  }

  #end({ nonce, onEnd }: Pending, answer: Parameters<ProofCall["onEnd"]>[0]): void {
    this.#pending.delete(nonce);
    onEnd(answer);
  }
}

/** What a proof shows, in the words of the SDK. */
export function provenAccountOf({ account, value, checkpoint }: ProvenBalance, proof: Uint8Array): ProvenAccount {
  const { cluster, height, finalSequence: sequence } = checkpoint;
  const { balance = 0n, owner } = value ?? {};
  return { account, exists: value !== undefined, balance, owner, cluster, height, sequence, proof };
}
