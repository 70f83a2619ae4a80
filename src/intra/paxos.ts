// Multi-Paxos for crash clusters (paper §6.3.1; protocol 2.1, 3): accepts go to the primary, and to the initiator's
// primary for a foreign block; a quorum at the primary lets it sign a COMMIT, which is the decision certificate. For a
// block of this cluster alone the engine sends that COMMIT; for others it reports the entry as agreed.

import { fastQuorumOf, isQuorum, primaryOf, sameEntry, sameVote } from "../cluster/quorum.js";
import type { Block } from "../types/block.js";
import type { Decided } from "../types/effects.js";
import type { Digest, Entry, NodeRef, Sequence, Slot, View } from "../types/ids.js";
import { type Accept, type NodeMessage, type SuperAccept, unreachable, type Verified } from "../types/message.js";
import type { StoredSlot } from "../types/schema.js";
import type { ClusterInfo } from "../types/topology.js";
import { type ClusterLog, type EngineEvent, type EngineStep, emptyStep, type Routes } from "./engine.js";
import { Log } from "./log.js";
import { Ordering } from "./ordering.js";
import { storedSlot } from "./stored.js";

export interface EngineOptions {
  readonly self: NodeRef;
  readonly cluster: ClusterInfo;
  readonly routes: Routes;
  /** Digest of this cluster's no-op. */
  readonly noOp: Digest;
}

export class Paxos implements ClusterLog {
  readonly #options: EngineOptions;
  readonly #log: Log;
  readonly #ordering: Ordering;
  /** Of a round-0 choice: nodes that accepted the block elsewhere. */
  readonly #differing = new Map<Digest, Set<number>>();

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#log = new Log({ cluster: options.cluster.id, noOp: options.noOp });
    const voting = { trustsPrimary: true, cast: this.#cast.bind(this) };
    this.#ordering = new Ordering({ log: this.#log, ...options, voting });
  }

  get view(): View {
    return this.#log.view;
  }

  get isPrimary(): boolean {
    return this.#ordering.isPrimary;
  }

  get lastSequence(): Sequence {
    return this.#log.lastChoice.sequence;
  }

  get frontier(): { readonly slot: Slot; readonly sequence: Sequence } {
    return this.#log.frontier;
  }

  get hasRoom(): boolean {
    return this.#log.hasRoom;
  }

  propose(block: Block): EngineStep {
    const step = emptyStep();
    this.#ordering.propose(step, block);
    return step;
  }

  acceptDirect(block: Block, hint: Sequence): EngineStep {
    const step = emptyStep();
    this.#ordering.acceptDirect(step, block, hint);
    return step;
  }

  place(block: Block, hint: Sequence): EngineStep {
    const step = emptyStep();
    const agreed = this.#agreedEntry(block.digest);
    if (agreed !== undefined) step.agreed.push(agreed);
    this.#ordering.place(step, block, hint);
    return step;
  }

  step(event: EngineEvent): EngineStep {
    const step = emptyStep();
    switch (event.kind) {
      case "propose":
        this.#ordering.onProposal(step, event.verified);
        break;
      case "accept":
        this.#onVote(step, event.verified);
        break;
      case "super-accept":
        this.#onSuperAccept(step, event.verified);
        break;
      case "commit":
        // A COMMIT of a crash cluster is a certificate already and comes as "decision".
        break;
      case "decision":
        this.#decide(step, event.decided);
        break;
      case "final":
        this.#log.learnFinal(event.sequence);
        this.#ordering.retryAll(step);
        break;
      case "body":
        this.#ordering.learnBlock(event.block);
        break;
      case "timer":
        this.#ordering.repeat(step, event.slot);
        this.#recommit(step, event.slot);
        break;
      case "restored":
        this.#ordering.restore(step, event.slot);
        break;
      default:
        unreachable(event);
    }
    return step;
  }

  entryOf(digest: Digest): Entry | undefined {
    return this.#log.placed(digest) ?? this.#log.selfPlaced(digest);
  }

  decisionAt(slot: Slot): Decided | undefined {
    return this.#log.peek(slot)?.decided;
  }

  restate(digest: Digest): NodeMessage | undefined {
    const entry = this.entryOf(digest);
    return entry === undefined ? undefined : this.#voteFor(entry);
  }

  digestAt(slot: Slot): Digest | undefined {
    return this.#log.digestAt(slot);
  }

  forget(slot: Slot, sequence: Sequence): readonly Slot[] {
    this.#ordering.forget(slot);
    return this.#log.forget(slot, sequence);
  }

