// How the initiator's primary brings a block to another cluster (paper §6.3.2, §6.3.3; protocol 3.2): flattened, to all
// of its nodes, which place it without waiting; or by super-propose, to its primary. Flattened saves a hop and loses it
// twice when accepts collide; adaptive measures, per pair of clusters, which share of blocks collided.

import type { ClusterId } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { Dissemination } from "../types/topology.js";

export type Way = "flattened" | "super-propose";

/** Above this share of collisions a pair changes to super-propose; below half of it, back (hysteresis). */
const CONFLICT_SHARE = 0.1;
/** Shares over fewer blocks say nothing yet. */
const SAMPLES_MIN = 16;
/** While a pair uses super-propose, one block in so many is sent flattened, to measure. */
const PROBE_EVERY = 16;

interface Pair {
  way: Way;
  /** Of the last flattened blocks: did they collide? Newest last. */
  readonly collided: boolean[];
  sinceProbe: number;
}

export class Disseminator {
  readonly #rule: Dissemination;
  readonly #pairs = new Map<ClusterId, Pair>();

  constructor(rule: Dissemination) {
    this.#rule = rule;
  }

  /** The way for the next block to this cluster. */
  choose(cluster: ClusterId): Way {
    if (this.#rule !== "adaptive") return this.#rule;
    const pair = this.#pair(cluster);
    if (pair.way === "flattened") return "flattened";
    pair.sinceProbe = (pair.sinceProbe + 1) % PROBE_EVERY;
    return pair.sinceProbe === 0 ? "flattened" : "super-propose";
  }

  /** A block that was sent flattened to the cluster was decided there, by round 0 or, after a collision, by round 1. */
  observe(cluster: ClusterId, collided: boolean): void {
    if (this.#rule !== "adaptive") return;
    const pair = this.#pair(cluster);
    pair.collided.push(collided);
    if (pair.collided.length > limits.adaptiveBlocks) pair.collided.shift();
    if (pair.collided.length < SAMPLES_MIN) return;
    const share = pair.collided.filter(Boolean).length / pair.collided.length;
    const way = share >= CONFLICT_SHARE ? "super-propose" : share < CONFLICT_SHARE / 2 ? "flattened" : pair.way;
    if (way === pair.way) return;
    pair.way = way;
    // What was measured under the old way would keep the pair swinging.
    pair.collided.length = 0;
  }

  #pair(cluster: ClusterId): Pair {
    let pair = this.#pairs.get(cluster);
    if (pair === undefined) {
      pair = { way: "flattened", collided: [], sinceProbe: 0 };
      this.#pairs.set(cluster, pair);
    }
    return pair;
  }
}
