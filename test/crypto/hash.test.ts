// SHA-256 is the standard's, whichever way the bytes come in.

import fc from "fast-check";
import { expect, it } from "vitest";
import { digestOf, hashNumber, runningSha256, sha256 } from "../../src/crypto/hash.js";
import { toHex } from "../../src/types/ids.js";

const vectors = [
  ["", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
  ["abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
] as const;

it.each(vectors)("hashes %j as FIPS 180 says", (text, digest) => {
  expect(digestOf(Buffer.from(text))).toBe(digest);
  expect(toHex(sha256(Buffer.from(text)))).toBe(digest);
});

it("gives one hash for one content, in one piece or in many, of a whole buffer or a view", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), (pieces) => {
      const whole = Buffer.concat(pieces);
      const running = runningSha256();
      for (const piece of pieces) running.add(piece);
      const padded = Buffer.concat([Buffer.from("x"), whole, Buffer.from("y")]);
      expect(toHex(running.digest())).toBe(digestOf(whole));
      expect(toHex(sha256(whole))).toBe(digestOf(padded.subarray(1, -1)));
    }),
  );
});

it("numbers a text by the first four bytes of its hash", () => {
  expect(hashNumber("abc")).toBe(0xba7816bf);
});
