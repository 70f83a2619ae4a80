// What the primary proposes at the end of a turn: blocks of waiting requests as far as the window and the pipeline
// allow, and whatever moves the clock of its log past a known final sequence, if need be a no-op (protocol 2, 3.3).

import { makeBlock } from "../cluster/block.js";
import type { Coordinator } from "../cross/coordinator.js";
import type { Batcher } from "../intra/batch.js";
import type { Block, Request } from "../types/block.js";
import type { ClusterId } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { Now } from "./replica.js";

export interface ProposerOptions {
  readonly coordinator: Coordinator;
  readonly batcher: Batcher;
  readonly noOp: Block;
}

export class Proposer {
  readonly #options: ProposerOptions;

  constructor(options: ProposerOptions) {
    this.#options = options;
  }

  /** Proposes one block; false when there is none to propose now. */
  proposeNext(now: Now): boolean {
    const { coordinator, batcher, noOp } = this.#options;
    const { engine } = coordinator;
    if (!engine.isPrimary) return false;
    const ready = engine.hasRoom ? batcher.next() : undefined;
    if (ready !== undefined) return this.#propose(now, ready);
    if (!coordinator.isClockBehind) return false;
    // Requests that wait for the pipeline move the clock as well as a no-op does.
    const before = engine.lastSequence;
    if (!engine.hasRoom || !this.#propose(now, noOp.clusters)) coordinator.propose(noOp);
    // The log may be at its end (slotsAheadMax): then the clock has to wait for a checkpoint.
    return engine.lastSequence > before;
  }

  #propose(now: Now, clusters: readonly ClusterId[]): boolean {
    const { coordinator, batcher } = this.#options;
    const requests = batcher.take(clusters);
    if (requests.length === 0) return false;
    const block = makeBlock({ clusters, time: blockTime(now, requests), requests });
    // After a restart the batcher does not know what is under way: the log may hold this very block.
    if (coordinator.engine.entryOf(block.digest) !== undefined) return true;
    batcher.proposed(block.digest, clusters, requests);
    coordinator.propose(block);
    return true;
  }
}

/** The primary's clock, but never so far back that a request it took in is valid for too long. */
function blockTime(now: Now, requests: readonly Request[]): number {
  return requests.reduce((time, { validUntil }) => Math.max(time, validUntil - limits.requestLifetimeMs), now.time);
}
