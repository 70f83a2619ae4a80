// One cluster's log as one node sees it: slots, the primary's choices, the node's own accepts, what is decided
// (protocol 2, 2.3). The voting rules that Paxos and PBFT share are here and nowhere else; how votes travel and when
// they decide is theirs. What is recorded here is never contradicted, so it is durable before it is spoken.

import { NO_CHECKPOINT, type StablePoint } from "../cluster/checkpoint.js";
import { sameEntry } from "../cluster/quorum.js";
import type { Rejection } from "../types/codes.js";
import type { Decided } from "../types/effects.js";
import {
  type ClusterId,
  counterOf,
  type Digest,
  type Entry,
  NO_SEQUENCE,
  type Sequence,
  type Slot,
  sequenceOf,
  type View,
} from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { Prepared } from "../types/message.js";
import type { Statement } from "../types/schema.js";
import type { Kept } from "../viewchange/keep.js";
import type { OwnReport } from "../viewchange/protocol.js";
import { type Body, dropBelow, emptySlot, isBelow, type SlotState } from "./slot.js";

export class Log {
  readonly cluster: ClusterId;
  /** The highest view this node takes part in. Once it is entered, nothing of lower ones is answered (protocol 5). */
  view: View = 0;
  /** Has the node the opening of its view? View 0 opens by itself. */
  isOpen = true;
  /** A node that may not take part yet learns what others decide, and says nothing that binds it (protocol 6). */
  isGated = false;
  /** Slots up to here the view's opening kept or filled (3.1). */
  top: Slot = 0;
  /** Highest slot of which this node knows anything, its own accepts included. */
  last: Slot = 0;
  /** The largest slot with all slots up to it decided (F in 3.3). */
  frontier: { slot: Slot; sequence: Sequence } = { slot: 0, sequence: NO_SEQUENCE };
  lastChoice: { readonly slot: Slot; readonly sequence: Sequence } = { slot: 0, sequence: NO_SEQUENCE };
  readonly #noOp: Digest;
  /** Known without being told, and never forgotten: every slot may hold the no-op. */
  readonly #noOpBody: Body;
  readonly #slots = new Map<Slot, SlotState>();
  readonly #bodies = new Map<Digest, Body>();
  /** Blocks accepted in round 1 or decided; no-ops are not remembered. */
  readonly #placed = new Map<Digest, Entry>();
  readonly #selfPlaced = new Map<Digest, Entry>();
  #lastSelfSequence: Sequence = NO_SEQUENCE;
  #base: StablePoint = NO_CHECKPOINT;
  #finalCounter = 0;
  #highestFinal: Sequence = NO_SEQUENCE;

  constructor(options: { readonly cluster: ClusterId; readonly noOp: Digest }) {
    this.cluster = options.cluster;
    this.#noOp = options.noOp;
    this.#noOpBody = { clusters: [options.cluster], noOp: true };
  }

  get takesPart(): boolean {
    return this.isOpen && !this.isGated;
  }

  get isSettled(): boolean {
    return this.isOpen && this.frontier.slot >= this.top;
  }

  get hasRoom(): boolean {
    return this.lastChoice.slot < this.#base.slot + limits.windowSlots;
  }

