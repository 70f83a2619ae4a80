// Requests and blocks as the core sees them: decoded once, with the exact signed bytes beside the decoded form, so that
// nothing is ever re-encoded (protocol 1).

import type { AccountId, ClusterId, Digest, NodeIndex, PublicKey } from "./ids.js";
import type { Signed } from "./schema.js";

export interface AccountPosting {
  readonly account: AccountId;
  readonly amount: bigint;
}

export type BlockOperation =
  | { readonly kind: "open"; readonly account: AccountId }
  | {
      readonly kind: "transfer";
      readonly debits: readonly AccountPosting[];
      readonly credits: readonly AccountPosting[];
    }
  /** INCARNATION (protocol 6), signed by the node itself, and the only operation of its request. */
  | {
      readonly kind: "rejoin";
      readonly cluster: ClusterId;
      readonly node: NodeIndex;
      readonly incarnation: number;
    };

export interface Request {
  readonly client: PublicKey;
  readonly nonce: number;
  /** Milliseconds since 1970; compared with record time (protocol 4). */
  readonly validUntil: number;
  readonly operations: readonly BlockOperation[];
  /** The involved clusters P, ascending. */
  readonly clusters: readonly ClusterId[];
  /** SHA-256 of the signed body: tells a repetition from a reused id. */
  readonly hash: Digest;
  /** The exact bytes as they came. */
  readonly signed: Signed;
}

export interface Block {
  readonly digest: Digest;
  /** P, ascending. */
  readonly clusters: readonly ClusterId[];
  /** The maker's clock, milliseconds since 1970. */
  readonly time: number;
  /** Empty: a no-op. */
  readonly requests: readonly Request[];
  /** Number of operations of all requests. */
  readonly operations: number;
  /** The exact encoding. */
  readonly bytes: Uint8Array;
}

/** "client:nonce", the id that is consumed once (protocol 4). */
export function requestId({ client, nonce }: { readonly client: PublicKey; readonly nonce: number }): string {
  return `${client}:${nonce}`;
}

/** What a node asks for that has lost what it said; undefined: it is a client's request. */
export function rejoinOf({ operations }: Pick<Request, "operations">) {
  const [first] = operations;
  return first?.kind === "rejoin" ? first : undefined;
}

export function isNoOp(block: Block): boolean {
  return block.requests.length === 0;
}
