// What the primary of a block's initiator does for it beyond its own cluster (protocol 3, step 2; 3.1): brings it to
// the others, flattened or through their primaries, and asks again where accepts differ or fail to come.

import type { Members } from "../cluster/members.js";
import type { Block } from "../types/block.js";
import type { ClusterId, Digest, Entry, NodeRef } from "../types/ids.js";
import type { Propose, SuperPropose } from "../types/message.js";
import type { Topology } from "../types/topology.js";
import type { Decisions } from "./decisions.js";
import { Disseminator, type Way } from "./dissemination.js";
import type { CrossOutput } from "./output.js";

export interface InitiativeOptions {
  readonly topology: Topology;
  readonly members: Members;
  readonly self: NodeRef;
  readonly decisions: Decisions;
  /** Is this node still primary of the view in which it made the entry? Else its successor sees to the block. */
  readonly holds: (entry: Entry) => boolean;
  readonly primaryOf: (cluster: ClusterId) => NodeRef;
}

type Output = Pick<CrossOutput, "send" | "notes">;

export class Initiative {
  readonly #options: InitiativeOptions;
  readonly #disseminator: Disseminator;

  constructor(options: InitiativeOptions) {
    this.#options = options;
    this.#disseminator = new Disseminator(options.topology.cross.dissemination);
  }

  /** PROPOSE to all nodes of some clusters, SUPER-PROPOSE to the primaries of others. */
  disseminate(proposal: Propose, block: Block, output: Output): void {
    const { members, self, decisions } = this.#options;
    const others = block.clusters.filter((cluster) => cluster !== self.cluster);
    const ways = new Map<ClusterId, Way>(others.map((cluster) => [cluster, this.#disseminator.choose(cluster)]));
    decisions.initiate(block.digest, { entry: proposal.entry, ways });
    const flattened = others.filter((cluster) => ways.get(cluster) === "flattened");
    if (flattened.length > 0) output.send.push({ to: members.nodesOf(flattened), message: proposal });
    for (const cluster of others) {
      if (ways.get(cluster) === "super-propose") this.#ask(block.digest, { cluster, conflict: false }, output);
    }
  }

  /** A cluster's accepts differ. */
  superPropose(digest: Digest, cluster: ClusterId, output: Output): void {
    this.#ask(digest, { cluster, conflict: true }, output);
  }

  /** No decision in time: SUPER-PROPOSE to the clusters that are silent, each time again. */
  repeat(digest: Digest, output: Output): void {
    const known = this.#options.decisions.get(digest);
    if (known?.initiated === undefined || known.block === undefined) return;
    for (const cluster of known.block.clusters) {
      if (cluster === this.#options.self.cluster || known.decided.has(cluster)) continue;
      known.superProposed.delete(cluster);
      // Its primary may have changed unseen: one that is silent is not asked alone.
      this.#ask(digest, { cluster, conflict: true, to: this.#options.members.nodesOf([cluster]) }, output);
    }
  }

  /** Did a block that was sent flattened collide there? */
  observe(cluster: ClusterId, isCollision: boolean): void {
    this.#disseminator.observe(cluster, isCollision);
  }

  #ask(
    digest: Digest,
    request: { readonly cluster: ClusterId; readonly conflict: boolean; readonly to?: readonly NodeRef[] },
    output: Output,
  ): void {
    const { decisions, self, holds, primaryOf } = this.#options;
    const { cluster, conflict } = request;
    const known = decisions.get(digest);
    if (known?.initiated === undefined || known.block === undefined || known.superProposed.has(cluster)) return;
    const { entry } = known.initiated;
    if (!holds(entry)) return;
    known.superProposed.add(cluster);
    const message: SuperPropose = { kind: "super-propose", entry, node: self.node, block: known.block };
    output.send.push({ to: request.to ?? [primaryOf(cluster)], message });
    output.notes.push({ kind: "super-proposed", digest, cluster, conflict });
  }
}
