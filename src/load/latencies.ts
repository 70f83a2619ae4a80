// Latencies in HDR histograms: three digits, from a microsecond to an hour.

import { build, type Histogram } from "hdr-histogram-js";

export interface LatencySummary {
  readonly count: number;
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

const MICROSECONDS = 1000;
const LATENCY_MAX_US = 3_600_000_000; // an hour; longer ones count as that

export class Latencies {
  readonly #histogram: Histogram = build({
    bitBucketSize: 32,
    numberOfSignificantValueDigits: 3,
    highestTrackableValue: LATENCY_MAX_US,
  });

  record(ms: number): void {
    this.#histogram.recordValue(Math.min(Math.max(1, Math.round(ms * MICROSECONDS)), LATENCY_MAX_US));
  }

  /** Of so many percent the latency is at most this, ms. */
  percentile(percent: number): number {
    return this.#histogram.getValueAtPercentile(percent) / MICROSECONDS;
  }

  summary(): LatencySummary {
    const { totalCount, mean, maxValue } = this.#histogram;
    return {
      count: totalCount,
      meanMs: totalCount === 0 ? 0 : mean / MICROSECONDS,
      p50Ms: this.percentile(50),
      p95Ms: this.percentile(95),
      p99Ms: this.percentile(99),
      p999Ms: this.percentile(99.9),
      maxMs: maxValue / MICROSECONDS,
    };
  }

  reset(): void {
    this.#histogram.reset();
  }
}
