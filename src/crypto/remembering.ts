// A verifier that remembers what it found good. The same signed bytes come again and again: a client that waits long
// sends its request to all nodes, a COMMIT comes alone and then in certificates and in reports of a change of view: on
// a busy machine that is a tenth to a third of all verifications. Forgeries are not remembered, they would drive out
// the rest.

import { hash } from "node:crypto";
import { SIGNATURE_BYTES } from "./ed25519.js";
import { RecentCache } from "./recent.js";
import type { Verifier } from "./signature.js";

const KEY_BYTES = 32;
/** Twice so many at most, of about 100 bytes each: some seconds of a busy cluster. */
const GENERATION_MAX = 8192;

export function remembering(verifier: Verifier, generationMax = GENERATION_MAX): Verifier {
  const good = new RecentCache<string, true>(generationMax);
  return {
    verify(args) {
      const key = keyOf(args);
      if (key === undefined) return verifier.verify(args);
      if (good.get(key) !== undefined) return true;
      const isGood = verifier.verify(args);
      if (isGood) good.set(key, true);
      return isGood;
    },
  };
}

/** A hash over all three, the first two of fixed lengths; undefined when they do not have these. */
function keyOf({ bytes, signature, publicKey }: Parameters<Verifier["verify"]>[0]): string | undefined {
  if (signature.length !== SIGNATURE_BYTES || publicKey.length !== 2 * KEY_BYTES) return undefined;
  const all = Buffer.allocUnsafe(KEY_BYTES + SIGNATURE_BYTES + bytes.length);
  if (all.write(publicKey, 0, KEY_BYTES, "hex") !== KEY_BYTES) return undefined;
  all.set(signature, KEY_BYTES);
  all.set(bytes, KEY_BYTES + SIGNATURE_BYTES);
  return hash("sha256", all, "binary");
}
