// What the door checks of a view change (protocol 5): who may say what, and, in byzantine clusters, every certificate
// in it. What a new view must keep is judged by the core, for that depends on the log.

import type { CertificateContext } from "../cluster/certificate.js";
import { checkCertificate } from "../cluster/certificate.js";
import { provenCheckpoint } from "../cluster/checkpoint.js";
import { isQuorum, primaryOf, quorumOf, sameVote } from "../cluster/quorum.js";
import { countedReports, isClaimSigned } from "../cluster/rejoin.js";
import { signingBytes } from "../crypto/signature.js";
import type { Rejection } from "../types/codes.js";
import type { Decided } from "../types/effects.js";
import type { NodeRef } from "../types/ids.js";
import { viewChangeBytesMax } from "../types/limits.js";
import { carriage, type NewView, type Prepared, type ViewChange, type ViewMessage } from "../types/message.js";
import type { Signed } from "../types/schema.js";
import { decodeVote } from "./votes.js";
import { acceptKinds, proposalKinds } from "./wire-views.js";

/** Views stay at home; the primary of a view alone asks for it, and it alone opens it, whoever passes that on. */
export function checkViewSender(message: ViewMessage, from: NodeRef, own: NodeRef, { members }: CertificateContext) {
  const cluster = members.clusterOf(own.cluster);
  const isCrash = cluster.model === "crash";
  if (from.cluster !== own.cluster || message.cluster !== own.cluster) return "not-allowed";
  if (message.view === 0 || members.node(message) === undefined) return "malformed";
  switch (message.kind) {
    case "prepare":
      if (!isCrash) return "not-allowed";
      return message.node === primaryOf(cluster, message.view) ? undefined : "not-primary";
    case "promise":
      return isCrash ? undefined : "not-allowed";
    case "view-change":
      return isCrash ? "not-allowed" : undefined;
    default:
      if (isCrash !== (message.changes.length === 0)) return "malformed";
      return message.node === primaryOf(cluster, message.view) ? undefined : "not-primary";
  }
}

/** Crash nodes do not lie; of byzantine ones every proof is checked. */
export function checkViewContent(message: ViewMessage, context: CertificateContext): Rejection | undefined {
  switch (message.kind) {
    case "prepare":
    case "promise":
      return undefined;
    case "view-change":
      return isProven(message, context) ? undefined : "bad-certificate";
    default:
      return isJustified(message, context) ? undefined : "bad-certificate";
  }
}

/** A quorum of different nodes' signed VIEW-CHANGEs of this very view. */
function isJustified(opening: NewView, context: CertificateContext): boolean {
  const { cluster, view, changes, rejoins, stable, decided } = opening;
  if (changes.length === 0) return true;
  // What a crash primary says itself would prove nothing here, and a restart takes a stored opening at its word.
  if (rejoins.length > 0 || decided.length > 0 || stable !== undefined) return false;
  const counted = new Set(countedReports(changes.map(({ message }) => message)));
  const isOver = (message: ViewChange) => !counted.has(message);
  const quorum = quorumOf(context.members.clusterOf(cluster));
  if (changes.length < quorum) return false;
  return changes.every(({ signed, message }, at) => {
    const before = changes[at - 1];
    if (signed.body.length > viewChangeBytesMax(quorum)) return false;
    if (message.cluster !== cluster || message.view !== view) return false;
    if (before !== undefined && before.message.node >= message.node) return false;
    return (
      !isOver(message) &&
      isSigned(signed, { kind: carriage["view-change"].number, by: message }, context) &&
      isProven(message, context)
    );
  });
}

function isProven(change: ViewChange, context: CertificateContext): boolean {
  const { cluster, view, stable, decided, prepared, rejoins } = change;
  if (!rejoins.every((claim) => isClaimSigned(claim, cluster, context))) return false;
  if (stable !== undefined && provenCheckpoint(stable, context, cluster) === undefined) return false;
  const isDecided = ({ entry, certificate }: Decided) =>
    checkCertificate(certificate, context, { digest: entry.digest, clusters: [cluster], holder: "byzantine" }).ok;
  return decided.every(isDecided) && prepared.every((each) => each.entry.view < view && isPrepared(each, context));
}

/**
 * A quorum of accepts for the entry: in round 0 with the primary's, in round 1 with its proposal (2.2). No statement is
 * there for nothing: each node accepts once, and the primary's SUPER-ACCEPT may stand once more, as its proposal.
 */
function isPrepared({ entry, proof }: Prepared, context: CertificateContext): boolean {
  const cluster = context.members.clusterOf(entry.cluster);
  const voters = new Set<number>();
  let isProposed = entry.round === 0;
  let proposalsLeft: number = entry.round;
  for (const { kind, body, signature } of proof) {
    const vote = decodeVote(body);
    if (vote === undefined || !sameVote(vote.entry, entry) || vote.entry.cluster !== entry.cluster) return false;
    const isProposal = proposalKinds.includes(kind) && vote.node === primaryOf(cluster, entry.view);
    const isAccept = acceptKinds.includes(kind) && !voters.has(vote.node);
    if (!isAccept && (!isProposal || proposalsLeft-- === 0)) return false;
    const by = { cluster: entry.cluster, node: vote.node };
    if (!isSigned({ body, signature }, { kind, by }, context)) return false;
    if (isProposal) isProposed = true;
    if (isAccept) voters.add(vote.node);
  }
  return isProposed && isQuorum(cluster, entry, voters);
}

function isSigned(
  { body, signature }: Signed,
  { kind, by }: { readonly kind: number; readonly by: NodeRef },
  { members, topology, verifier }: CertificateContext,
): boolean {
  const publicKey = members.node(by)?.key;
  if (publicKey === undefined) return false;
  return verifier.verify({ bytes: signingBytes(topology.networkId, kind, body), signature, publicKey });
}
