// Checkpoint certificates (protocol 6): q equal signed CHECKPOINTs of different nodes of one cluster prove its state
// and the end of its log at one slot. The same rules serve the door, a node that starts, and the offline tools.

import { signingBytes } from "../crypto/signature.js";
import { CodecError } from "../types/codec.js";
import { type ClusterId, NO_SEQUENCE, type Sequence, type Slot, toHex } from "../types/ids.js";
import { type Checkpoint, carriage } from "../types/message.js";
import { type Certificate, checkpointSchema } from "../types/schema.js";
import type { CertificateContext } from "./certificate.js";
import { quorumOf } from "./quorum.js";

/** Where a log begins: the slot of a stable checkpoint, its sequence, and what proves it; slot 0 needs no proof. */
export interface StablePoint {
  readonly slot: Slot;
  readonly sequence: Sequence;
  readonly certificate: Certificate | undefined;
}

export const NO_CHECKPOINT: StablePoint = { slot: 0, sequence: NO_SEQUENCE, certificate: undefined };

/** Undefined when these are not the bytes of a CHECKPOINT. */
export function decodeCheckpoint(body: Uint8Array): Checkpoint | undefined {
  try {
    const { cluster, record, state, sequence, finalSequence, ...rest } = checkpointSchema.decode(body);
    if (record.length !== 32 || state.length !== 32) return undefined;
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

/** What a checked certificate proves; undefined when it is not one. */
export function stableOf(certificate: Certificate | undefined): StablePoint | undefined {
  if (certificate === undefined) return NO_CHECKPOINT;
  const [first] = certificate.commits;
  const checkpoint = first === undefined ? undefined : decodeCheckpoint(first.body);
  return checkpoint === undefined ? undefined : { slot: checkpoint.slot, sequence: checkpoint.sequence, certificate };
}

/** Does the certificate prove a checkpoint of this cluster? */
export function checkStable(
  certificate: Certificate,
  cluster: ClusterId,
  { topology, members, verifier }: CertificateContext,
): boolean {
  const info = members.clusterOf(cluster);
  if (certificate.cluster !== cluster || certificate.commits.length < quorumOf(info)) return false;
  const signers = new Set<number>();
  let first: Checkpoint | undefined;
  for (const { body, signature } of certificate.commits) {
    const checkpoint = decodeCheckpoint(body);
    const signer = checkpoint === undefined ? undefined : members.node(checkpoint);
    if (checkpoint === undefined || signer === undefined || checkpoint.cluster !== cluster) return false;
    if (signers.has(checkpoint.node) || (first !== undefined && !sameCheckpoint(first, checkpoint))) return false;
    const bytes = signingBytes(topology.networkId, carriage.checkpoint.number, body);
    if (!verifier.verify({ bytes, signature, publicKey: signer.key })) return false;
    signers.add(checkpoint.node);
    first ??= checkpoint;
  }
  return true;
}

/** Do two nodes say the same? */
export function sameCheckpoint(a: Checkpoint, b: Checkpoint): boolean {
  return (
    a.slot === b.slot &&
    a.sequence === b.sequence &&
    a.height === b.height &&
    a.record === b.record &&
    a.finalSequence === b.finalSequence &&
    a.state === b.state
  );
}
