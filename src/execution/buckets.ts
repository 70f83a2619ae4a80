// All accounts of a cluster as bytes under one Merkle root. Accounts fall into buckets by the hash of their name; a
// bucket is its rows in ascending order of name, so it depends on what it holds and not on how it came there, and is
// itself the piece in which state can be handed to a node that is behind. Rows are bytes and not objects: about 55
// bytes for an account with a short name. Buckets come in groups, and only what has changed is hashed again.

import { crc32c } from "../crypto/crc32c.js";
import { hashNumber, sha256 } from "../crypto/hash.js";
import { merklePath, merkleRoot, verifyMerklePath } from "../crypto/merkle.js";
import { type AccountId, type PublicKey, toHex } from "../types/ids.js";
import type { AccountValue } from "./engine.js";

/** 64 * 64 buckets: a million accounts make buckets of 13 KB, quick to hash and to send. */
const GROUPS = 64;
const GROUP_BUCKETS = 64;
const BUCKET_BITS = 12;

const BALANCE_BYTES = 8;
const OWNER_BYTES = 32;
/** A row is the name's length in one byte, the name, the balance, and the owner or zeros, which are nobody's key. */
const VALUE_BYTES = BALANCE_BYTES + OWNER_BYTES;
const EMPTY = Buffer.alloc(0);
/** Spare room of a bucket that had to grow: a tenth more memory, and few copies while it fills. */
const GROWTH = 1.1;

/** Shows that a bucket belongs to a root. */
export interface BucketProof {
  readonly rows: Uint8Array;
  readonly group: Uint8Array;
  readonly pathInGroup: readonly Uint8Array[];
  readonly pathOfGroup: readonly Uint8Array[];
}

export class AccountBuckets {
  /** Each with room to grow; `#used` says how far it is filled. */
  readonly #buckets: Buffer[] = new Array(GROUPS * GROUP_BUCKETS).fill(EMPTY);
  readonly #used = new Uint32Array(GROUPS * GROUP_BUCKETS);
  readonly #digests: Uint8Array[] = new Array(GROUPS * GROUP_BUCKETS).fill(new Uint8Array(sha256(EMPTY)));
  readonly #groups: Uint8Array[];
  readonly #changed = new Set<number>();
  #sum = 0;