  /** The slot's state; undefined when it was forgotten or lies too far ahead (slotsAheadMax). */
  slot(slot: Slot): SlotState | undefined {
    if (slot <= this.#base.slot || slot > this.#base.slot + limits.slotsAheadMax) return undefined;
    let state = this.#slots.get(slot);
    if (state === undefined) {
      state = emptySlot(slot);
      this.#slots.set(slot, state);
    }
    return state;
  }

  peek(slot: Slot): SlotState | undefined {
    return this.#slots.get(slot);
  }

  body(digest: Digest): Body | undefined {
    return this.isNoOp(digest) ? this.#noOpBody : this.#bodies.get(digest);
  }

  digestAt(slot: Slot): Digest | undefined {
    const state = this.#slots.get(slot);
    return (state?.decided?.entry ?? state?.accepted ?? state?.choice ?? state?.selfAssigned)?.digest;
  }

  placed(digest: Digest): Entry | undefined {
    return this.#placed.get(digest);
  }

  isDecided(digest: Digest): boolean {
    const placed = this.#placed.get(digest);
    return placed !== undefined && this.#isDecidedAt(placed.slot, digest);
  }

  selfPlaced(digest: Digest): Entry | undefined {
    return this.#selfPlaced.get(digest);
  }

  /** This node's own accept of a block, of the highest round: the only one that it may say again (2.3). */
  acceptOf(digest: Digest): Entry | undefined {
    const placed = this.#placed.get(digest);
    const accepted = placed === undefined ? undefined : this.present(this.#slots.get(placed.slot)?.accepted);
    return accepted?.digest === digest ? accepted : this.#selfPlaced.get(digest);
  }

  isNoOp(digest: Digest): boolean {
    return digest === this.#noOp;
  }

  /** Sequence of the primary's choice for the slot before; undefined when this node does not know it yet. */
  previous(slot: Slot): Sequence | undefined {
    if (slot - 1 === this.#base.slot) return this.#base.sequence;
    const before = this.#slots.get(slot - 1);
    return (before?.decided?.entry ?? before?.choice)?.sequence;
  }

  /** The sequence of a new entry after `previous`; `hint` is s_i of a cross-shard block, if any (protocol 2). */
  nextSequence(previous: Sequence, hint: Sequence): Sequence {
    const known = Math.max(counterOf(previous), this.#finalCounter);
    const hinted = counterOf(hint);
    const counter = 1 + (hinted - known <= limits.counterJumpMax ? Math.max(known, hinted) : known);
    if (counter > limits.counterMax) throw new Error(`counter ${counter} is beyond ${limits.counterMax}`);
    return sequenceOf(counter, this.cluster);
  }

  /** Is this counter justified by what this node knows (protocol 2)? */
  isJustified(entry: Entry, previous: Sequence): boolean {
    const known = Math.max(counterOf(previous), this.#finalCounter);
    return entry.sequence > previous && counterOf(entry.sequence) <= 1 + known + limits.counterJumpMax;
  }

  /** A clock no-op is due only while a known final lies above the slot before (protocol 2). */
  isNoOpDue(previous: Sequence): boolean {
    return this.#highestFinal > previous;
  }

  /** Why this node may not accept a round-1 entry (2.3), or undefined when it may. */
  refusal(entry: Entry): Rejection | undefined {
    const state = this.slot(entry.slot);
    if (state === undefined) return "over-limit";
    for (const bound of [state.accepted, state.prepared?.entry].map((each) => this.present(each))) {
      if (bound !== undefined && !sameEntry(bound, entry)) return "conflict";
    }
    if (state.decided !== undefined && !sameEntry(state.decided.entry, entry)) return "conflict";
    if (this.isReproposed(entry.slot) && (state.choice === undefined || !sameEntry(state.choice, entry)))
      return "conflict";
    const noOp = this.isNoOp(entry.digest);
    const placed = noOp ? undefined : this.#placed.get(entry.digest);
    if (placed !== undefined && placed.slot !== entry.slot) return "conflict";
    return this.#isInOrder(entry, noOp) ? undefined : "conflict";
  }

  /** What was said in this view; what was said in lower ones does not bind in it. */
  present(entry: Entry | undefined): Entry | undefined {
    return entry?.view === this.view ? entry : undefined;
  }

  /** Did the opening of this view say what the slot holds, and is that not decided yet? */
  isReproposed(slot: Slot): boolean {
    return slot <= this.top && this.#slots.get(slot)?.decided === undefined;
  }

  /** Does a round-1 accept of this node speak against this round-0 entry (2.3)? */
  contradicts(entry: Entry): boolean {
    return this.refusal(entry) !== undefined;
  }

  /** May this node self-assign (3.1)? Every slot up to the view's `top` must be decided or accepted. */
  get maySelfAssign(): boolean {
    for (let slot = this.frontier.slot + 1; slot <= this.top; slot++) {
      const state = this.#slots.get(slot);
      if (this.present(state?.accepted) === undefined && state?.decided === undefined) return false;
    }
    return this.isOpen;
  }

  /** Does any slot hold the block, in whatever view? Then others may ask for it. */
  holds(digest: Digest): boolean {
    return [...this.#slots.values()].some(({ selfAssigned, accepted, prepared, choice, decided }) => {
      const entries = decided === undefined ? [selfAssigned, accepted, prepared?.entry, choice] : [decided.entry];
      return entries.some((entry) => entry?.digest === digest);
    });
  }

  /** The slot in which this log decided the block, as far as it remembers. */
  decidedAt(digest: Digest): Slot | undefined {
    return this.isDecided(digest) ? this.#placed.get(digest)?.slot : undefined;
  }

  /** All above the stable checkpoint that a new view must know of (protocol 5). */
  report(): OwnReport {
    const decided: Decided[] = [];
    const candidates: Entry[] = [];
    const prepared: Prepared[] = [];
    for (const state of [...this.#slots.values()].sort((a, b) => a.slot - b.slot)) {
      if (state.decided !== undefined) decided.push(state.decided);
      else {
        if (state.accepted !== undefined) candidates.push(state.accepted);
        if (state.selfAssigned !== undefined) candidates.push(state.selfAssigned);
        if (state.prepared !== undefined) prepared.push(state.prepared);
      }
    }
    return { stable: this.#base, decided, candidates, prepared };
  }

  /** From now on this node takes no part in lower views. */
  enter(view: View): void {
    this.view = view;
    this.isOpen = false;
  }

  /**
   * The view begins: what it keeps are the choices of its primary; entries of lower views above `top` are dropped, and
   * their slots are free (3.1). Returns the slots whose durable state changed.
   */
  open(view: View, { low, top, entries }: Kept): readonly Slot[] {
    this.view = view;
    this.isOpen = true;
    this.top = top;
    this.#selfPlaced.clear();
    const changed: Slot[] = [];
    for (const state of this.#slots.values()) {
      state.choice = undefined;
      state.agreed = false;
      if (state.slot <= top || state.decided !== undefined) continue;
      if (dropBelow(view, state)) changed.push(state.slot);
    }
    for (const [digest, { slot }] of this.#placed) if (!this.#isDecidedAt(slot, digest)) this.#placed.delete(digest);
    this.lastChoice = this.#base.slot > low.slot ? this.#base : low;
    this.last = this.#base.slot;
    for (const { slot, decided } of this.#slots.values()) {
      if (decided === undefined) continue;
      this.#reach(slot);
      if (slot > this.lastChoice.slot) this.lastChoice = decided.entry;
    }
    this.#reach(top);
    for (const { entry } of entries) {
      const state = this.slot(entry.slot);
      if (state === undefined || state.decided !== undefined) continue;
      this.choose(state, entry);
      if (!this.isNoOp(entry.digest)) this.#placed.set(entry.digest, entry);
    }
    return changed;
  }

  learnBody(digest: Digest, body: Body): void {
    this.#bodies.set(digest, body);
  }

  dropBody(digest: Digest): void {
    this.#bodies.delete(digest);
  }

  learnFinal(sequence: Sequence): void {
    this.#finalCounter = Math.max(this.#finalCounter, counterOf(sequence));
    if (sequence > this.#highestFinal) this.#highestFinal = sequence;
  }

  /** The primary's choice for a slot became known. */
  choose(state: SlotState, entry: Entry): void {
    state.choice = entry;
    this.#reach(entry.slot);
    if (entry.slot > this.lastChoice.slot) this.lastChoice = { slot: entry.slot, sequence: entry.sequence };
  }

  accept(state: SlotState, entry: Entry): void {
    state.accepted = entry;
    if (this.present(state.selfAssigned) === undefined) state.selfAssigned = undefined;
    if (!this.isNoOp(entry.digest)) this.#placed.set(entry.digest, entry);
    this.#reach(entry.slot);
  }

  /** Byzantine: a quorum accepted the entry; it may not be contradicted in this view any more. */
  prepare(state: SlotState, entry: Entry, proof: readonly Statement[]): void {
    state.prepared = { entry, proof };
    state.committed = entry;
    if (!this.isNoOp(entry.digest)) this.#placed.set(entry.digest, entry);
    this.#reach(entry.slot);
  }

  /** Round 0 at a backup: the slot after all it knows, a counter above all it self-assigned (2.3, 3). */
  selfAssign(digest: Digest, hint: Sequence): { readonly state: SlotState; readonly entry: Entry } | undefined {
    const state = this.slot(this.last + 1);
    if (state === undefined) return undefined;
    const floor = Math.max(this.lastChoice.sequence, this.#lastSelfSequence) as Sequence;
    const sequence = this.nextSequence(floor, hint);
    const entry: Entry = { cluster: this.cluster, view: this.view, round: 0, slot: state.slot, sequence, digest };
    this.recordSelfAssigned(state, entry);
    return { state, entry };
  }

  recordSelfAssigned(state: SlotState, entry: Entry): void {
    state.selfAssigned = entry;
    if (entry.sequence > this.#lastSelfSequence) this.#lastSelfSequence = entry.sequence;
    this.#selfPlaced.set(entry.digest, entry);
    this.#reach(entry.slot);
  }

  /** Returns false when the slot was decided before. Two different decisions are a broken invariant: the node stops. */
  decide(state: SlotState, decided: Decided): boolean {
    const { entry } = decided;
    if (state.decided !== undefined) {
      if (!sameEntry(state.decided.entry, entry)) throw new Error(`slot ${entry.slot} decided twice, differently`);
      return false;
    }
    state.decided = decided;
    if (!this.isNoOp(entry.digest)) this.#placed.set(entry.digest, entry);
    this.#reach(entry.slot);
    this.#follow(entry);
    this.#advance();
    return true;
  }

  /** Forgets slots up to a stable checkpoint; their blocks stay in the ledger (protocol 6). */
  forget(stable: StablePoint): readonly Slot[] {
    const { slot, sequence } = stable;
    const forgotten: Slot[] = [];
    for (let each = this.#base.slot + 1; each <= slot; each++) {
      const state = this.#slots.get(each);
      if (state === undefined) continue;
      for (const entry of [state.decided?.entry, state.accepted, state.selfAssigned]) {
        if (entry !== undefined) this.#forgetBlock(entry);
      }
      this.#slots.delete(each);
      forgotten.push(each);
    }
    if (slot > this.#base.slot) this.#base = stable;
    if (slot > this.frontier.slot) this.frontier = { slot, sequence };
    this.#follow(stable);
    this.#reach(slot);
    this.#advance();
    return forgotten;
  }

  /** A decision of a later view, which a primary that was cut off does not know of, may lie below its choices (2.3). */
  #follow({ slot, sequence }: Pick<Entry, "slot" | "sequence">): void {
    if (slot <= this.lastChoice.slot) return;
    this.lastChoice = { slot, sequence: Math.max(sequence, this.lastChoice.sequence) as Sequence };
  }

  #forgetBlock({ digest, slot }: Entry): void {
    if (this.#placed.get(digest)?.slot === slot) this.#placed.delete(digest);
    // A block whose slot was decided otherwise may come again: in this view it was accepted once (2.3).
    if (this.#selfPlaced.get(digest)?.slot === slot && this.#isDecidedAt(slot, digest)) this.#selfPlaced.delete(digest);
    if (!this.#placed.has(digest) && !this.#selfPlaced.has(digest)) this.#bodies.delete(digest);
  }

  /** What may not be contradicted any more in this view. */
  #bound(slot: Slot): readonly Entry[] {
    const state = this.#slots.get(slot);
    const bound = [state?.decided?.entry, this.present(state?.accepted), this.present(state?.prepared?.entry)];
    return bound.filter((each) => each !== undefined);
  }

  #isDecidedAt(slot: Slot, digest: Digest): boolean {
    return this.#slots.get(slot)?.decided?.entry.digest === digest;
  }

  #reach(slot: Slot): void {
    if (slot > this.last) this.last = slot;
  }

  #advance(): void {
    for (;;) {
      const next = this.#slots.get(this.frontier.slot + 1)?.decided;
      if (next === undefined) return;
      this.frontier = { slot: next.entry.slot, sequence: next.entry.sequence };
    }
  }

  /**
   * The sequence of the lower slot must be below that of the higher; equal is allowed if the higher is a no-op. This
   * node's accepts count even where the slot was decided otherwise: they bind for the whole view (2.3).
   */
  #isInOrder(entry: Entry, noOp: boolean): boolean {
    const base = this.#base;
    if (base.slot > 0 && !isBelow(base.sequence, entry.sequence, noOp)) return false;
    for (let slot = base.slot + 1; slot <= this.last; slot++) {
      for (const { sequence, digest } of slot === entry.slot ? [] : this.#bound(slot)) {
        const isOrdered =
          slot < entry.slot
            ? isBelow(sequence, entry.sequence, noOp)
            : isBelow(entry.sequence, sequence, this.isNoOp(digest));
        if (!isOrdered) return false;
      }
    }
    return true;
  }
}
