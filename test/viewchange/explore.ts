// Random schedules for the model, each a function of its seed. Moves are drawn, not messages: a block that reaches many
// nodes, a view change with whoever is awake, or one single step. Who is awake changes now and then, as that is how
// quorums come apart.

import type { NodeIndex, View } from "../../src/types/ids.js";
import type { ClusterInfo } from "../../src/types/topology.js";
import { below, type Random, randomOf } from "../support/schedule.js";
import { Model, type Rules, Violation } from "./model.js";

export interface Found {
  readonly seed: number;
  readonly message: string;
  /** The schedule up to the violation. */
  readonly schedule: string;
}

export interface Exploration {
  readonly cluster: ClusterInfo;
  readonly rules?: Rules;
  readonly seed: number;
  readonly count: number;
}

/** How much of what matters the schedules met. */
export interface Met {
  decided: number;
  fast: number;
  openings: number;
  checkpoints: number;
  lost: number;
}

const BLOCKS = ["A", "B", "C", "D"];
const SLOTS = 5;
const VIEWS = 7;

/** The first schedule that breaks an invariant, if any. */
export function explore({ cluster, rules = {}, seed, count }: Exploration, met?: Met): Found | undefined {
  for (let each = seed; each < seed + count; each++) {
    const schedule = new Schedule({ cluster, rules, seed: each });
    try {
      schedule.run();
    } catch (error) {
      if (!(error instanceof Violation)) throw new Error(`seed ${each}\n${schedule.model.show()}`, { cause: error });
      return { seed: each, message: error.message, schedule: schedule.model.show() };
    }
    if (met !== undefined) note(met, schedule.model);
  }
  return undefined;
}

function note(met: Met, { decided, openings, nodes }: Model): void {
  met.decided += decided.length;
  met.fast += decided.filter(({ round }) => round === 0).length;
  met.openings += openings.length;
  met.checkpoints += nodes.filter(({ stable }) => stable.slot > 0).length;
  met.lost += openings.reduce((sum, { kept }) => sum + kept.lost.length, 0);
}

class Schedule {
  readonly model: Model;
  readonly #random: Random;
  readonly #size: number;
  readonly #hints: ReadonlyMap<string, number>;
  #awake: readonly NodeIndex[] = [];
  #view: View = 0;

  constructor({
    cluster,
    rules,
    seed,
  }: { readonly cluster: ClusterInfo; readonly rules: Rules; readonly seed: number }) {
    this.#random = randomOf(seed);
    this.#size = cluster.nodes.length;
    const liars =
      cluster.model === "crash" ? [] : this.#some(cluster.nodes.length, this.#below(4) === 0 ? 0 : cluster.faults);
    this.model = new Model({ cluster, rules, liars });
    this.#hints = new Map(BLOCKS.map((block) => [block, this.#below(3) === 0 ? this.#below(6) : 0]));
  }

  run(): void {
    const moves = 10 + this.#below(50);
    for (let move = 0; move < moves; move++) {
      if (move === 0 || this.#below(4) === 0) this.#wake();
      this.#move();
    }
  }

  #below(count: number): number {
    return below(this.#random, count);
  }

  #some(max: number, count: number): NodeIndex[] {
    const all = Array.from({ length: max }, (_, index) => index);
    return Array.from({ length: count }, () => all.splice(this.#below(all.length), 1)[0] as number);
  }

  #wake(): void {
    const fewest = this.#below(3) === 0 ? 1 : Math.min(this.model.quorum, this.#size);
    const count = this.#below(3) === 0 ? this.#size : fewest + this.#below(this.#size - fewest + 1);
    this.#awake = this.#some(this.#size, count);
  }

  #node(): NodeIndex {
    return this.#awake[this.#below(this.#awake.length)] as number;
  }

  #each(share: number, act: (node: NodeIndex) => void): void {
    for (const node of this.#awake) if (this.#random() < share) act(node);
  }

  #block(): string {
    return BLOCKS[this.#below(BLOCKS.length)] as string;
  }

  #slot(): number {
    return 1 + Math.min(this.#below(SLOTS), this.#below(SLOTS));
  }

