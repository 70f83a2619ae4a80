// Certificates, and blocks with certificates, that this node asked for or that others thought it should have (protocol
// 3.4, 6). The door has checked each certificate against its block and left its entry to be read from it.

import { decidedOf } from "../cluster/certificate.js";
import type { Coordinator } from "../cross/coordinator.js";
import { isNoOp } from "../types/block.js";
import type { ClusterId, Digest } from "../types/ids.js";
import type { Chunk } from "../types/message.js";
import type { Certificate } from "../types/schema.js";

export function takeCertificates(coordinator: Coordinator, digest: Digest, certificates: readonly Certificate[]): void {
  for (const certificate of certificates) {
    const decided = decidedOf(digest, certificate);
    if (decided !== undefined) coordinator.onCertificate(decided);
  }
}

export function takeChunk(coordinator: Coordinator, own: ClusterId, { digest, certificates, block }: Chunk): void {
  const isOwn = ({ cluster }: Certificate) => cluster === own;
  // First where the own cluster has it: else a primary that is behind would give the block another slot.
  takeCertificates(coordinator, digest, certificates.filter(isOwn));
  // All no-ops of a log are one block, which nobody has to be told and which is not to be placed again.
  if (!isNoOp(block)) coordinator.onBody(block);
  const others = certificates.filter((certificate) => !isOwn(certificate));
  takeCertificates(coordinator, digest, others);
}
