// The state at a past checkpoint, as long as somebody may ask for it (protocol 6). A view holds the digests of its
// pieces and, of accounts, the values that have changed since; everything else is what the present state still has. So
// its memory follows what has changed, not what there is.

import type { AccountId, Digest } from "../types/ids.js";
import { type BucketProof, bucketOf, groupRoots, proveBucket } from "./buckets.js";
import type { AccountValue } from "./engine.js";
import { partRoots, rootOfPieces, type StatePieces } from "./pieces.js";
import { rowsWith } from "./rows.js";
import type { FrozenIds } from "./slices.js";

/** By bucket: values of accounts before they were changed; undefined: there was no such account. */
export class Undo {
  readonly #buckets = new Map<number, Map<AccountId, AccountValue | undefined>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The first time counts. */
  note(account: AccountId, before: AccountValue | undefined): void {
    const bucket = bucketOf(account);
    let values = this.#buckets.get(bucket);
    if (values === undefined) {
      values = new Map();
      this.#buckets.set(bucket, values);
    }
    if (values.has(account)) return;
    values.set(account, before);
    this.#size++;
  }

  /** What a later one knows, as far as it is new. */
  take(later: Undo): void {
    for (const values of later.#buckets.values()) for (const [account, before] of values) this.note(account, before);
  }

  restore(bucket: number, rows: Uint8Array): Uint8Array {
    const values = this.#buckets.get(bucket);
    return values === undefined ? rows : rowsWith(rows, values);
  }
}

export interface ViewParts {
  readonly slot: number;
  readonly height: number;
  readonly recordTime: number;
  readonly pieces: StatePieces;
  readonly ids: FrozenIds;
  readonly undo: Undo;
  readonly rows: (view: StateView, bucket: number) => Uint8Array;
}

export class StateView {
  readonly slot: number;
  readonly height: number;
  /** Of its last block: ids that had expired before are not part of it. */
  readonly recordTime: number;
  readonly pieces: StatePieces;
  readonly ids: FrozenIds;
  readonly undo: Undo;
  readonly #rows: ViewParts["rows"];
  /** Made for the first proof. */
  #groups: readonly Uint8Array[] | undefined;
  #parts: ReturnType<typeof partRoots> | undefined;

  constructor({ slot, height, recordTime, pieces, ids, undo, rows }: ViewParts) {
    this.slot = slot;
    this.height = height;
    this.recordTime = recordTime;
    this.pieces = pieces;
    this.ids = ids;
    this.undo = undo;
    this.#rows = rows;
  }

  root(): Digest {
    return rootOfPieces(this.pieces);
  }

  /** A bucket of accounts. */
  rows(bucket: number): Uint8Array {
    return this.#rows(this, bucket);
  }

  proveBucket(account: AccountId): BucketProof {
    const digests = this.pieces.accounts;
    this.#groups ??= groupRoots(digests);
    return proveBucket({ account, rows: this.rows(bucketOf(account)), digests, groups: this.#groups });
  }

  /** The roots of the state's parts: the accounts' first. */
  partRoots(): ReturnType<typeof partRoots> {
    this.#parts ??= partRoots(this.pieces);
    return this.#parts;
  }
}
