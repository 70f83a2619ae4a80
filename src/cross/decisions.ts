// What a node knows of a cross-shard block (protocol 3, steps 3 to 5): which clusters have decided it, with
// certificates, and, at the initiator's primary, which crash clusters have accepted it. Certificates of all clusters of
// P make the vector; its maximum is the final sequence. It knows clusters by their certificates only, never by their
// engines.

import { decodeCommit, mayAttest } from "../cluster/certificate.js";
import type { Members } from "../cluster/members.js";
import { isQuorum, primaryOf, quorumOf } from "../cluster/quorum.js";
import { proofOf, Tally } from "../cluster/tally.js";
import type { Block } from "../types/block.js";
import type { Decided } from "../types/effects.js";
import type { ClusterId, Digest, Entry, NodeRef, Sequence, View } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { Commit, Verified, Vote } from "../types/message.js";
import type { Certificate } from "../types/schema.js";
import type { ClusterInfo } from "../types/topology.js";
import { Availability } from "./availability.js";
import type { Way } from "./dissemination.js";

/** A block whose clusters have all decided. */
export interface Complete {
  readonly digest: Digest;
  readonly final: Sequence;
  /** By ascending cluster of P. */
  readonly sequences: readonly Sequence[];
  readonly certificates: readonly Certificate[];
}

export interface CrossBlock {
  readonly digest: Digest;
  block: Block | undefined;
  /** At the initiator's primary: how the block went to each other cluster, and its own entry. */
  initiated: { readonly entry: Entry; readonly ways: ReadonlyMap<ClusterId, Way> } | undefined;
  readonly decided: Map<ClusterId, Decided>;
  /** Crash clusters a quorum of which accepted, as this primary saw. */
  readonly agreed: Map<ClusterId, Entry>;
  readonly superProposed: Set<ClusterId>;
  readonly votes: Map<ClusterId, Tally>;
  /** COMMITs with entries of other clusters that came before the block: whether they may attest depends on P. */
  readonly early: Verified<Commit>[];
  complete: Complete | undefined;
}

export interface DecisionStep {
  /** Decisions of the node's own cluster, for its log. */
  readonly own: Decided[];
  readonly complete: Complete[];
  /** A crash cluster's accepts cannot agree any more: SUPER-PROPOSE to its primary (3.1). */
  readonly collided: { readonly digest: Digest; readonly cluster: ClusterId; readonly view: View }[];
  /** All crash clusters of P agreed: the initiator's primary signs one COMMIT for all (step 4). */
  readonly vectors: { readonly digest: Digest; readonly entries: readonly Entry[] }[];
  /** A cluster proved that it decided a block that is not here. */
  readonly bodiless: { readonly digest: Digest; readonly from: NodeRef }[];
  /** Foreign clusters that decided blocks this primary had sent: in round 0, or in round 1 after a collision. */
  readonly outcomes: { readonly cluster: ClusterId; readonly way: Way; readonly round: 0 | 1 }[];
}

const EARLY_COMMITS_MAX = 8;

export class Decisions {
  readonly availability: Availability;
  readonly #members: Members;
  readonly #own: ClusterInfo;
  readonly #blocks = new Map<Digest, CrossBlock>();
  /** Those of which this node has only votes, oldest first. */
  readonly #strangers = new Set<Digest>();

  constructor(options: { readonly members: Members; readonly own: ClusterId }) {
    this.#members = options.members;
    this.#own = options.members.clusterOf(options.own);
    const decidedBy = (digest: Digest) => this.#blocks.get(digest)?.decided;
    this.availability = new Availability({ self: options.own, decidedBy });
  }

  get(digest: Digest): CrossBlock | undefined {
    return this.#blocks.get(digest);
  }

  all(): IterableIterator<CrossBlock> {
    return this.#blocks.values();
  }

  /** Blocks of which there are only votes. */
  get strangers(): number {
    return this.#strangers.size;
  }

  /** Blocks under way; those of which there are only votes may come to nothing, and are not counted. */
  get size(): number {
    return this.#blocks.size - this.#strangers.size;
  }

  /** The block's body; blocks of one cluster are not kept here. */
  learn(block: Block): DecisionStep {
    const step = emptyStep();
    const known = this.#open(block.digest, true);
    if (known.block !== undefined) return step;
    known.block = block;
    for (const commit of known.early.splice(0)) this.#onCommit(step, commit);
    this.#review(step, known);
    return step;
  }

