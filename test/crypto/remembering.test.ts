// A verifier with a memory says what it would say without: what it remembers is one key, one text and one signature
// together, forgeries are looked at each time, and it never grows.

import { describe, expect, it } from "vitest";
import { remembering } from "../../src/crypto/remembering.js";
import { ed25519Signer, ed25519Verifier, type Verifier } from "../../src/crypto/signature.js";
import type { PublicKey } from "../../src/types/ids.js";

const alice = ed25519Signer(new Uint8Array(32).fill(1));
const bob = ed25519Signer(new Uint8Array(32).fill(2));
const bytes = Buffer.from("hello");
const good = { bytes, signature: alice.sign(bytes), publicKey: alice.publicKey };

function counted(): { readonly verifier: Verifier; readonly calls: () => number } {
  let calls = 0;
  const verify: Verifier["verify"] = (args) => {
    calls++;
    return ed25519Verifier.verify(args);
  };
  return { verifier: remembering({ verify }, 4), calls: () => calls };
}

describe("a verifier with a memory", () => {
  it("looks at the same signature once", () => {
    const { verifier, calls } = counted();
    for (let i = 0; i < 3; i++) expect(verifier.verify({ ...good, bytes: Buffer.from(bytes) })).toBe(true);
    expect(calls()).toBe(1);
  });

  it.each([
    ["another text", { ...good, bytes: Buffer.from("hellp") }],
    ["a longer text", { ...good, bytes: Buffer.from("hello.") }],
    ["another key", { ...good, publicKey: bob.publicKey }],
    ["another signature", { ...good, signature: bob.sign(bytes) }],
    ["a signature that took a byte of the text", { ...good, signature: Buffer.concat([good.signature, bytes]) }],
    ["a key that is none", { ...good, publicKey: "zz".repeat(32) as PublicKey }],
    ["a key that is too short", { ...good, publicKey: alice.publicKey.slice(2) as PublicKey }],
  ])("does not take %s for what it knows", (_, args) => {
    const { verifier } = counted();
    expect(verifier.verify(good)).toBe(true);
    for (let i = 0; i < 2; i++) expect(verifier.verify(args)).toBe(false);
    expect(verifier.verify(good)).toBe(true);
  });

  it("looks at forgeries each time, and they drive nothing out", () => {
    const { verifier, calls } = counted();
    expect(verifier.verify(good)).toBe(true);
    const forged = new Uint8Array(64);
    for (let i = 0; i < 100; i++) {
      new DataView(forged.buffer).setUint32(0, i);
      expect(verifier.verify({ ...good, signature: forged })).toBe(false);
    }
    expect(calls()).toBe(101);
    expect(verifier.verify(good)).toBe(true);
    expect(calls()).toBe(101);
  });

  it("forgets the oldest", () => {
    const { verifier, calls } = counted();
    expect(verifier.verify(good)).toBe(true);
    for (let i = 0; i < 8; i++) {
      const other = Buffer.from(`text ${i}`);
      expect(verifier.verify({ ...good, bytes: other, signature: alice.sign(other) })).toBe(true);
    }
    expect(verifier.verify(good)).toBe(true);
    expect(calls()).toBe(10);
  });
});
