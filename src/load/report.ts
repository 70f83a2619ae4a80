// A load's result in words and in numbers: rows for a table and the document for programs. What was measured is
// meter.ts's concern; here it is only laid out. Latencies are in milliseconds, rates in pieces per second.

import type { LoadProgress, LoadResult } from "./driver.js";
import type { LatencySummary } from "./latencies.js";

/** What the run was asked to do, as it is kept beside the numbers. */
export interface LoadConfig {
  readonly network: string;
  readonly clusters: readonly string[];
  readonly clients: number;
  readonly keys: number;
  readonly durationSeconds: number;
  readonly warmupSeconds: number;
  readonly cross: number;
  readonly shardsPerCross: number;
  readonly debitsPerCross: number;
  readonly skew: number;
  readonly batch: number;
  /** Requests per second; null: closed loop. */
  readonly rate: number | null;
  readonly seed: number;
}

export interface LoadReport {
  readonly startedAt: string;
  readonly config: LoadConfig;
  readonly result: LoadResult;
}

type Row = Readonly<Record<string, string | number>>;

export interface LoadTables {
  readonly throughput: readonly Row[];
  readonly latency: readonly Row[];
  readonly endings: readonly Row[];
}

export function tablesOf({ config, result }: LoadReport): LoadTables {
  return {
    throughput: [
      { measure: "transfers/s", value: Math.round(result.transfersPerSecond) },
      { measure: "requests/s", value: Math.round(result.requestsPerSecond) },
      { measure: "measured s", value: round(result.measuredMs / 1000, 1) },
      { measure: "failed other than by funds", value: result.failedOtherThanByFunds },
      ...(config.rate === null ? [] : [{ measure: "never started", value: result.neverStarted }]),
    ],
    latency: [latencyRow("intra", result.intra), latencyRow("cross", result.cross)].filter(
      ({ requests }) => requests > 0,
    ),
    endings: Object.entries(result.endings).map(([ending, transfers]) => ({ ending, transfers })),
  };
}

/** One line while the load runs. */
export function progressLine({ elapsedMs, transfersPerSecond, inFlight, p99Ms, failed }: LoadProgress): string {
  const seconds = (elapsedMs / 1000).toFixed(0).padStart(3);
  const latency = `p99 ${p99Ms.toFixed(1)} ms`;
  return `${seconds} s  ${transfersPerSecond} transfers/s  ${inFlight} in flight  ${latency}  ${failed} failed`;
}

function latencyRow(shards: string, latency: LatencySummary) {
  return {
    shards,
    requests: latency.count,
    "p50 ms": round(latency.p50Ms, 2),
    "p95 ms": round(latency.p95Ms, 2),
    "p99 ms": round(latency.p99Ms, 2),
    "p99.9 ms": round(latency.p999Ms, 2),
    "max ms": round(latency.maxMs, 2),
  };
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