  /** This node is the initiator's primary and has proposed the block. */
  initiate(digest: Digest, initiated: { readonly entry: Entry; readonly ways: ReadonlyMap<ClusterId, Way> }): void {
    const known = this.#open(digest, true);
    known.initiated = initiated;
  }

  /** This node's view is over: it waits for nobody's accepts any more, and says what its own cluster agreed on. */
  endInitiatives(): DecisionStep {
    const step = emptyStep();
    for (const known of this.#blocks.values()) {
      if (known.initiated === undefined) continue;
      known.initiated = undefined;
      known.superProposed.clear();
      this.#reviewAgreed(step, known);
    }
    return step;
  }

  onCommit(commit: Verified<Commit>): DecisionStep {
    const step = emptyStep();
    this.#onCommit(step, commit);
    return step;
  }

  /** A checked certificate, of any cluster of P. */
  onCertificate(decided: Decided): DecisionStep {
    const step = emptyStep();
    const known = this.#open(decided.entry.digest, true);
    this.#add(step, known, decided);
    return step;
  }

  /** An accept of a foreign crash cluster; counted at the initiator's primary only. */
  onForeignAccept(vote: Vote): DecisionStep {
    const step = emptyStep();
    const { entry, node } = vote;
    const known = this.#blocks.get(entry.digest);
    const cluster = this.#members.clusterOf(entry.cluster);
    if (known?.initiated === undefined || known.agreed.has(cluster.id) || cluster.model !== "crash") return step;
    let votes = known.votes.get(cluster.id);
    if (votes === undefined) {
      votes = new Tally();
      known.votes.set(cluster.id, votes);
    }
    const count = votes.add({ entry, node, signed: undefined });
    if (count === undefined) return step;
    if (isQuorum(cluster, entry, count.voters)) {
      known.agreed.set(cluster.id, entry);
      this.#reviewAgreed(step, known);
    } else if (entry.round === 0 && votes.isOutOfReach(cluster, entry.view)) {
      step.collided.push({ digest: entry.digest, cluster: cluster.id, view: entry.view });
    }
    return step;
  }

  /** A quorum of this node's own crash cluster accepted (it is the primary). Said again: the others take too long. */
  onAgreed(entry: Entry): DecisionStep {
    const step = emptyStep();
    const known = this.#open(entry.digest, true);
    const isLate = known.agreed.has(entry.cluster);
    known.agreed.set(entry.cluster, entry);
    this.#reviewAgreed(step, known, isLate);
    return step;
  }

  /** The block has its record: what comes of it from now on is late. */
  finish(digest: Digest): void {
    this.#blocks.delete(digest);
    this.#strangers.delete(digest);
  }

  /** Could a COMMIT of this cluster for this block still matter? */
  wants(digest: Digest, cluster: ClusterId): boolean {
    return this.#blocks.get(digest)?.decided.has(cluster) !== true;
  }

