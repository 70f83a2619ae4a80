// One correct node of the model: its log, what it may accept, assign and report (protocol 2.3, 3.1, 5), as plainly as
// the rules can be said. Messages are the model's; here are only the node's answers to them.

import type { Digest, Entry, Slot, View } from "../../src/types/ids.js";
import { NO_SEQUENCE } from "../../src/types/ids.js";
import type { Kept, Point, Report } from "../../src/viewchange/keep.js";
import { NO_OP } from "./notation.js";
import { conflict } from "./plain.js";

/** What a weaker protocol does otherwise, at a node. */
export interface NodeRules {
  /** Self-assigns before every slot up to `top` is in its log. */
  readonly assignsEarly?: boolean;
  /** A round-0 accept that a round-1 entry displaced is forgotten. */
  readonly forgetsDisplaced?: boolean;
  /** As primary, forgets that its round-0 accept was its choice. */
  readonly choosesTwice?: boolean;
  /** Refuses a round-1 entry only for another one of its slot. */
  readonly comparesSlotsOnly?: boolean;
  /** Compares a round-1 entry with those of its view's opening only once it accepted them. */
  readonly ignoresOpening?: boolean;
  /** Commits a round-0 entry though it accepted a conflicting one of round 1. */
  readonly commitsDisplaced?: boolean;
  /** Accepts a round-1 entry against what it holds prepared. */
  readonly ignoresPrepared?: boolean;
}

export interface Opening {
  readonly view: View;
  readonly kept: Kept;
}

export interface Place {
  round0: Entry | undefined;
  round1: Entry | undefined;
  prepared: Entry | undefined;
  decided: Entry | undefined;
}

const firstOpening: Opening = {
  view: 0,
  kept: { low: { slot: 0, sequence: NO_SEQUENCE }, top: 0, entries: [], lost: [] },
};

export class ModelNode {
  readonly index: number;
  view: View = 0;
  /** Of its view; undefined until it has it. */
  opening: Opening | undefined = firstOpening;
  stable: Point = { slot: 0, sequence: NO_SEQUENCE };
  readonly places = new Map<Slot, Place>();
  readonly #rules: NodeRules;
  readonly #isSettled: (digest: Digest, slot: Slot) => boolean;

  /** `isSettled`: is the block decided at or below that slot? What a checkpoint's state remembers. */
  constructor(index: number, rules: NodeRules, isSettled: (digest: Digest, slot: Slot) => boolean) {
    this.index = index;
    this.#rules = rules;
    this.#isSettled = isSettled;
  }

  place(slot: Slot): Place {
    let place = this.places.get(slot);
    if (place === undefined) {
      place = { round0: undefined, round1: undefined, prepared: undefined, decided: undefined };
      this.places.set(slot, place);
    }
    return place;
  }

  decidedAt(slot: Slot): boolean {
    return slot <= this.stable.slot || this.places.get(slot)?.decided !== undefined;
  }

  knowsPrefix(slot: Slot): boolean {
    for (let each = this.stable.slot + 1; each <= slot; each++) if (!this.decidedAt(each)) return false;
    return true;
  }

