// PBFT for byzantine clusters (paper §6.4.1; protocol 2.2, 3): signed accepts to the own cluster prepare an entry, signed
// COMMITs to all nodes of P decide it; q of them are the decision certificate. A round-0 entry is prepared by accepts
// that include the primary's, a round-1 entry by the primary's signed proposal and accepts.

import { fastQuorumOf, isQuorum, primaryOf, quorumOf, sameEntry, sameVote } from "../cluster/quorum.js";
import type { Block } from "../types/block.js";
import type { Decided } from "../types/effects.js";
import type { Digest, Entry, Sequence, Slot, View } from "../types/ids.js";
import { type Accept, type Commit, type NodeMessage, type SuperAccept, unreachable, type Verified } from "../types/message.js";
import type { StoredSlot } from "../types/schema.js";
import { type ClusterLog, type EngineEvent, type EngineStep, emptyStep } from "./engine.js";
import { Log, type SlotState } from "./log.js";
import { Ordering } from "./ordering.js";
import type { EngineOptions } from "./paxos.js";
import { storedSlot } from "./stored.js";
import type { Count } from "../cluster/tally.js";

export class Pbft implements ClusterLog {
  readonly #options: EngineOptions;
  readonly #log: Log;
  readonly #ordering: Ordering;
  readonly #differing = new Map<Digest, Set<number>>();

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#log = new Log({ cluster: options.cluster.id, noOp: options.noOp });
    const voting = { trustsPrimary: false, cast: this.#cast.bind(this) };
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
    this.#ordering.place(step, block, hint);
    return step;
  }

  step(event: EngineEvent): EngineStep {
    const step = emptyStep();
    switch (event.kind) {
      case "propose":
        this.#onProposal(step, event.verified);
        break;
      case "accept":
        this.#onAccept(step, event.verified);
        break;
      case "super-accept":
        this.#onSuperAccept(step, event.verified);
        break;
      case "commit":
        this.#onCommit(step, event.verified);
        break;
      case "decision":
        this.#decide(step, event.decided);
        break;
      case "final":
        this.#log.learnFinal(event.sequence);
        this.#ordering.retryAll(step);
        break;
      case "body":
        this.#onBody(step, event.block);
        break;
      case "timer":
        this.#onTimer(step, event.slot);
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
    if (entry === undefined) return undefined;
    const committed = this.#log.peek(entry.slot)?.committed;
    return committed?.digest === digest ? this.#commitFor(committed) : this.#voteFor(entry);
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

  wants({ kind, entry }: { readonly kind: "accept" | "super-accept" | "commit"; readonly entry: Entry }): boolean {
    const state = this.#log.slot(entry.slot);
    if (state === undefined || state.decided !== undefined) return false;
    return kind === "commit" || state.prepared === undefined || !sameEntry(state.prepared.entry, entry);
  }

  #cast(step: EngineStep, entry: Entry): void {
    step.send.push({ to: this.#ordering.everyone, message: this.#voteFor(entry) });
  }

  #voteFor(entry: Entry): Accept | SuperAccept {
    const { self, routes } = this.#options;
    const foreign = routes.initiatorOf(entry.digest) !== undefined;
    if (!foreign || entry.round === 0) return { kind: "accept", entry, node: self.node };
    return { kind: "super-accept", entry, node: self.node, previous: 0 as Sequence, block: undefined };
  }

  #commitFor(entry: Entry): Commit {
    const { cluster, node } = this.#options.self;
    return { kind: "commit", cluster, node, digest: entry.digest, entries: [entry] };
  }

  #onProposal(step: EngineStep, verified: Extract<EngineEvent, { kind: "propose" }>["verified"]): void {
    this.#ordering.onProposal(step, verified);
    this.#review(step, verified.message.entry.slot);
  }

