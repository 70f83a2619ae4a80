// An executable model of one cluster's log: nodes, ballots of two rounds, accepts, decisions, checkpoints and view
// changes, with `keep` itself at every opening. Every action is one node's step, so a list of actions is a schedule;
// messages are what was said before, arriving at any time or never. Votes count as soon as they are cast: someone, a
// node of another cluster for one, may have seen them. After each step the invariants hold, or a Violation is thrown.

import { fastQuorumOf, primaryOf, quorumOf, sameEntry, voteKey } from "../../src/cluster/quorum.js";
import {
  counterOf,
  type Digest,
  type Entry,
  type NodeIndex,
  type Slot,
  sequenceOf,
  type View,
} from "../../src/types/ids.js";
import { unreachable } from "../../src/types/message.js";
import type { ClusterInfo } from "../../src/types/topology.js";
import { type KeepOptions, type Kept, keep, type Point, type Report } from "../../src/viewchange/keep.js";
import { type Action, print } from "./actions.js";
import { ModelNode, type NodeRules, type Opening } from "./node.js";
import { CLUSTER, digestOf, NO_OP, nameOf, show } from "./notation.js";
import { conflict } from "./plain.js";

/** What a weaker protocol does otherwise. */
export interface Rules extends NodeRules {
  readonly keep?: (options: KeepOptions) => Kept;
  readonly quorum?: (cluster: ClusterInfo) => number;
  readonly fastQuorum?: (cluster: ClusterInfo) => number;
  /** A round-0 quorum need not include the primary. */
  readonly quorumWithoutPrimary?: boolean;
  /** Accepts of different views are added up. */
  readonly ignoresViews?: boolean;
}

export class Violation extends Error {
  override readonly name = "Violation";
}

interface Votes {
  readonly entry: Entry;
  readonly voters: Set<NodeIndex>;
}

export class Model {
  readonly cluster: ClusterInfo;
  /** Nodes that lie. They may vote for everything, so they count in every quorum. */
  readonly liars: ReadonlySet<NodeIndex>;
  readonly nodes: readonly ModelNode[];
  readonly decided: Entry[] = [];
  /** Byzantine: entries of which a prepared certificate exists, in the order in which they came to be. */
  readonly prepared: Entry[] = [];
  readonly openings: Opening[] = [];
  readonly trace: Action[] = [];
  readonly #rules: Rules;
  readonly #accepts = new Map<string, Votes>();
  readonly #commits = new Map<string, Votes>();
  /** What correct primaries proposed, by view and slot. */
  readonly #proposals = new Map<string, Entry>();
  readonly #reports = new Map<View, Map<NodeIndex, Report>>();
  readonly #checkpoints = new Map<Slot, Point>();
  readonly #decidedSlots = new Map<Digest, Slot>();

