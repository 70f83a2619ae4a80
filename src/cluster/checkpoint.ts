// Checkpoints as bytes and as proof (protocol 6): q equal CHECKPOINTs of different nodes of a cluster show anyone of it
// that all slots up to a point are delivered, and which record and state that leaves. The same check serves the door, a
// node that is handed such a proof by whom it need not trust, and view changes.

import { signingBytes } from "../crypto/signature.js";
import { CodecError } from "../types/codec.js";
import { type ClusterId, fromHex, NO_SEQUENCE, type Sequence, type Slot, toHex } from "../types/ids.js";
import { type Checkpoint, carriage } from "../types/message.js";
import { type Certificate, checkpointSchema, type Signed } from "../types/schema.js";
import type { CertificateContext } from "./certificate.js";
import { quorumOf } from "./quorum.js";

const DIGEST_BYTES = 32;

/** Where a log begins: the slot of a stable checkpoint, its sequence, and what proves it; slot 0 needs no proof. */
export interface StablePoint {
  readonly slot: Slot;
  readonly sequence: Sequence;
  readonly certificate: Certificate | undefined;
}

export const NO_CHECKPOINT: StablePoint = { slot: 0, sequence: NO_SEQUENCE, certificate: undefined };

export function encodeCheckpoint(checkpoint: Checkpoint): Uint8Array {
  const { record, state } = checkpoint;
  return checkpointSchema.encode({ ...checkpoint, record: fromHex(record), state: fromHex(state) });
}

/** Undefined when these are not the bytes of a CHECKPOINT. */
export function decodeCheckpoint(body: Uint8Array): Checkpoint | undefined {
  try {
    const { cluster, record, state, sequence, finalSequence, ...rest } = checkpointSchema.decode(body);
    if (record.length !== DIGEST_BYTES || state.length !== DIGEST_BYTES) return undefined;
    return {
      kind: "checkpoint",
      ...rest,
      cluster: cluster as ClusterId,
      sequence: sequence as Sequence,
      finalSequence: finalSequence as Sequence,
      record: toHex(record),
      state: toHex(state),
    };
  } catch (error) {
    if (error instanceof CodecError) return undefined;
    throw error;
  }
}

/** Do two nodes say the same? */
export function sameCheckpoint(a: Checkpoint, b: Checkpoint): boolean {
  return (
    a.cluster === b.cluster &&
    a.slot === b.slot &&
    a.sequence === b.sequence &&
    a.height === b.height &&
    a.record === b.record &&
    a.finalSequence === b.finalSequence &&
    a.state === b.state
  );
}

/** What a certificate says, as its first signer put it; nothing of it is checked. */
export function checkpointOf({ commits }: Certificate): Checkpoint | undefined {
  const [first] = commits;
  return first === undefined ? undefined : decodeCheckpoint(first.body);
}

/** Where the log begins that this certificate, already checked, speaks of; undefined when it is not one. */
export function stableOf(certificate: Certificate | undefined): StablePoint | undefined {
  if (certificate === undefined) return NO_CHECKPOINT;
  const checkpoint = checkpointOf(certificate);
  return checkpoint === undefined ? undefined : { slot: checkpoint.slot, sequence: checkpoint.sequence, certificate };
}

/** What a checkpoint certificate of this cluster proves; undefined when it proves nothing. */
export function provenCheckpoint(
  certificate: Certificate,
  context: CertificateContext,
  cluster: ClusterId,
): Checkpoint | undefined {
  const { commits } = certificate;
  if (certificate.cluster !== cluster) return undefined;
  if (commits.length !== quorumOf(context.members.clusterOf(cluster))) return undefined;
  const proven = checkpointOf(certificate);
  if (proven?.cluster !== cluster || proven.slot === 0) return undefined;
  const signers = new Set<number>();
  for (const signed of commits) {
    const checkpoint = decodeCheckpoint(signed.body);
    if (checkpoint === undefined || !sameCheckpoint(checkpoint, proven)) return undefined;
    if (!isSignedBy(checkpoint, signed, context)) return undefined;
    signers.add(checkpoint.node);
  }
  return signers.size === commits.length ? proven : undefined;
}

function isSignedBy(
  checkpoint: Checkpoint,
  { body, signature }: Signed,
  { topology, members, verifier }: CertificateContext,
): boolean {
  const signer = members.node(checkpoint);
  if (signer === undefined) return false;
  const bytes = signingBytes(topology.networkId, carriage.checkpoint.number, body);
  return verifier.verify({ bytes, signature, publicKey: signer.key });
}
