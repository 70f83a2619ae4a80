// The two implementations of Ed25519: libsodium (sodium-native, about 50 µs a verification) and node:crypto (about 120
// µs), which serves where no native build of the former loads. Whether a request is valid must not depend on which one
// a node runs (protocol 1: static validity), so both refuse the same: wrong lengths, S not below the group order, keys
// that are not canonically encoded, and keys or R of small order. Neither multiplies by the cofactor. The rules that
// older OpenSSL releases lack are checked here, in front of it.

import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { createRequire } from "node:module";

export const SEED_BYTES = 32;
export const KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;

/** `Key` is a public key in the form that the implementation wants it: made once, used many times. */
export interface Ed25519<Key> {
  readonly signer: (seed: Uint8Array) => {
    readonly publicKey: Uint8Array;
    readonly sign: (bytes: Uint8Array) => Uint8Array;
  };
  /** Undefined: no signature can be valid for it. */
  readonly decodeKey: (publicKey: Uint8Array) => Key | undefined;
  /** `signature` has 64 bytes. */
  readonly verify: (key: Key, bytes: Uint8Array, signature: Uint8Array) => boolean;
}

type Sodium = typeof import("sodium-native");

/** Undefined where the native module cannot be loaded. */
export const sodiumEd25519: Ed25519<Buffer> | undefined = loadSodium();

export const nodeEd25519: Ed25519<KeyObject> = {
  signer(seed) {
    const key = createPrivateKey({ key: Buffer.concat([PKCS8_HEADER, seed]), format: "der", type: "pkcs8" });
    const encoded = createPublicKey(key).export({ format: "der", type: "spki" });
    return { publicKey: encoded.subarray(-KEY_BYTES), sign: (bytes) => sign(null, bytes, key) };
  },
  decodeKey(publicKey) {
    if (isWeakPoint(publicKey) || !isCanonicalPoint(publicKey)) return undefined;
    return createPublicKey({ key: Buffer.concat([SPKI_HEADER, publicKey]), format: "der", type: "spki" });
  },
  verify: (key, bytes, signature) => !isWeakPoint(signature) && verify(null, bytes, key, signature),
};

/** Whether these bytes can be a public key: 32, canonical, not of small order. Being on the curve is not checked. */
export function isPossibleKey(publicKey: Uint8Array): boolean {
  return publicKey.length === KEY_BYTES && isCanonicalPoint(publicKey) && !isWeakPoint(publicKey);
}

function loadSodium(): Ed25519<Buffer> | undefined {
  let sodium: Sodium;
  try {
    sodium = createRequire(import.meta.url)("sodium-native") as Sodium;
  } catch {
    return undefined;
  }
  return {
    signer(seed) {
      const publicKey = Buffer.alloc(sodium.crypto_sign_PUBLICKEYBYTES);
      const secretKey = Buffer.alloc(sodium.crypto_sign_SECRETKEYBYTES);
      sodium.crypto_sign_seed_keypair(publicKey, secretKey, asBuffer(seed));
      return {
        publicKey,
        sign(bytes) {
          const signature = Buffer.alloc(SIGNATURE_BYTES);
          sodium.crypto_sign_detached(signature, asBuffer(bytes), secretKey);
          return signature;
        },
      };
    },
    decodeKey: (publicKey) => (isPossibleKey(publicKey) ? alone(publicKey) : undefined),
    verify: (key, bytes, signature) => sodium.crypto_sign_verify_detached(asBuffer(signature), asBuffer(bytes), key),
  };
}

/** A copy with memory of its own: keys are kept for long, and a piece of the pool would keep 8 KiB with it. */
function alone(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}

/** The y coordinate is below the field's prime 2^255 - 19: one encoding for each point. */
function isCanonicalPoint(encoded: Uint8Array): boolean {
  if (((encoded[31] ?? 0) & 0x7f) !== 0x7f || (encoded[0] ?? 0) < 0xed) return true;
  for (let i = 1; i < 31; i++) if (encoded[i] !== 0xff) return true;
  return false;
}

/** One of the points of order 1, 2, 4 or 8, in the first 32 bytes; the sign bit does not matter. */
function isWeakPoint(encoded: Uint8Array): boolean {
  return WEAK_POINTS.some((point) => {
    for (let i = 0; i < 31; i++) if (point[i] !== encoded[i]) return false;
    return point[31] === ((encoded[31] ?? 0) & 0x7f);
  });
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

// What precedes the 32 bytes in the standard encodings (RFC 8410).
const PKCS8_HEADER = Buffer.from("302e020100300506032b657004220420", "hex");
const SPKI_HEADER = Buffer.from("302a300506032b6570032100", "hex");

/** Encoded y of every point of small order, those at or above the prime included. */
const WEAK_POINTS = [
  `00${"00".repeat(31)}`, // order 4
  `01${"00".repeat(31)}`, // order 1
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", // order 8
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", // order 8
  `ec${"ff".repeat(30)}7f`, // order 2
  `ed${"ff".repeat(30)}7f`, // 0 again
  `ee${"ff".repeat(30)}7f`, // 1 again
].map((hex) => Buffer.from(hex, "hex"));