  constructor(options: {
    readonly cluster: ClusterInfo;
    readonly rules?: Rules;
    readonly liars?: readonly NodeIndex[];
  }) {
    this.cluster = options.cluster;
    this.#rules = options.rules ?? {};
    this.liars = new Set(options.liars);
    const isSettled = (digest: Digest, slot: Slot) => (this.#decidedSlots.get(digest) ?? slot + 1) <= slot;
    this.nodes = options.cluster.nodes.map((_, index) => new ModelNode(index, this.#rules, isSettled));
  }

  get quorum(): number {
    return (this.#rules.quorum ?? quorumOf)(this.cluster);
  }

  get isCrash(): boolean {
    return this.cluster.model === "crash";
  }

  primary(view: View): NodeIndex {
    return primaryOf(this.cluster, view);
  }

  hasPromised(node: NodeIndex, view: View): boolean {
    return this.#reports.get(view)?.has(node) === true;
  }

  /** Takes the step; false, with nothing changed, if it is not possible now. */
  apply(action: Action): boolean {
    // A step that breaks an invariant is the last of its schedule.
    this.trace.push(action);
    if (this.#take(action)) return true;
    this.trace.pop();
    return false;
  }

  #take(action: Action): boolean {
    switch (action.kind) {
      case "direct":
      case "propose":
        return this.#place(action);
      case "assign":
        return this.#assign(this.#correct(action.node), action.slot);
      case "accept":
        return this.#accept(this.#correct(action.node), action.slot);
      case "forge":
        return this.#forge(action);
      case "prepare":
        return this.#prepare(this.#correct(action.node), action);
      case "learn":
        return this.#learn(this.#correct(action.node), action.slot);
      case "promise":
        return this.#promise(this.#correct(action.node), action.view);
      case "open":
        return this.isCrash ? this.#openCrash(action) : this.#openByzantine(action);
      case "enter":
        return this.#enter(this.#correct(action.node), action);
      case "again":
        return this.#again(this.#correct(action.node), action.slot);
      case "checkpoint":
        return this.#checkpoint(this.#correct(action.node), action.slot);
      default:
        return unreachable(action);
    }
  }

  #correct(index: NodeIndex): ModelNode | undefined {
    return this.liars.has(index) ? undefined : this.nodes[index];
  }

  // ---- placing and voting

  /** A block reaches a node: round 0, or, at the primary, round 1. */
  #place({ kind, node: index, block, hint }: Extract<Action, { kind: "direct" | "propose" }>): boolean {
    const node = this.#correct(index);
    const digest = digestOf(block);
    if (node === undefined || !node.mayAssign(digest)) return false;
    const isPrimary = this.primary(node.view) === index;
    if ((kind === "propose" && !isPrimary) || (kind === "direct" && digest === NO_OP)) return false;
    const isForgetful = kind === "propose" && this.#rules.choosesTwice === true;
    const { slot, sequence: before } = isForgetful ? node.endOfRound1() : node.end();
    const sequence = sequenceOf(1 + Math.max(counterOf(before), hint), CLUSTER);
    const round = kind === "propose" ? 1 : 0;
    const entry: Entry = { cluster: CLUSTER, view: node.view, round, slot, sequence, digest };
    if (round === 1) this.#proposals.set(`${node.view}.${slot}`, entry);
    this.#cast(node, entry);
    return true;
  }

  /** The primary turns its round-0 choice into a round-1 entry (3.1). */
  #assign(node: ModelNode | undefined, slot: Slot): boolean {
    const place = node?.places.get(slot);
    const choice = place?.round0;
    if (node === undefined || choice?.view !== node.view || this.primary(node.view) !== node.index) return false;
    const entry: Entry = { ...choice, round: 1 };
    if (place?.round1?.view === node.view || place?.decided !== undefined || node.refuses(entry)) return false;
    this.#proposals.set(`${node.view}.${slot}`, entry);
    this.#cast(node, entry);
    return true;
  }

  #accept(node: ModelNode | undefined, slot: Slot): boolean {
    const entry = node === undefined ? undefined : this.#proposals.get(`${node.view}.${slot}`);
    if (node === undefined || entry === undefined) return false;
    return this.#acceptRound1(node, entry);
  }

