// All accounts of a cluster as bytes under one Merkle root. Accounts fall into buckets by the hash of their name; a
// bucket is its rows in ascending order of name, so it depends on what it holds and not on how it came there, and is
// itself the piece in which state is handed to a node that is behind. Its digest is that of its pages of about a
// kilobyte, so that one account is shown without the rest of its bucket. Rows are bytes and not objects: about 55 bytes
// for an account with a short name. Buckets come in groups, and only what has changed is hashed again.

import { crc32c } from "../crypto/crc32c.js";
import { hashNumber, sha256 } from "../crypto/hash.js";
import { merklePath, merkleRoot, verifyMerklePath } from "../crypto/merkle.js";
import type { AccountId } from "../types/ids.js";
import type { AccountValue } from "./engine.js";
import {
  accountsIn,
  BALANCE_BYTES,
  compareName,
  find,
  lastRowOf,
  OWNER_BYTES,
  readValue,
  rowBytesOf,
  rowsWith,
  sumOfRows,
  VALUE_BYTES,
  writeValue,
} from "./rows.js";

/** 64 * 64 buckets: a million accounts make buckets of 13 KB, quick to hash and to send. */
const GROUPS = 64;
const GROUP_BUCKETS = 64;
export const BUCKETS = GROUPS * GROUP_BUCKETS;
/** A page ends with the row that fills it. */
const PAGE_BYTES = 1024;
const HASH_BYTES = 32;
const BUCKET_BITS = 12;

const EMPTY = Buffer.alloc(0);
const EMPTY_DIGEST = new Uint8Array(sha256(EMPTY));
/** Spare room of a bucket that had to grow: a tenth more memory on average, and few copies while it fills. */
const GROWTH = 1.2;
const GROWTH_AT_ONCE = 1.4;
const ROOM_MIN = 256;

/** Shows what is where an account is, or would be. */
export interface BucketProof {
  /** Whole pages in a row. */
  readonly rows: Uint8Array;
  /** Number of the first of them. */
  readonly first: number;
  /** Digests of all pages of the bucket, one after the other. */
  readonly pages: Uint8Array;
  readonly group: Uint8Array;
  readonly pathInGroup: readonly Uint8Array[];
  readonly pathOfGroup: readonly Uint8Array[];
}

/** An account as a store has it. */
export interface RawAccount {
  readonly name: Uint8Array;
  readonly balance: bigint;
  /** Empty: nobody. */
  readonly owner: Uint8Array;
}

export class AccountBuckets {
  /** Each with room to grow; `#used` says how far it is filled. */
  readonly #buckets: Buffer[] = new Array(BUCKETS).fill(EMPTY);
  readonly #used = new Uint32Array(BUCKETS);
  /** Where the last row of each begins: accounts that come in the order of their names are appended. */
  readonly #last = new Uint32Array(BUCKETS);
  readonly #digests: Uint8Array[] = new Array(BUCKETS).fill(EMPTY_DIGEST);
  readonly #groups: Uint8Array[];
  readonly #changed = new Set<number>();
  #sum = 0;

