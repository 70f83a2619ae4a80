// How entries get into a log, for every engine with a primary: the primary's choices in round 1 and round 0, what a
// backup accepts of them, self-assignment, and the step from round 0 to round 1 (protocol 2, 2.3, 3.1). Casting the
// vote itself is the engine's. A proposal that this node cannot judge yet (the choice before it, or the final sequence
// that justifies it, is not known) is held, never refused.

import { primaryOf, sameEntry } from "../cluster/quorum.js";
import { type Block, isNoOp } from "../types/block.js";
import type { Rejection } from "../types/codes.js";
import { type Digest, type Entry, NO_SEQUENCE, type NodeRef, type Sequence, type Slot } from "../types/ids.js";
import { limits } from "../types/limits.js";
import { type Accept, carriage, type Propose, type SuperAccept, type Verified } from "../types/message.js";
import type { Statement, StoredSlot } from "../types/schema.js";
import type { ClusterInfo } from "../types/topology.js";
import { type EngineStep, type Routes, rejected } from "./engine.js";
import type { Log } from "./log.js";
import { beginVoting, type Resuming, restoreSlot } from "./resume.js";
import type { SlotState } from "./slot.js";

/** What differs between failure models when a proposal is made or met. */
export interface Voting {
  /** Sends this node's accept of an entry to all who count it. */
  cast(step: EngineStep, entry: Entry): void;
  /** The choice before this slot is known: true if that made known the choice for this slot, too. */
  follow(step: EngineStep, slot: Slot): boolean;
  /** Nodes other than this one never lie: their word about the choice before is taken. */
  readonly trustsPrimary: boolean;
}

/** A proposal of the primary, with its block. */
type Proposal = Propose | (SuperAccept & { readonly block: Block });

export class Ordering {
  readonly #log: Log;
  readonly #self: NodeRef;
  readonly #routes: Routes;
  readonly #voting: Voting;
  readonly #cluster: ClusterInfo;
  /** Blocks of undecided entries, to say again what was said. */
  readonly #blocks = new Map<Digest, Block>();
  readonly #held = new Map<Slot, Verified<Proposal>>();

  constructor(options: {
    readonly log: Log;
    readonly self: NodeRef;
    readonly cluster: ClusterInfo;
    readonly routes: Routes;
    readonly voting: Voting;
    readonly noOp: Block;
  }) {
    this.#log = options.log;
    this.#self = options.self;
    this.#cluster = options.cluster;
    this.#routes = options.routes;
    this.#voting = options.voting;
    this.#blocks.set(options.noOp.digest, options.noOp);
  }

  get isPrimary(): boolean {
    return this.#log.takesPart && this.#isInOffice;
  }

