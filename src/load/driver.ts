// Runs a load against a network. Closed loop: so many sessions, each starting its next request when the last has ended,
// which finds the highest throughput. Open loop: requests start at a given rate whatever the answers do, and latency
// counts from the intended start, so that a stalled network cannot hide behind requests that were never made. When the
// time is over nothing new is started, and what is in flight ends, each request by its own deadline.

import type { Client } from "../client/sdk.js";
import type { Time } from "../client/time.js";
import { type Ending, type Measurement, Meter, type MeterProgress } from "./meter.js";
import type { Workload } from "./workload.js";

export interface LoadClient {
  readonly client: Pick<Client, "submitWith">;
  readonly workload: Workload;
}

export interface LoadOptions {
  readonly clients: readonly LoadClient[];
  readonly mode:
    | { readonly kind: "closed"; readonly sessions: number }
    | { readonly kind: "open"; readonly requestsPerSecond: number };
  readonly warmupMs: number;
  /** After the warm-up. */
  readonly durationMs: number;
  /** Of each request. */
  readonly deadlineMs: number;
  readonly time: Time;
  /** Ends the load early; it is drained and reported all the same. */
  readonly signal?: AbortSignal;
  /** Hears of every request that has ended, when it has. */
  readonly onEnding?: ((ending: Ending) => void) | undefined;
}

export interface LoadResult extends Measurement {
  readonly interrupted: boolean;
  /** Open loop: requests whose start was due and which never got their turn. */
  readonly neverStarted: number;
}

export interface LoadProgress extends MeterProgress {
  readonly elapsedMs: number;
  readonly inFlight: number;
}

export interface RunningLoad {
  readonly result: Promise<LoadResult>;
  progress(): LoadProgress;
}

const PACE_MS = 2; // how often the open loop looks what is due
const OPEN_IN_FLIGHT_MAX = 50_000; // over it requests wait for their turn, uncounted memory never grows

export function startLoad(options: LoadOptions): RunningLoad {
  return new Driver(options);
}

class Driver implements RunningLoad {
  readonly result: Promise<LoadResult>;
  readonly #options: LoadOptions;
  readonly #meter: Meter;
  readonly #startedAt: number;
  readonly #end: (result: LoadResult) => void;
  readonly #timers: (() => void)[] = [];
  #started = 0;
  #inFlight = 0;
  #stoppedMs: number | undefined;
  #interrupted = false;

  constructor(options: LoadOptions) {
    const { mode, warmupMs, durationMs, time, signal } = options;
    const { promise, resolve } = Promise.withResolvers<LoadResult>();
    this.result = promise;
    this.#end = resolve;
    this.#options = options;
    this.#meter = new Meter({ warmupMs });
    this.#startedAt = time.elapsed();
    this.#timers.push(time.every(warmupMs + durationMs, () => this.#stop(false)));
    if (signal?.aborted === true) {
      this.#stop(true);
      return;
    }
    signal?.addEventListener("abort", () => this.#stop(true), { once: true });
    if (mode.kind === "closed") {
      for (let session = 0; session < mode.sessions; session++) this.#runSession(session);
    } else {
      this.#timers.push(time.every(PACE_MS, () => this.#startDue(mode.requestsPerSecond)));
    }
  }

  progress(): LoadProgress {
    const elapsedMs = this.#elapsedMs();
    return { ...this.#meter.progress(elapsedMs), elapsedMs, inFlight: this.#inFlight };
  }

  #runSession(session: number): void {
    if (this.#stoppedMs !== undefined) return;
    this.#start(session, this.#elapsedMs(), () => this.#runSession(session));
  }

  #startDue(requestsPerSecond: number): void {
    const due = this.#dueAt(this.#elapsedMs(), requestsPerSecond);
    while (this.#started < due && this.#inFlight < OPEN_IN_FLIGHT_MAX) {
      this.#start(this.#started, (this.#started * 1000) / requestsPerSecond, () => undefined);
    }
  }

  #start(turn: number, startedMs: number, then: () => void): void {
    const { clients, deadlineMs } = this.#options;
    const { client, workload } = clients[turn % clients.length] as LoadClient;
    const { operations, cross } = workload();
    this.#started++;
    this.#inFlight++;
    client.submitWith({ operations, deadlineMs }, (outcome) => {
      this.#inFlight--;
      const endedMs = this.#elapsedMs();
      const late = this.#stoppedMs !== undefined;
      const ending: Ending = { outcome, cross, transfers: operations.length, startedMs, endedMs };
      this.#meter.onEnding(ending, late);
      this.#options.onEnding?.(ending);
      then();
      this.#endIfDrained();
    });
  }

  #stop(interrupted: boolean): void {
    if (this.#stoppedMs !== undefined) return;
    const { mode } = this.#options;
    if (mode.kind === "open") this.#startDue(mode.requestsPerSecond);
    this.#stoppedMs = this.#elapsedMs();
    this.#interrupted = interrupted;
    for (const cancel of this.#timers) cancel();
    this.#endIfDrained();
  }

  #endIfDrained(): void {
    if (this.#stoppedMs === undefined || this.#inFlight > 0) return;
    const { mode } = this.#options;
    const due = mode.kind === "open" ? this.#dueAt(this.#stoppedMs, mode.requestsPerSecond) : this.#started;
    this.#end({
      ...this.#meter.finish({ endMs: this.#stoppedMs, nowMs: this.#elapsedMs() }),
      interrupted: this.#interrupted,
      neverStarted: Math.max(0, due - this.#started),
    });
  }

  #dueAt(elapsedMs: number, requestsPerSecond: number): number {
    return Math.floor((elapsedMs * requestsPerSecond) / 1000);
  }

  #elapsedMs(): number {
    return this.#options.time.elapsed() - this.#startedAt;
  }
}
