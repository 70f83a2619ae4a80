// Counts the answers to one request (protocol 2.2): which ending do they prove? Results need as many equal replies of
// different nodes as make one surely correct: f + 1 in a byzantine cluster, one in a crash cluster. A refusal is only
// what one node decided at one time, so more is asked of it: refusals that follow from the bytes alone stand when so
// many agree; the others (expired, of which f + 1 must agree in either model, busy, ...) only when no correct node is
// left that may hold a copy and have it ordered.

import { witnessesOf } from "../cluster/quorum.js";
import { type Refusal, type ResultCode, refusalCode, resultCode } from "../types/codes.js";
import type { NodeIndex } from "../types/ids.js";
import type { WireReply } from "../types/schema.js";
import type { ClusterInfo } from "../types/topology.js";

export type Verdict =
  | { readonly kind: "waiting" }
  | { readonly kind: "executed"; readonly reply: WireReply; readonly results: readonly ResultCode[] }
  | { readonly kind: "refused"; readonly code: RefusalCode }
  | { readonly kind: "busy"; readonly retryAfterMs: number }
  /** Refused by too few to believe it: others should be asked. */
  | { readonly kind: "doubted" };

export type RefusalCode = Exclude<Refusal, "executed">;

/** Refusals that depend on the request's bytes and the topology alone: no correct node will ever order it. */
const standing: ReadonlySet<Refusal> = new Set<Refusal>([
  "malformed",
  "bad-signature",
  "unknown-client",
  "zero-amount",
  "amount-overflow",
  "unbalanced",
  "repeated-account",
  "bad-account",
  "mixed-clusters",
  "wrong-cluster",
]);

/** Refusals that say nothing of the request, but of the moment. */
const PASSING: ReadonlySet<Refusal> = new Set<Refusal>(["busy", "cluster-unavailable"]);

const waiting: Verdict = { kind: "waiting" };
const doubted: Verdict = { kind: "doubted" };

export interface AnswersOptions {
  readonly cluster: ClusterInfo;
  /** Operations of the request: an executed one has as many results. */
  readonly operations: number;
  /** Copies were sent before these answers were counted, to whom is not known. */
  readonly sentBefore: boolean;
}

export class Answers {
  readonly #options: AnswersOptions;
  /** The latest answer of each node. */
  readonly #replies: (WireReply | undefined)[] = [];
  /** Copies that each node was handed and has not refused. */
  readonly #held: number[] = [];
  #lastRefusal: RefusalCode | undefined;

  constructor(options: AnswersOptions) {
    this.#options = options;
  }

  get lastRefusal(): RefusalCode | undefined {
    return this.#lastRefusal;
  }

  onHanded(node: NodeIndex): void {
    this.#held[node] = (this.#held[node] ?? 0) + 1;
  }

  /** The reply is that of the node it names, to this very request. */
  onReply(reply: WireReply): Verdict {
    return reply.refusal === 0 ? this.#onExecuted(reply) : this.#onRefused(reply);
  }

  /** No more answers will be waited for: does a refusal stand after all? */
  settle(): RefusalCode | undefined {
    const code = this.#lastRefusal;
    return code !== undefined && this.#isFinal(code) ? code : undefined;
  }

  #onExecuted(reply: WireReply): Verdict {
    const results = decodeResults(reply, this.#options.operations);
    if (results === undefined) return waiting;
    this.#replies[reply.node] = reply;
    if (this.#countEqual(reply) < witnessesOf(this.#options.cluster)) return waiting;
    return { kind: "executed", reply, results };
  }

  #onRefused(reply: WireReply): Verdict {
    const code = refusalCode(reply.refusal);
    const held = this.#held[reply.node] ?? 0;
    if (code === undefined || code === "executed" || held === 0) return waiting;
    this.#held[reply.node] = held - 1;
    this.#lastRefusal = code;
    // A node that has executed it may have forgotten that by the time of a later copy: its first answer stays.
    if (this.#replies[reply.node]?.refusal !== 0) this.#replies[reply.node] = reply;
    if (code === "busy") return { kind: "busy", retryAfterMs: reply.retryAfterMs };
    if (this.#isFinal(code)) return { kind: "refused", code };
    return this.#isBelieved(code) ? waiting : doubted;
  }

  #isFinal(code: RefusalCode): boolean {
    const { cluster, sentBefore } = this.#options;
    if (!this.#isBelieved(code)) return false;
    if (standing.has(code)) return true;
    // A faulty primary that holds a copy may have it ordered, whatever it and others answer: what only the moment
    // speaks against is then not sure to be over. That its time has passed is, for every correct node goes by that.
    if (cluster.model === "byzantine" && PASSING.has(code)) return false;
    const silentMax = cluster.model === "byzantine" ? cluster.faults : 0;
    return !sentBefore && this.#held.filter((copies) => copies > 0).length <= silentMax;
  }

  /** Also a node that does not lie may have a wrong clock, so nobody is believed alone that time is over. */
  #isBelieved(code: RefusalCode): boolean {
    const { cluster } = this.#options;
    return this.#countRefused(code) >= (code === "expired" ? cluster.faults + 1 : witnessesOf(cluster));
  }

  #countEqual(reply: WireReply): number {
    let count = 0;
    for (const other of this.#replies) if (other !== undefined && sameExecution(other, reply)) count++;
    return count;
  }

  #countRefused(code: RefusalCode): number {
    let count = 0;
    for (const reply of this.#replies) if (reply !== undefined && refusalCode(reply.refusal) === code) count++;
    return count;
  }
}

/** Undefined if they cannot be the results of such a request. */
function decodeResults({ results }: WireReply, operations: number): readonly ResultCode[] | undefined {
  if (results.length !== operations) return undefined;
  const codes: ResultCode[] = [];
  for (const number of results) {
    const code = resultCode(number);
    if (code === undefined || code === "foreign") return undefined;
    codes.push(code);
  }
  return codes;
}

/** Everything but who says it, and in which view. */
function sameExecution(a: WireReply, b: WireReply): boolean {
  if (a === b) return true;
  return (
    a.refusal === b.refusal &&
    a.height === b.height &&
    a.sequence === b.sequence &&
    Buffer.compare(a.digest, b.digest) === 0 &&
    Buffer.compare(a.results, b.results) === 0
  );
}