  /** Entries that a new one of this node must not contradict, and of lower views what is not dropped yet. */
  *#own(): Iterable<Entry> {
    const { forgetsDisplaced = false } = this.#rules;
    for (const { round0, round1, prepared, decided } of this.places.values()) {
      if (decided !== undefined) yield decided;
      if (round1 !== undefined) yield round1;
      if (prepared !== undefined) yield prepared;
      if (round0 !== undefined && !(forgetsDisplaced && round1 !== undefined)) yield round0;
    }
  }

  /** May it place a block at all, and this one (3.1)? A primary has accepted its own opening, so it is held to the same. */
  mayAssign(digest: Digest): boolean {
    const isEarly = this.#rules.assignsEarly === true;
    if (!isEarly && !this.#hasWholeOpening()) return false;
    if (digest === NO_OP) return true;
    if (this.#isSettled(digest, this.stable.slot)) return false;
    for (const entry of this.#own()) {
      const counts = entry.view === this.view || this.places.get(entry.slot)?.decided === entry;
      if (counts && entry.digest === digest) return false;
    }
    return true;
  }

  #hasWholeOpening(): boolean {
    if (this.opening === undefined) return false;
    for (let slot = this.stable.slot + 1; slot <= this.opening.kept.top; slot++) {
      const place = this.places.get(slot);
      const isCurrent = place?.round1?.view === this.view || place?.round0?.view === this.view;
      if (!isCurrent && place?.decided === undefined) return false;
    }
    return true;
  }

  /** The slot after all it knows, and the highest sequence it knows. */
  end(): Point {
    let { slot, sequence } = this.stable;
    const lowest = this.opening?.kept.top ?? 0;
    for (const entry of this.#own()) {
      if (entry.slot > slot) slot = entry.slot;
      if (entry.sequence > sequence) sequence = entry.sequence;
    }
    return { slot: Math.max(slot, lowest) + 1, sequence };
  }

  /** As a primary that forgets its round-0 choices. */
  endOfRound1(): Point {
    let { slot, sequence } = this.stable;
    for (const { round1, decided } of this.places.values()) {
      for (const entry of [round1, decided]) {
        if (entry !== undefined && entry.slot > slot) ({ slot, sequence } = entry);
      }
    }
    return { slot: slot + 1, sequence };
  }

  /** Why it may not accept a round-1 entry of its view (2.3). */
  refuses(entry: Entry): boolean {
    if (entry.slot <= this.stable.slot || entry.sequence < this.stable.sequence) return true;
    if (entry.digest !== NO_OP) {
      if (entry.sequence === this.stable.sequence || this.#isSettled(entry.digest, this.stable.slot)) return true;
    }
    // What the view opened with counts as accepted, also before its blocks are here: a lying primary would place them anew.
    const reproposed = this.#rules.ignoresOpening === true ? [] : (this.opening?.kept.entries ?? []);
    if (reproposed.some((other) => this.#clash(other.entry, entry))) return true;
    for (const { round1, prepared, decided } of this.places.values()) {
      if (decided !== undefined && this.#clash(decided, entry)) return true;
      if (round1?.view === this.view && this.#clash(round1, entry)) return true;
      const isHeld = prepared?.view === this.view && this.#rules.ignoresPrepared !== true;
      if (isHeld && this.#clash(prepared, entry)) return true;
    }
    return false;
  }

  /** What its view opened with it refuses only against a decision, which no opening of a sound protocol contradicts. */
  refusesAgain(entry: Entry): boolean {
    if (entry.slot <= this.stable.slot || this.places.get(entry.slot)?.round1?.view === this.view) return true;
    return [...this.places.values()].some(({ decided }) => decided !== undefined && conflict(decided, entry, NO_OP));
  }

  #clash(a: Entry, b: Entry): boolean {
    return (this.#rules.comparesSlotsOnly !== true || a.slot === b.slot) && conflict(a, b, NO_OP);
  }

  accept(entry: Entry): void {
    const place = this.place(entry.slot);
    if (entry.round === 0) place.round0 = entry;
    else place.round1 = entry;
    if (place.round0 !== undefined && place.round0.view < entry.view) place.round0 = undefined;
  }

  /** Byzantine: a quorum of accepts for an entry of its view reached it. False if it may not commit that. */
  prepare(entry: Entry): boolean {
    const place = this.place(entry.slot);
    if (entry.round === 1 && (place.round1?.view !== entry.view || conflict(place.round1, entry, NO_OP))) return false;
    if (entry.round === 0 && this.refuses(entry) && this.#rules.commitsDisplaced !== true) return false;
    const isNew = place.prepared?.view !== entry.view || place.prepared.round < entry.round;
    if (!isNew) return false;
    place.prepared = entry;
    return true;
  }

  /** From then on it ignores lower views. */
  promise(view: View): void {
    this.view = view;
    this.opening = undefined;
  }

  enter(opening: Opening): void {
    this.view = opening.view;
    this.opening = opening;
    // Entries above `top` from lower views are dropped (3.1).
    for (const [slot, place] of this.places) {
      if (slot <= opening.kept.top) continue;
      if (place.round0 !== undefined && place.round0.view < this.view) place.round0 = undefined;
      if (place.round1 !== undefined && place.round1.view < this.view) place.round1 = undefined;
      if (place.prepared !== undefined && place.prepared.view < this.view) place.prepared = undefined;
    }
  }

  checkpoint(point: Point): void {
    if (point.slot <= this.stable.slot) return;
    this.stable = point;
    for (const slot of this.places.keys()) if (slot <= point.slot) this.places.delete(slot);
  }

  report(model: "crash" | "byzantine"): Report {
    const decided: Entry[] = [];
    const candidates: Entry[] = [];
    for (const place of this.places.values()) {
      if (place.decided !== undefined) {
        decided.push(place.decided);
        continue;
      }
      const own = model === "crash" ? [place.round1, place.round0] : [place.prepared];
      for (const entry of own) if (entry !== undefined) candidates.push(entry);
    }
    return { node: this.index, stable: this.stable, decided, candidates };
  }
}
