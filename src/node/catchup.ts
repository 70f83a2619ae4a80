// How a node that missed part of its cluster's log comes back (protocol 6): slots it lacks are asked for, its CHECKPOINT
// is said again until it is stable. Here are the timers of that, and who is told what; each rule is in its own file. It
// asks its own cluster only, and believes certificates, not nodes.

import { checkpointOf } from "../cluster/checkpoint.js";
import type { Members } from "../cluster/members.js";
import type { ClusterLog } from "../intra/engine.js";
import type { Effects } from "../types/effects.js";
import type { NodeRef, Slot } from "../types/ids.js";
import type { Checkpoint, Verified } from "../types/message.js";
import type { Certificate } from "../types/schema.js";
import { Timers } from "../viewchange/timers.js";
import { Gaps } from "./gaps.js";
import type { Recorder } from "./recorder.js";
import type { Now } from "./replica.js";
import type { Restored } from "./restore.js";
import { type RecordedPoint, Truncation } from "./truncation.js";

export interface CatchUpOptions {
  readonly self: NodeRef;
  readonly members: Members;
  readonly engine: ClusterLog;
  readonly recorder: Recorder;
  readonly restored: Pick<Restored, "checkpoint" | "said">;
  /** Before a missing slot is asked for: it is most likely under way. */
  readonly delayMs: number;
}

export class CatchUp {
  readonly #options: CatchUpOptions;
  readonly #timers = new Timers<"gap" | "checkpoint">();
  readonly #gaps: Gaps;
  readonly #truncation: Truncation;

  constructor(options: CatchUpOptions) {
    const { restored } = options;
    this.#options = options;
    this.#gaps = new Gaps(options);
    this.#truncation = new Truncation({ ...options, stable: restored.checkpoint, said: restored.said });
  }

  /** Monotonic time at which a tick is due; undefined: no need. */
  get wakeAt(): number | undefined {
    return this.#timers.wakeAt;
  }

  /** Is a checkpoint stable that this node's own records have not reached? */
  get isBehind(): boolean {
    return this.#truncation.waiting !== undefined;
  }

  /** Could this proof still be news? */
  wants(certificate: Certificate): boolean {
    return (checkpointOf(certificate)?.slot ?? 0) > this.#truncation.stable;
  }

  /** A checkpoint certificate that passed `provenCheckpoint`, from whatever message. */
  learn(certificate: Certificate, out: Effects): void {
    const checkpoint = checkpointOf(certificate);
    if (checkpoint !== undefined) this.#truncation.learn({ checkpoint, certificate }, out);
  }

  onCheckpoint(verified: Verified<Checkpoint>, out: Effects): void {
    this.#truncation.onCheckpoint(verified, out);
  }

  /** A slot that is asked for and forgotten here: the asker is shown the certificate. False: it is not forgotten. */
  showBelow(slot: Slot, to: NodeRef, out: Effects): boolean {
    return this.#truncation.showBelow(slot, to, out.send);
  }

  onRecord(point: RecordedPoint, out: Effects): void {
    this.#truncation.onRecord(point, out);
  }

  /** The slots that were forgotten now. */
  forget(out: Effects): readonly Slot[] {
    return this.#truncation.forget(out);
  }

  heard(verified: Verified): void {
    this.#gaps.heard(verified);
  }

  decided(slot: Slot): void {
    this.#gaps.decided(slot);
  }

  onTick(now: Now, out: Effects): void {
    for (const name of this.#timers.due(now.tick)) {
      if (name === "checkpoint") this.#truncation.repeat(out.send);
      else if (!this.#gaps.hasMoved()) this.#gaps.ask(out.send);
      else this.#timers.stop(name);
    }
  }

  /** After each event: what must be watched from now on, and what need not any more. */
  review(now: Now, out: Effects): void {
    this.#gaps.goOn(out.send);
    this.#watch("gap", this.#gaps.isOpen, now);
    this.#watch("checkpoint", this.#truncation.isUnstable, now);
  }

  endTurn(): void {
    this.#truncation.endTurn();
  }

  #watch(name: "gap" | "checkpoint", isNeeded: boolean, now: Now): void {
    if (!isNeeded) this.#timers.stop(name);
    else if (!this.#timers.isRunning(name)) {
      this.#timers.start(name, { now: now.tick, delay: this.#options.delayMs });
    }
  }
}
