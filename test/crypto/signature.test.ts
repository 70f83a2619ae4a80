// Signatures: the standard's, and the same verdict from both implementations on everything a liar can send, since the
// validity of a request must not depend on which of them a node runs.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isPossibleKey, nodeEd25519, sodiumEd25519 } from "../../src/crypto/ed25519.js";
import { ed25519Signer, ed25519Verifier, signerOf, signingBytes, verifierOf } from "../../src/crypto/signature.js";
import { fromHex, type NetworkId, type PublicKey, toHex } from "../../src/types/ids.js";

if (sodiumEd25519 === undefined) throw new Error("sodium-native must load where the tests run");
const verifiers = { sodium: verifierOf(sodiumEd25519), node: verifierOf(nodeEd25519), used: ed25519Verifier };
const signers = {
  sodium: (seed: Uint8Array) => signerOf(sodiumEd25519 as NonNullable<typeof sodiumEd25519>, seed),
  node: (seed: Uint8Array) => signerOf(nodeEd25519, seed),
  used: ed25519Signer,
};

const GROUP_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

/** RFC 8032, 7.1: seed, public key, message, signature. */
const rfc8032 = [
  [
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "",
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155" +
      "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe246551" +
      "41438e7a100b",
  ],
  [
    "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    "72",
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" +
      "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d" +
      "291612bb0c00",
  ],
] as const;

/** Of the message "hello": made with keys and nonces chosen so that sloppy verifiers accept. */
const crafted = {
  "an honest signature": {
    key: "7767a3242dc9b58bbc68488c1265cc6cc5f26c6f3c88a5d55e901b0734dca572",
    signature:
      "25687845d6cad75aac6cfc51be063558a2a2f4504d4fb89188fdc202f2eab941" +
      "75a4377c72ebe9eab4d0f37bdbcce0781661e11dcf211930a623" +
      "ae411c849f07",
    valid: true,
  },
  "S with the group order added": {
    key: "7767a3242dc9b58bbc68488c1265cc6cc5f26c6f3c88a5d55e901b0734dca572",
    signature:
      "25687845d6cad75aac6cfc51be063558a2a2f4504d4fb89188fdc202f2eab941" +
      "62782dd98c4efc428b6deb1ebac6bf8d1661e11dcf211930a623" +
      "ae411c849f17",
    valid: false,
  },
  "R with a part of small order, valid only if multiplied by the cofactor": {
    key: "7767a3242dc9b58bbc68488c1265cc6cc5f26c6f3c88a5d55e901b0734dca572",
    signature:
      "d7d82701baa4702cc8812077a55da7c9eb438274963765a456c3a825c84c64cb" +
      "49085795946f266c8644e8467f6fb484a412987e635a062b7f68" +
      "9d3b6d54d004",
    valid: false,
  },
  "a key with a part of small order, valid only if multiplied by the cofactor": {
    key: "6a84d583f06569edb3f5ed77df65544b27d6948b4f0b2cb76f33dd8413b20719",
    signature:
      "bbe792dc0e889c776ae84a07775eb47eebe943697965814668898f09780a9c78" +
      "99fcd213796461a5c829ca2d6e2b6d112bbd1fc583d42a865c4d" +
      "71081f4d3607",
    valid: false,
  },
  "the same key where the part of small order cancels out": {
    key: "6a84d583f06569edb3f5ed77df65544b27d6948b4f0b2cb76f33dd8413b20719",
    signature:
      "4e5e3334d6826fa498a996215fab06c148da72e8d84c61c40f74e3ca1e1e25c3" +
      "0e03947e71d46798987f05b78e9348d4aff53451d77fa51fec29" +
      "4f724d8dff03",
    valid: true,
  },
  "a key of order 2, for which anybody can sign": {
    key: `ec${"ff".repeat(30)}7f`,
    signature:
      "bbe792dc0e889c776ae84a07775eb47eebe943697965814668898f09780a9c78" +
      "b20cb7e3b8871089000000000000000000000000000000000000" +
      "000000000000",
    valid: false,
  },
  "R of order 1": {
    key: "2442a7443a18bb9048b7b02f269a0c763dc65137b7cedf4cf800a9b7bcbdedc7",
    signature:
      "0100000000000000000000000000000000000000000000000000000000000000" +
      "1a0b3d1ecbfe4299bb3520c331a26743e1dffbefc30c9bbc841a" +
      "15623dbf3b0d",
    valid: false,
  },
} as const;

/** Every encoding of a point of small order, with both signs. */
const weakPoints = [
  "00".repeat(32),
  `01${"00".repeat(31)}`,
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  `ec${"ff".repeat(30)}7f`,
  `ed${"ff".repeat(30)}7f`,
  `ee${"ff".repeat(30)}7f`,
].flatMap((hex) => [hex, hex.slice(0, 62) + (Number.parseInt(hex.slice(62), 16) | 0x80).toString(16)]);

