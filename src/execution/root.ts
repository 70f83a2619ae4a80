// The state root that checkpoints carry (protocol 6): one digest over every account with balance and owner, every
// unexpired consumed id, and whatever else belongs to the state, which comes in as digests. It follows the executed
// blocks one by one, since an engine may have handed out more blocks than the checkpoint covers.

import { digestOf } from "../crypto/hash.js";
import { type AccountId, type Digest, fromHex, toHex } from "../types/ids.js";
import { AccountBuckets, accountInBucket, type BucketProof } from "./buckets.js";
import { type ConsumedId, parseConsumed } from "./consumed.js";
import type { AccountValue, ExecutedBlock } from "./engine.js";
import { IdSlices } from "./slices.js";

/** Shows what a state root says of one account. */
export interface AccountProof {
  readonly bucket: BucketProof;
  readonly accounts: Digest;
  /** The roots beside that of the accounts: ids, then the others. */
  readonly others: readonly Digest[];
}

export interface StateContent {
  readonly accounts: Iterable<AccountValue>;
  readonly consumedIds: Iterable<ConsumedId>;
  /** Of the last executed block; 0 before the first. */
  readonly recordTime: number;
}

export class StateRoot {
  readonly #accounts: AccountBuckets;
  readonly #ids = new IdSlices();
  #recordTime: number;

  constructor({ accounts, consumedIds, recordTime }: StateContent) {
    this.#accounts = new AccountBuckets(accounts);
    for (const consumed of consumedIds) this.#ids.add(parseConsumed(consumed));
    this.#recordTime = recordTime;
  }

  apply({ ordered, accounts, consumed }: Pick<ExecutedBlock, "ordered" | "accounts" | "consumed">): void {
    for (const value of accounts) this.#accounts.set(value);
    for (const { request } of consumed) this.#ids.add(request);
    this.#recordTime = ordered.recordTime;
  }

  /** After the last applied block. Costs what changed since the last call. */
  root(extra: readonly Digest[]): Digest {
    return rootOf(toHex(this.#accounts.root()), [this.#idsRoot(), ...extra]);
  }

  /** After the last applied block: what a store must give back after it (restore.ts). */
  get accountSum(): number {
    return this.#accounts.sum;
  }

  /** Against `root` of the same moment and `extra`. */
  prove(account: AccountId, extra: readonly Digest[]): AccountProof {
    const bucket = this.#accounts.prove(account);
    return { bucket, accounts: toHex(this.#accounts.root()), others: [this.#idsRoot(), ...extra] };
  }

  #idsRoot(): Digest {
    return toHex(this.#ids.root(this.#recordTime));
  }
}

/** The account's value under a state root, or "absent"; undefined if the proof does not show it. */
export function provenAccount(args: {
  readonly account: AccountId;
  readonly root: Digest;
  readonly proof: AccountProof;
}): AccountValue | "absent" | undefined {
  const { account, root, proof } = args;
  if (rootOf(proof.accounts, proof.others) !== root) return undefined;
  return accountInBucket({ account, root: fromHex(proof.accounts), proof: proof.bucket });
}

function rootOf(accounts: Digest, others: readonly Digest[]): Digest {
  return digestOf(fromHex([accounts, ...others].join("")));
}
