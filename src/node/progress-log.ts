// One line in a while on how a node catches up: how much of it is there, from whom it comes and how fast; and on what a
// node waits for that does not take part for long, since nobody else may notice.

import type { Note } from "../types/effects.js";
import { showNode } from "../types/ids.js";
import type { NodeLog } from "./log.js";

type Progress = Extract<Note, { readonly kind: "catching-up" | "caught-up" }>;
type CatchingUp = Extract<Note, { readonly kind: "catching-up" }>;

const EVERY_MS = 2000;
const WAITING_EVERY_MS = 30_000;

export class ProgressLog {
  readonly #log: NodeLog;
  #bytes = 0;
  #since = 0;
  #toldAt = performance.now();

  constructor(log: NodeLog) {
    this.#log = log;
  }

  /** After each turn. Undefined: the node takes part. */
  onWaiting(waitsFor: string | undefined): void {
    if (waitsFor === undefined || performance.now() - this.#toldAt < WAITING_EVERY_MS) return;
    this.#toldAt = performance.now();
    this.#log.warn({ for: waitsFor }, "does not take part yet, and waits");
  }

  onNote(note: Progress): void {
    if (note.kind === "catching-up") this.#onStep(note);
    else this.#log.info({ by: note.by, slot: note.slot, height: note.height }, "caught up");
  }

  #onStep({ by, from, percent, bytes }: CatchingUp): void {
    this.#bytes += bytes;
    const passed = performance.now() - this.#since;
    if (passed < EVERY_MS) return;
    const rate = this.#since === 0 ? 0 : Math.round(this.#bytes / passed);
    this.#log.info({ by, percent, from: showNode(from), bytes_per_ms: rate }, "catching up");
    this.#bytes = 0;
    this.#since = performance.now();
  }
}
