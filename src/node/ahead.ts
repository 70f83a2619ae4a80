// Messages with blocks from further ahead than clocks may differ: held until they are not, never refused for it
// (protocol 4).

import type { Block } from "../types/block.js";
import { limits } from "../types/limits.js";
import type { Verified } from "../types/message.js";

/** Messages with blocks up to 2 MiB each: enough for clocks that differ, not for a flood. */
const AHEAD_MAX = 64;

export class Ahead {
  #held: Verified[] = [];

  /** How long it must wait, in milliseconds; 0: not at all. Over the bound it is dropped. */
  hold(verified: Verified, time: number): number {
    const block: Block | undefined = "block" in verified.message ? verified.message.block : undefined;
    const delay = (block?.time ?? 0) - limits.clockAheadMs - time;
    if (delay <= 0) return 0;
    if (this.#held.length < AHEAD_MAX) this.#held.push(verified);
    return Math.min(delay, limits.timeoutMaxMs);
  }

  takeAll(): readonly Verified[] {
    return this.#held.splice(0);
  }
}
