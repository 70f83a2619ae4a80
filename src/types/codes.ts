// Every code that a client, peer or operator can meet. Results are what execution says of one operation (protocol 4)
// and are part of the ledger: their numbers never change. Refusals are answers to requests that were not ordered.
// Rejections are counted at the door and never answered. Configuration and tool errors carry a code of their own (see
// CodedError).

/** Result of one operation, as stored in records: the number is the position in this list. */
export const RESULTS = [
  "ok", // applied
  "foreign", // in a verdict: this cluster has no say on the operation; never a final result
  "unknown-client", // the signer is not enrolled
  "expired", // record time is past validUntil
  "valid-too-long", // validUntil is more than 10 minutes past record time
  "id-reused", // the id (client, nonce) was consumed before
  "unknown-account", // a debit account does not exist
  "not-owner", // the signer does not own a debit account
  "insufficient-funds",
  "account-exists", // open: the account has an owner
  "stale-incarnation", // rejoin: not the number after the node's last
  "rejoin-too-soon", // rejoin: the node's last is too recent
] as const;
export type ResultCode = (typeof RESULTS)[number];

export function resultNumber(code: ResultCode): number {
  return RESULTS.indexOf(code);
}

/** The code of a number from the wire or disk; undefined when no such code exists. */
export function resultCode(number: number): ResultCode | undefined {
  return RESULTS[number];
}

/** Why a node did not order a request: the number is the position in this list; 0 means it was executed. */
export const REFUSALS = [
  "executed",
  "malformed", // not the encoding of a request, or out of bounds
  "bad-signature",
  "unknown-client",
  "zero-amount",
  "amount-overflow", // a sum of amounts exceeds the supply bound
  "unbalanced", // debits and credits differ
  "repeated-account", // one account twice on one side
  "bad-account", // not an account name
  "mixed-clusters", // operations of one request involve different sets of clusters
  "wrong-cluster", // this cluster is not the initiator for these accounts
  "expired", // validUntil has passed by the node's clock
  "valid-too-long",
  "id-reused", // same id, other content
  "busy", // queue full: retry after retryAfterMs
  "cluster-unavailable", // an involved cluster is down
] as const;
export type Refusal = (typeof REFUSALS)[number];

export function refusalNumber(code: Refusal): number {
  return REFUSALS.indexOf(code);
}

export function refusalCode(number: number): Refusal | undefined {
  return REFUSALS[number];
}

/** Why the door dropped a peer's message. Each is a counter of the node (`sharper_rejected_total{code}`). */
export type Rejection =
  | "malformed"
  | "oversized"
  | "unknown-kind"
  | "unknown-sender"
  | "wrong-network" // the peer's topology differs from ours
  | "wrong-sender" // the body names another node than the channel
  | "bad-signature"
  | "bad-certificate"
  | "bad-block" // not statically valid
  | "bad-record" // not a record of the chain that a checkpoint proves
  | "bad-state" // not a piece of the state that a checkpoint proves
  | "not-primary" // a proposal from a node that is not primary of its view
  | "not-involved" // this cluster is not part of the block's P
  | "stale-view"
  | "bad-new-view" // it keeps something else than what it carries justifies
  | "counter-jump" // a sequence counter beyond what is justified
  | "conflict" // conflicts with an accepted, prepared or decided entry
  | "over-limit" // a bound of limits.ts
  | "not-allowed" // a kind this sender may not send
  | "slow-sender" // a client's frame did not get complete in time: its connection was cut
  | "slow-reader" // a client read nothing of what waited for it: its connection was cut
  | "idle" // a client said nothing for long: its connection was cut
  | "replaced"; // a node's connection gave way to a newer one; often: two processes have its key

/** An error that an operator or user meets: a stable code, and a sentence that says what would be right. */
export class CodedError extends Error {
  override readonly name = "CodedError";
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}
