// PBFT for byzantine clusters (paper §6.4.1; protocol 2.2, 3): signed accepts to the own cluster prepare an entry,
// signed COMMITs to all nodes of P decide it; q of them are the decision certificate. A round-0 entry is prepared by
// accepts that include the primary's, a round-1 entry by the primary's signed proposal and accepts.

import type { StablePoint } from "../cluster/checkpoint.js";
import { fastQuorumOf, isQuorum, primaryOf, quorumOf, sameEntry, sameVote, witnessesOf } from "../cluster/quorum.js";
import { type Count, proofOf, type Tally } from "../cluster/tally.js";
import type { Block } from "../types/block.js";
import type { Rejection } from "../types/codes.js";
import type { Decided } from "../types/effects.js";
import { compareBallots, type Digest, type Entry, type Sequence, type Slot, type View } from "../types/ids.js";
import {
  type Accept,
  type Commit,
  type Mark,
  type NewView,
  type NodeMessage,
  type SuperAccept,
  unreachable,
  type Verified,
} from "../types/message.js";
import type { StoredSlot } from "../types/schema.js";
import { ViewChanges } from "../viewchange/changes.js";
import { type ClusterLog, type EngineEvent, type EngineStep, emptyStep, rejected } from "./engine.js";
import { Log } from "./log.js";
import { Ordering, statementOf } from "./ordering.js";
import type { EngineOptions } from "./paxos.js";
import { Placements } from "./placements.js";
import { preparedProof } from "./proof.js";
import { isAbove, type SlotState } from "./slot.js";
import { storedSlot } from "./stored.js";
import { Views } from "./views.js";

interface Repeated {
  readonly verified: Verified<Accept | SuperAccept | Commit>;
  readonly state: SlotState;
  readonly tally: Tally;
  readonly entry: Entry;
}

