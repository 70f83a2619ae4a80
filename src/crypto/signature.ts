// Who said what: Ed25519 signatures over a body that is bound to one network and one message kind (protocol 1). A
// signature is over bytes as they are sent, never over a re-encoding. Which implementation does the work is
// ed25519.ts's concern; here are the two interfaces that the system knows, so that tests and the simulator can put
// others in place.

import { fromHex, isDigest, type NetworkId, type PublicKey, toHex } from "../types/ids.js";
import { type Ed25519, nodeEd25519, SEED_BYTES, SIGNATURE_BYTES, sodiumEd25519 } from "./ed25519.js";
import { RecentCache } from "./recent.js";

export interface Signer {
  readonly publicKey: PublicKey;
  sign(bytes: Uint8Array): Uint8Array;
}

export interface Verifier {
  /** Never throws: whatever is malformed is not a signature. */
  verify(args: { readonly bytes: Uint8Array; readonly signature: Uint8Array; readonly publicKey: PublicKey }): boolean;
}

const NETWORK_BYTES = 32;
/** Twice this many keys are at hand: all nodes of a large network and its busiest clients, a few MiB. */
const KEYS_GENERATION_MAX = 8192;

export const ed25519Verifier: Verifier =
  sodiumEd25519 === undefined ? verifierOf(nodeEd25519) : verifierOf(sodiumEd25519);

export function ed25519Signer(seed: Uint8Array): Signer {
  return sodiumEd25519 === undefined ? signerOf(nodeEd25519, seed) : signerOf(sodiumEd25519, seed);
}

export function signerOf<Key>(implementation: Ed25519<Key>, seed: Uint8Array): Signer {
  if (seed.length !== SEED_BYTES) throw new RangeError(`a seed has ${SEED_BYTES} bytes, not ${seed.length}`);
  const { publicKey, sign } = implementation.signer(seed);
  return { publicKey: toHex(publicKey), sign };
}

export function verifierOf<Key>(implementation: Ed25519<Key>): Verifier {
  // Decoding a key costs node:crypto as much as half a verification.
  const keys = new RecentCache<PublicKey, Key>(KEYS_GENERATION_MAX);

  function keyOf(publicKey: PublicKey): Key | undefined {
    const known = keys.get(publicKey);
    if (known !== undefined) return known;
    if (!isDigest(publicKey)) return undefined;
    const key = implementation.decodeKey(fromHex(publicKey));
    if (key !== undefined) keys.set(publicKey, key);
    return key;
  }

  return {
    verify({ bytes, signature, publicKey }) {
      if (signature.length !== SIGNATURE_BYTES) return false;
      const key = keyOf(publicKey);
      return key !== undefined && implementation.verify(key, bytes, signature);
    },
  };
}

/** What a signature covers: 32 bytes of network id, one byte of message kind, then the body. */
export function signingBytes(networkId: NetworkId, kindNumber: number, body: Uint8Array): Uint8Array {
  const bytes = Buffer.allocUnsafe(NETWORK_BYTES + 1 + body.length);
  bytes.write(networkId, 0, NETWORK_BYTES, "hex");
  bytes[NETWORK_BYTES] = kindNumber;
  bytes.set(body, NETWORK_BYTES + 1);
  return bytes;
}
