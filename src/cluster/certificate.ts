// Decision certificates (protocol 2): the proof, checkable by anyone and valid from any view, that a cluster decided an
// entry. Crash: one COMMIT signed by a node that holds the accepts; byzantine: q signed COMMITs of different nodes over
// one entry. The same rules serve the door, a node that is handed a certificate, and the offline audit.

import { signingBytes, type Verifier } from "../crypto/signature.js";
import { CodecError } from "../types/codec.js";
import type { Decided } from "../types/effects.js";
import { type ClusterId, type Digest, type Entry, fromHex, type Sequence, toHex } from "../types/ids.js";
import { type Commit, carriage } from "../types/message.js";
import { type Certificate, commitSchema, type Signed } from "../types/schema.js";
import type { FailureModel, Topology } from "../types/topology.js";
import type { Members } from "./members.js";
import { quorumOf, sameVote } from "./quorum.js";

export interface CertificateContext {
  readonly topology: Topology;
  readonly members: Members;
  readonly verifier: Verifier;
}

export interface Expected {
  readonly digest: Digest;
  /** The block's P. */
  readonly clusters: readonly ClusterId[];
  /** Model of the cluster whose node relies on it: byzantine ones trust only signatures of the cluster itself (3.4). */
  readonly holder: FailureModel;
}

export type Checked = { readonly ok: true; readonly entry: Entry } | { readonly ok: false; readonly reason: string };

export function checkCertificate(certificate: Certificate, context: CertificateContext, expected: Expected): Checked {
  const cluster = context.members.findCluster(certificate.cluster);
  if (cluster === undefined) return { ok: false, reason: `cluster ${certificate.cluster} does not exist` };
  if (!expected.clusters.includes(cluster.id)) return { ok: false, reason: `cluster ${cluster.id} is not involved` };
  const needed = cluster.model === "crash" ? 1 : quorumOf(cluster);
  if (certificate.commits.length !== needed) {
    return { ok: false, reason: `${certificate.commits.length} commits of cluster ${cluster.id}, ${needed} needed` };
  }
  let proven: Entry | undefined;
  const signers = new Set<number>();
  for (const signed of certificate.commits) {
    const commit = decodeCommit(signed.body);
    if (commit === undefined) return { ok: false, reason: "malformed commit" };
    const entry = commit.entries.find((each) => each.cluster === cluster.id);
    if (entry === undefined || commit.digest !== expected.digest)
      return { ok: false, reason: "commit of something else" };
    if (!mayAttest(commit, cluster.id, context.members, expected))
      return { ok: false, reason: "signer may not attest" };
    if (proven !== undefined && !sameVote(proven, entry)) return { ok: false, reason: "commits differ" };
    if (signers.has(commit.node)) return { ok: false, reason: "a node signed twice" };
    if (!checkSignature(signed, commit, context)) return { ok: false, reason: "bad signature" };
    signers.add(commit.node);
    proven = entry;
  }
  return proven === undefined ? { ok: false, reason: "empty" } : { ok: true, entry: proven };
}

/**
 * May this COMMIT speak for `cluster`? Its own nodes may; between crash clusters any crash node that is involved may,
 * as crash nodes do not lie: the initiator's COMMIT carries the whole vector (protocol 3, step 4).
 */
export function mayAttest(
  commit: Pick<Commit, "cluster" | "node">,
  cluster: ClusterId,
  members: Members,
  { clusters, holder }: Pick<Expected, "clusters" | "holder">,
): boolean {
  if (members.node(commit) === undefined) return false;
  if (commit.cluster === cluster) return true;
  const models = [members.clusterOf(commit.cluster).model, members.clusterOf(cluster).model, holder];
  return clusters.includes(commit.cluster) && models.every((model) => model === "crash");
}

/** What a checked certificate proves. */
export function decidedOf(digest: Digest, certificate: Certificate): Decided | undefined {
  const [first] = certificate.commits;
  const commit = first === undefined ? undefined : decodeCommit(first.body);
  const entry = commit?.entries.find(({ cluster }) => cluster === certificate.cluster);
  return entry === undefined || commit?.digest !== digest ? undefined : { entry, certificate };
}

/** Undefined when these are not the bytes of a COMMIT. */
export function decodeCommit(body: Uint8Array): Commit | undefined {
  try {
    const { cluster, node, digest, entries } = commitSchema.decode(body);
    if (digest.length !== 32 || entries.length === 0) return undefined;
    const hex = toHex<Digest>(digest);
    const decoded: Entry[] = [];
    for (const { round, cluster: of, view, slot, sequence } of entries) {
      if (round > 1 || sequence % 65_536 !== of || slot === 0) return undefined;
      if (decoded.length > 0 && of <= (decoded[decoded.length - 1] as Entry).cluster) return undefined;
      const ballot = { view, round: round as 0 | 1 };
      decoded.push({ cluster: of as ClusterId, ...ballot, slot, sequence: sequence as Sequence, digest: hex });
    }
    return { kind: "commit", cluster: cluster as ClusterId, node, digest: hex, entries: decoded };
  } catch (error) {
    if (error instanceof CodecError) return undefined;
    throw error;
  }
}

export function encodeCommit({ cluster, node, digest, entries }: Commit): Uint8Array {
  return commitSchema.encode({ cluster, node, digest: fromHex(digest), entries });
}

function checkSignature(signed: Signed, commit: Commit, { topology, members, verifier }: CertificateContext): boolean {
  const signer = members.node(commit);
  if (signer === undefined) return false;
  const bytes = signingBytes(topology.networkId, carriage.commit.number, signed.body);
  return verifier.verify({ bytes, signature: signed.signature, publicKey: signer.key });
}