describe.each(["sodium", "node", "used"] as const)("Ed25519 of %s", (name) => {
  const verifier = verifiers[name];

  it.each(rfc8032)("signs as RFC 8032 says: seed %s", (seed, publicKey, message, signature) => {
    const signer = signers[name](fromHex(seed));
    expect(signer.publicKey).toBe(publicKey);
    expect(toHex(signer.sign(fromHex(message)))).toBe(signature);
    const args = { bytes: fromHex(message), signature: fromHex(signature), publicKey: signer.publicKey };
    expect(verifier.verify(args)).toBe(true);
  });

  it.each(Object.entries(crafted))("judges %s", (_, { key, signature, valid }) => {
    const args = { bytes: Buffer.from("hello"), signature: fromHex(signature), publicKey: key as PublicKey };
    expect(verifier.verify(args)).toBe(valid);
  });

  it("accepts nothing for a key of small order, whatever its encoding", () => {
    for (const key of weakPoints) {
      for (const r of weakPoints) {
        const args = {
          bytes: Buffer.from("hello"),
          signature: fromHex(r + "00".repeat(32)),
          publicKey: key as PublicKey,
        };
        expect(verifier.verify(args), `key ${key}, R ${r}`).toBe(false);
      }
    }
  });

  it("reads and signs views of larger buffers", () => {
    const signer = signers[name](new Uint8Array(32).fill(7));
    const padded = Buffer.from("xxhelloyy");
    const signature = Buffer.concat([Buffer.from("z"), signer.sign(padded.subarray(2, 7))]).subarray(1);
    expect(verifier.verify({ bytes: Buffer.from("hello"), signature, publicKey: signer.publicKey })).toBe(true);
  });

  it("takes no seed but one of 32 bytes", () => {
    expect(() => signers[name](new Uint8Array(31))).toThrow(RangeError);
  });
});

it("both implementations say the same of every damaged signature, and never throw", () => {
  const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const damage = fc.constantFrom("none", "bit", "short", "long", "order", "other key", "message", "key text");
  fc.assert(
    fc.property(seeds, fc.uint8Array({ maxLength: 300 }), damage, fc.nat(511), (seed, bytes, kind, bit) => {
      const signer = ed25519Signer(seed);
      const good = signer.sign(bytes);
      const args = { bytes, signature: good, publicKey: signer.publicKey };
      const bad = {
        none: args,
        bit: { ...args, signature: flipped(good, bit) },
        short: { ...args, signature: good.subarray(1) },
        long: { ...args, signature: Buffer.concat([good, Uint8Array.of(0)]) },
        order: { ...args, signature: plusOrder(good) },
        "other key": { ...args, publicKey: toHex<PublicKey>(flipped(fromHex(signer.publicKey), bit % 256)) },
        message: { ...args, bytes: Buffer.concat([bytes, Uint8Array.of(bit % 256)]) },
        "key text": { ...args, publicKey: signer.publicKey.slice(1) as PublicKey },
      }[kind];
      const verdict = kind === "none";
      expect([verifiers.sodium.verify(bad), verifiers.node.verify(bad)]).toEqual([verdict, verdict]);
    }),
  );
});

it("both implementations say the same of keys and signatures out of nowhere, and never throw", () => {
  const bytes32 = fc.oneof(
    fc.uint8Array({ minLength: 32, maxLength: 32 }),
    fc.constantFrom(...weakPoints, `f0${"ff".repeat(31)}`).map(fromHex),
  );
  fc.assert(
    fc.property(bytes32, bytes32, bytes32, (key, r, s) => {
      const args = { bytes: r, signature: Buffer.concat([r, s]), publicKey: toHex<PublicKey>(key) };
      expect([verifiers.sodium.verify(args), verifiers.node.verify(args)]).toEqual([false, false]);
    }),
  );
});

it("knows keys that can be none: of small order, not canonical, of another length", () => {
  for (const key of weakPoints) expect(isPossibleKey(fromHex(key)), key).toBe(false);
  expect(isPossibleKey(fromHex(`f0${"ff".repeat(31)}`))).toBe(false);
  expect(isPossibleKey(new Uint8Array(31).fill(9))).toBe(false);
  expect(isPossibleKey(fromHex(rfc8032[0][1]))).toBe(true);
});

it("binds what is signed to one network and one kind of message", () => {
  const network = "ab".repeat(32) as NetworkId;
  const bytes = signingBytes(network, 12, Buffer.from("body"));
  expect(toHex(bytes)).toBe(`${"ab".repeat(32)}0c${Buffer.from("body").toString("hex")}`);
});

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
}

/** The other S that satisfies the equation. */
function plusOrder(signature: Uint8Array): Uint8Array {
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString("hex")}`) + GROUP_ORDER;
  return Buffer.concat([signature.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, "0"), "hex").reverse()]);
}

it("a key that is remembered keeps its own 32 bytes in memory and no more (found by fuzzing with strangers' keys)", () => {
  const key = Buffer.from("5a".repeat(32), "hex");
  expect(sodiumEd25519?.decodeKey(key)?.buffer.byteLength ?? key.length).toBe(key.length);
});
