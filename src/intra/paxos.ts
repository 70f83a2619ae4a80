// Multi-Paxos for crash clusters (paper §6.3.1; protocol 2.1, 3): accepts go to the primary, and to the initiator's
// primary for a foreign block; a quorum at the primary lets it sign a COMMIT, which is the decision certificate. For a
// block of this cluster alone the engine sends that COMMIT; for others it reports the entry as agreed.

import type { StablePoint } from "../cluster/checkpoint.js";
import { fastQuorumOf, isQuorum, primaryOf, sameEntry, sameVote } from "../cluster/quorum.js";
import type { Block } from "../types/block.js";
import type { Rejection } from "../types/codes.js";
import type { Decided } from "../types/effects.js";
import type { Digest, Entry, NodeRef, Sequence, Slot, View } from "../types/ids.js";
import {
  type Accept,
  type Mark,
  type NewView,
  type NodeMessage,
  type SuperAccept,
  unreachable,
  type Verified,
} from "../types/message.js";
import type { StoredSlot } from "../types/schema.js";
import type { ClusterInfo } from "../types/topology.js";
import { Elections } from "../viewchange/elections.js";
import type { Standing } from "../viewchange/protocol.js";
import { type ClusterLog, type EngineEvent, type EngineStep, emptyStep, type Routes } from "./engine.js";
import { Log } from "./log.js";
import { Ordering } from "./ordering.js";
import { Placements } from "./placements.js";
import type { SlotState } from "./slot.js";
import { storedSlot } from "./stored.js";
import { Views } from "./views.js";

export interface EngineOptions {
  readonly self: NodeRef;
  readonly cluster: ClusterInfo;
  readonly routes: Routes;
  /** This cluster's no-op. */
  readonly noOp: Block;
  /** The slot of a block that was decided below the stable checkpoint. */
  readonly placedAt: (digest: Digest) => Slot | undefined;
  /** By default no node has ever rejoined. */
  readonly standing?: Standing;
}

