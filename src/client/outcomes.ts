// How calls of the SDK end. Three endings of a request, never a fourth, and never an exception because of the network:
// it is recorded in a ledger, it is refused, or the client cannot tell yet and holds what it needs to find out.

import type { Refusal, ResultCode } from "../types/codes.js";
import type { ClusterId, Digest, PublicKey, Sequence } from "../types/ids.js";

/** A request as it was signed. Sending these bytes again is harmless, whoever does it: it is executed at most once. */
export interface SentRequest {
  /** "client key:nonce". */
  readonly id: string;
  /** Milliseconds since 1970: the last moment at which it can be executed. */
  readonly validUntil: number;
  /** Body and signature, to be kept in a file and given to `Client.resolve`, in this process or a later one. */
  readonly bytes: Uint8Array;
}

/** Where the ledger of a cluster holds the request. */
export interface RecordPosition {
  readonly cluster: ClusterId;
  /** Of the record, in the view of `cluster`. */
  readonly height: number;
  /** The final sequence of its block: larger is later, in the whole network. */
  readonly sequence: Sequence;
  /** Of its block, 64 hex digits. */
  readonly digest: Digest;
}

/** Executed and recorded; operations may have failed one by one, which their results say. */
export interface Committed extends RecordPosition {
  readonly outcome: "committed";
  /** Of the request: "client key:nonce". */
  readonly id: string;
  /** One code for each operation, in their order; "ok" for those that were applied. */
  readonly results: readonly ResultCode[];
  readonly latencyMs: number;
}

/**
 * "unavailable": no node was within reach, so the request never left this process. Result codes appear here for
 * requests of one operation, which then is recorded as failed; all others were not ordered.
 */
export type RejectionCode = Exclude<ResultCode, "ok" | "foreign"> | Exclude<Refusal, "executed"> | "unavailable";

/**
 * Nothing was changed. To try again after a refusal (`record` is absent) prefer `Client.resolve` with this very request
 * over a new one: a byzantine node that holds the signed bytes may still get them ordered until `validUntil`, and the
 * same bytes are never executed twice.
 */
export interface Rejected {
  readonly outcome: "rejected";
  readonly code: RejectionCode;
  /** The code in words. */
  readonly message: string;
  /** The cluster that answered, or was asked. */
  readonly cluster: ClusterId;
  /** Present if execution failed: the request is in the ledger with that result. */
  readonly record: RecordPosition | undefined;
  readonly request: SentRequest;
  readonly latencyMs: number;
}

/** The deadline passed without enough answers: it was, will be, or never will be executed. */
export interface Unknown {
  readonly outcome: "unknown";
  readonly cluster: ClusterId;
  readonly request: SentRequest;
  /** What the last node that refused it said, as a hint; other nodes may have accepted it. */
  readonly lastRefusal: Refusal | undefined;
  readonly latencyMs: number;
  /** As `Client.resolve(request)`. */
  resolve(options?: ResolveOptions): Promise<Outcome>;
}

export type Outcome = Committed | Rejected | Unknown;

export interface ResolveOptions {
  /** Default: until 30 s after the request's validUntil, and at least 10,000. */
  readonly deadlineMs?: number;
}

export interface AccountBalance {
  readonly account: string;
  readonly exists: boolean;
  readonly balance: bigint;
  /** Undefined: nobody has opened it yet. */
  readonly owner: PublicKey | undefined;
  readonly cluster: ClusterId;
  /**
   * The balance is that after this record of the cluster's view. Undefined: enough nodes agree on the balance, but were
   * at different records.
   */
  readonly height: number | undefined;
}

export interface BalancesRead {
  readonly outcome: "read";
  /** In the order of the question. */
  readonly accounts: readonly AccountBalance[];
  readonly latencyMs: number;
}

/** The deadline passed before enough nodes of these clusters agreed on an answer. */
export interface BalancesUnavailable {
  readonly outcome: "unavailable";
  readonly clusters: readonly ClusterId[];
  readonly latencyMs: number;
}

export type BalanceOutcome = BalancesRead | BalancesUnavailable;

/** A balance as of a stable checkpoint, with what proves it to anyone who has the topology. */
export interface ProvenAccount extends AccountBalance {
  /** Of the checkpoint's record. */
  readonly height: number;
  /** The final sequence of that record: larger is later, in the whole network. */
  readonly sequence: Sequence;
  /** To be kept in a file, and given to `verifyBalance`. */
  readonly proof: Uint8Array;
}

export interface BalancesProven {
  readonly outcome: "proven";
  /** In the order of the question. */
  readonly accounts: readonly ProvenAccount[];
  readonly latencyMs: number;
}

/**
 * "no-checkpoint": these clusters have not made any checkpoint stable yet, which takes some blocks; "unavailable": too
 * few of their nodes answered by the deadline.
 */
export interface ProofsUnavailable {
  readonly outcome: "unavailable";
  readonly code: "no-checkpoint" | "unavailable";
  readonly clusters: readonly ClusterId[];
  readonly latencyMs: number;
}

export type ProvenOutcome = BalancesProven | ProofsUnavailable;

/** A code in words, for people. */
export function explainCode(code: RejectionCode): string {
  return meanings[code];
}

const meanings: Readonly<Record<RejectionCode, string>> = {
  malformed: "the request is not well-formed or exceeds a bound",
  "bad-signature": "the signature does not fit the request; is it the same network?",
  "unknown-client": "the network does not know the client's key; enrol it in the topology",
  "zero-amount": "an amount is zero; amounts are at least 1",
  "amount-overflow": "the amounts add up to more than can exist",
  unbalanced: "debits and credits differ; their sums must be equal",
  "repeated-account": "an account appears twice on one side; add its amounts up",
  "bad-account": "not an account name; use 1 to 64 of A-Z a-z 0-9 . _ : - and begin with a letter or digit",
  "mixed-clusters": "operations of one request involve different sets of clusters; send one request for each set",
  "wrong-cluster": "the cluster is not the initiator for these accounts; is it the same topology?",
  expired: "the request's validity has ended",
  "valid-too-long": "the request's validity ends too far ahead; is this machine's clock right?",
  "id-reused": "the id was used by another request; make a new request",
  busy: "the cluster has too many requests queued; try again later",
  "cluster-unavailable": "an involved cluster is down; try again when it is back",
  "unknown-account": "a debit account does not exist",
  "not-owner": "the client does not own a debit account",
  "insufficient-funds": "a debit account has less than the amount",
  "account-exists": "the account has an owner already",
  "stale-incarnation": "not the incarnation after the node's last; only nodes ask for this",
  "rejoin-too-soon": "the node rejoined a moment ago; only nodes ask for this",
  unavailable: "no node of the cluster was within reach; nothing was sent",
};
