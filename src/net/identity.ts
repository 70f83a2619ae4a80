// A peer's name on the network is its Ed25519 key: the one place where libp2p's peer ids and our public keys meet. Ids
// of other kinds of key have no name here, and whoever has no name is not admitted.

import { privateKeyFromRaw, publicKeyFromRaw } from "@libp2p/crypto/keys";
import type { PeerId, PrivateKey } from "@libp2p/interface";
import { peerIdFromPublicKey } from "@libp2p/peer-id";
import { fromHex, type PublicKey, toHex } from "../types/ids.js";

/** libp2p's form of a secret key: the seed, then the public key. */
export function privateKeyOf({ seed, key }: { readonly seed: Uint8Array; readonly key: PublicKey }): PrivateKey {
  return privateKeyFromRaw(Buffer.concat([seed, fromHex(key)]));
}

export function peerIdOf(key: PublicKey): PeerId {
  return peerIdFromPublicKey(publicKeyFromRaw(fromHex(key)));
}

export function publicKeyOf(peer: PeerId): PublicKey | undefined {
  return peer.type === "Ed25519" ? toHex<PublicKey>(peer.publicKey.raw) : undefined;
}
