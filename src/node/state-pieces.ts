// What a piece of a state must be, whoever gives it (protocol 6): what the list of digests says, which itself leads to
// the state root that a quorum has signed. The same judgement serves a node that takes the state of others and whoever
// checks a backup.

import { sha256 } from "../crypto/hash.js";
import { digestOfRows } from "../execution/buckets.js";
import { incarnationsIn } from "../execution/incarnations.js";
import type { StatePieces } from "../execution/pieces.js";
import { pageDigest, pageDigests } from "../execution/slices.js";
import { tryDecode } from "../ledger/records.js";
import { type ClusterId, toHex } from "../types/ids.js";
import { type StateList, type StatePiece, stateIdsSchema, storedReplySchema } from "../types/schema.js";
import type { StatePart } from "../types/state-transfer.js";
import type { Rejoined } from "./installer.js";
import { decodeClaims } from "./wire-views.js";

const HASH_BYTES = 32;

/** Every number that is recorded comes with the word of its node. */
export function rejoinedIn({ incarnations, rejoins }: StateList, cluster: ClusterId): Rejoined | undefined {
  const all = incarnationsIn(incarnations);
  const claims = decodeClaims(rejoins, cluster);
  if (all === undefined || claims === undefined) return undefined;
  const isTold = ([node, { number }]: (typeof all)[number]) =>
    claims.some((claim) => claim.node === node && claim.incarnation >= number);
  return all.every(isTold) ? { all, claims } : undefined;
}

export function isPieceOf(list: StatePieces | undefined, part: StatePart, { number, bytes }: StatePiece): boolean {
  if (list === undefined) return false;
  switch (part) {
    case "list":
      return false;
    case "accounts":
      return isDigest(list.accounts, number, digestOfRows(bytes));
    case "positions":
      return isDigest(list.positions, number, sha256(bytes));
    case "ids": {
      const ids = storedIdsIn(bytes);
      const expected = pageDigests(list.ids)[number];
      return ids !== undefined && expected !== undefined && Buffer.compare(pageDigest(ids), expected) === 0;
    }
  }
}

/** How many pieces a part has. */
export function piecesIn(list: StatePieces, part: Exclude<StatePart, "list">): number {
  return part === "ids" ? pageDigests(list.ids).length : list[part].length / HASH_BYTES;
}

/** The ids of a piece; undefined: it is not the encoding of one. */
export function storedIdsIn(bytes: Uint8Array) {
  return tryDecode(() =>
    stateIdsSchema.decode(bytes).ids.map(({ client, nonce, reply }) => {
      const { validUntil, height } = storedReplySchema.decode(reply);
      return { client: toHex<never>(client), nonce, validUntil, height, reply };
    }),
  );
}

export function isDigest(digests: Uint8Array, number: number, digest: Uint8Array): boolean {
  const at = number * HASH_BYTES;
  return at < digests.length && Buffer.compare(digests.subarray(at, at + HASH_BYTES), digest) === 0;
}
