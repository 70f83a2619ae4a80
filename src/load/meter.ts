// Measures a load: latencies in HDR histograms (intra- and cross-shard apart), endings by code, and a time series. The
// warm-up counts for nothing but correctness: throughput and latencies are of the measured span alone, endings are
// those of the whole run, since a failure is one whenever it happens. Times are milliseconds since the run's start.

import type { Outcome } from "../client/sdk.js";
import { Latencies, type LatencySummary } from "./latencies.js";

/** One request that has ended. */
export interface Ending {
  readonly outcome: Outcome;
  readonly cross: boolean;
  readonly transfers: number;
  /** When it was started; in an open loop when it should have been, so that waiting for one's turn counts. */
  readonly startedMs: number;
  readonly endedMs: number;
}

export interface SeriesPoint {
  /** From the run's start, warm-up included. */
  readonly second: number;
  readonly transfers: number;
  readonly requests: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface Measurement {
  readonly measuredMs: number;
  /** Applied transfers that ended in the measured span, each second. */
  readonly transfersPerSecond: number;
  readonly requestsPerSecond: number;
  readonly intra: LatencySummary;
  readonly cross: LatencySummary;
  readonly series: readonly SeriesPoint[];
  /** Transfers of the whole run by how they ended: result and refusal codes, "unknown", "unavailable". */
  readonly endings: Readonly<Record<string, number>>;
  readonly failedOtherThanByFunds: number;
}

export interface MeterProgress {
  /** Of the last full second. */
  readonly transfersPerSecond: number;
  readonly p99Ms: number;
  readonly applied: number;
  readonly failed: number;
}

const SERIES_MAX = 86_400; // a day of seconds; then only the totals go on
/** Endings that say nothing about the network's ability. */
const expected: ReadonlySet<string> = new Set(["ok", "insufficient-funds"]);

export class Meter {
  readonly #warmupMs: number;
  readonly #intra = new Latencies();
  readonly #cross = new Latencies();
  readonly #second = new Latencies();
  readonly #series: SeriesPoint[] = [];
  readonly #endings = new Map<string, number>();
  #current = { transfers: 0, requests: 0, failed: 0 };
  #measured = { transfers: 0, requests: 0 };

  constructor({ warmupMs }: { readonly warmupMs: number }) {
    this.#warmupMs = warmupMs;
  }

  /** Endings of the measured span count for throughput; later ones (`late`) do no longer. */
  onEnding(ending: Ending, late: boolean): void {
    const { outcome, cross, transfers, startedMs, endedMs } = ending;
    this.#closeSeconds(endedMs);
    const applied = this.#count(outcome, transfers);
    this.#current.transfers += applied;
    this.#current.requests++;
    if (endedMs >= this.#warmupMs && !late) {
      this.#measured.transfers += applied;
      this.#measured.requests++;
    }
    if (!wasExecuted(outcome)) return;
    const latencyMs = endedMs - startedMs;
    this.#second.record(latencyMs);
    if (startedMs >= this.#warmupMs) (cross ? this.#cross : this.#intra).record(latencyMs);
  }

  progress(nowMs: number): MeterProgress {
    this.#closeSeconds(nowMs);
    const last = this.#series.at(-1);
    return {
      transfersPerSecond: last?.transfers ?? 0,
      p99Ms: last?.p99Ms ?? 0,
      applied: this.#endings.get("ok") ?? 0,
      failed: this.#failed(),
    };
  }

  /** `endMs`: when the load was stopped, the end of the measured span; `nowMs`: when the last request had ended. */
  finish({ endMs, nowMs }: { readonly endMs: number; readonly nowMs: number }): Measurement {
    this.#closeSeconds((Math.floor(nowMs / 1000) + 1) * 1000);
    const measuredMs = Math.max(0, endMs - this.#warmupMs);
    const perSecond = (count: number) => (measuredMs === 0 ? 0 : (count * 1000) / measuredMs);
    return {
      measuredMs,
      transfersPerSecond: perSecond(this.#measured.transfers),
      requestsPerSecond: perSecond(this.#measured.requests),
      intra: this.#intra.summary(),
      cross: this.#cross.summary(),
      series: this.#series,
      endings: Object.fromEntries([...this.#endings].sort(([a], [b]) => (a < b ? -1 : 1))),
      failedOtherThanByFunds: this.#failed(),
    };
  }

  /** Adds the transfers of a request to the counts by code; returns how many of them were applied. */
  #count(outcome: Outcome, transfers: number): number {
    switch (outcome.outcome) {
      case "committed": {
        let applied = 0;
        for (const code of outcome.results) {
          this.#add(code, 1);
          if (code === "ok") applied++;
        }
        return applied;
      }
      case "rejected":
        this.#add(outcome.code, transfers);
        return 0;
      case "unknown":
        this.#add("unknown", transfers);
        return 0;
    }
  }

  #add(code: string, count: number): void {
    this.#endings.set(code, (this.#endings.get(code) ?? 0) + count);
    if (!expected.has(code)) this.#current.failed += count;
  }

  #failed(): number {
    let failed = 0;
    for (const [code, count] of this.#endings) if (!expected.has(code)) failed += count;
    return failed;
  }

  #closeSeconds(nowMs: number): void {
    const second = Math.min(Math.floor(nowMs / 1000), SERIES_MAX);
    while (this.#series.length < second) {
      const p50Ms = this.#second.percentile(50);
      const p99Ms = this.#second.percentile(99);
      this.#series.push({ second: this.#series.length, ...this.#current, p50Ms, p99Ms });
      this.#current = { transfers: 0, requests: 0, failed: 0 };
      this.#second.reset();
    }
  }
}

function wasExecuted(outcome: Outcome): boolean {
  return outcome.outcome === "committed" || (outcome.outcome === "rejected" && outcome.record !== undefined);
}
