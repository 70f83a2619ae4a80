// START as bytes, and which of two starts of one node can have followed the other on one data folder (protocol 6). A
// folder counts its starts, and remembers the last that was acknowledged and the first after it: an empty folder or an
// old copy, however often it is started unheard, is told by that from the folder itself.

import { signingBytes } from "../crypto/signature.js";
import { CodecError } from "../types/codec.js";
import { type ClusterId, fromHex, toHex } from "../types/ids.js";
import { carriage, type Mark, type SignedStart, type StartPoint } from "../types/message.js";
import { type Signed, startSchema } from "../types/schema.js";
import type { CertificateContext } from "./certificate.js";

const NONCE_BYTES = 8;

export function encodeStart({ nonce, mark, origin, ...start }: StartPoint): Uint8Array {
  return startSchema.encode({ ...start, nonce: fromHex(nonce), origin: fromHex(origin), ...mark });
}

/** Undefined when these are not the bytes of a START. */
export function decodeStart(body: Uint8Array): StartPoint | undefined {
  try {
    const { cluster: id, node, incarnation, boot, nonce, since, origin, ...mark } = startSchema.decode(body);
    if (nonce.length !== NONCE_BYTES || origin.length !== NONCE_BYTES) return undefined;
    if (since === 0 || since > boot || (since === boot && Buffer.compare(origin, nonce) !== 0)) return undefined;
    const cluster = id as ClusterId;
    return { cluster, node, incarnation, boot, nonce: toHex(nonce), since, origin: toHex(origin), mark };
  } catch (error) {
    if (error instanceof CodecError) return undefined;
    throw error;
  }
}

/** Above 0: `a` is further. */
export function compareMarks(a: Mark, b: Mark): number {
  return a.view - b.view || a.slot - b.slot;
}

/**
 * Can the folder that says `start` have said `earlier` before? Either it was acknowledged, or it is one of the starts
 * since the last that was. A new incarnation begins on a new folder.
 */
export function follows(start: StartPoint, earlier: StartPoint): boolean {
  if (start.incarnation !== earlier.incarnation) return start.incarnation > earlier.incarnation;
  if (earlier.boot < start.since) return true;
  return start.since === earlier.since && start.origin === earlier.origin && start.boot > earlier.boot;
}

export function sameStart(a: StartPoint, b: StartPoint): boolean {
  return a.incarnation === b.incarnation && a.boot === b.boot && a.nonce === b.nonce;
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
