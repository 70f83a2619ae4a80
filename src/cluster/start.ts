// START as bytes, and which of two starts of one node can have followed the other on one data folder (protocol 6). A
// folder counts its starts, and remembers the last that was acknowledged and the nonces of all after it: an empty
// folder or an old copy, however often it is started, is told by that from the folder itself.

import { signingBytes } from "../crypto/signature.js";
import { CodecError } from "../types/codec.js";
import { type ClusterId, fromHex, toHex } from "../types/ids.js";
import { carriage, type Mark, type SignedStart, type StartPoint } from "../types/message.js";
import { type Signed, startSchema } from "../types/schema.js";
import type { CertificateContext } from "./certificate.js";

const NONCE_BYTES = 8;

export function encodeStart({ cluster, node, incarnation, since, nonces, mark }: StartPoint): Uint8Array {
  return startSchema.encode({ cluster, node, incarnation, since, nonces: fromHex(nonces), ...mark });
}

/** Undefined when these are not the bytes of a START. */
export function decodeStart(body: Uint8Array): StartPoint | undefined {
  try {
    const { cluster, node, incarnation, since, nonces: bytes, ...mark } = startSchema.decode(body);
    if (since === 0 || bytes.length === 0 || bytes.length % NONCE_BYTES !== 0) return undefined;
    const nonces = toHex<string>(bytes);
    const boot = since + bytes.length / NONCE_BYTES - 1;
    return {
      cluster: cluster as ClusterId,
      node,
      incarnation,
      boot,
      nonce: nonceAt(nonces, boot - since),
      since,
      nonces,
      mark,
    };
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
 * Can the folder that says `start` have said `earlier` before? Either that was acknowledged, or it is one of the starts
 * since the last that was, all of which the folder names. A new incarnation begins on a new folder.
 */
export function follows(start: StartPoint, earlier: StartPoint): boolean {
  if (start.incarnation !== earlier.incarnation) return start.incarnation > earlier.incarnation;
  if (earlier.boot < start.since) return true;
  return earlier.boot < start.boot && nonceAt(start.nonces, earlier.boot - start.since) === earlier.nonce;
}

function nonceAt(nonces: string, index: number): string {
  return nonces.slice(2 * NONCE_BYTES * index, 2 * NONCE_BYTES * (index + 1));
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
