// Merkle trees: roots as a naive tree gives them, paths that prove exactly one leaf at one place.

import fc from "fast-check";
import { expect, it } from "vitest";
import { sha256 } from "../../src/crypto/hash.js";
import { merklePath, merkleRoot, verifyMerklePath } from "../../src/crypto/merkle.js";
import { toHex } from "../../src/types/ids.js";

const leafLists = fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 40 });

/** The definition, word by word: the left part is the largest power of two below the number of leaves. */
function naiveRoot(leaves: readonly Uint8Array[]): Uint8Array {
  const [only] = leaves;
  if (leaves.length === 1 && only !== undefined) return sha256(Buffer.concat([Uint8Array.of(0), only]));
  let left = 1;
  while (left * 2 < leaves.length) left *= 2;
  const halves = [naiveRoot(leaves.slice(0, left)), naiveRoot(leaves.slice(left))];
  return sha256(Buffer.concat([Uint8Array.of(1), ...halves]));
}

it("has 32 zero bytes as the root of nothing", () => {
  expect(toHex(merkleRoot([]))).toBe("00".repeat(32));
});

it("gives the root that the definition gives", () => {
  fc.assert(
    fc.property(leafLists, (leaves) => {
      expect(toHex(merkleRoot(leaves))).toBe(toHex(naiveRoot(leaves)));
    }),
  );
});

it("tells leaves from inner nodes, and a list from the same list with its last leaf twice", () => {
  const [a, b, c] = [Buffer.from("a"), Buffer.from("b"), Buffer.from("c")];
  const inner = Buffer.concat([Uint8Array.of(1), merkleRoot([a]), merkleRoot([b])]);
  expect(merkleRoot([inner.subarray(1)])).not.toEqual(merkleRoot([a, b]));
  expect(merkleRoot([a, b, c])).not.toEqual(merkleRoot([a, b, c, c]));
});

it("proves every leaf at its place, and nothing else anywhere", () => {
  fc.assert(
    fc.property(leafLists, fc.nat(), fc.nat(), (leaves, seed, otherSeed) => {
      const index = seed % leaves.length;
      const leaf = leaves[index] as Uint8Array;
      const proof = { root: merkleRoot(leaves), leaf, index, count: leaves.length, path: merklePath(leaves, index) };
      expect(verifyMerklePath(proof)).toBe(true);
      expect(verifyMerklePath({ ...proof, leaf: Buffer.concat([leaf, Uint8Array.of(0)]) })).toBe(false);
      expect(verifyMerklePath({ ...proof, path: [...proof.path, new Uint8Array(32)] })).toBe(false);
      if (proof.path.length > 0) expect(verifyMerklePath({ ...proof, path: proof.path.slice(1) })).toBe(false);
      const other = otherSeed % leaves.length;
      if (toHex(leaves[other] as Uint8Array) !== toHex(leaf)) {
        expect(verifyMerklePath({ ...proof, index: other })).toBe(false);
      }
    }),
  );
});

it("never throws on a path from outside", () => {
  const numbers = fc.oneof(fc.integer(), fc.double(), fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53));
  const bytes = fc.uint8Array({ maxLength: 40 });
  fc.assert(
    fc.property(bytes, bytes, numbers, numbers, fc.array(bytes), (root, leaf, index, count, path) => {
      expect(verifyMerklePath({ root, leaf, index, count, path })).toBe(false);
    }),
  );
});

it("refuses to prove a leaf that is not there", () => {
  expect(() => merklePath([Buffer.from("a")], 1)).toThrow(RangeError);
  expect(() => merklePath([], 0)).toThrow(RangeError);
});