  get #isInOffice(): boolean {
    return this.#log.isOpen && primaryOf(this.#cluster, this.#log.view) === this.#self.node;
  }

  hasBlock(digest: Digest): boolean {
    return this.#block(digest) !== undefined;
  }

  /** Everyone of this cluster but this node. */
  get others(): readonly NodeRef[] {
    return this.everyone.filter(({ node }) => node !== this.#self.node);
  }

  get everyone(): readonly NodeRef[] {
    return this.#routes.involved([this.#cluster.id]);
  }

  /** This node's accept of an entry: SUPER-ACCEPT for a foreign block in round 1, else ACCEPT (protocol 3, step 3). */
  voteFor(entry: Entry): Accept | SuperAccept {
    const { node } = this.#self;
    const foreign = this.#routes.initiatorOf(entry.digest) !== undefined;
    if (!foreign || entry.round === 0) return { kind: "accept", entry, node };
    return { kind: "super-accept", entry, node, previous: NO_SEQUENCE, block: undefined };
  }

  learnBlock(block: Block): void {
    const { digest, clusters } = block;
    if (!this.#log.isDecided(digest)) this.#blocks.set(digest, block);
    this.#log.learnBody(digest, { clusters, noOp: isNoOp(block) });
  }

  /** The block of a decided entry is needed here no more; the no-op may be in other slots. */
  release(digest: Digest): void {
    if (!this.#log.isNoOp(digest)) this.#blocks.delete(digest);
  }

  // ---- the primary's choices

  propose(step: EngineStep, block: Block): void {
    const previous = this.#log.lastChoice.sequence;
    const state = this.#choose(step, { block, round: 1, hint: NO_SEQUENCE });
    if (state === undefined) return;
    this.#sendChoice(step, { state, block, previous });
  }

  /** Round 0 at the primary or a backup (3, step 2). Said again when it was said before. */
  acceptDirect(step: EngineStep, block: Block, hint: Sequence): void {
    const { digest } = block;
    const isPlaced = this.#log.placed(digest) !== undefined || this.#log.selfPlaced(digest) !== undefined;
    if (isPlaced) return this.#castAgain(step, digest);
    this.learnBlock(block);
    if (!this.#log.takesPart) return;
    if (this.isPrimary) {
      const state = this.#choose(step, { block, round: 0, hint });
      if (state?.choice !== undefined) this.#voting.cast(step, state.choice);
      return;
    }
    if (!this.#log.maySelfAssign) return;
    const assigned = this.#log.selfAssign(digest, hint);
    if (assigned === undefined) return;
    step.changed.add(assigned.state.slot);
    this.#voting.cast(step, assigned.entry);
  }

  /** SUPER-PROPOSE at the primary: a round-1 slot for the block, or the one it has, again (3.1). */
  place(step: EngineStep, block: Block, hint: Sequence): void {
    if (this.#log.placed(block.digest) !== undefined) return this.#castAgain(step, block.digest);
    this.learnBlock(block);
    const chosen = this.#log.selfPlaced(block.digest);
    if (chosen !== undefined) return this.assign(step, chosen.slot);
    const previous = this.#log.lastChoice.sequence;
    const state = this.#choose(step, { block, round: 1, hint });
    if (state !== undefined) this.#sendChoice(step, { state, block, previous });
  }

  /** What others have placed or decided is not this node's accept, and it may have accepted something else there. */
  #castAgain(step: EngineStep, digest: Digest): void {
    if (!this.#log.takesPart) return;
    const accept = this.#log.acceptOf(digest);
    if (accept !== undefined) this.#voting.cast(step, accept);
  }

  /** Turns the primary's undecided round-0 choice into a round-1 entry of the same slot and sequence (3.1). */
  assign(step: EngineStep, slot: Slot, isLate = false): void {
    const state = this.#log.peek(slot);
    const choice = state?.choice;
    if (state === undefined || choice === undefined || choice.round !== 0) return;
    // Prepared here is not prepared everywhere: one that lies to some can keep others from it, so time decides.
    const isUnderWay = state.agreed || (state.prepared !== undefined && !isLate);
    if (state.decided !== undefined || isUnderWay) return;
    const entry: Entry = { ...choice, round: 1 };
    const block = this.#block(entry.digest);
    if (block === undefined || this.#log.refusal(entry) !== undefined) return;
    this.#log.choose(state, entry);
    this.#log.accept(state, entry);
    step.changed.add(slot);
    step.notes.push({ kind: "assigned", entry });
    this.#sendChoice(step, { state, block, previous: this.#log.previous(slot) ?? NO_SEQUENCE });
  }

  /** What was held was of a lower view. */
  enterView(): void {
    this.#held.clear();
  }

  dropBlock(digest: Digest): void {
    this.#blocks.delete(digest);
    this.#log.dropBody(digest);
  }

  /** The primary of a new view proposes again what the view keeps, with its slot and sequence (protocol 5). */
  repropose(step: EngineStep, slot: Slot): void {
    const state = this.#log.peek(slot);
    const entry = state?.choice;
    const block = entry === undefined ? undefined : this.#block(entry.digest);
    if (state === undefined || entry === undefined || block === undefined || state.decided !== undefined) return;
    this.#log.accept(state, entry);
    step.changed.add(slot);
    this.#sendChoice(step, { state, block, previous: this.#log.previous(slot) ?? NO_SEQUENCE });
  }

  /**
   * The timer of an undecided slot ran out: the primary says its choice again, others their accept of a no-op, for that
   * is no block that could be asked for.
   */
  repeat(step: EngineStep, slot: Slot): void {
    const state = this.#log.peek(slot);
    const choice = state?.choice;
    if (state === undefined || choice === undefined || state.decided !== undefined) return;
    if (!this.#log.takesPart) return;
    if (!this.isPrimary) {
      const accepted = this.#log.present(state.accepted);
      if (accepted !== undefined && this.#log.isNoOp(accepted.digest)) this.#voting.cast(step, accepted);
      return;
    }
    if (choice.round === 0 && !state.agreed) return this.assign(step, slot, true);
    const block = this.#block(choice.digest);
    if (block === undefined || choice.round === 0) return this.#voting.cast(step, choice);
    this.#sendChoice(step, { state, block, previous: this.#log.previous(slot) ?? NO_SEQUENCE });
  }

  /** Who says a vote for a no-op again lacks its decision. */
  answerRepeated(step: EngineStep, { decided }: SlotState, { from, entry }: { from: NodeRef; entry: Entry }): void {
    if (decided === undefined || !this.#log.isNoOp(entry.digest) || !sameEntry(decided.entry, entry)) return;
    const message = { kind: "committed", digest: entry.digest, certificates: [decided.certificate] } as const;
    step.send.push({ to: [from], message });
  }

  #choose(
    step: EngineStep,
    { block, round, hint }: { readonly block: Block; readonly round: 0 | 1; readonly hint: Sequence },
  ): SlotState | undefined {
    const log = this.#log;
    const slot = log.lastChoice.slot + 1;
    const state = log.slot(slot);
    if (state === undefined) return undefined;
    this.learnBlock(block);
    const sequence = log.nextSequence(log.lastChoice.sequence, hint);
    const entry: Entry = { cluster: log.cluster, view: log.view, round, slot, sequence, digest: block.digest };
    log.choose(state, entry);
    if (round === 1) log.accept(state, entry);
    else log.recordSelfAssigned(state, entry);
    step.changed.add(slot);
    step.notes.push({ kind: "proposed", entry, requests: block.requests.length, clusters: block.clusters });
    return state;
  }

  #sendChoice(
    step: EngineStep,
    { state, block, previous }: { readonly state: SlotState; readonly block: Block; readonly previous: Sequence },
  ): void {
    const entry = state.choice as Entry;
    const { node } = this.#self;
    // A primary that signs also needs its own signed word in what proves that the entry is prepared.
    const to = this.#voting.trustsPrimary ? this.others : this.everyone;
    if (this.#routes.initiatorOf(block.digest) === undefined) {
      step.send.push({ to, message: { kind: "propose", entry, node, previous, block } });
      this.#voting.cast(step, entry);
      return;
    }
    step.send.push({ to, message: { kind: "super-accept", entry, node, previous, block } });
    if (this.#voting.trustsPrimary) this.#voting.cast(step, entry);
  }

  // ---- a backup's answer

  onProposal(step: EngineStep, verified: Verified<Proposal>): void {
    if (this.#take(step, verified)) this.retry(step, verified.message.entry.slot + 1);
  }

  /** False: refused or held, or nothing new. */
  #take(step: EngineStep, verified: Verified<Proposal>): boolean {
    const { entry, block, node } = verified.message;
    const log = this.#log;
    if (log.isGated) return false;
    if (entry.view !== log.view || !log.isOpen) return this.#refuse(step, "stale-view", verified);
    if (node !== primaryOf(this.#cluster, entry.view)) return this.#refuse(step, "not-primary", verified);
    const state = log.slot(entry.slot);
    if (state === undefined) return entry.slot > log.last ? this.#refuse(step, "over-limit", verified) : false;
    if (state.decided === undefined) this.learnBlock(block);
    if (node === this.#self.node) {
      propose(state, verified);
      step.changed.add(entry.slot);
      return false;
    }
    const verdict = this.#judge(verified.message, state);
    if (verdict === "hold") return this.#hold(step, verified);
    if (verdict === "counter-jump") {
      // What justifies it may be under way.
      this.#hold(step, verified);
      return this.#refuse(step, verdict, verified);
    }
    if (verdict !== "accept") return this.#refuse(step, verdict, verified);
    if (log.present(state.accepted) === undefined) {
      log.choose(state, entry);
      log.accept(state, entry);
      step.changed.add(entry.slot);
    }
    propose(state, verified);
    this.#voting.cast(step, entry);
    return true;
  }

  #refuse(step: EngineStep, code: Rejection, verified: Verified<Proposal>): false {
    rejected(step, code, verified);
    return false;
  }

  #judge({ entry, previous }: Proposal, state: SlotState): "accept" | "hold" | Rejection {
    const log = this.#log;
    const refusal = log.refusal(entry);
    if (refusal !== undefined) return refusal;
    const isSettled = log.present(state.accepted) !== undefined || state.decided !== undefined;
    // What the opening of the view keeps was judged with it.
    if (isSettled || log.isReproposed(entry.slot)) return "accept";
    const known = log.previous(entry.slot);
    if (!this.#voting.trustsPrimary) {
      if (known === undefined) return "hold";
      if (known !== previous) return "conflict";
    }
    const before = known ?? previous;
    if (entry.sequence <= before && !log.isNoOp(entry.digest)) return "conflict";
    if (!log.isJustified(entry, before)) return "counter-jump";
    if (log.isNoOp(entry.digest) && !log.isNoOpDue(before)) return "hold";
    if (state.choice !== undefined && !sameEntry(state.choice, entry)) return "conflict";
    return "accept";
  }

  #hold(step: EngineStep, verified: Verified<Proposal>): false {
    const { slot } = verified.message.entry;
    const isFull = this.#held.size >= limits.heldMessagesMax && !this.#held.has(slot);
    if (isFull) return this.#refuse(step, "over-limit", verified);
    this.#held.set(slot, verified);
    return false;
  }

  /** Looks again at what is known of a slot, now that the choice before it is, and so on as far as that leads. */
  retry(step: EngineStep, from: Slot): void {
    for (let slot = from; ; slot++) {
      const isChosen = this.#voting.follow(step, slot);
      const held = this.#held.get(slot);
      this.#held.delete(slot);
      const isTaken = held !== undefined && this.#take(step, held);
      if (!isChosen && !isTaken) return;
    }
  }

  /** A new final sequence may justify what was held. */
  retryAll(step: EngineStep): void {
    for (const slot of [...this.#held.keys()].sort((a, b) => a - b)) this.retry(step, slot);
    for (let slot = this.#log.frontier.slot + 1; slot <= this.#log.last; slot++) {
      if (this.#log.peek(slot)?.choice === undefined) return this.retry(step, slot);
    }
  }

  forget(slot: Slot): void {
    for (const each of this.#held.keys()) if (each <= slot) this.#held.delete(each);
  }

  /** A block that was decided or dropped here may be here again, for others. */
  #block(digest: Digest): Block | undefined {
    const known = this.#blocks.get(digest);
    if (known !== undefined) return known;
    const block = this.#routes.block(digest);
    if (block !== undefined) this.learnBlock(block);
    return block;
  }

  // ---- start

  /** Takes back what this node had made durable (resume.ts). */
  restore(step: EngineStep, stored: StoredSlot): void {
    restoreSlot(step, stored, this.#resuming);
  }

  /** The node may take part from now on, or not yet. */
  setGate(step: EngineStep, isGated: boolean): void {
    this.#log.isGated = isGated;
    if (!isGated) beginVoting(step, this.#resuming);
  }

  get #resuming(): Resuming {
    return { log: this.#log, isInOffice: this.#isInOffice, cast: (step, entry) => this.#voting.cast(step, entry) };
  }
}

/** A signed vote or proposal as part of a proof; undefined in crash clusters, where nobody signs them. */
export function statementOf({ message, signed }: Verified): Statement | undefined {
  return signed === undefined ? undefined : { kind: carriage[message.kind].number, ...signed };
}

function propose(state: SlotState, verified: Verified<Proposal>): void {
  const statement = statementOf(verified);
  state.proposal = statement === undefined ? undefined : { entry: verified.message.entry, statement };
}