  /** The primary's SUPER-ACCEPT is its proposal and its vote in one (3, step 2). */
  #onSuperAccept(step: EngineStep, verified: Verified<SuperAccept>): void {
    const { message } = verified;
    const { block } = message;
    if (block !== undefined) this.#ordering.onProposal(step, { ...verified, message: { ...message, block } });
    this.#onAccept(step, verified);
  }

  #onAccept(step: EngineStep, verified: Verified<Accept | SuperAccept>): void {
    const { entry, node } = verified.message;
    const { cluster } = this.#options;
    const log = this.#log;
    if (entry.view !== log.view) return;
    const state = log.slot(entry.slot);
    if (state === undefined) return;
    const count = state.accepts.add({ entry, node, signed: verified.signed });
    if (count === undefined) return;
    const fromPrimary = node === primaryOf(cluster, entry.view);
    if (fromPrimary && entry.round === 0 && state.choice === undefined) {
      log.choose(state, entry);
      this.#ordering.retry(step, entry.slot + 1);
    }
    if (this.isPrimary && entry.round === 0) this.#compare(step, verified);
    this.#prepare(step, { state, count });
  }

  /** At the primary: accepts of round 0 that differ, or that name a block it does not have (3.1). */
  #compare(step: EngineStep, { message: { entry, node }, from }: Verified<Accept | SuperAccept>): void {
    const { cluster } = this.#options;
    const own = this.entryOf(entry.digest);
    if (own !== undefined && sameEntry(own, entry)) return;
    let nodes = this.#differing.get(entry.digest);
    if (nodes === undefined) {
      nodes = new Set();
      this.#differing.set(entry.digest, nodes);
    }
    nodes.add(node);
    if (own === undefined) {
      if (nodes.size > cluster.faults) step.wanted.push({ digest: entry.digest, from });
      return;
    }
    if (cluster.nodes.length - nodes.size < fastQuorumOf(cluster)) this.#ordering.assign(step, own.slot);
  }

  /** With the proposal (round 1) and a quorum of accepts: prepared, so a signed COMMIT to all of P (2.2, step 4). */
  #prepare(step: EngineStep, { state, count }: { readonly state: SlotState; readonly count: Count }): void {
    const { entry, voters, signed } = count;
    if (state.committed !== undefined || state.decided !== undefined) return;
    if (!isQuorum(this.#options.cluster, entry, voters)) return;
    if (entry.round === 1 && (state.accepted === undefined || !sameVote(state.accepted, entry))) return;
    if (entry.round === 0 && this.#log.contradicts(entry)) return;
    const body = this.#log.body(entry.digest);
    if (body === undefined) {
      step.wanted.push({ digest: entry.digest, from: this.#options.self });
      return;
    }
    const proof = state.proposal === undefined || entry.round === 0 ? signed : [state.proposal, ...signed];
    this.#log.prepare(state, entry, proof);
    step.changed.add(entry.slot);
    step.send.push({ to: this.#options.routes.involved(body.clusters), message: this.#commitFor(entry) });
  }

  /** Votes may have come before the proposal or the block. */
  #review(step: EngineStep, slot: Slot): void {
    const state = this.#log.peek(slot);
    if (state === undefined) return;
    for (const entry of [state.accepted, state.choice]) {
      const count = entry === undefined ? undefined : state.accepts.countOf(entry);
      if (count !== undefined) this.#prepare(step, { state, count });
    }
  }

  #onBody(step: EngineStep, block: Block): void {
    this.#ordering.learnBlock(block);
    for (let slot = this.#log.frontier.slot + 1; slot <= this.#log.last; slot++) {
      if (this.#log.peek(slot)?.choice?.digest === block.digest) this.#review(step, slot);
    }
  }

  #onCommit(step: EngineStep, { message, signed }: Verified<Commit>): void {
    const entry = message.entries[0] as Entry;
    const state = this.#log.slot(entry.slot);
    if (state === undefined || state.decided !== undefined || signed === undefined) return;
    const count = state.commits.add({ entry, node: message.node, signed });
    const quorum = quorumOf(this.#options.cluster);
    if (count === undefined || count.voters.size < quorum) return;
    const certificate = { cluster: entry.cluster, commits: count.signed.slice(0, quorum) };
    this.#decide(step, { entry, certificate });
  }

  #onTimer(step: EngineStep, slot: Slot): void {
    this.#ordering.repeat(step, slot);
    const state = this.#log.peek(slot);
    if (state?.committed === undefined || state.decided !== undefined) return;
    const body = this.#log.body(state.committed.digest);
    if (body === undefined) return;
    step.send.push({ to: this.#options.routes.involved(body.clusters), message: this.#commitFor(state.committed) });
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