  /** `isOurs`: the block is surely this node's business. Others are bounded, and the oldest of them gives way. */
  #open(digest: Digest, isOurs: boolean): CrossBlock {
    let known = this.#blocks.get(digest);
    if (known !== undefined) {
      if (isOurs) this.#strangers.delete(digest);
      return known;
    }
    if (!isOurs) this.#admitStranger(digest);
    known = {
      digest,
      block: undefined,
      initiated: undefined,
      decided: new Map(),
      agreed: new Map(),
      superProposed: new Set(),
      votes: new Map(),
      early: [],
      complete: undefined,
    };
    this.#blocks.set(digest, known);
    return known;
  }

  #admitStranger(digest: Digest): void {
    const [oldest] = this.#strangers;
    if (oldest !== undefined && this.#strangers.size >= limits.remoteVotesMax) this.finish(oldest);
    this.#strangers.add(digest);
  }

  #onCommit(step: DecisionStep, commit: Verified<Commit>): void {
    const { message, signed } = commit;
    const known = this.#open(message.digest, false);
    if (signed === undefined) return;
    const signer = this.#members.clusterOf(message.cluster);
    if (signer.model === "byzantine") return this.#countCommit(step, known, commit);
    const clusters = known.block?.clusters;
    for (const entry of message.entries) {
      const isForeign = entry.cluster !== message.cluster;
      if (isForeign && clusters === undefined) {
        if (known.early.length < EARLY_COMMITS_MAX) known.early.push(commit);
        continue;
      }
      const holder = this.#own.model;
      if (!mayAttest(message, entry.cluster, this.#members, { clusters: clusters ?? [], holder })) continue;
      this.#add(step, known, { entry, certificate: { cluster: entry.cluster, commits: [signed] } });
    }
  }

  /** Byzantine: q equal COMMITs of different nodes are the certificate. */
  #countCommit(step: DecisionStep, known: CrossBlock, { message, signed }: Verified<Commit>): void {
    const entry = message.entries[0] as Entry;
    const cluster = this.#members.clusterOf(message.cluster);
    if (known.decided.has(cluster.id) || signed === undefined) return;
    let votes = known.votes.get(cluster.id);
    if (votes === undefined) {
      votes = new Tally();
      known.votes.set(cluster.id, votes);
    }
    const count = votes.add({ entry, node: message.node, signed });
    const quorum = quorumOf(cluster);
    if (count === undefined || count.voters.size < quorum) return;
    const certificate = { cluster: cluster.id, commits: proofOf(count, quorum) };
    this.#add(step, known, { entry, certificate });
  }

  #add(step: DecisionStep, known: CrossBlock, decided: Decided): void {
    const { entry } = decided;
    if (known.decided.has(entry.cluster)) return;
    known.decided.set(entry.cluster, decided);
    known.votes.delete(entry.cluster);
    if (entry.cluster === this.#own.id) step.own.push(decided);
    if (known.block === undefined && entry.cluster !== this.#own.id) {
      const signer = decodeCommit(decided.certificate.commits[0]?.body ?? NO_BYTES);
      if (signer !== undefined) step.bodiless.push({ digest: entry.digest, from: signer });
    }
    const way = known.initiated?.ways.get(entry.cluster);
    if (way !== undefined) step.outcomes.push({ cluster: entry.cluster, way, round: entry.round });
    // What a crash cluster has decided it has accepted, whether or not its accepts came this way.
    const isCrash = this.#members.clusterOf(entry.cluster).model === "crash";
    if (known.initiated !== undefined && isCrash && !known.agreed.has(entry.cluster)) {
      known.agreed.set(entry.cluster, entry);
      this.#reviewAgreed(step, known);
    }
    this.#review(step, known);
  }

  #review(step: DecisionStep, known: CrossBlock): void {
    const { block, decided, digest } = known;
    if (known.complete !== undefined || block === undefined) return;
    const entries = block.clusters.map((cluster) => decided.get(cluster));
    if (!entries.every((each) => each !== undefined)) return;
    const sequences = entries.map(({ entry }) => entry.sequence);
    const final = Math.max(...sequences) as Sequence;
    known.complete = { digest, final, sequences, certificates: entries.map(({ certificate }) => certificate) };
    step.complete.push(known.complete);
  }

  /**
   * The initiator's primary waits for all crash clusters, but not for ever: one that is down must not hold up this
   * cluster's log. Another's primary speaks for its own (step 4).
   */
  #reviewAgreed(step: DecisionStep, known: CrossBlock, isLate = false): void {
    const { block, agreed, digest, initiated } = known;
    if (block === undefined || this.#own.model !== "crash") return;
    const wanted = initiated === undefined || isLate ? [this.#own.id] : this.#crashClusters(block.clusters);
    const entries = wanted.map((cluster) => agreed.get(cluster));
    if (entries.every((each) => each !== undefined)) step.vectors.push({ digest, entries });
  }

  #crashClusters(clusters: readonly ClusterId[]): readonly ClusterId[] {
    return clusters.filter((cluster) => this.#members.clusterOf(cluster).model === "crash");
  }
}

/** To whom a SUPER-PROPOSE goes. */
export function primaryRef(cluster: ClusterInfo, view: View): NodeRef {
  return { cluster: cluster.id, node: primaryOf(cluster, view) };
}

function emptyStep(): DecisionStep {
  return { own: [], complete: [], collided: [], vectors: [], bodiless: [], outcomes: [] };
}

const NO_BYTES = new Uint8Array(0);
