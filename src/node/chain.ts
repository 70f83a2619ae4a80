// The hashes of a piece of the view, learned backwards from a record hash that a checkpoint proves (protocol 6): each
// record names its parent, so no source can slip in another one. What they cost is 32 bytes each.

import { decodeRecord, recordHash, tryDecode } from "../ledger/records.js";
import { type Digest, fromHex, toHex } from "../types/ids.js";

const HASH_BYTES = 32;

export class Chain {
  readonly #top: number;
  readonly #hashes: Buffer;
  /** The lowest height whose hash is known. */
  #low: number;

  /** `top` is the proven record; room is made down to `bottom`. */
  constructor(top: { readonly height: number; readonly hash: Digest }, bottom: number) {
    this.#top = top.height;
    this.#hashes = Buffer.alloc(HASH_BYTES * (top.height - bottom + 1));
    this.#low = top.height;
    this.#set(top.height, top.hash);
  }

  /** The lowest height whose hash is known. */
  get low(): number {
    return this.#low;
  }

  hashAt(height: number): Digest {
    if (height < this.#low || height > this.#top) throw new Error(`the hash of record ${height} is not known`);
    const at = HASH_BYTES * (this.#top - height);
    return toHex(this.#hashes.subarray(at, at + HASH_BYTES));
  }

  /** Records in a row, the last of them the lowest known. False: one is not what its child says, and none is taken. */
  extend(records: readonly Uint8Array[]): boolean {
    const parents: Digest[] = [];
    let expected = this.hashAt(this.#low);
    for (const encoded of [...records].reverse()) {
      if (recordHash(encoded) !== expected) return false;
      const record = tryDecode(() => decodeRecord(encoded));
      if (record?.height !== this.#low - parents.length) return false;
      expected = record.parent;
      parents.push(expected);
    }
    for (const parent of parents) this.#set(--this.#low, parent);
    return true;
  }

  #set(height: number, hash: Digest): void {
    this.#hashes.set(fromHex(hash), HASH_BYTES * (this.#top - height));
  }
}
