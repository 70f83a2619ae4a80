// State roots for tests: made of accounts and ids at hand, and fed with executed blocks as a node's recorder feeds them.

import { AccountBuckets } from "../../src/execution/buckets.js";
import type { AccountValue, ExecutedBlock } from "../../src/execution/engine.js";
import { type Position, Positions } from "../../src/execution/positions.js";
import { type StateChange, StateRoot } from "../../src/execution/root.js";
import type { StoredId } from "../../src/execution/slices.js";
import type { Digest, PublicKey, Sequence } from "../../src/types/ids.js";

export interface StateParts {
  readonly accounts?: Iterable<AccountValue>;
  readonly ids?: Iterable<StoredId>;
  readonly positions?: readonly Position[];
  readonly recordTime?: number;
}

export function stateOf({ accounts = [], ids = [], positions = [], recordTime = 0 }: StateParts): StateRoot {
  return new StateRoot({
    accounts: new AccountBuckets(accounts),
    ids,
    positions: new Positions(new Uint8Array(0), positions),
    incarnations: new Uint8Array(0),
    recordTime,
  });
}

export function storedId(client: PublicKey, nonce: number, validUntil: number, reply = "told"): StoredId {
  return { client, nonce, validUntil, reply: Buffer.from(reply) };
}

export function positionOf(number: number): Position {
  const digest = number.toString(16).padStart(64, "0") as Digest;
  return { digest, slot: number, sequence: (number * 65_536 + 1) as Sequence };
}

export function changeOf({ ordered, accounts, consumed }: ExecutedBlock): StateChange {
  const ids = consumed.map(({ request }) => storedId(request.client, request.nonce, request.validUntil));
  return { accounts, ids, position: positionOf(ordered.height), recordTime: ordered.recordTime };
}
