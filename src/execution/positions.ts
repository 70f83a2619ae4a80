// Where this cluster's log has each block of its view, by height: what a node remembers of blocks beyond checkpoints
// (protocol 2), under one hash. Rows come in chunks; a full chunk never changes, so its digest is all that stays in
// memory of it, and it is the piece that is handed to a node that is behind.

import { sha256 } from "../crypto/hash.js";
import { type Digest, fromHex, type Sequence, type Slot, toHex } from "../types/ids.js";
import { limits } from "../types/limits.js";

export interface Position {
  readonly digest: Digest;
  readonly slot: Slot;
  readonly sequence: Sequence;
}

const HASH_BYTES = 32;
const NUMBER_BYTES = 8;
const ROW_BYTES = HASH_BYTES + 2 * NUMBER_BYTES;

export class Positions {
  /** Digests of full chunks, one after the other, with room to grow. */
  #digests: Buffer;
  #chunks: number;
  /** The chunk that is not full. */
  readonly #rows = Buffer.alloc(limits.positionsPerChunk * ROW_BYTES);
  #used = 0;

  /** `chunks`: digests of the full ones, which begin at height 1; `rest`: what follows them. */
  constructor(chunks: Uint8Array, rest: readonly Position[]) {
    this.#digests = Buffer.from(chunks);
    this.#chunks = chunks.length / HASH_BYTES;
    for (const position of rest) this.add(position);
  }

  /** The last height. */
  get height(): number {
    return this.#chunks * limits.positionsPerChunk + this.#used / ROW_BYTES;
  }

  /** Of the next height. When that fills a chunk: its number, from 0, and digest, which must be kept. */
  add(position: Position): { readonly number: number; readonly digest: Uint8Array } | undefined {
    writeRow(this.#rows, this.#used, position);
    this.#used += ROW_BYTES;
    if (this.#used < this.#rows.length) return undefined;
    const digest = new Uint8Array(sha256(this.#rows));
    this.#keep(digest);
    this.#used = 0;
    return { number: this.#chunks - 1, digest };
  }

  #keep(digest: Uint8Array): void {
    if ((this.#chunks + 1) * HASH_BYTES > this.#digests.length) {
      const larger = Buffer.alloc(Math.max(HASH_BYTES, this.#digests.length * 2));
      larger.set(this.#digests);
      this.#digests = larger;
    }
    this.#digests.set(digest, this.#chunks * HASH_BYTES);
    this.#chunks++;
  }

  /** A full chunk of another node takes the place of the one that is not full here. */
  take(digest: Uint8Array): void {
    this.#keep(digest);
    this.#used = 0;
  }

  /** Of all chunks, one after the other, the last one perhaps not full. */
  digests(): Uint8Array {
    const full = this.#digests.subarray(0, this.#chunks * HASH_BYTES);
    const last = this.#used === 0 ? [] : [sha256(this.#rows.subarray(0, this.#used))];
    return new Uint8Array(Buffer.concat([full, ...last]));
  }
}

export function positionsRoot(digests: Uint8Array): Uint8Array {
  return new Uint8Array(sha256(digests));
}

/** The piece that a chunk is. */
export function chunkOf(positions: readonly Position[]): Uint8Array {
  const rows = Buffer.alloc(positions.length * ROW_BYTES);
  for (const [i, position] of positions.entries()) writeRow(rows, i * ROW_BYTES, position);
  return rows;
}

/** Of a piece whose digest is known to be right. */
export function positionsIn(chunk: Uint8Array): readonly Position[] {
  const rows = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
  return Array.from({ length: Math.floor(rows.length / ROW_BYTES) }, (_, i) => {
    const at = i * ROW_BYTES;
    return {
      digest: toHex<Digest>(rows.subarray(at, at + HASH_BYTES)),
      slot: Number(rows.readBigUInt64BE(at + HASH_BYTES)),
      sequence: Number(rows.readBigUInt64BE(at + HASH_BYTES + NUMBER_BYTES)) as Sequence,
    };
  });
}

function writeRow(rows: Buffer, at: number, { digest, slot, sequence }: Position): void {
  rows.set(fromHex(digest), at);
  rows.writeBigUInt64BE(BigInt(slot), at + HASH_BYTES);
  rows.writeBigUInt64BE(BigInt(sequence), at + HASH_BYTES + NUMBER_BYTES);
}
