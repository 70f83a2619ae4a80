// All unexpired ids of a cluster, each with the digest of its stored reply, under one hash. Ids fall into slices by the
// second in which they expire: most live equally long, so new ones meet in a few slices, and old ones go by whole
// slices. What is committed to are exactly the ids that have not expired at the record time asked about, so a node that
// has dropped others already has the same hash. A slice is hashed in pages, which are what is handed to a node that is
// behind. Ids are only ever added to a slice, so how long it was is all that a view of the past must know.

import { sha256 } from "../crypto/hash.js";
import { merkleRoot } from "../crypto/merkle.js";
import { type PublicKey, toHex } from "../types/ids.js";
import { limits } from "../types/limits.js";

/** A consumed id and what its client is told: what a node stores of it. */
export interface StoredId {
  readonly client: PublicKey;
  readonly nonce: number;
  readonly validUntil: number;
  /** storedReplySchema. */
  readonly reply: Uint8Array;
}

/** What the hash of the ids is made of: by second, ascending, the digests of a slice's pages one after the other. */
export interface SlicePages {
  readonly second: number;
  readonly digests: Uint8Array;
}

/** An id in a page, without its reply. */
export interface PagedId {
  readonly client: PublicKey;
  readonly nonce: number;
  readonly validUntil: number;
  readonly replyDigest: Uint8Array;
}

const SLICE_MS = 1000;
const CLIENT_BYTES = 32;
const NUMBER_BYTES = 8;
const HASH_BYTES = 32;
/** Client and nonce, by which a page is in order; then validUntil and the digest of the reply. */
const ID_BYTES = CLIENT_BYTES + NUMBER_BYTES;
const HASHED_BYTES = ID_BYTES + NUMBER_BYTES + HASH_BYTES;
/** Behind what is hashed: the reply's length, of which a page may hold so many. */
const LENGTH_BYTES = 4;
const ROW_BYTES = HASHED_BYTES + LENGTH_BYTES;
const ROWS_AT_FIRST = 16;

class Slice {
  rows = Buffer.allocUnsafeSlow(ROWS_AT_FIRST * ROW_BYTES);
  used = 0;

  add({ client, nonce, validUntil, reply }: StoredId): void {
    if (this.used === this.rows.length) {
      const larger = Buffer.allocUnsafeSlow(this.rows.length * 2);
      larger.set(this.rows);
      this.rows = larger;
    }
    const at = this.used;
    this.rows.write(client, at, "hex");
    writeNumber(this.rows, nonce, at + CLIENT_BYTES);
    writeNumber(this.rows, validUntil, at + ID_BYTES);
    this.rows.set(sha256(reply), at + ID_BYTES + NUMBER_BYTES);
    this.rows.writeUInt32BE(reply.length, at + HASHED_BYTES);
    this.used += ROW_BYTES;
  }

  /** Rows of pages, of the ids among the first `used` bytes that are unexpired at `recordTime`. */
  pages(used: number, recordTime: number): readonly Buffer[] {
    const { rows } = this;
    const kept: number[] = [];
    for (let at = 0; at < used; at += ROW_BYTES) if (readNumber(rows, at + ID_BYTES) >= recordTime) kept.push(at);
    kept.sort((a, b) => rows.compare(rows, b, b + ID_BYTES, a, a + ID_BYTES));
    const pages: Buffer[] = [];
    let page: Buffer[] = [];
    let bytes = 0;
    for (const at of kept) {
      page.push(rows.subarray(at, at + HASHED_BYTES));
      bytes += rows.readUInt32BE(at + HASHED_BYTES);
      if (page.length < limits.idsPerPageMax && bytes < limits.idPageBytes) continue;
      pages.push(Buffer.concat(page));
      page = [];
      bytes = 0;
    }
    if (page.length > 0) pages.push(Buffer.concat(page));
    return pages;
  }
}

export class IdSlices {
  readonly #slices = new Map<number, Slice>();
  /** Digests of the pages of slices that have not changed since. */
  readonly #digests = new Map<number, Uint8Array>();

  add(id: StoredId): void {
    const second = secondOf(id.validUntil);
    let slice = this.#slices.get(second);
    if (slice === undefined) {
      slice = new Slice();
      this.#slices.set(second, slice);
    }
    slice.add(id);
    this.#digests.delete(second);
  }

