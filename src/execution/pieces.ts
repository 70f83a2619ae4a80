// What a state root is made of: the digests of the pieces of a state, each of which can be checked by itself once the
// list of them is known to be right (protocol 6).

import { digestOf, sha256 } from "../crypto/hash.js";
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
  /** How often nodes have rejoined, itself and not a digest (incarnations.ts); empty while none has. */
  readonly incarnations: Uint8Array;
}

/** The state root whose pieces have these digests. */
export function rootOfPieces(pieces: StatePieces): Digest {
  return joinRoots(rootsOf(pieces));
}

/** The roots of a state's parts: of accounts, then of ids, of positions and, once a node has rejoined, of that. */
export function partRoots(pieces: StatePieces): readonly [Digest, ...Digest[]] {
  const [accounts, ...others] = rootsOf(pieces);
  return [toHex(accounts), ...others.map((root) => toHex<Digest>(root))];
}

export function joinRoots(roots: readonly Uint8Array[]): Digest {
  return digestOf(Buffer.concat(roots));
}

/** Of the roots of the parts that have one, and the incarnations themselves. */
export function joinParts(parts: {
  readonly accounts: Uint8Array;
  readonly ids: Uint8Array;
  readonly positions: Uint8Array;
  readonly incarnations: Uint8Array;
}): Digest {
  const { accounts, ids, positions, incarnations } = parts;
  return joinRoots([accounts, ids, positions, ...rejoinsRoot(incarnations)]);
}

function rootsOf({ accounts, ids, positions, incarnations }: StatePieces): readonly [Uint8Array, ...Uint8Array[]] {
  return [bucketsRoot(accounts), slicesRoot(ids), positionsRoot(positions), ...rejoinsRoot(incarnations)];
}

/** While no node has rejoined, there is nothing to say. */
function rejoinsRoot(incarnations: Uint8Array): readonly Uint8Array[] {
  return incarnations.length === 0 ? [] : [new Uint8Array(sha256(incarnations))];
}
