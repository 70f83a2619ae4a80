// The digest of a run: a hash over every frame that arrived, every write and every fault, in their order. Two runs of
// one seed have the same digest, or something drew from outside of the seed.

import { crc32 } from "node:zlib";
import { sha256 } from "../crypto/hash.js";
import { toHex } from "../types/ids.js";

const CHUNK_BYTES = 64 * 1024;
const ENTRY_BYTES = 24;

export class RunDigest {
  readonly #chunk = Buffer.alloc(CHUNK_BYTES);
  #state: Uint8Array = new Uint8Array(32);
  #at = 0;

  /** `what`: a number that tells kinds of entries and their subjects apart. */
  add(time: number, what: number, bytes: Uint8Array): void {
    if (this.#at + ENTRY_BYTES > CHUNK_BYTES) this.#flush();
    this.#at = this.#chunk.writeDoubleBE(time, this.#at);
    this.#at = this.#chunk.writeDoubleBE(what, this.#at);
    this.#at = this.#chunk.writeUInt32BE(bytes.length, this.#at);
    this.#at = this.#chunk.writeUInt32BE(crc32(bytes), this.#at);
  }

  digest(): string {
    this.#flush();
    return toHex(this.#state);
  }

  #flush(): void {
    this.#state = Uint8Array.from(sha256(Buffer.concat([this.#state, this.#chunk.subarray(0, this.#at)])));
    this.#at = 0;
  }
}
