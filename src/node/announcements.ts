// What gossip tells of other clusters (protocol 8): stable heights and views, as their nodes say. It needs no quorum
// and decides nothing; a figure is shown once so many nodes of a cluster claim at least it that one of them is correct.

import type { Members } from "../cluster/members.js";
import { witnessesOf } from "../cluster/quorum.js";
import { CodecError } from "../types/codec.js";
import { type ClusterId, type NodeRef, nodeKey, type PublicKey, type View } from "../types/ids.js";
import { announcementSchema } from "../types/schema.js";

/** How often a node speaks. Each announcement costs every node a signature check, so in a large network less often. */
export function announceEveryMs(nodes: number): number {
  return Math.max(ANNOUNCE_EVERY_MS, nodes * ANNOUNCEMENTS_APART_MS);
}

const ANNOUNCE_EVERY_MS = 5000;
const ANNOUNCEMENTS_APART_MS = 10; // of all nodes together: about 1 % of everyone's core

export interface ClusterNews {
  readonly cluster: ClusterId;
  readonly view: View;
  readonly stableHeight: number;
}

interface Claim {
  readonly view: View;
  readonly height: number;
}

export class Announcements {
  readonly #members: Members;
  readonly #claims = new Map<number, Claim>();

  constructor(members: Members) {
    this.#members = members;
  }

  encode({ cluster, node }: NodeRef, { view, height }: Claim): Uint8Array {
    return announcementSchema.encode({ cluster, node, view, height });
  }

  /** `from` signed the gossip. False: not an announcement of that node's own. */
  onGossip(from: PublicKey, data: Uint8Array): boolean {
    const ref = this.#members.nodeByKey(from);
    const claim = decode(data);
    if (ref === undefined || claim?.cluster !== ref.cluster || claim.node !== ref.node) return false;
    const known = this.#claims.get(nodeKey(ref));
    const view = Math.max(claim.view, known?.view ?? 0);
    this.#claims.set(nodeKey(ref), { view, height: Math.max(claim.height, known?.height ?? 0) });
    return true;
  }

  news(clusters: readonly ClusterId[]): readonly ClusterNews[] {
    return clusters.map((cluster) => ({
      cluster,
      view: this.#believed(cluster, ({ view }) => view),
      stableHeight: this.#believed(cluster, ({ height }) => height),
    }));
  }

  #believed(cluster: ClusterId, figure: (claim: Claim) => number): number {
    const claims = this.#members.nodesOf([cluster]).map((ref) => {
      const claim = this.#claims.get(nodeKey(ref));
      return claim === undefined ? 0 : figure(claim);
    });
    claims.sort((a, b) => b - a);
    return claims[witnessesOf(this.#members.clusterOf(cluster)) - 1] ?? 0;
  }
}

function decode(data: Uint8Array) {
  try {
    return announcementSchema.decode(data);
  } catch (error) {
    if (error instanceof CodecError) return undefined;
    throw error;
  }
}