export class Pbft implements ClusterLog {
  readonly #options: EngineOptions;
  readonly #log: Log;
  readonly #ordering: Ordering;
  readonly #placements = new Placements();
  readonly #views: Views;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#log = new Log({ cluster: options.cluster.id, noOp: options.noOp.digest });
    const voting = { trustsPrimary: false, cast: this.#cast.bind(this), follow: this.#follow.bind(this) };
    this.#ordering = new Ordering({ log: this.#log, ...options, voting });
    this.#views = new Views({
      ...options,
      noOp: options.noOp.digest,
      log: this.#log,
      ordering: this.#ordering,
      placements: this.#placements,
      decide: this.#decide.bind(this),
      protocol: (of) => new ViewChanges(of),
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
    this.#reviewBlock(step, block.digest);
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

  /** The accept as well as the COMMIT: who asks may lack the one to send the other itself. */
  restate(digest: Digest): readonly NodeMessage[] {
    const statements: NodeMessage[] = [];
    if (!this.#log.takesPart) return statements;
    const accept = this.#log.acceptOf(digest);
    if (accept !== undefined) statements.push(this.#ordering.voteFor(accept));
    const placed = this.#log.placed(digest);
    const committed = this.#log.present(placed === undefined ? undefined : this.#log.peek(placed.slot)?.committed);
    if (committed?.digest === digest) statements.push(this.#commitFor(committed));
    return statements;
  }

  digestAt(slot: Slot): Digest | undefined {
    return this.#log.digestAt(slot);
  }

  forget(stable: StablePoint): readonly Slot[] {
    for (const each of [this.#ordering, this.#placements]) each.forget(stable.slot);
    return this.#log.forget(stable);
  }

  /** A block that one liar showed to this node alone is no reason to leave the others' view. */
  isBacked(slot: Slot): boolean {
    const state = this.#log.peek(slot);
    if (state?.choice !== undefined) return true;
    const own = state?.selfAssigned;
    const voters = own === undefined ? 0 : (state?.accepts.countOf(own)?.voters.size ?? 0);
    return voters >= witnessesOf(this.#options.cluster);
  }

  stored(slot: Slot): StoredSlot | undefined {
    const state = this.#log.peek(slot);
    return state === undefined ? undefined : storedSlot(state);
  }

  wants({ kind, entry }: { readonly kind: "accept" | "super-accept" | "commit"; readonly entry: Entry }): boolean {
    const state = this.#log.slot(entry.slot);
    // That a node placed a block in a slot that is taken is what its primary must know of that block (3.1).
    if (this.isPrimary && kind === "accept" && entry.round === 0 && !this.#log.isDecided(entry.digest)) return true;
    if (state === undefined) return false;
    if (state.decided !== undefined) return this.#log.isNoOp(entry.digest);
    if (kind === "commit" || state.prepared === undefined) return true;
    return !sameEntry(state.prepared.entry, entry) || compareBallots(state.prepared.entry, entry) < 0;
  }

  #cast(step: EngineStep, entry: Entry): void {
    step.send.push({ to: this.#ordering.everyone, message: this.#ordering.voteFor(entry) });
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
    if (log.isOpen && entry.view < log.view) step.lagging.push(verified.from);
    if (entry.view < log.view) return;
    const state = log.slot(entry.slot);
    if (state === undefined) return;
    const count = state.accepts.add({ entry, node, signed: statementOf(verified) });
    // Votes may come before the opening of their view; they are looked at again with the proposal.
    if (entry.view > log.view || !log.takesPart) return;
    if (count === undefined) return this.#onRepeated(step, { verified, state, tally: state.accepts, entry });
    if (entry.round === 0 && node === primaryOf(cluster, entry.view)) this.#ordering.retry(step, entry.slot);
    if (this.isPrimary && entry.round === 0) this.#compare(step, verified);
    this.#prepare(step, { state, count });
  }

  /** The primary's round-0 accept is its choice for the slot, if the choice before it justifies its counter (2). */
  #follow(step: EngineStep, slot: Slot): boolean {
    const log = this.#log;
    const state = log.peek(slot);
    const previous = log.previous(slot);
    if (state === undefined || previous === undefined) return false;
    if (state.choice !== undefined || state.decided !== undefined) return false;
    const primary = primaryOf(this.#options.cluster, log.view);
    const entry = state.accepts.voteOf(primary, { view: log.view, round: 0 });
    if (entry === undefined || !log.isJustified(entry, previous) || log.refusal(entry) !== undefined) return false;
    log.choose(state, entry);
    step.changed.add(slot);
    return true;
  }

  /** At the primary: accepts of round 0 that differ, or that name a block it does not have (3.1). */
  #compare(step: EngineStep, { message: { entry, node }, from }: Verified<Accept | SuperAccept>): void {
    const { cluster } = this.#options;
    this.#placements.add(entry, node);
    const own = this.entryOf(entry.digest);
    if (own === undefined) {
      if (this.#placements.nodesOf(entry.digest) > cluster.faults) step.wanted.push({ digest: entry.digest, from });
      return;
    }
    const agreeing = cluster.nodes.length - this.#placements.differing(own);
    if (agreeing < fastQuorumOf(cluster)) this.#ordering.assign(step, own.slot);
  }

  /** With the proposal (round 1) and a quorum of accepts: prepared, so a signed COMMIT to all of P (2.2, step 4). */
  #prepare(step: EngineStep, { state, count }: { readonly state: SlotState; readonly count: Count }): void {
    const { entry, voters } = count;
    // A COMMIT of round 0 is followed by one of round 1 if it comes to that: COMMITs of two rounds do not count
    // together.
    if (state.decided !== undefined || !isAbove(entry, state.committed)) return;
    if (!isQuorum(this.#options.cluster, entry, voters)) return;
    if (entry.round === 1 && (state.accepted === undefined || !sameVote(state.accepted, entry))) return;
    if (entry.view !== this.#log.view || !this.#log.takesPart || this.#log.contradicts(entry)) return;
    const body = this.#log.body(entry.digest);
    if (body === undefined) {
      step.wanted.push({ digest: entry.digest, from: this.#options.self });
      return;
    }
    const proof = preparedProof(this.#options.cluster, state, count);
    if (proof === undefined) return;
    this.#log.prepare(state, entry, proof);
    step.changed.add(entry.slot);
    step.send.push({ to: this.#options.routes.involved(body.clusters), message: this.#commitFor(entry) });
  }

  /** Votes may have come before the proposal or the block. */
  #review(step: EngineStep, slot: Slot): void {
    const state = this.#log.peek(slot);
    if (state === undefined) return;
    for (const entry of [this.#log.present(state.accepted), state.choice]) {
      const count = entry === undefined ? undefined : state.accepts.countOf(entry);
      if (count !== undefined) this.#prepare(step, { state, count });
    }
  }

  #onBody(step: EngineStep, block: Block): void {
    this.#ordering.learnBlock(block);
    this.#reviewBlock(step, block.digest);
  }

  /** Votes for the primary's choice may have come before the block. */
  #reviewBlock(step: EngineStep, digest: Digest): void {
    for (let slot = this.#log.frontier.slot + 1; slot <= this.#log.last; slot++) {
      if (this.#log.peek(slot)?.choice?.digest === digest) this.#review(step, slot);
    }
  }

  /** A node's second vote in one ballot: either the same again, or a lie. */
  #onRepeated(step: EngineStep, { verified, state, tally, entry }: Repeated): void {
    const { from, message } = verified;
    const said = tally.voteOf(message.node, entry);
    if (said !== undefined && !sameEntry(said, entry)) rejected(step, "conflict", verified);
    else this.#ordering.answerRepeated(step, state, { from, entry });
  }

  #onCommit(step: EngineStep, verified: Verified<Commit>): void {
    const { message, signed } = verified;
    const entry = message.entries[0] as Entry;
    const state = this.#log.slot(entry.slot);
    if (state === undefined || signed === undefined) return;
    const count = state.commits.add({ entry, node: message.node, signed });
    if (count === undefined) return this.#onRepeated(step, { verified, state, tally: state.commits, entry });
    const quorum = quorumOf(this.#options.cluster);
    if (state.decided !== undefined || count.voters.size < quorum) return;
    this.#decide(step, { entry, certificate: { cluster: entry.cluster, commits: proofOf(count, quorum) } });
  }

  #onTimer(step: EngineStep, slot: Slot): void {
    this.#ordering.repeat(step, slot);
    const state = this.#log.peek(slot);
    // Accepts decide among all nodes, so each says its own again: some may lack it, and the primary may be mute.
    const accept = this.#log.present(state?.accepted) ?? this.#log.present(state?.selfAssigned);
    if (this.#log.takesPart && accept !== undefined && state?.decided === undefined) this.#cast(step, accept);
    const committed = this.#log.present(state?.committed);
    const body = committed === undefined ? undefined : this.#log.body(committed.digest);
    if (committed === undefined || body === undefined || state?.decided !== undefined) return;
    step.send.push({ to: this.#options.routes.involved(body.clusters), message: this.#commitFor(committed) });
  }

  #decide(step: EngineStep, decided: Decided): void {
    const { entry } = decided;
    const state = this.#log.slot(entry.slot);
    if (state === undefined || !this.#log.decide(state, decided)) return;
    this.#ordering.release(entry.digest);
    this.#placements.release(entry.digest);
    step.changed.add(entry.slot);
    step.decided.push(decided);
    this.#ordering.retry(step, entry.slot + 1);
  }
}
