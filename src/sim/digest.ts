// The digest of a run: a hash over every frame that arrived, every write and every fault, in their order. Two runs of
// one seed have the same digest, or something drew from outside of the seed.

import { crc32 } from "node:zlib";
import { sha256 } from "../crypto/hash.js";
import type { Write } from "../types/effects.js";
import { toHex } from "../types/ids.js";

const CHUNK_BYTES = 64 * 1024;
const ENTRY_BYTES = 24;

export class RunDigest {
  readonly #chunk = Buffer.alloc(CHUNK_BYTES);
  #state: Uint8Array = new Uint8Array(32);
  #at = 0;

  /** `what`: a number that tells kinds of entries and their subjects apart. */
  add(time: number, what: number, bytes: Uint8Array): void {
    this.#enter(time, what, bytes.length, crc32(bytes));
  }

  /** What a turn made durable. */
  addAll(time: number, what: number, writes: readonly Write[]): void {
    let sum = 0;
    for (const { key, value } of writes) {
      sum = crc32(key, sum);
      if (value !== undefined) sum = crc32(value, sum);
    }
    this.#enter(time, what, writes.length, sum);
  }

  digest(): string {
    this.#flush();
    return toHex(this.#state);
  }

  #enter(time: number, what: number, size: number, sum: number): void {
    if (this.#at + ENTRY_BYTES > CHUNK_BYTES) this.#flush();
    this.#at = this.#chunk.writeDoubleBE(time, this.#at);
    this.#at = this.#chunk.writeDoubleBE(what, this.#at);
    this.#at = this.#chunk.writeUInt32BE(size, this.#at);
    this.#at = this.#chunk.writeUInt32BE(sum, this.#at);
  }

  #flush(): void {
    this.#state = Uint8Array.from(sha256(Buffer.concat([this.#state, this.#chunk.subarray(0, this.#at)])));
    this.#at = 0;
  }
}
