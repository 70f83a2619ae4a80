// A disk that has become slow: nothing is said before it is durable, so its node is as slow as the disk, and looks to
// others like one that is about to fail. A write that is still under way when its time is over is counted and told of
// in the log, once in a while, also if it never ends.

import { limits } from "../types/limits.js";
import type { NodeLog } from "./log.js";

export interface DiskWatchOptions {
  readonly log: Pick<NodeLog, "warn">;
  /** Called once for each slow write, when its time is over. */
  readonly onSlow: () => void;
  readonly slowMs?: number;
}

export class DiskWatch {
  readonly #options: DiskWatchOptions;
  readonly #slowMs: number;
  /** Slow writes since the log was told of one. */
  #untold = 0;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(options: DiskWatchOptions) {
    this.#options = options;
    this.#slowMs = options.slowMs ?? limits.writeSlowMs;
  }

  /** Waits for a write, and ends as it does. */
  async over(write: Promise<void>): Promise<void> {
    let isDone = false;
    const judge = (): void => {
      if (!isDone) this.#onSlow();
    };
    // A process that stood still itself finds its timer due and the write done: it looks at its news before it judges.
    const timer = setTimeout(() => setImmediate(judge), this.#slowMs);
    try {
      await write;
    } finally {
      isDone = true;
      clearTimeout(timer);
    }
  }

  #onSlow(): void {
    this.#options.onSlow();
    this.#untold++;
    const now = performance.now();
    if (now - this.#toldAt < limits.writeSlowToldEveryMs) return;
    const told = { slow_writes: this.#untold, longer_than_ms: this.#slowMs };
    this.#options.log.warn(told, "the disk is slow, and the node says nothing before it has written it");
    this.#toldAt = now;
    this.#untold = 0;
  }
}
