// What a state root is made of: the digests of the pieces of a state, each of which can be checked by itself once the
// list of them is known to be right (protocol 6).

import { digestOf } from "../crypto/hash.js";
import { type Digest, toHex } from "../types/ids.js";
import { bucketsRoot } from "./buckets.js";
import { positionsRoot } from "./positions.js";
import { type SlicePages, slicesRoot } from "./slices.js";

/** The digests of all pieces of a state. */
export interface StatePieces {
  /** Of the buckets, one after the other. */
  readonly accounts: Uint8Array;
  readonly ids: readonly SlicePages[];
  /** Of the chunks of positions, one after the other. */
  readonly positions: Uint8Array;
}

/** The state root whose pieces have these digests. */
export function rootOfPieces({ accounts, ids, positions }: StatePieces): Digest {
  return joinRoots([bucketsRoot(accounts), slicesRoot(ids), positionsRoot(positions)]);
}

/** The roots of a state's parts: of accounts, ids, positions. */
export function partRoots({ accounts, ids, positions }: StatePieces): readonly [Digest, Digest, Digest] {
  return [toHex(bucketsRoot(accounts)), toHex(slicesRoot(ids)), toHex(positionsRoot(positions))];
}

export function joinRoots(roots: readonly Uint8Array[]): Digest {
  return digestOf(Buffer.concat(roots));
}
