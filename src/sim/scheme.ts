// Signatures of a simulated run: a keyed hash in place of Ed25519, forty times cheaper. Each key pair is a secret drawn
// from the seed; whoever holds a signer can sign in that name only, and the verifier, which every node's door shares,
// knows all secrets. So nobody in the run can forge what another has signed, as with real keys.

import { hash } from "node:crypto";
import { SIGNATURE_BYTES } from "../crypto/ed25519.js";
import { digestOf } from "../crypto/hash.js";
import type { Signer, Verifier } from "../crypto/signature.js";
import type { PublicKey } from "../types/ids.js";

const SECRET_BYTES = 32;
const HASH_BYTES = 32;
/** Holds what most signatures cover; longer texts get a buffer of their own. */
const SCRATCH_BYTES = 64 * 1024;

export class KeyRing {
  readonly #seed: number;
  readonly #secrets = new Map<PublicKey, Uint8Array>();
  readonly #scratch = Buffer.alloc(SCRATCH_BYTES);
  readonly verifier: Verifier;

  constructor(seed: number) {
    this.#seed = seed;
    this.verifier = {
      verify: ({ bytes, signature, publicKey }) => {
        const secret = this.#secrets.get(publicKey);
        if (secret === undefined || signature.length !== SIGNATURE_BYTES) return false;
        return Buffer.compare(this.#sign(secret, bytes), signature) === 0;
      },
    };
  }

  /** The key pair of a name; the same at every call. */
  signer(name: string): Signer {
    const secret = Buffer.from(digestOf(Buffer.from(`secret ${this.#seed} ${name}`)), "hex");
    const publicKey = digestOf(secret) as string as PublicKey;
    this.#secrets.set(publicKey, secret);
    return { publicKey, sign: (bytes) => this.#sign(secret, bytes) };
  }

  #sign(secret: Uint8Array, bytes: Uint8Array): Uint8Array {
    const length = SECRET_BYTES + bytes.length;
    const all = length <= SCRATCH_BYTES ? this.#scratch.subarray(0, length) : Buffer.alloc(length);
    all.set(secret);
    all.set(bytes, SECRET_BYTES);
    const signature = Buffer.alloc(SIGNATURE_BYTES);
    signature.write(hash("sha256", all, "binary"), 0, HASH_BYTES, "binary");
    return signature;
  }
}