  /** Record time never goes back, so what has expired is dropped on the way. */
  pages(recordTime: number): readonly SlicePages[] {
    const now = secondOf(recordTime);
    const all: SlicePages[] = [];
    for (const second of [...this.#slices.keys()].sort((a, b) => a - b)) {
      const slice = this.#slices.get(second) as Slice;
      if (second < now) {
        this.#slices.delete(second);
        this.#digests.delete(second);
        continue;
      }
      // Of the slice of this very second some ids may have expired, so it is looked at each time.
      if (second === now) this.#digests.delete(second);
      const digests = this.#digests.get(second) ?? digestsOf(slice.pages(slice.used, recordTime));
      this.#digests.set(second, digests);
      if (digests.length > 0) all.push({ second, digests });
    }
    return all;
  }

  /** The ids of this moment, to be looked at later. */
  freeze(recordTime: number): FrozenIds {
    const pages = this.pages(recordTime);
    const slices = pages.map(({ second }) => {
      const slice = this.#slices.get(second) as Slice;
      return { slice, used: slice.used };
    });
    return new FrozenIds(slices, pages, recordTime);
  }
}

interface FrozenSlice {
  readonly slice: Slice;
  /** How much of its rows there was. */
  readonly used: number;
}

/** Ids as they were. What is added later lies behind, and what is dropped later stays here. */
export class FrozenIds {
  readonly pages: readonly SlicePages[];
  readonly #slices: readonly FrozenSlice[];
  readonly #recordTime: number;

  /** `slices`: one for each of `pages`. */
  constructor(slices: readonly FrozenSlice[], pages: readonly SlicePages[], recordTime: number) {
    this.#slices = slices;
    this.pages = pages;
    this.#recordTime = recordTime;
  }

  /** About as many ids as are in it. */
  get size(): number {
    return this.#slices.reduce((sum, { used }) => sum + used / ROW_BYTES, 0);
  }

  /** Page number `number` of all, counted over the slices in their order. */
  page(number: number): readonly PagedId[] | undefined {
    let before = 0;
    for (const [i, { digests }] of this.pages.entries()) {
      const count = digests.length / HASH_BYTES;
      if (number < before + count) {
        const { slice, used } = this.#slices[i] as FrozenSlice;
        const rows = slice.pages(used, this.#recordTime)[number - before];
        return rows === undefined ? undefined : [...idsIn(rows)];
      }
      before += count;
    }
    return undefined;
  }
}

/** The hash over the pages of all slices. */
export function slicesRoot(slices: readonly SlicePages[]): Uint8Array {
  const leaves = slices.map(({ second, digests }) => Buffer.concat([numberBytes(second), sha256(digests)]));
  return new Uint8Array(merkleRoot(leaves));
}

/** What a page's digest must be if it holds these ids, which are in order. */
export function pageDigest(ids: readonly StoredId[]): Uint8Array {
  const slice = new Slice();
  for (const id of ids) slice.add(id);
  const rows = ids.map((_, i) => slice.rows.subarray(i * ROW_BYTES, i * ROW_BYTES + HASHED_BYTES));
  return new Uint8Array(sha256(Buffer.concat(rows)));
}

/** Of all pages, in their order. */
export function pageDigests(slices: readonly SlicePages[]): readonly Uint8Array[] {
  return slices.flatMap(({ digests }) =>
    Array.from({ length: digests.length / HASH_BYTES }, (_, i) =>
      digests.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES),
    ),
  );
}

function* idsIn(rows: Buffer): Generator<PagedId> {
  for (let at = 0; at < rows.length; at += HASHED_BYTES) {
    const end = at + ID_BYTES + NUMBER_BYTES;
    yield {
      client: toHex<PublicKey>(rows.subarray(at, at + CLIENT_BYTES)),
      nonce: readNumber(rows, at + CLIENT_BYTES),
      validUntil: readNumber(rows, at + ID_BYTES),
      replyDigest: rows.subarray(end, end + HASH_BYTES),
    };
  }
}

function digestsOf(pages: readonly Buffer[]): Uint8Array {
  return new Uint8Array(Buffer.concat(pages.map((page) => sha256(page))));
}

function secondOf(time: number): number {
  return Math.floor(time / SLICE_MS);
}

/** Big-endian in 8 bytes. A bigint for each would cost more than the hash. */
function writeNumber(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32BE(Math.floor(value / 2 ** 32), at);
  bytes.writeUInt32BE(value >>> 0, at + 4);
}

function readNumber(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
}

function numberBytes(value: number): Uint8Array {
  const bytes = Buffer.alloc(NUMBER_BYTES);
  writeNumber(bytes, value, 0);
  return bytes;
}