  constructor(accounts: Iterable<AccountValue>) {
    const emptyGroup = new Uint8Array(merkleRoot(this.#digests.slice(0, GROUP_BUCKETS)));
    this.#groups = new Array(GROUPS).fill(emptyGroup);
    for (const account of accounts) this.set(account);
  }

  set(value: AccountValue): void {
    const bucket = bucketOf(value.account);
    const { at, found } = find(this.#rowsOf(bucket), value.account);
    const name = at + 1 + value.account.length;
    if (found) this.#sum -= crc32c(this.#rowsOf(bucket), at, name + VALUE_BYTES);
    else this.#insert(bucket, at, value.account);
    const rows = this.#buckets[bucket] as Buffer;
    writeValue(rows, name, value);
    this.#sum = (this.#sum + crc32c(rows, at, name + VALUE_BYTES)) >>> 0;
    this.#changed.add(bucket);
  }

  /** Of the checksums of all rows: costs next to nothing, and tells whether the accounts are those of a moment. */
  get sum(): number {
    return this.#sum;
  }

  root(): Uint8Array {
    const groups = new Set<number>();
    for (const bucket of this.#changed) {
      this.#digests[bucket] = new Uint8Array(sha256(this.#rowsOf(bucket)));
      groups.add(groupOf(bucket));
    }
    for (const group of groups) this.#groups[group] = new Uint8Array(merkleRoot(this.#digestsOf(group)));
    this.#changed.clear();
    return new Uint8Array(merkleRoot(this.#groups));
  }

  /** Of the bucket in which the account is, or would be. */
  prove(account: AccountId): BucketProof {
    this.root();
    const bucket = bucketOf(account);
    const group = groupOf(bucket);
    return {
      rows: new Uint8Array(this.#rowsOf(bucket)),
      group: this.#groups[group] as Uint8Array,
      pathInGroup: copies(merklePath(this.#digestsOf(group), bucket % GROUP_BUCKETS)),
      pathOfGroup: copies(merklePath(this.#groups, group)),
    };
  }

  #rowsOf(bucket: number): Buffer {
    return (this.#buckets[bucket] as Buffer).subarray(0, this.#used[bucket]);
  }

  #digestsOf(group: number): readonly Uint8Array[] {
    return this.#digests.slice(group * GROUP_BUCKETS, (group + 1) * GROUP_BUCKETS);
  }

  /** Makes room for a row and writes its name. */
  #insert(bucket: number, at: number, account: AccountId): void {
    const rows = this.#rowsOf(bucket);
    const rowBytes = 1 + account.length + VALUE_BYTES;
    const used = rows.length + rowBytes;
    let bytes = this.#buckets[bucket] as Buffer;
    if (used > bytes.length) {
      // Not from the pool, of which a small part would keep the whole.
      bytes = Buffer.allocUnsafeSlow(Math.ceil(used * GROWTH));
      bytes.set(rows);
      this.#buckets[bucket] = bytes;
    }
    bytes.copyWithin(at + rowBytes, at, rows.length);
    bytes[at] = account.length;
    bytes.write(account, at + 1, "latin1");
    this.#used[bucket] = used;
  }
}

/** What a proven bucket says of an account: its value, or "absent"; undefined if the proof is not for this root. */
export function accountInBucket(args: {
  readonly account: AccountId;
  readonly root: Uint8Array;
  readonly proof: BucketProof;
}): AccountValue | "absent" | undefined {
  const { account, root, proof } = args;
  const { rows, group, pathInGroup, pathOfGroup } = proof;
  const bucket = bucketOf(account);
  const inGroup = { root: group, leaf: sha256(rows), index: bucket % GROUP_BUCKETS, count: GROUP_BUCKETS };
  const ofGroup = { root, leaf: group, index: groupOf(bucket), count: GROUPS };
  if (!verifyMerklePath({ ...inGroup, path: pathInGroup })) return undefined;
  if (!verifyMerklePath({ ...ofGroup, path: pathOfGroup })) return undefined;
  const { at, found } = find(rows, account);
  return found ? readValue(rows, at + 1 + account.length, account) : "absent";
}

/** The upper bits of the hash: its remainder may be what chose the cluster. */
function bucketOf(account: AccountId): number {
  return hashNumber(account) >>> (32 - BUCKET_BITS);
}

function groupOf(bucket: number): number {
  return Math.floor(bucket / GROUP_BUCKETS);
}

/** Where the row of an account begins, or where it would have to. */
function find(rows: Uint8Array, account: AccountId): { readonly at: number; readonly found: boolean } {
  let at = 0;
  while (at < rows.length) {
    const order = compareName(rows, at, account);
    if (order >= 0) return { at, found: order === 0 };
    at += 1 + (rows[at] as number) + VALUE_BYTES;
  }
  return { at, found: false };
}

/** The order of strings: character by character, a prefix first. Names are ASCII, one byte each. */
function compareName(rows: Uint8Array, at: number, account: AccountId): number {
  const length = rows[at] as number;
  const common = Math.min(length, account.length);
  for (let i = 0; i < common; i++) {
    const difference = (rows[at + 1 + i] as number) - account.charCodeAt(i);
    if (difference !== 0) return difference;
  }
  return length - account.length;
}

function writeValue(rows: Buffer, at: number, { balance, owner }: AccountValue): void {
  rows.writeBigUInt64BE(balance, at);
  if (owner === undefined) rows.fill(0, at + BALANCE_BYTES, at + VALUE_BYTES);
  else rows.write(owner, at + BALANCE_BYTES, OWNER_BYTES, "hex");
}

function readValue(rows: Uint8Array, at: number, account: AccountId): AccountValue {
  const balance = new DataView(rows.buffer, rows.byteOffset + at).getBigUint64(0);
  const owner = rows.subarray(at + BALANCE_BYTES, at + VALUE_BYTES);
  return { account, balance, owner: owner.every((byte) => byte === 0) ? undefined : toHex<PublicKey>(owner) };
}

function copies(hashes: readonly Uint8Array[]): readonly Uint8Array[] {
  return hashes.map((hash) => new Uint8Array(hash));
}