export class Paxos implements ClusterLog {
  readonly #options: EngineOptions;
  readonly #log: Log;
  readonly #ordering: Ordering;
  readonly #placements = new Placements();
  readonly #views: Views;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#log = new Log({ cluster: options.cluster.id, noOp: options.noOp.digest });
    // Whoever trusts the primary takes the choice before a slot from its proposal.
    const voting = { trustsPrimary: true, cast: this.#cast.bind(this), follow: () => false };
    this.#ordering = new Ordering({ log: this.#log, ...options, voting });
    this.#views = new Views({
      ...options,
      noOp: options.noOp.digest,
      log: this.#log,
      ordering: this.#ordering,
      placements: this.#placements,
      decide: this.#decide.bind(this),
      protocol: (of) => new Elections(of),
    });
  }

  get view(): View {
    return this.#log.view;
  }

  get isOpen(): boolean {
    return this.#log.isOpen;
  }

  get opening(): Verified<NewView> | undefined {
    return this.#views.opening;
  }

  get mark(): Mark {
    return { view: this.#log.view, slot: this.#log.last };
  }

  get isSettled(): boolean {
    return this.#log.isSettled;
  }

  get isWaiting(): boolean {
    return this.#views.isWaiting;
  }

  refusal(entry: Entry): Rejection | undefined {
    return this.#log.refusal(entry);
  }

  dropBlock(digest: Digest): void {
    this.#ordering.dropBlock(digest);
  }

  get behind(): StablePoint | undefined {
    return this.#views.behind;
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
      case "suspect":
        this.#views.suspect(step);
        break;
      case "view":
        this.#views.onMessage(step, event.verified);
        break;
      case "view-timer":
        this.#views.onTimer(step);
        break;
      case "view-retry":
        this.#views.retry(step);
        break;
      case "restored-view":
        this.#views.restore(step, event.view, event.opening);
        break;
      case "restored":
        this.#ordering.restore(step, event.slot);
        break;
      case "gate":
      case "begin":
        this.#ordering.setGate(step, event.kind === "gate");
        break;
      default:
        unreachable(event);
    }
    return step;
  }

  entryOf(digest: Digest): Entry | undefined {
    return this.#log.placed(digest) ?? this.#log.selfPlaced(digest);
  }

  holds(digest: Digest): boolean {
    return this.#log.holds(digest);
  }

  decisionAt(slot: Slot): Decided | undefined {
    return this.#log.peek(slot)?.decided;
  }

  restate(digest: Digest): readonly NodeMessage[] {
    if (!this.#log.takesPart) return [];
    const accept = this.#log.acceptOf(digest);
    return accept === undefined ? [] : [this.#ordering.voteFor(accept)];
  }

  digestAt(slot: Slot): Digest | undefined {
    return this.#log.digestAt(slot);
  }

  forget(stable: StablePoint): readonly Slot[] {
    this.#ordering.forget(stable.slot);
    this.#placements.forget(stable.slot);
    return this.#log.forget(stable);
  }

  /** Crash nodes do not ask for what the primary need not place. */
  isBacked(): boolean {
    return true;
  }

  stored(slot: Slot): StoredSlot | undefined {
    const state = this.#log.peek(slot);
    return state === undefined ? undefined : storedSlot(state);
  }

  wants({ entry }: { readonly entry: Entry }): boolean {
    if (this.#log.slot(entry.slot)?.decided === undefined || this.#log.isNoOp(entry.digest)) return true;
    // The slot is taken, but that a node placed another block there is what its primary must know of that block (3.1).
    return this.isPrimary && entry.round === 0 && !this.#log.isDecided(entry.digest);
  }

  /** ACCEPT, or SUPER-ACCEPT for a foreign block in round 1: to both primaries (protocol 3, step 3). */
  #cast(step: EngineStep, entry: Entry): void {
    const { cluster, routes } = this.#options;
    const to: NodeRef[] = [{ cluster: cluster.id, node: primaryOf(cluster, this.view) }];
    const initiator = routes.initiatorOf(entry.digest);
    if (initiator !== undefined) to.push(initiator);
    step.send.push({ to, message: this.#ordering.voteFor(entry) });
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
    if (log.isOpen && entry.view < log.view) step.lagging.push(verified.from);
    if (!this.isPrimary || entry.view !== log.view) return;
    const state = log.slot(entry.slot);
    if (state === undefined) return;
    const count = state.accepts.add({ entry, node, signed: undefined });
    if (count === undefined) return this.#ordering.answerRepeated(step, state, { from: verified.from, entry });
    // All no-ops of a log are the same block, so only its slot tells which one is meant.
    const own = log.isNoOp(entry.digest) ? state.choice : this.entryOf(entry.digest);
    if (entry.round === 0) this.#placements.add(entry, node);
    if (own === undefined) {
      step.wanted.push({ digest: entry.digest, from: verified.from });
      return;
    }
    this.#compare(step, own);
    if (!sameEntry(own, entry)) return;
    if (state.agreed || state.decided !== undefined || state.choice === undefined) return;
    if (!sameVote(state.choice, entry) || !isQuorum(this.#options.cluster, entry, count.voters)) return;
    state.agreed = true;
    this.#agree(step, entry);
  }

  /** Accepts of round 0 differ: once the fast quorum is out of reach the primary decides on the slot (3.1). */
  #compare(step: EngineStep, own: Entry): void {
    const { cluster } = this.#options;
    const agreeing = cluster.nodes.length - this.#placements.differing(own);
    if (agreeing < fastQuorumOf(cluster)) this.#ordering.assign(step, own.slot);
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
    // The slot may be decided otherwise, in a later view: that was not agreed on here.
    const decided = state?.decided?.entry;
    if (decided !== undefined) return decided.digest === digest ? decided : undefined;
    return state?.agreed === true && state.choice?.digest === digest ? state.choice : undefined;
  }

  #decide(step: EngineStep, decided: Decided): void {
    const { entry } = decided;
    const state = this.#log.slot(entry.slot);
    if (state === undefined || !this.#log.decide(state, decided)) return;
    this.#confirm(step, state, entry);
    this.#ordering.release(entry.digest);
    this.#placements.release(entry.digest);
    step.changed.add(entry.slot);
    step.decided.push(decided);
    this.#ordering.retry(step, entry.slot + 1);
  }

  /**
   * The initiator's primary was faster: its word proves that this cluster accepted, but not to byzantine clusters,
   * which take only what is signed in this one (3, step 4). So the primary says it, too.
   */
  #confirm(step: EngineStep, state: SlotState, entry: Entry): void {
    const clusters = this.#log.body(entry.digest)?.clusters ?? [];
    if (!this.isPrimary || state.agreed || clusters.length < 2) return;
    state.agreed = true;
    step.agreed.push(entry);
  }
}
