// What an audit is given and what it finds. A finding names cluster, node, height and a stable code, so that both a
// person and a program know where to look; the sentence says what is there and what should be.

import type { Block } from "../types/block.js";
import { CodedError } from "../types/codes.js";
import type { AccountId, ClusterId, NodeIndex, PublicKey } from "../types/ids.js";
import type { LedgerRecord } from "./records.js";
import type { Store } from "./store.js";

/** One node's data, opened for reading. */
export interface AuditedNode {
  /** The operator's name of the node. */
  readonly name: string;
  readonly cluster: ClusterId;
  readonly node: NodeIndex;
  readonly store: Store;
  /** Records above `below` and below `from` that are not here: the node took a state instead of them. */
  readonly lacks?: { readonly below: number; readonly from: number } | undefined;
}

/** Is this one of the records that the node does not claim to have? */
export function lacksRecord({ lacks }: AuditedNode, height: number): boolean {
  return lacks !== undefined && height > lacks.below && height < lacks.from;
}

/** Executes a view again, block by block, from the genesis accounts of its cluster. */
export interface Replayer {
  /** Executes the next block. What is said is why the record's results cannot be right for this view. */
  apply(block: Block, record: Pick<LedgerRecord, "height" | "time" | "finalSequence" | "results">): string | undefined;
  /** This cluster's own verdicts on the block applied last, one per operation. */
  verdicts?(): Uint8Array;
  accounts(): Iterable<ReplayedAccount>;
  /** How often nodes of the cluster have rejoined, and when last; ascending by node. */
  incarnations?(): readonly (readonly [NodeIndex, { readonly number: number; readonly time: number }])[];
}

export interface ReplayedAccount {
  readonly account: AccountId;
  readonly balance: bigint;
  /** Undefined: opened by a credit and not claimed yet. */
  readonly owner: PublicKey | undefined;
}

export type FindingCode =
  | "store-corrupt" // a value does not match its checksum
  | "empty-view" // no record at all
  | "incomplete-view" // the node took a state instead of some records, and nobody else's records fill the gap
  | "missing-record" // a height below the last one has no record
  | "malformed-record"
  | "wrong-genesis" // record 0 is not that of the topology and cluster
  | "broken-chain" // the parent is not the hash of the record before
  | "missing-block"
  | "wrong-block" // the stored bytes are not those of the recorded digest
  | "invalid-block" // not statically valid (protocol 1)
  | "repeated-block" // recorded twice in one view
  | "wrong-vector" // the vector does not belong to the block's clusters
  | "wrong-final" // the final sequence is not the largest of the vector
  | "sequence-order" // final sequences do not increase
  | "wrong-time"
  | "missing-certificate"
  | "wrong-certificate"
  | "wrong-results" // execution gives others
  | "missing-account"
  | "extra-account"
  | "wrong-account" // balance or owner differs from what execution gives
  | "wrong-incarnation" // of a node: how often it has rejoined differs from what execution gives
  | "negative-balance"
  | "missing-reply"
  | "wrong-reply"
  | "fork" // two nodes of one cluster have different records at one height
  | "cross-mismatch" // a cross-shard block differs between views
  | "cross-missing" // a cross-shard block is not in one of its views
  | "cycle"
  | "supply"; // the sum of all balances is not that of the genesis

export interface Finding {
  readonly cluster: ClusterId | undefined;
  /** Undefined: of the cluster or the network as a whole. */
  readonly node: string | undefined;
  readonly height: number | undefined;
  readonly code: FindingCode;
  readonly reason: string;
}

/** What is wrong, without where. */
export interface Fault {
  readonly code: FindingCode;
  readonly reason: string;
}

/** Runs a read; damage that the store itself finds becomes a fault. */
export function readOrFault<T>(read: () => T): { readonly value: T } | { readonly fault: Fault } {
  try {
    return { value: read() };
  } catch (error) {
    return { fault: corruption(error) };
  }
}

/** The fault behind an error that a store has thrown; other errors go on. */
export function corruption(error: unknown): Fault {
  if (error instanceof CodedError && error.code === "store-corrupt")
    return { code: "store-corrupt", reason: error.message };
  throw error;
}

/** A record of a view that was found sound, as the union of the views needs it. */
export interface ViewEntry extends Omit<LedgerRecord, "parent" | "time"> {
  /** Cross-shard blocks only: what this cluster's execution says by itself. */
  readonly verdicts: Uint8Array | undefined;
  /** Cross-shard blocks only: what the block's applied transfers add to each cluster's balances. */
  readonly changes: ReadonlyMap<ClusterId, bigint> | undefined;
}

/** The sound part of one cluster's view, from height 1 on, as one node has it. */
export interface SoundView {
  readonly cluster: ClusterId;
  readonly node: string;
  readonly entries: readonly ViewEntry[];
  /** Sum of this cluster's balances once every block up to each cut was executed. */
  readonly sums: readonly bigint[];
}
