// Whether a source of a state is worth staying with (protocol 6). A node stays with one to the end, since each holds
// states of its own; so one that keeps to every rule and gives next to nothing could hold it up for ever. What a source
// brings is measured by answers and not by time: each answer has a timer already, so a slow or busy source that fills
// its answers, as every honest one does, is never left for that.

import type { Slot } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { StatePiece } from "../types/schema.js";

export class Yield {
  /** Of the list that it gave last. */
  #listed: Slot | undefined;
  #hasGiven = false;
  /** Answers that were short of what was asked, and bytes, since it last brought as much as one answer may have. */
  #short = 0;
  #bytes = 0;

  /** "again": it says what it has said, and nothing else. "further": it does not give on what it had begun to give. */
  onList(slot: Slot): "first" | "again" | "further" {
    const kind = this.#listed === undefined ? "first" : this.#listed === slot && !this.#hasGiven ? "again" : "further";
    this.#listed = slot;
    this.#hasGiven = false;
    return kind;
  }

  /** Pieces that were right, of so many that were asked for. False: it gives less than a source that means it. */
  onPieces(asked: number, pieces: readonly StatePiece[]): boolean {
    this.#hasGiven = true;
    if (pieces.length < asked) this.#short++;
    for (const { bytes } of pieces) this.#bytes += bytes.length;
    if (this.#bytes >= limits.stateAnswerBytesMax) {
      this.#short = 0;
      this.#bytes = 0;
    }
    return this.#short < limits.shortAnswersMax;
  }
}
