// What proves a record beside its hash (protocol 7): one decision certificate for every cluster of P, each for what the
// vector says. The same judgement serves the offline audit and a node that takes records from others.

import { type CertificateContext, checkCertificate } from "../cluster/certificate.js";
import type { Block } from "../types/block.js";
import { type Sequence, showSequence } from "../types/ids.js";
import type { Certificate } from "../types/schema.js";
import type { FailureModel } from "../types/topology.js";
import type { Fault } from "./findings.js";
import type { LedgerRecord } from "./records.js";

export interface Evidence {
  readonly certificates: readonly Certificate[];
  readonly record: Pick<LedgerRecord, "digest" | "sequences">;
  readonly block: Block;
  /** Model of the cluster that relies on it. */
  readonly holder: FailureModel;
}

export function judgeCertificates(evidence: Evidence, context: CertificateContext): Fault | undefined {
  const { certificates, record, block } = evidence;
  const certified = certificates.map(({ cluster }) => cluster);
  if (certified.length !== block.clusters.length || certified.some((cluster, i) => cluster !== block.clusters[i])) {
    const reason = `certificates of clusters ${certified.join(", ")}, the block's are ${block.clusters.join(", ")}`;
    return { code: "missing-certificate", reason };
  }
  for (const [i, certificate] of certificates.entries()) {
    const fault = judgeCertificate(certificate, record.sequences[i] as Sequence, evidence, context);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function judgeCertificate(
  certificate: Certificate,
  sequence: Sequence,
  { record, block, holder }: Evidence,
  context: CertificateContext,
): Fault | undefined {
  const expected = { digest: record.digest, clusters: block.clusters, holder };
  const checked = checkCertificate(certificate, context, expected);
  if (!checked.ok) {
    return { code: "wrong-certificate", reason: `certificate of cluster ${certificate.cluster}: ${checked.reason}` };
  }
  if (checked.entry.sequence === sequence) return undefined;
  const reason = `the vector says ${showSequence(sequence)}, the certificate ${showSequence(checked.entry.sequence)}`;
  return { code: "wrong-vector", reason };
}
