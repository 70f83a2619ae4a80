// All unexpired ids of a cluster under one hash. Ids fall into slices by the second in which they expire: most live
// equally long, so new ones meet in a few slices, and old ones go by whole slices. What is committed to are exactly the
// ids that have not expired at the record time asked about, so a node that has dropped others already has the same
// hash.

import { sha256 } from "../crypto/hash.js";
import { merkleRoot } from "../crypto/merkle.js";
import type { Request } from "../types/block.js";
import { fromHex, type PublicKey } from "../types/ids.js";

const SLICE_MS = 1000;
const CLIENT_BYTES = 32;
const NUMBER_BYTES = 8;
const ROW_BYTES = CLIENT_BYTES + 2 * NUMBER_BYTES;

/** By client: nonce and validUntil of each id by turns, as packed numbers. */
type Slice = Map<PublicKey, number[]>;

export class IdSlices {
  readonly #slices = new Map<number, Slice>();
  /** Of slices that have not changed since. */
  readonly #digests = new Map<number, Uint8Array>();

  add({ client, nonce, validUntil }: Pick<Request, "client" | "nonce" | "validUntil">): void {
    const second = secondOf(validUntil);
    const slice = this.#slices.get(second) ?? new Map<PublicKey, number[]>();
    this.#slices.set(second, slice);
    const ids = slice.get(client);
    if (ids === undefined) slice.set(client, [nonce, validUntil]);
    else ids.push(nonce, validUntil);
    this.#digests.delete(second);
  }

  /** Record time never goes back, so what has expired is dropped on the way. */
  root(recordTime: number): Uint8Array {
    const now = secondOf(recordTime);
    const leaves: Uint8Array[] = [];
    for (const second of [...this.#slices.keys()].sort((a, b) => a - b)) {
      if (second < now) {
        this.#slices.delete(second);
        this.#digests.delete(second);
        continue;
      }
      // Of the slice of this very second some ids may have expired, so it is looked at each time.
      if (second === now) this.#digests.delete(second);
      const digest = this.#digests.get(second) ?? digestOf(this.#slices.get(second) as Slice, recordTime);
      if (digest === undefined) continue;
      this.#digests.set(second, digest);
      leaves.push(Buffer.concat([numberBytes(second), digest]));
    }
    return new Uint8Array(merkleRoot(leaves));
  }
}

/** Undefined: nothing in it is unexpired. */
function digestOf(slice: Slice, recordTime: number): Uint8Array | undefined {
  const rows: Uint8Array[] = [];
  for (const client of [...slice.keys()].sort()) {
    const ids = unexpired(slice.get(client) as number[], recordTime);
    const bytes = Buffer.alloc(ids.length * ROW_BYTES);
    const key = fromHex(client);
    ids.forEach(({ nonce, validUntil }, i) => {
      bytes.set(key, i * ROW_BYTES);
      writeNumber(bytes, nonce, i * ROW_BYTES + CLIENT_BYTES);
      writeNumber(bytes, validUntil, i * ROW_BYTES + CLIENT_BYTES + NUMBER_BYTES);
    });
    rows.push(bytes);
  }
  const all = Buffer.concat(rows);
  return all.length === 0 ? undefined : new Uint8Array(sha256(all));
}

/** Ascending by nonce. Of one nonce at most one id is unexpired: until then it cannot be consumed again. */
function unexpired(ids: readonly number[], recordTime: number): { nonce: number; validUntil: number }[] {
  const kept: { nonce: number; validUntil: number }[] = [];
  for (let i = 0; i < ids.length; i += 2) {
    const nonce = ids[i] as number;
    const validUntil = ids[i + 1] as number;
    if (validUntil >= recordTime) kept.push({ nonce, validUntil });
  }
  return kept.sort((a, b) => a.nonce - b.nonce);
}

function secondOf(time: number): number {
  return Math.floor(time / SLICE_MS);
}

/** Big-endian in 8 bytes. A bigint for each would cost more than the hash. */
function writeNumber(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32BE(Math.floor(value / 2 ** 32), at);
  bytes.writeUInt32BE(value >>> 0, at + 4);
}

function numberBytes(value: number): Uint8Array {
  const bytes = Buffer.alloc(NUMBER_BYTES);
  writeNumber(bytes, value, 0);
  return bytes;
}
