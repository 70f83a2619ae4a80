// START as bytes, and which of two starts of one node is the later (protocol 6): a higher incarnation, then a higher
// boot. Two different starts of one incarnation and boot are none after the other: one ran on a copy of the folder.

import { signingBytes } from "../crypto/signature.js";
import { CodecError } from "../types/codec.js";
import { type ClusterId, fromHex, toHex } from "../types/ids.js";
import { carriage, type Mark, type SignedStart, type StartPoint } from "../types/message.js";
import { type Signed, startSchema } from "../types/schema.js";
import type { CertificateContext } from "./certificate.js";

const NONCE_BYTES = 8;

export function encodeStart({ cluster, node, incarnation, boot, nonce, mark }: StartPoint): Uint8Array {
  return startSchema.encode({ cluster, node, incarnation, boot, nonce: fromHex(nonce), ...mark });
}

/** Undefined when these are not the bytes of a START. */
export function decodeStart(body: Uint8Array): StartPoint | undefined {
  try {
    const { cluster, node, incarnation, boot, nonce, ...mark } = startSchema.decode(body);
    if (nonce.length !== NONCE_BYTES || boot === 0) return undefined;
    return { cluster: cluster as ClusterId, node, incarnation, boot, nonce: toHex(nonce), mark };
  } catch (error) {
    if (error instanceof CodecError) return undefined;
    throw error;
  }
}

/** Above 0: `a` is further. */
export function compareMarks(a: Mark, b: Mark): number {
  return a.view - b.view || a.slot - b.slot;
}

/** Above 0: `a` is the later; 0: the same incarnation and boot. */
export function compareStarts(a: StartPoint, b: StartPoint): number {
  return a.incarnation - b.incarnation || a.boot - b.boot;
}

export function sameStart(a: StartPoint, b: StartPoint): boolean {
  return compareStarts(a, b) === 0 && a.nonce === b.nonce;
}

/** Did the node that it names sign it? */
export function isStartSigned({ start, signed }: SignedStart, context: CertificateContext): boolean {
  const publicKey = context.members.node(start)?.key;
  if (publicKey === undefined) return false;
  const bytes = signingBytes(context.topology.networkId, carriage.start.number, signed.body);
  return context.verifier.verify({ bytes, signature: signed.signature, publicKey });
}

/** A stored START, which was checked when it came. */
export function signedStart(signed: Signed): SignedStart | undefined {
  const start = decodeStart(signed.body);
  return start === undefined ? undefined : { start, signed };
}
