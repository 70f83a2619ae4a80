// What clients of a run did and heard, on one clock: the raw material of the checks. A write that ended unknown and was
// resolved later stands here with what it was told in the end, and with the time of that answer; its interval is the
// whole time in which it can have taken effect.

import type { AccountBalance, OperationOrder, Outcome } from "../client/sdk.js";
import type { ResultCode } from "../types/codes.js";
import type { ClusterId, Digest, Sequence } from "../types/ids.js";

/** What a client knows of its request. */
export type Told =
  /** Executed and recorded; a transfer that failed is recorded as well. */
  | {
      readonly kind: "recorded";
      readonly cluster: ClusterId;
      readonly height: number;
      readonly sequence: Sequence;
      readonly digest: Digest;
      readonly results: readonly ResultCode[];
    }
  /** Never ordered, and never will be. */
  | { readonly kind: "refused"; readonly code: string }
  | { readonly kind: "unknown" };

export interface Write {
  /** Which SDK client; several calls of one client run at a time. */
  readonly client: number;
  /** "client key:nonce". */
  readonly id: string;
  readonly operations: readonly OperationOrder[];
  /** Involved clusters, ascending. */
  readonly clusters: readonly ClusterId[];
  readonly startedMs: number;
  readonly endedMs: number;
  readonly told: Told;
  /** The first answer was "unknown". */
  readonly wasUnknown: boolean;
}

export interface Read {
  readonly client: number;
  readonly startedMs: number;
  readonly endedMs: number;
  /** Empty: unavailable. */
  readonly answers: readonly AccountBalance[];
}

export interface History {
  readonly writes: readonly Write[];
  readonly reads: readonly Read[];
}

export function toldBy(outcome: Outcome): Told {
  switch (outcome.outcome) {
    case "committed": {
      const { cluster, height, sequence, digest, results } = outcome;
      return { kind: "recorded", cluster, height, sequence, digest, results };
    }
    case "rejected": {
      const { record, code } = outcome;
      // A recorded rejection carries the only result of a request of one operation.
      return record === undefined
        ? { kind: "refused", code }
        : { kind: "recorded", ...record, results: [code as ResultCode] };
    }
    case "unknown":
      return { kind: "unknown" };
  }
}

export function idOf(outcome: Outcome): string {
  return outcome.outcome === "committed" ? outcome.id : outcome.request.id;
}
