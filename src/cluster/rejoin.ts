// A node's own word that it has lost what it said (protocol 6), apart from the log: the signed request of an
// INCARNATION. It proves itself, so whoever has met one may show it to others. Also which reports for a new view
// still count when some are known.

import { signingBytes } from "../crypto/signature.js";
import { CodecError } from "../types/codec.js";
import { type ClusterId, fromHex, type NodeIndex, type PublicKey } from "../types/ids.js";
import { carriage, type RejoinClaim } from "../types/message.js";
import { requestBodySchema, type Signed } from "../types/schema.js";
import type { CertificateContext } from "./certificate.js";

/** The bytes that a node signs. */
export function encodeRejoin(of: {
  readonly key: PublicKey;
  readonly nonce: number;
  readonly validUntil: number;
  readonly cluster: ClusterId;
  readonly node: NodeIndex;
  readonly incarnation: number;
}): Uint8Array {
  const { key, nonce, validUntil, ...rejoin } = of;
  return requestBodySchema.encode({ client: fromHex(key), nonce, validUntil, operations: [], rejoin });
}

/** Undefined when it is no such request of a node of the cluster. Its signature is not checked. */
export function decodeClaim(signed: Signed, cluster: ClusterId): RejoinClaim | undefined {
  try {
    const { rejoin } = requestBodySchema.decode(signed.body);
    if (rejoin === undefined || rejoin.cluster !== cluster || rejoin.incarnation === 0) return undefined;
    return { node: rejoin.node, incarnation: rejoin.incarnation, signed };
  } catch (error) {
    if (error instanceof CodecError) return undefined;
    throw error;
  }
}

/** Did the node itself sign it? */
export function isClaimSigned(
  { node, signed }: RejoinClaim,
  cluster: ClusterId,
  { members, topology, verifier }: CertificateContext,
): boolean {
  const publicKey = members.node({ cluster, node })?.key;
  if (publicKey === undefined) return false;
  const bytes = signingBytes(topology.networkId, carriage.request.number, signed.body);
  return verifier.verify({ bytes, signature: signed.signature, publicKey });
}

/** Of each node the newest, ascending by node. */
export function newestClaims(claims: Iterable<RejoinClaim>): readonly RejoinClaim[] {
  const newest = new Map<NodeIndex, RejoinClaim>();
  for (const claim of claims) {
    const known = newest.get(claim.node);
    if (known === undefined || known.incarnation < claim.incarnation) newest.set(claim.node, claim);
  }
  return [...newest.values()].sort((a, b) => a.node - b.node);
}

interface Speaker {
  readonly node: NodeIndex;
  readonly incarnation: number;
  readonly rejoins: readonly RejoinClaim[];
}

/** Reports of nodes that, as far as any of these knows, have not lost what they report since (protocol 6). */
export function countedReports<R extends Speaker>(reports: readonly R[]): readonly R[] {
  const newest = new Map(
    newestClaims(reports.flatMap(({ rejoins }) => rejoins)).map((claim) => [claim.node, claim.incarnation]),
  );
  return reports.filter(({ node, incarnation }) => incarnation >= (newest.get(node) ?? 0));
}
