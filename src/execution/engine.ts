// The interface of execution (protocol 4): blocks go in by delivery order, verdicts for the other clusters and executed
// blocks come out. Execution knows nothing of slots, ballots and certificates; a delivered block is final, only its
// effects may have to wait for what other clusters say. Engines that execute in parallel attach behind this interface.

import type { Block, Request } from "../types/block.js";
import type { AccountId, ClusterId, Digest, PublicKey, Sequence } from "../types/ids.js";
import type { Result } from "../types/message.js";

/** A block at its place in this cluster's view. */
export interface OrderedBlock {
  readonly block: Block;
  readonly height: number;
  readonly finalSequence: Sequence;
  /** max(the block's time, the previous record's time). */
  readonly recordTime: number;
}

export interface AccountValue {
  readonly account: AccountId;
  readonly balance: bigint;
  /** Undefined: opened by a credit and claimed by nobody yet. */
  readonly owner: PublicKey | undefined;
}

export interface ConsumedRequest {
  readonly request: Request;
  /** Its share of the block's results, a view into them. */
  readonly results: Uint8Array;
}

/** Handed out strictly in height order. */
export interface ExecutedBlock {
  readonly ordered: OrderedBlock;
  /** Final result number per operation, in block order. */
  readonly results: Uint8Array;
  /** Values after this block of every account that it changed, ascending by account. */
  readonly accounts: readonly AccountValue[];
  /** Requests whose id this block consumed (rules.ts says which do), so that their replies can be stored. */
  readonly consumed: readonly ConsumedRequest[];
}

export interface OwnVerdicts {
  readonly block: Block;
  readonly verdicts: Uint8Array;
}

export interface ExecutionStep {
  /** To be sent as RESULT to the other clusters of P. */
  readonly verdicts: readonly OwnVerdicts[];
  readonly executed: readonly ExecutedBlock[];
}

export interface ExecutionEngine {
  /** Heights without a gap. While `pending` is at `limits.undeliveredMax` the caller holds further blocks back. */
  deliver(ordered: OrderedBlock): ExecutionStep;
  /** A RESULT that passed the door. */
  onResult(result: Result): ExecutionStep;
  /** Clusters whose verdicts a delivered block still waits for, ascending. */
  waitsFor(digest: Digest): readonly ClusterId[];
  /** This cluster's verdicts of a block that is not yet executed, or was lately: answers to queries. */
  verdictsOf(digest: Digest): Uint8Array | undefined;
  /** As of the last executed block. */
  account(id: AccountId): AccountValue | undefined;
  /** Blocks delivered and not yet executed. */
  readonly pending: number;
  /** May this RESULT still matter? If not, the door need not check its signature. */
  wants(result: { readonly cluster: ClusterId; readonly digest: Digest }): boolean;
}