  constructor(accounts: Iterable<AccountValue>) {
    const emptyGroup = new Uint8Array(merkleRoot(this.#digests.slice(0, GROUP_BUCKETS)));
    this.#groups = new Array(GROUPS).fill(emptyGroup);
    for (const account of accounts) this.set(account);
  }

  /** Its value before; undefined: it was not there. `wanted`: else nobody looks, and nothing is made for it. */
  set(value: AccountValue, wanted = false): AccountValue | undefined {
    const { account } = value;
    const bucket = bucketOf(account);
    const rows = this.#rowsOf(bucket);
    const isNext = rows.length === 0 || compareName(rows, this.#last[bucket] as number, account) < 0;
    const { at, found } = isNext ? { at: rows.length, found: false } : find(rows, account);
    const name = at + 1 + account.length;
    const before = found && wanted ? readValue(rows, name, account) : undefined;
    if (found) this.#add(-crc32c(rows, at, name + VALUE_BYTES));
    else this.#insert(bucket, at, account);
    const written = this.#buckets[bucket] as Buffer;
    writeValue(written, name, value);
    this.#add(crc32c(written, at, name + VALUE_BYTES));
    if (isNext) this.#last[bucket] = at;
    else if (!found) this.#last[bucket] = (this.#last[bucket] as number) + rowBytesOf(account);
    this.#changed.add(bucket);
    return before;
  }

  /** One of many that come in the order of their names, as a store has them; `loaded` ends them. */
  load({ name, balance, owner }: RawAccount): void {
    const bucket = bucketOf(name);
    const at = this.#used[bucket] as number;
    const bytes = this.#reserve(bucket, 1 + name.length + VALUE_BYTES, GROWTH_AT_ONCE);
    bytes[at] = name.length;
    // Short ones: a loop costs less than the call that copies them.
    for (let i = 0; i < name.length; i++) bytes[at + 1 + i] = name[i] as number;
    const value = at + 1 + name.length;
    bytes.writeBigUInt64BE(balance, value);
    for (let i = 0; i < OWNER_BYTES; i++) bytes[value + BALANCE_BYTES + i] = owner[i] ?? 0;
    this.#last[bucket] = at;
    this.#add(crc32c(bytes, at, value + VALUE_BYTES));
  }

  loaded(): void {
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      if ((this.#used[bucket] as number) > 0) this.#changed.add(bucket);
    }
  }

  get(account: AccountId): AccountValue | undefined {
    const rows = this.#rowsOf(bucketOf(account));
    const { at, found } = find(rows, account);
    return found ? readValue(rows, at + 1 + account.length, account) : undefined;
  }

  *[Symbol.iterator](): Generator<AccountValue> {
    for (let bucket = 0; bucket < BUCKETS; bucket++) yield* accountsIn(this.#rowsOf(bucket));
  }

  /** As if it had never been there. */
  remove(account: AccountId): void {
    const bucket = bucketOf(account);
    this.replace(bucket, rowsWith(this.#rowsOf(bucket), new Map([[account, undefined]])));
  }

  /** The whole bucket anew, as `rows` of another node gave it. */
  replace(bucket: number, rows: Uint8Array): void {
    this.#add(sumOfRows(rows) - sumOfRows(this.#rowsOf(bucket)));
    this.#buckets[bucket] = Buffer.from(rows);
    this.#used[bucket] = rows.length;
    this.#last[bucket] = lastRowOf(rows);
    this.#changed.add(bucket);
  }

  /** Of all rows. */
  get bytes(): number {
    return this.#used.reduce((sum, used) => sum + used, 0);
  }

  /** Of the checksums of all rows: costs next to nothing, and tells whether the accounts are those of a moment. */
  get sum(): number {
    return this.#sum;
  }

  #add(difference: number): void {
    this.#sum = (this.#sum + difference) >>> 0;
  }

  root(): Uint8Array {
    const groups = new Set<number>();
    for (const bucket of this.#changed) {
      this.#digests[bucket] = digestOfRows(this.#rowsOf(bucket));
      groups.add(groupOf(bucket));
    }
    for (const group of groups) this.#groups[group] = new Uint8Array(merkleRoot(this.#digestsOf(group)));
    this.#changed.clear();
    return new Uint8Array(merkleRoot(this.#groups));
  }

  /** Of all buckets, one after the other. */
  digests(): Uint8Array {
    this.root();
    return new Uint8Array(Buffer.concat(this.#digests));
  }

  /** A view: to be copied before anything changes. */
  rows(bucket: number): Uint8Array {
    return this.#rowsOf(bucket);
  }

  #rowsOf(bucket: number): Buffer {
    return (this.#buckets[bucket] as Buffer).subarray(0, this.#used[bucket]);
  }

  #digestsOf(group: number): readonly Uint8Array[] {
    return this.#digests.slice(group * GROUP_BUCKETS, (group + 1) * GROUP_BUCKETS);
  }

  /** Makes room for a row and writes its name. */
  #insert(bucket: number, at: number, account: AccountId): void {
    const before = this.#used[bucket] as number;
    const rowBytes = rowBytesOf(account);
    const bytes = this.#reserve(bucket, rowBytes);
    bytes.copyWithin(at + rowBytes, at, before);
    bytes[at] = account.length;
    bytes.write(account, at + 1, "latin1");
  }

  /** The bucket, so many bytes longer. */
  #reserve(bucket: number, more: number, growth = GROWTH): Buffer {
    const before = this.#used[bucket] as number;
    const used = before + more;
    this.#used[bucket] = used;
    const bytes = this.#buckets[bucket] as Buffer;
    if (used <= bytes.length) return bytes;
    // Not from the pool, of which a small part would keep the whole.
    const larger = Buffer.allocUnsafeSlow(Math.max(ROOM_MIN, Math.ceil(used * growth)));
    larger.set(bytes.subarray(0, before));
    this.#buckets[bucket] = larger;
    return larger;
  }
}

/** The root over the digests of all buckets. */
export function bucketsRoot(digests: Uint8Array): Uint8Array {
  return new Uint8Array(merkleRoot(groupRoots(digests)));
}

/** The roots of all groups, over the digests of all buckets. */
export function groupRoots(digests: Uint8Array): readonly Uint8Array[] {
  return Array.from({ length: GROUPS }, (_, group) => new Uint8Array(merkleRoot(groupDigests(digests, group))));
}

/** What `digestOfRows` gives for a bucket. */
export function digestOfRows(rows: Uint8Array): Uint8Array {
  return new Uint8Array(sha256(pageDigests(rows)));
}

/** For the bucket of an account: `rows` of that bucket, `digests` of all of them and `groups`, the roots over those. */
export function proveBucket(args: {
  readonly account: AccountId;
  readonly rows: Uint8Array;
  readonly digests: Uint8Array;
  readonly groups: readonly Uint8Array[];
}): BucketProof {
  const { account, rows, digests, groups } = args;
  const bucket = bucketOf(account);
  const group = groupOf(bucket);
  const { first, from, to } = pagesAround(rows, account);
  return {
    rows: rows.slice(from, to),
    first,
    pages: pageDigests(rows),
    group: groups[group] as Uint8Array,
    pathInGroup: copies(merklePath(groupDigests(digests, group), bucket % GROUP_BUCKETS)),
    pathOfGroup: copies(merklePath(groups, group)),
  };
}

/** What a proof says of an account: its value, or "absent"; undefined if it does not prove that for this root. */
export function accountInBucket(args: {
  readonly account: AccountId;
  readonly root: Uint8Array;
  readonly proof: BucketProof;
}): AccountValue | "absent" | undefined {
  const { account, root, proof } = args;
  const { rows, first, pages, group, pathInGroup, pathOfGroup } = proof;
  const bucket = bucketOf(account);
  const inGroup = { root: group, leaf: sha256(pages), index: bucket % GROUP_BUCKETS, count: GROUP_BUCKETS };
  const ofGroup = { root, leaf: group, index: groupOf(bucket), count: GROUPS };
  if (!verifyMerklePath({ ...inGroup, path: pathInGroup })) return undefined;
  if (!verifyMerklePath({ ...ofGroup, path: pathOfGroup })) return undefined;
  const shown = pageDigests(rows);
  const from = first * HASH_BYTES;
  if (Buffer.compare(pages.subarray(from, from + shown.length), shown) !== 0) return undefined;
  const { at, found } = find(rows, account);
  if (found) return readValue(rows, at + 1 + account.length, account);
  // It would have to be within these pages, or before the first or behind the last of all.
  const isAfterStart = first === 0 || at > 0;
  const isBeforeEnd = from + shown.length === pages.length || at < rows.length;
  return isAfterStart && isBeforeEnd ? "absent" : undefined;
}

/** The upper bits of the hash: its remainder may be what chose the cluster. */
export function bucketOf(account: AccountId | Uint8Array): number {
  return hashNumber(account) >>> (32 - BUCKET_BITS);
}

function groupOf(bucket: number): number {
  return Math.floor(bucket / GROUP_BUCKETS);
}

function groupDigests(digests: Uint8Array, group: number): readonly Uint8Array[] {
  const first = group * GROUP_BUCKETS;
  return Array.from({ length: GROUP_BUCKETS }, (_, i) => {
    const at = (first + i) * HASH_BYTES;
    return digests.subarray(at, at + HASH_BYTES);
  });
}

/** Where each page ends. */
function pageEnds(rows: Uint8Array): readonly number[] {
  const ends: number[] = [];
  let from = 0;
  for (let at = 0; at < rows.length; ) {
    at += 1 + (rows[at] as number) + VALUE_BYTES;
    if (at - from < PAGE_BYTES && at < rows.length) continue;
    ends.push(at);
    from = at;
  }
  return ends;
}

function pageDigests(rows: Uint8Array): Uint8Array {
  const ends = pageEnds(rows);
  const digests = new Uint8Array(ends.length * HASH_BYTES);
  let from = 0;
  for (const [i, end] of ends.entries()) {
    digests.set(sha256(rows.subarray(from, end)), i * HASH_BYTES);
    from = end;
  }
  return digests;
}

/** The page of an account, or those on both sides of the place where it is not. */
function pagesAround(
  rows: Uint8Array,
  account: AccountId,
): { readonly first: number; readonly from: number; readonly to: number } {
  const { at } = find(rows, account);
  const ends = pageEnds(rows);
  const first = Math.max(
    0,
    ends.findIndex((end) => end >= at),
  );
  const from = ends[first - 1] ?? 0;
  const end = ends[first] ?? 0;
  // At the very end of a page: the next one shows that nothing lies between.
  const to = at === end && at < rows.length ? (ends[first + 1] as number) : end;
  return { first, from, to };
}

function copies(hashes: readonly Uint8Array[]): readonly Uint8Array[] {
  return hashes.map((hash) => new Uint8Array(hash));
}
