// What a load hears, phase by phase: how much is committed in each, how quickly, and how that compares with the phase
// in which nothing happens, the second one.

import { build, type Histogram } from "hdr-histogram-js";
import type { Ending } from "../load/meter.js";

export interface PhaseRow {
  readonly phase: string;
  readonly seconds: number;
  readonly transfersPerSecond: number;
  /** Of the second phase's transfers per second. */
  readonly share: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

interface Phase {
  readonly name: string;
  readonly startedAt: number;
  endedAt: number;
  committed: number;
  /** In microseconds. */
  readonly latencies: Histogram;
}

const MICROSECONDS = 1000;
const LATENCY_MAX_US = 3_600_000_000;

export class Phases {
  readonly #phases: Phase[] = [];
  readonly #now: () => number;

  constructor(now = () => performance.now()) {
    this.#now = now;
  }

  /** Transfers, in this phase. */
  get committed(): number {
    return this.#phases.at(-1)?.committed ?? 0;
  }

  /** Ends the phase before. */
  begin(name: string): void {
    const startedAt = this.#close();
    const latencies = build({ highestTrackableValue: LATENCY_MAX_US, numberOfSignificantValueDigits: 3 });
    this.#phases.push({ name, startedAt, endedAt: Number.POSITIVE_INFINITY, committed: 0, latencies });
  }

  onEnding({ outcome, transfers, startedMs, endedMs }: Ending): void {
    const phase = this.#phases.at(-1);
    if (phase === undefined || phase.endedAt < this.#now() || outcome.outcome !== "committed") return;
    phase.committed += transfers;
    phase.latencies.recordValue(Math.max(1, Math.round((endedMs - startedMs) * MICROSECONDS)));
  }

  end(): readonly PhaseRow[] {
    this.#close();
    const usual = this.#phases[1];
    return this.#phases.map((phase) => ({
      phase: phase.name,
      seconds: (phase.endedAt - phase.startedAt) / 1000,
      transfersPerSecond: perSecond(phase),
      share: usual === undefined ? Number.NaN : perSecond(phase) / perSecond(usual),
      p50Ms: phase.latencies.getValueAtPercentile(50) / MICROSECONDS,
      p99Ms: phase.latencies.getValueAtPercentile(99) / MICROSECONDS,
    }));
  }

  #close(): number {
    const now = this.#now();
    const last = this.#phases.at(-1);
    if (last !== undefined) last.endedAt = now;
    return now;
  }
}

function perSecond({ committed, startedAt, endedAt }: Phase): number {
  return (committed * 1000) / (endedAt - startedAt);
}
