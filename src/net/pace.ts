// Who is too slow for its place (docs/protocol.md, decision 48): a client whose frame does not get complete, that reads
// nothing of what waits for it, or that has said nothing for long is cut, and so is whoever makes the frames that all
// clients together have begun too many. Nodes are not: a peer that was stopped for a while is welcome back.

import type { Rejection } from "../types/codes.js";
import { limits } from "../types/limits.js";

export interface Arrival {
  /** Bytes of a frame that has begun. */
  readonly partial: number;
  /** Did a frame get complete? */
  readonly completed: boolean;
}

/** One connection of a client. Times are ms of a monotonic clock. */
export class Pace {
  #heardAt: number;
  #frameSince: number | undefined;
  partial = 0;

  constructor(now: number) {
    this.#heardAt = now;
  }

  /** Bytes came, so many of a frame are not complete. Crumbs make a frame no younger; one that got complete does. */
  heard(now: number, { partial, completed }: Arrival): void {
    this.#heardAt = now;
    if (partial === 0 || completed) this.#frameSince = undefined;
    if (partial > 0) this.#frameSince ??= now;
    this.partial = partial;
  }

  /** Why it is to be cut. `stalledSince`: since when what waits for it does not leave. */
  fault(now: number, stalledSince: number | undefined): Rejection | undefined {
    if (this.#frameSince !== undefined && now - this.#frameSince > limits.frameTimeoutMs) return "slow-sender";
    if (stalledSince !== undefined && now - stalledSince > limits.readTimeoutMs) return "slow-reader";
    return now - this.#heardAt > limits.clientIdleMs ? "idle" : undefined;
  }
}