  stored(slot: Slot): StoredSlot | undefined {
    const state = this.#log.peek(slot);
    return state === undefined ? undefined : storedSlot(state);
  }

  wants({ entry }: { readonly entry: Entry }): boolean {
    return this.#log.slot(entry.slot)?.decided === undefined;
  }

  /** ACCEPT, or SUPER-ACCEPT for a foreign block in round 1: to both primaries (protocol 3, step 3). */
  #cast(step: EngineStep, entry: Entry): void {
    const { cluster, routes } = this.#options;
    const to: NodeRef[] = [{ cluster: cluster.id, node: primaryOf(cluster, this.view) }];
    const initiator = routes.initiatorOf(entry.digest);
    if (initiator !== undefined) to.push(initiator);
    step.send.push({ to, message: this.#voteFor(entry) });
  }

  #voteFor(entry: Entry): Accept | SuperAccept {
    const { self, routes } = this.#options;
    const foreign = routes.initiatorOf(entry.digest) !== undefined;
    if (!foreign || entry.round === 0) return { kind: "accept", entry, node: self.node };
    return { kind: "super-accept", entry, node: self.node, previous: 0 as Sequence, block: undefined };
  }

  #onSuperAccept(step: EngineStep, verified: Verified<SuperAccept>): void {
    const { message } = verified;
    const { block } = message;
    if (block === undefined) return this.#onVote(step, verified);
    this.#ordering.onProposal(step, { ...verified, message: { ...message, block } });
  }

  /** At the primary: one more accept. */
  #onVote(step: EngineStep, verified: Verified<Accept | SuperAccept>): void {
    const { entry, node } = verified.message;
    const log = this.#log;
    if (!this.isPrimary || entry.view !== log.view) return;
    const state = log.slot(entry.slot);
    if (state === undefined) return;
    const count = state.accepts.add({ entry, node, signed: undefined });
    if (count === undefined) return;
    // All no-ops of a log are the same block, so only its slot tells which one is meant.
    const own = log.isNoOp(entry.digest) ? state.choice : this.entryOf(entry.digest);
    if (own === undefined) {
      step.wanted.push({ digest: entry.digest, from: verified.from });
      return;
    }
    if (!sameEntry(own, entry)) return this.#onDifference(step, { own, node });
    if (state.agreed || state.decided !== undefined || state.choice === undefined) return;
    if (!sameVote(state.choice, entry) || !isQuorum(this.#options.cluster, entry, count.voters)) return;
    state.agreed = true;
    this.#agree(step, entry);
  }

  /** Accepts of round 0 differ: once the fast quorum is out of reach the primary decides on the slot (3.1). */
  #onDifference(step: EngineStep, { own, node }: { readonly own: Entry; readonly node: number }): void {
    const { cluster } = this.#options;
    let nodes = this.#differing.get(own.digest);
    if (nodes === undefined) {
      nodes = new Set();
      this.#differing.set(own.digest, nodes);
    }
    nodes.add(node);
    if (cluster.nodes.length - nodes.size < fastQuorumOf(cluster)) this.#ordering.assign(step, own.slot);
  }

  #agree(step: EngineStep, entry: Entry): void {
    const clusters = this.#log.body(entry.digest)?.clusters;
    if (clusters === undefined) throw new Error(`agreed on ${entry.digest} without its block`);
    if (clusters.length > 1) {
      step.agreed.push(entry);
      return;
    }
    const { cluster, node } = this.#options.self;
    const message = { kind: "commit", cluster, node, digest: entry.digest, entries: [entry] } as const;
    step.send.push({ to: this.#ordering.everyone, message });
  }

  #recommit(step: EngineStep, slot: Slot): void {
    const state = this.#log.peek(slot);
    if (state?.agreed === true && state.decided === undefined) this.#agree(step, state.choice as Entry);
  }

  #agreedEntry(digest: Digest): Entry | undefined {
    const entry = this.entryOf(digest);
    const state = entry === undefined ? undefined : this.#log.peek(entry.slot);
    return state?.agreed === true && state.choice?.digest === digest ? state.choice : undefined;
  }

  #decide(step: EngineStep, decided: Decided): void {
    const { entry } = decided;
    const state = this.#log.slot(entry.slot);
    if (state === undefined || !this.#log.decide(state, decided)) return;
    this.#ordering.release(entry.digest);
    this.#differing.delete(entry.digest);
    step.changed.add(entry.slot);
    step.decided.push(decided);
    this.#ordering.retry(step, entry.slot + 1);
  }
}
