// What a client knows of one cluster: its view and so its primary, how quickly it answers, and up to which record it
// has been told results. A view is believed when at least one correct node must have reached it, so lying nodes cannot
// send the client to a primary of their choice.

import { primaryOf, witnessesOf } from "../cluster/quorum.js";
import type { NodeIndex, View } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { ClusterInfo, NodeInfo } from "../types/topology.js";

const SLOW_FACTOR = 4; // an attempt waits for so many usual latencies before it is taken for lost
const SMOOTHING = 0.05; // of the usual latency: follows a change within some tens of answers

export class Home {
  readonly info: ClusterInfo;
  readonly #attemptMs: number;
  readonly #reported: View[];
  #view: View = 0;
  #height = 0;
  #usualMs = 0;

  constructor(info: ClusterInfo, attemptMs: number) {
    this.info = info;
    this.#attemptMs = attemptMs;
    this.#reported = info.nodes.map(() => 0);
  }

  get primary(): NodeInfo {
    return this.info.nodes[primaryOf(this.info, this.#view)] as NodeInfo;
  }

  /** The highest record whose results or balances this client was told: reads show no older state. */
  get height(): number {
    return this.#height;
  }

  /** How long the first attempt waits for answers: longer where answers are slow, so that load is not multiplied. */
  get attemptMs(): number {
    return Math.min(Math.max(this.#attemptMs, SLOW_FACTOR * this.#usualMs), SLOW_FACTOR * this.#attemptMs);
  }

  /** How long attempt `count` (from 1) waits. */
  attemptTimeoutMs(count: number): number {
    return Math.min(this.attemptMs * 2 ** (count - 1), limits.timeoutMaxMs);
  }

  onView(node: NodeIndex, view: View): void {
    if ((this.#reported[node] ?? view) >= view) return;
    this.#reported[node] = view;
    const descending = [...this.#reported].sort((a, b) => b - a);
    this.#view = descending[witnessesOf(this.info) - 1] ?? this.#view;
  }

  /** So many nodes stood at this record, or beyond, that one of them is correct. */
  onRead(height: number): void {
    this.#height = Math.max(this.#height, height);
  }

  onExecuted({ height, latencyMs }: { readonly height: number; readonly latencyMs: number }): void {
    this.#height = Math.max(this.#height, height);
    this.#usualMs += (latencyMs - this.#usualMs) * SMOOTHING;
  }
}
