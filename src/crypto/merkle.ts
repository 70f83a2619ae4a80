// Merkle trees over lists of byte strings (block roots, state roots). A leaf is H(0x00 | data), an inner node H(0x01 |
// left | right), so that neither can pose as the other; a node without a sibling moves up unchanged, so that no two
// lists share a root by padding. The empty list has the root of 32 zero bytes, which no hash is known to give.

import { sha256 } from "./hash.js";

const HASH_BYTES = 32;
const LEAF = 0;
const INNER = 1;

export function merkleRoot(leaves: readonly Uint8Array[]): Uint8Array {
  let level = leaves.map(leafHash);
  while (level.length > 1) level = levelAbove(level);
  return level[0] ?? new Uint8Array(HASH_BYTES);
}

/** The siblings from the leaf up to the root; levels in which it has none are left out. */
export function merklePath(leaves: readonly Uint8Array[], index: number): readonly Uint8Array[] {
  if (!Number.isInteger(index) || index < 0 || index >= leaves.length) {
    throw new RangeError(`leaf ${index} of ${leaves.length}`);
  }
  const path: Uint8Array[] = [];
  let level = leaves.map(leafHash);
  for (let at = index; level.length > 1; at >>= 1) {
    const sibling = level[at ^ 1];
    if (sibling !== undefined) path.push(sibling);
    level = levelAbove(level);
  }
  return path;
}

/** Whether `leaf` is number `index` of the `count` leaves under `root`. Never throws. */
export function verifyMerklePath(args: {
  readonly root: Uint8Array;
  readonly leaf: Uint8Array;
  readonly index: number;
  readonly count: number;
  readonly path: readonly Uint8Array[];
}): boolean {
  const { root, leaf, index, count, path } = args;
  if (!Number.isSafeInteger(count) || !Number.isInteger(index) || index < 0 || index >= count) return false;
  let hash = leafHash(leaf);
  let used = 0;
  for (let at = index, width = count; width > 1; at = Math.floor(at / 2), width = Math.ceil(width / 2)) {
    const isLeft = at % 2 === 0;
    if (isLeft && at + 1 === width) continue;
    const sibling = path[used++];
    if (sibling === undefined || sibling.length !== HASH_BYTES) return false;
    hash = isLeft ? innerHash(hash, sibling) : innerHash(sibling, hash);
  }
  return used === path.length && Buffer.compare(hash, root) === 0;
}

function levelAbove(level: readonly Uint8Array[]): Uint8Array[] {
  const above: Uint8Array[] = [];
  for (let i = 0; i < level.length; i += 2) {
    const left = level[i] as Uint8Array;
    const right = level[i + 1];
    above.push(right === undefined ? left : innerHash(left, right));
  }
  return above;
}

function leafHash(data: Uint8Array): Uint8Array {
  const bytes = Buffer.allocUnsafe(1 + data.length);
  bytes[0] = LEAF;
  bytes.set(data, 1);
  return sha256(bytes);
}

const inner = Buffer.alloc(1 + 2 * HASH_BYTES);
inner[0] = INNER;

function innerHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  inner.set(left, 1);
  inner.set(right, 1 + HASH_BYTES);
  return sha256(inner);
}
