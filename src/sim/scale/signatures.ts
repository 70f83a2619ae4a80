// Signatures for runs with thousands of nodes in one process: a hash under the key takes the place of Ed25519, and
// every signature and check is counted, for that is what the simulated servers pay for. Anyone could forge one, since
// the key is the public one; nobody lies in these runs.

import { digestOf, sha256 } from "../../crypto/hash.js";
import type { Signer, Verifier } from "../../crypto/signature.js";
import { fromHex, type PublicKey } from "../../types/ids.js";

const SIGNATURE_BYTES = 64;

export class CountedSignatures {
  #signed = 0;
  #verified = 0;
  readonly #keys = new Map<PublicKey, Uint8Array>();

  readonly verifier: Verifier = {
    verify: ({ bytes, signature, publicKey }) => {
      this.#verified++;
      const key = this.#keys.get(publicKey);
      return key !== undefined && Buffer.compare(signatureOf(key, bytes), signature) === 0;
    },
  };

  /** A key of its own for every name. */
  static keyOf(name: string): PublicKey {
    return digestOf(Buffer.from(name)) as unknown as PublicKey;
  }

  signer(publicKey: PublicKey): Signer {
    const key = fromHex(publicKey);
    this.#keys.set(publicKey, key);
    return {
      publicKey,
      sign: (bytes) => {
        this.#signed++;
        return signatureOf(key, bytes);
      },
    };
  }

  /** Since the last call. */
  take(): { readonly signed: number; readonly verified: number } {
    const counted = { signed: this.#signed, verified: this.#verified };
    this.#signed = 0;
    this.#verified = 0;
    return counted;
  }
}

/** As long as a real one, for the sake of sizes. */
function signatureOf(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  const signature = new Uint8Array(SIGNATURE_BYTES);
  signature.set(sha256(Buffer.concat([key, bytes])));
  return signature;
}