  /** A lying primary proposes what it likes to whom it likes; a byzantine node wants its view's opening first. */
  #forge({ node: index, slot, counter, block }: Extract<Action, { kind: "forge" }>): boolean {
    const node = this.#correct(index);
    if (node?.opening === undefined || !this.liars.has(this.primary(node.view))) return false;
    // Above slot 1 a backup knows the choice before, which has at least the lowest stamp.
    if (counter === 0 && slot !== 1) return false;
    const sequence = sequenceOf(counter, CLUSTER);
    const { view } = node;
    return this.#acceptRound1(node, { cluster: CLUSTER, view, round: 1, slot, sequence, digest: digestOf(block) });
  }

  #acceptRound1(node: ModelNode, entry: Entry): boolean {
    if (!this.isCrash && node.opening === undefined) return false;
    const there = node.places.get(entry.slot)?.round1;
    if (there?.view === entry.view || node.refuses(entry)) return false;
    this.#cast(node, entry);
    return true;
  }

  #cast(node: ModelNode, entry: Entry): void {
    node.accept(entry);
    const { voters } = this.#vote(this.#accepts, node, entry);
    if (!this.#isQuorum(entry, voters)) return;
    if (this.isCrash) this.#decide(entry);
    else if (!this.prepared.includes(entry) && !this.prepared.some((each) => voteKey(each) === voteKey(entry))) {
      this.prepared.push(entry);
    }
  }

  #vote(votes: Map<string, Votes>, node: ModelNode, entry: Entry): Votes {
    const key = voteKey(this.#rules.ignoresViews === true ? { ...entry, view: 0 } : entry);
    const count = votes.get(key) ?? { entry, voters: new Set(this.liars) };
    votes.set(key, count);
    count.voters.add(node.index);
    return count;
  }

  #isQuorum({ view, round }: Entry, voters: ReadonlySet<NodeIndex>): boolean {
    if (round === 1) return voters.size >= this.quorum;
    if (this.#rules.quorumWithoutPrimary !== true && !voters.has(this.primary(view))) return false;
    return voters.size >= (this.isCrash ? (this.#rules.fastQuorum ?? fastQuorumOf)(this.cluster) : this.quorum);
  }

  /** Byzantine: the accepts of a quorum reach a node, which sends its COMMIT. */
  #prepare(node: ModelNode | undefined, { slot, round }: { readonly slot: Slot; readonly round: 0 | 1 }): boolean {
    if (node?.opening === undefined) return false;
    const isIt = (entry: Entry) => entry.slot === slot && entry.round === round && entry.view === node.view;
    for (const entry of this.prepared.filter(isIt)) {
      if (node.decidedAt(slot) || !node.prepare(entry)) continue;
      const { voters } = this.#vote(this.#commits, node, entry);
      if (voters.size >= this.quorum) this.#decide(entry);
      return true;
    }
    return false;
  }

  // ---- decisions

  #decide(entry: Entry): void {
    for (const other of this.decided) {
      if (conflict(other, entry, NO_OP)) throw new Violation(`decided ${show(other)} and ${show(entry)}`);
    }
    if (this.decided.some((other) => sameEntry(other, entry) && other.view === entry.view)) return;
    this.decided.push(entry);
    if (entry.digest !== NO_OP) this.#decidedSlots.set(entry.digest, entry.slot);
    for (const opening of this.openings) this.#checkOpening(opening, entry);
  }

  /** Every opening holds all that is ever decided in earlier views. */
  #checkOpening({ view, kept: { low, entries } }: Opening, decided: Entry): void {
    if (decided.view >= view || decided.slot <= low.slot) return;
    const there = entries[decided.slot - low.slot - 1]?.entry;
    if (there !== undefined && sameEntry(there, decided)) return;
    const found = there === undefined ? "nothing" : show(there);
    throw new Violation(`the opening of view ${view} has ${found} where ${show(decided)} is decided`);
  }

  #learn(node: ModelNode | undefined, slot: Slot): boolean {
    const entry = this.decided.find((each) => each.slot === slot);
    if (node === undefined || entry === undefined || node.decidedAt(slot)) return false;
    node.place(slot).decided = entry;
    return true;
  }

  /** A quorum knows all up to the slot decided, or did once: the node takes that checkpoint (6). */
  #checkpoint(node: ModelNode | undefined, slot: Slot): boolean {
    if (node === undefined || slot <= node.stable.slot) return false;
    let point = this.#checkpoints.get(slot);
    if (point === undefined) {
      const isSigner = (each: ModelNode) => this.liars.has(each.index) || each.knowsPrefix(slot);
      const entry = this.decided.find((each) => each.slot === slot);
      if (entry === undefined || this.nodes.filter(isSigner).length < this.quorum) return false;
      point = { slot, sequence: entry.sequence };
      this.#checkpoints.set(slot, point);
    }
    node.checkpoint(point);
    return true;
  }

  // ---- view changes

  /** PROMISE, or VIEW-CHANGE; a crash primary that takes a view promises anew when it opens it. */
  #promise(node: ModelNode | undefined, view: View): boolean {
    if (node === undefined || view <= node.view) return false;
    const reports = this.#reports.get(view) ?? new Map<NodeIndex, Report>();
    this.#reports.set(view, reports);
    node.promise(view);
    reports.set(node.index, node.report(this.cluster.model));
    return true;
  }

  #openCrash({ view, nodes }: Extract<Action, { kind: "open" }>): boolean {
    const primary = this.nodes[this.primary(view)] as ModelNode;
    const given = this.#reports.get(view);
    if (given === undefined || primary.view !== view || primary.opening !== undefined) return false;
    if (nodes.length < this.quorum || !nodes.includes(primary.index)) return false;
    const reports: Report[] = [];
    for (const index of nodes) {
      const report = index === primary.index ? primary.report("crash") : given.get(index);
      if (report === undefined) return false;
      reports.push(report);
    }
    const opening = this.#open(view, reports);
    this.#enterAndAccept(primary, opening);
    return true;
  }

  /** Correct nodes report what they said; the lying ones any certificates that exist, or none. */
  #openByzantine({ view, nodes, lies }: Extract<Action, { kind: "open" }>): boolean {
    const primary = this.#correct(this.primary(view));
    if (nodes.length < this.quorum) return false;
    if (primary !== undefined && (primary.view !== view || primary.opening !== undefined)) return false;
    const reports: Report[] = [];
    let left = lies;
    for (const index of nodes) {
      const said = this.#reports.get(view)?.get(index);
      const report = this.liars.has(index) ? this.#lie(index, left) : said;
      if (this.liars.has(index)) left = Math.floor(left / 32);
      if (report === undefined) return false;
      reports.push(report);
    }
    const opening = this.#open(view, reports);
    if (primary !== undefined) this.#enterAndAccept(primary, opening);
    return true;
  }

  /** The lowest bits of the number choose what is said, of certificates that exist, even of views above the new one. */
  #lie(index: NodeIndex, lie: number): Report {
    const stable = lie % 2 === 0 ? undefined : [...this.#checkpoints.values()].at(-1);
    const says = (at: number) => (Math.floor(lie / 2) >> (at % 4)) % 2 === 1;
    const point = stable ?? { slot: 0, sequence: 0 as Point["sequence"] };
    const candidates = this.prepared.filter((entry, at) => entry.slot > point.slot && says(at));
    return { node: index, stable: point, decided: [], candidates };
  }

  #open(view: View, reports: readonly Report[]): Opening {
    const isReached = (slot: Slot) => reports.some(({ stable }) => stable.slot >= slot);
    const placedAt = (digest: Digest) => {
      const slot = this.#decidedSlots.get(digest);
      return slot !== undefined && isReached(slot) ? slot : undefined;
    };
    const options = { cluster: this.cluster, view, noOp: NO_OP, reports, placedAt };
    const opening = { view, kept: this.#keep(options) };
    this.openings.push(opening);
    for (const entry of this.decided) this.#checkOpening(opening, entry);
    return opening;
  }

  #keep(options: KeepOptions): Kept {
    try {
      return (this.#rules.keep ?? keep)(options);
    } catch (error) {
      throw new Violation(`keep refused: ${(error as Error).message}`);
    }
  }

  #enterAndAccept(primary: ModelNode, opening: Opening): void {
    primary.checkpoint(opening.kept.low);
    primary.enter(opening);
    for (const { entry } of opening.kept.entries) this.#again(primary, entry.slot);
    for (const digest of opening.kept.lost) {
      const isFree = primary.mayAssign(digest) || this.#decidedSlots.has(digest);
      if (!isFree) throw new Violation(`view ${opening.view} lost ${nameOf(digest)}, which its primary still has`);
    }
  }

  /** NEW-VIEW arrives. To check it, a byzantine node needs the state at its low. */
  #enter(node: ModelNode | undefined, { view, index }: { readonly view: View; readonly index: number }): boolean {
    const opening = this.openings.filter((each) => each.view === view)[index];
    if (node === undefined || opening === undefined) return false;
    if (view < node.view || (view === node.view && node.opening !== undefined)) return false;
    if (!this.isCrash) node.checkpoint(opening.kept.low);
    node.enter(opening);
    return true;
  }

  /** The node accepts an entry of its view's opening; slot 0: all of them. */
  #again(node: ModelNode | undefined, slot: Slot): boolean {
    if (node?.opening === undefined) return false;
    const { entries } = node.opening.kept;
    const wanted = slot === 0 ? entries : entries.filter(({ entry }) => entry.slot === slot);
    const accepted = wanted.filter(({ entry }) => !node.refusesAgain(entry));
    for (const { entry } of accepted) this.#cast(node, entry);
    return accepted.length > 0;
  }

  show(): string {
    return this.trace.map(print).join("\n");
  }
}
