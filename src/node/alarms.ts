// What a node does when something takes too long (protocol 2.4, 3.4, 5): it says again what it said, asks for what it
// lacks, and at the second time suspects its primary. All timers of a replica are here; what they are about is not.

import type { Coordinator } from "../cross/coordinator.js";
import type { Block } from "../types/block.js";
import type { Effects, Event } from "../types/effects.js";
import type { Digest, NodeIndex, NodeRef, Slot } from "../types/ids.js";
import type { Verified } from "../types/message.js";
import type { Topology } from "../types/topology.js";
import { Timers } from "../viewchange/timers.js";
import { Ahead } from "./ahead.js";
import type { Fetcher } from "./fetcher.js";
import type { Intake } from "./intake.js";
import type { Queries } from "./queries.js";
import type { Now } from "./replica.js";
import type { ViewWatch } from "./view-watch.js";

export interface AlarmsOptions {
  readonly topology: Topology;
  readonly self: NodeRef;
  readonly coordinator: Coordinator;
  readonly queries: Queries;
  readonly fetcher: Fetcher;
  readonly intake: Intake;
  readonly viewWatch: ViewWatch;
  readonly noOp: Digest;
  readonly isRecorded: (digest: Digest) => boolean;
  /** Must the view be left, since it was opened before a node rejoined (protocol 6)? */
  readonly isViewOutdated: () => boolean;
}

type TimerName =
  | `slot:${Slot}` // an accepted entry is undecided
  | `block:${Digest}` // a block of several clusters has no record
  | `owed:${Digest}` // others decided a block that this cluster has not
  | `fetch:${Digest}` // a block that votes name is not here
  | `request:${Digest}` // a request that a client sent to this backup is not executed
  | "clock" // a known final lies above the log's last sequence, and the primary does not move on
  | "rejoined" // the view was opened by who did not know that a node has rejoined
  | "suspect" // others may go first
  | "view" // the view that was entered does not open
  | "ahead"; // messages from the future are held

/** What the primary is waited for. */
const OF_THE_PRIMARY = ["slot:", "owed:", "request:", "clock"] as const;

/** Before a block that votes name is asked for: it is most likely under way. */
const FETCH_AFTER_MS = 100;

export class Alarms {
  readonly #options: AlarmsOptions;
  readonly #timers = new Timers<TimerName>();
  readonly #ahead = new Ahead();
  /** What the primary is suspected for, while others may go first. */
  #suspicion: TimerName | undefined;
  /** Nodes of this cluster to which the connection is lost. */
  readonly #lost = new Set<NodeIndex>();
  /** Connections may come and go quickly. */
  #hastenedAt = Number.NEGATIVE_INFINITY;

  constructor(options: AlarmsOptions) {
    this.#options = options;
  }

  /** Monotonic time at which a tick is due; undefined: no need. */
  get wakeAt(): number | undefined {
    return this.#timers.wakeAt;
  }

  // ---- what is waited for

  onWatched(now: Now, request: Digest): void {
    this.#start(now, `request:${request}`, this.#halfMs);
  }

  onLearned(now: Now, { clusters, digest }: Block): void {
    if (clusters.length > 1) this.#start(now, `block:${digest}`, this.#options.topology.timers.crossMs);
  }

  onUndecided(now: Now, slot: Slot): void {
    this.#start(now, `slot:${slot}`, this.#halfMs);
  }

  onWanted(now: Now, digest: Digest): void {
    this.#start(now, `fetch:${digest}`, FETCH_AFTER_MS);
  }

