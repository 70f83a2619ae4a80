// Where an engine meets its view change: what the view protocol asks for is done to the log, a new view's primary
// proposes again what the view keeps (protocol 5), and the opening is kept to be shown to nodes that missed it.

import type { StablePoint } from "../cluster/checkpoint.js";
import { primaryOf } from "../cluster/quorum.js";
import type { Decided } from "../types/effects.js";
import type { Digest, NodeRef, Slot } from "../types/ids.js";
import type { NewView, Verified, ViewMessage } from "../types/message.js";
import type { ClusterInfo } from "../types/topology.js";
import {
  type Opening,
  openingOf,
  type Standing,
  type ViewLog,
  type ViewProtocol,
  type ViewProtocolOptions,
  type ViewStep,
} from "../viewchange/protocol.js";
import type { EngineStep } from "./engine.js";
import type { Log } from "./log.js";
import type { Ordering } from "./ordering.js";
import type { Placements } from "./placements.js";

export interface ViewsOptions {
  readonly self: NodeRef;
  readonly cluster: ClusterInfo;
  readonly noOp: Digest;
  readonly log: Log;
  readonly ordering: Ordering;
  readonly placements: Placements;
  /** The slot of a block that was decided below the stable checkpoint. */
  readonly placedAt: (digest: Digest) => Slot | undefined;
  readonly decide: (step: EngineStep, decided: Decided) => void;
  readonly protocol: (options: ViewProtocolOptions) => ViewProtocol;
  readonly standing?: Standing;
}

const FIRST: Standing = { incarnation: 0, rejoins: [] };

export class Views {
  readonly #options: ViewsOptions;
  readonly #protocol: ViewProtocol;
  #opening: Verified<NewView> | undefined;
  #behind: StablePoint | undefined;

  constructor(options: ViewsOptions) {
    this.#options = options;
    const { self, cluster, noOp, log, ordering, placedAt } = options;
    const viewLog: ViewLog = {
      get view() {
        return log.view;
      },
      get isOpen() {
        return log.isOpen;
      },
      get frontier() {
        return log.frontier;
      },
      report: () => log.report(),
      hasBlock: (digest) => ordering.hasBlock(digest) || log.isDecided(digest),
      placedAt: (digest) => log.decidedAt(digest) ?? placedAt(digest),
    };
    const { standing = FIRST } = options;
    this.#protocol = options.protocol({ self, cluster, noOp, log: viewLog, standing });
  }

  /** The NEW-VIEW of the last view that this node took part in, to be passed on. */
  get opening(): Verified<NewView> | undefined {
    return this.#opening;
  }

  /** A stable checkpoint this node must reach before it can open a view. */
  get behind(): StablePoint | undefined {
    return this.#behind;
  }

  /** Does an opening wait for something that this node lacks? */
  get isWaiting(): boolean {
    return !this.#options.log.isOpen || this.#protocol.isHolding;
  }

  suspect(step: EngineStep): void {
    if (this.#options.log.isGated) return;
    this.#apply(step, this.#protocol.suspect());
  }

  onTimer(step: EngineStep): void {
    const { isOpen, isGated } = this.#options.log;
    if (!isOpen && !isGated) this.#apply(step, this.#protocol.onTimer());
  }

  retry(step: EngineStep): void {
    this.#apply(step, this.#protocol.retry());
  }

  onMessage(step: EngineStep, verified: Verified<ViewMessage>): void {
    this.#apply(step, this.#protocol.step(verified));
  }

  /** At start: the view this node was in, and the opening if it had one. What it said in it is in its slots. */
  restore(step: EngineStep, view: number, newView: Verified<NewView> | undefined): void {
    const { log } = this.#options;
    // Not judged again: that might need slots that are yet to be read.
    if (newView !== undefined) this.#begin(step, openingOf(newView));
    if (view <= log.view) return;
    log.enter(view);
    step.view = "entered";
  }

  #apply(step: EngineStep, { send, notes, wanted, lagging, enter, opening, behind }: ViewStep): void {
    const { log } = this.#options;
    // Who may not take part yet follows the views that others open, and neither wants nor promises one.
    if (log.isGated && opening === undefined) {
      this.#behind = behind;
      return;
    }
    step.send.push(...send);
    step.notes.push(...notes);
    step.wanted.push(...wanted);
    step.lagging.push(...lagging);
    this.#behind = behind;
    if (enter !== undefined && enter > log.view) {
      log.enter(enter);
      step.view = "entered";
      step.notes.push({ kind: "view", view: enter, isOpen: false });
    }
    if (opening !== undefined) this.#open(step, opening);
  }

  #begin(step: EngineStep, { kept, newView }: Opening): void {
    const { log } = this.#options;
    this.#opening = newView;
    for (const slot of log.open(newView.message.view, kept)) step.changed.add(slot);
    for (const { entry } of kept.entries) if (log.isReproposed(entry.slot)) step.changed.add(entry.slot);
  }

  #open(step: EngineStep, opening: Opening): void {
    const { ordering, placements, self, cluster, decide } = this.#options;
    const { kept, decided, newView } = opening;
    const { view } = newView.message;
    this.#begin(step, opening);
    ordering.enterView();
    placements.clear();
    step.view = "opened";
    step.notes.push({ kind: "view", view, isOpen: true });
    for (const each of decided) decide(step, each);
    if (primaryOf(cluster, view) !== self.node || this.#options.log.isGated) return;
    for (const { entry, isDecided } of kept.entries) if (!isDecided) ordering.repropose(step, entry.slot);
  }
}