  #hint(block: string): number {
    return this.#below(8) === 0 ? this.#below(6) : (this.#hints.get(block) ?? 0);
  }

  #move(): void {
    const { model } = this;
    const slot = this.#slot();
    const block = this.#block();
    const hint = this.#hint(block);
    switch (this.#below(16)) {
      case 0:
      case 1:
        this.#each(0.85, (node) => model.apply({ kind: "direct", node, block, hint }));
        return this.#commit(slot);
      case 2:
        model.apply({ kind: "direct", node: this.#node(), block, hint });
        return;
      case 3:
      case 4:
        return this.#propose(this.#below(5) === 0 ? "-" : block, hint);
      case 5:
        return this.#assign(slot);
      case 6:
      case 7:
        return this.#deliver(slot);
      case 8:
        return this.#each(0.5, (node) => model.apply({ kind: "learn", node, slot }));
      case 9:
        return this.#settle(slot);
      case 10:
        if (this.#below(2) === 0) return this.#settle(slot);
        return this.#each(0.6, (node) => this.#return(node));
      case 11:
        return this.#step();
      default:
        return this.#below(2) === 0 ? this.#changeView() : this.#lieOrDeliver(slot);
    }
  }

  #propose(block: string, hint: number): void {
    const { model } = this;
    const isPrimary = (node: NodeIndex) => model.primary(model.nodes[node]?.view ?? 0) === node;
    for (const node of this.#awake.filter(isPrimary)) {
      const isProposed = model.apply({ kind: "propose", node, block, hint });
      const last = Math.max(...(model.nodes[node]?.places.keys() ?? []), 1);
      if (isProposed && this.#below(3) > 0) this.#deliver(last);
    }
  }

  /** Many learn what is decided, and take a checkpoint of it if they are enough. */
  #settle(slot: number): void {
    const { model } = this;
    this.#each(0.8, (node) => {
      for (let each = 1; each <= SLOTS; each++) model.apply({ kind: "learn", node, slot: each });
    });
    this.#each(0.6, (node) => model.apply({ kind: "checkpoint", node, slot }));
  }

  #assign(slot: number): void {
    for (const node of this.#awake) this.model.apply({ kind: "assign", node, slot });
    this.#each(0.7, (node) => this.model.apply({ kind: "accept", node, slot }));
    this.#commit(slot);
  }

  #deliver(slot: number): void {
    for (const each of [slot, this.#slot()]) {
      this.#each(0.75, (node) => this.model.apply({ kind: "accept", node, slot: each }));
      this.#commit(each);
    }
  }

  #commit(slot: number): void {
    if (this.model.isCrash) return;
    for (const round of this.#below(2) === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
      const share = this.#below(3) === 0 ? 0.4 : 0.9;
      this.#each(share, (node) => this.model.apply({ kind: "prepare", node, slot, round }));
    }
  }

  /** What a lying primary shows to some, and something else to others. */
  #lieOrDeliver(slot: number): void {
    if (this.model.liars.size === 0) return this.#deliver(slot);
    const count = 1 + this.#below(2);
    for (let lie = 0; lie < count; lie++) {
      const [block, counter] = [this.#below(6) === 0 ? "-" : this.#block(), this.#below(6)];
      const at = this.#below(3) === 0 ? this.#slot() : slot;
      this.#each(0.6, (node) => this.model.apply({ kind: "forge", node, slot: at, counter, block }));
      this.#commit(at);
    }
  }

  /** A node that was away hears of the newest view and of some decisions. */
  #return(node: NodeIndex): void {
    const { model } = this;
    const known = model.openings.filter(({ view }) => view === this.#view).length;
    if (known > 0) model.apply({ kind: "enter", node, view: this.#view, index: this.#below(known) });
    const slot = this.#below(3) === 0 ? this.#slot() : 0;
    model.apply({ kind: "again", node, slot });
    this.#commit(this.#slot());
  }

  #step(): void {
    const { model } = this;
    const [node, slot, view] = [this.#node(), this.#slot(), this.#below(VIEWS)];
    switch (this.#below(4)) {
      case 0:
        model.apply({ kind: "promise", node, view });
        return;
      case 1:
        model.apply({ kind: "enter", node, view, index: 0 });
        return;
      case 2:
        model.apply({ kind: "again", node, slot });
        return;
      default:
        model.apply({ kind: "open", view, nodes: this.#reporters(view), lies: this.#below(1024) });
    }
  }

  #changeView(): void {
    const { model } = this;
    const view = this.#view + 1 + (this.#below(3) === 0 ? this.#below(this.#size) : 0);
    const primary = model.primary(view);
    if (view >= VIEWS || (model.isCrash && !this.#awake.includes(primary))) return;
    this.#view = view;
    model.apply({ kind: "promise", node: primary, view });
    this.#each(0.9, (node) => model.apply({ kind: "promise", node, view }));
    if (this.#below(6) === 0) return;
    const isOpen = model.apply({ kind: "open", view, nodes: this.#reporters(view), lies: this.#below(1024) });
    if (!isOpen) return;
    if (model.liars.has(primary) && this.#below(2) === 0) {
      model.apply({ kind: "open", view, nodes: this.#reporters(view), lies: this.#below(1024) });
    }
    this.#each(0.75, (node) => this.#return(node));
    for (let slot = 1; slot <= SLOTS; slot++) if (this.#below(2) === 0) this.#commit(slot);
  }

  /** A quorum, now and then more, of those who may report; those awake most likely promised. */
  #reporters(view: View): readonly NodeIndex[] {
    const { model } = this;
    const count = Math.min(this.#size, model.quorum + (this.#below(4) === 0 ? 1 : 0));
    const primary = model.primary(view);
    const willing = (node: NodeIndex) => model.liars.has(node) || model.hasPromised(node, view);
    const others = this.#some(this.#size, this.#size).filter((node) => node !== primary && willing(node));
    const needsPrimary = model.isCrash || this.#below(2) === 0;
    return needsPrimary ? [primary, ...others].slice(0, count) : others.slice(0, count);
  }
}