  /** Delivery waits for the primary's next block or no-op (3.3). */
  onClock(now: Now): void {
    if (!this.#options.coordinator.isClockBehind) this.#timers.stop("clock");
    else this.#start(now, "clock", this.#halfMs);
  }

  /** The node that rejoined takes part from the next view on. */
  onOutdated(now: Now, out: Effects): void {
    if (this.#timers.isRunning("rejoined")) return;
    this.#start(now, "rejoined", this.#options.topology.timers.intraMs);
    this.#suspect(now, "rejoined", out);
  }

  /** True: the message is from the future, and comes again when it is not. */
  hold(now: Now, verified: Verified): boolean {
    const delay = this.#ahead.hold(verified, now.time);
    if (delay > 0) this.#start(now, "ahead", delay);
    return delay > 0;
  }

  // ---- what came

  onDecided(now: Now, slot: Slot): void {
    const start = this.#timers.startedAt(`slot:${slot}`) ?? now.tick;
    this.#timers.stop(`slot:${slot}`);
    const isWork = this.#options.coordinator.engine.decisionAt(slot)?.entry.digest !== this.#options.noOp;
    this.#options.viewWatch.onDecided(now.tick, { elapsedMs: now.tick - start, isWork });
  }

  /** Nothing about the block is waited for any more. */
  onDropped(digest: Digest): void {
    this.#timers.stop(`block:${digest}`);
    this.#timers.stop(`owed:${digest}`);
    this.#timers.stop(`fetch:${digest}`);
    this.#options.fetcher.drop(digest);
  }

  onRecorded({ digest, requests }: Block): void {
    this.onDropped(digest);
    for (const { hash } of requests) this.#timers.stop(`request:${hash}`);
  }

  /** The node entered or opened a view: what it waits for in it begins anew. */
  onView(now: Now, out: Effects): void {
    const { coordinator, viewWatch, intake } = this.#options;
    viewWatch.onChanged(out);
    this.#timers.stop("suspect");
    this.#timers.stop("view");
    this.#timers.stop("rejoined");
    if (!coordinator.engine.isOpen) return this.#start(now, "view", viewWatch.openingMs);
    for (const kind of OF_THE_PRIMARY) this.#timers.stopAll(kind);
    for (const hash of intake.onView(now, coordinator.requestsUnderWay(), out)) this.onWatched(now, hash);
  }

  onLink({ tick }: Now, { node, isUp }: Extract<Event, { readonly kind: "link" }>): void {
    if (node.cluster === this.#options.self.cluster) this.#onMate(tick, node, isUp);
    if (isUp) this.#onReachable(tick);
  }

  /** Who loses its connection to the primary waits half as long for it, unless that is back in time (protocol 5). */
  #onMate(tick: number, { cluster, node }: NodeRef, isUp: boolean): void {
    if (isUp) this.#lost.delete(node);
    else this.#lost.add(node);
    if (node !== this.#options.coordinator.primaryOf(cluster).node) return;
    for (const kind of OF_THE_PRIMARY) {
      if (isUp) this.#timers.slacken(kind, this.#halfMs);
      else this.#timers.hurry(kind, { now: tick, delay: this.#halfMs });
    }
    if (isUp) this.#timers.stop("suspect");
  }

  /** What was asked for in vain is asked for again, not at the end of a delay that has grown. */
  #onReachable(tick: number): void {
    if (tick < this.#hastenedAt + this.#options.topology.timers.intraMs) return;
    this.#hastenedAt = tick;
    for (const kind of ["block:", "fetch:"]) this.#timers.hasten(kind, tick);
  }

  /** Half of what the primary may take: then all is said again and asked for, and at the whole it is suspected. */
  get #halfMs(): number {
    const { coordinator, self, viewWatch } = this.#options;
    const isLost = this.#lost.has(coordinator.primaryOf(self.cluster).node);
    return isLost ? viewWatch.halfMs / 2 : viewWatch.halfMs;
  }

  // ---- what did not come

  /** Returns messages that were held until now. */
  onTick(now: Now, out: Effects): readonly Verified[] {
    const released: Verified[] = [];
    for (const name of this.#timers.due(now.tick)) {
      if (name === "ahead") {
        this.#timers.stop("ahead");
        released.push(...this.#ahead.takeAll());
      } else this.#onTimer(now, name, out);
    }
    return released;
  }

  #onTimer(now: Now, name: Exclude<TimerName, "ahead">, out: Effects): void {
    const { coordinator, queries, fetcher, intake } = this.#options;
    const [kind, subject] = name.split(":") as [string, string];
    const isLate = this.#timers.firings(name) > 1;
    switch (kind) {
      case "slot":
        return this.#onSlotTimer(now, { slot: Number(subject), isLate }, out);
      case "block":
        return this.#onBlockTimer(now, { digest: subject as Digest, isLate }, out);
      case "owed":
        if (!coordinator.isOwed(subject as Digest)) return this.#timers.stop(name);
        if (isLate) return this.#suspect(now, name, out);
        return queries.show(subject as Digest, coordinator.primaryOf(this.#options.self.cluster), out.send);
      case "fetch":
        if (!fetcher.ask(subject as Digest, out.send)) this.#timers.stop(name);
        return;
      case "request":
        if (!intake.repeat(subject as Digest, now, out)) this.#timers.stop(name);
        else if (isLate && this.#isPassedOver(now, subject as Digest)) this.#suspect(now, name, out);
        return;
      case "rejoined":
        if (!this.#options.isViewOutdated()) this.#timers.stop(name);
        else this.#suspect(now, name, out);
        return;
      case "clock":
        return isLate ? this.#suspect(now, name, out) : undefined;
      case "suspect":
        this.#timers.stop("suspect");
        // Others went first, or what was missed has come.
        if (this.#suspicion !== undefined && this.#timers.isRunning(this.#suspicion)) coordinator.suspect();
        return;
      default:
        return coordinator.onViewTimer();
    }
  }

  /** The primary is idle, or orders others' requests and never this one. A full queue is neither. */
  #isPassedOver(now: Now, request: Digest): boolean {
    const { coordinator, viewWatch } = this.#options;
    if (coordinator.isOrdered(request) || this.#options.intake.isUnavailable(request)) return false;
    const age = now.tick - (this.#timers.startedAt(`request:${request}`) ?? now.tick);
    return age >= viewWatch.queueMs || !viewWatch.isBusy(now.tick);
  }

  /** An accepted entry is undecided for too long: the primary says it again, everybody asks (2.3, 2.4, 3.4). */
  #onSlotTimer(now: Now, { slot, isLate }: { readonly slot: Slot; readonly isLate: boolean }, out: Effects): void {
    const { coordinator, queries, viewWatch, noOp, isRecorded } = this.#options;
    const { engine } = coordinator;
    const digest = engine.digestAt(slot);
    // A block that this node placed here in round 0 may have its record by now, from another slot.
    if (digest === undefined || engine.decisionAt(slot) !== undefined || isRecorded(digest)) {
      this.#timers.stop(`slot:${slot}`);
      return;
    }
    coordinator.onSlotTimer(slot);
    viewWatch.repeat(slot, now.tick, out.send);
    if (digest !== noOp) queries.ask(digest, out.send);
    else queries.askSlot(slot, out.send);
    if (isLate && engine.isBacked(slot)) this.#suspect(now, `slot:${slot}`, out);
  }

  #onBlockTimer(now: Now, late: { readonly digest: Digest; readonly isLate: boolean }, out: Effects): void {
    const { coordinator, queries } = this.#options;
    const { digest, isLate } = late;
    coordinator.dropMoot(digest);
    const block = coordinator.body(digest);
    if (block === undefined) return this.#timers.stop(`block:${digest}`);
    coordinator.onCrossTimer(digest);
    queries.ask(digest, out.send);
    if (isLate) coordinator.decisions.availability.onLate(block);
    if (coordinator.isOwed(digest)) this.#start(now, `owed:${digest}`, this.#halfMs);
    out.notes.push({ kind: "queried", digest });
  }

  /** Twice in vain: the primary is not trusted any more (protocol 2.4, 5). */
  #suspect(now: Now, why: TimerName, out: Effects): void {
    const { coordinator, viewWatch } = this.#options;
    const { engine } = coordinator;
    if (!engine.isOpen || engine.isPrimary || this.#timers.isRunning("suspect")) return;
    out.notes.push({ kind: "suspected", view: engine.view, why });
    this.#suspicion = why;
    const delay = viewWatch.standBackMs;
    if (delay > 0) this.#start(now, "suspect", delay);
    else coordinator.suspect();
  }

  #start(now: Now, name: TimerName, delay: number): void {
    this.#timers.start(name, { now: now.tick, delay });
  }
}
