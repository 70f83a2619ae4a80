// What a load hears, phase by phase: how much is committed in each, how quickly, and how that compares with the phase
// in which nothing happens, the second one.

import { Latencies } from "../load/latencies.js";
import type { Ending } from "../load/meter.js";

export interface PhaseRow {
  readonly phase: string;
  readonly seconds: number;
  readonly transfersPerSecond: number;
  /** Of the second phase's transfers per second. */
  readonly share: number;
  /** Transfers of the phase's slowest whole second: what an average hides. */
  readonly slowest: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

interface Phase {
  readonly name: string;
  readonly startedAt: number;
  endedAt: number;
  committed: number;
  /** By second of the phase. */
  readonly seconds: number[];
  readonly latencies: Latencies;
}

export class Phases {
  readonly #phases: Phase[] = [];
  readonly #now: () => number;
  #failure: unknown;

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
    const latencies = new Latencies();
    this.#phases.push({ name, startedAt, endedAt: Number.POSITIVE_INFINITY, committed: 0, seconds: [], latencies });
  }

  onEnding({ outcome, transfers, startedMs, endedMs }: Ending): void {
    const phase = this.#phases.at(-1);
    const now = this.#now();
    if (phase === undefined || phase.endedAt < now || outcome.outcome !== "committed") return;
    phase.committed += transfers;
    const second = Math.floor((now - phase.startedAt) / 1000);
    phase.seconds[second] = (phase.seconds[second] ?? 0) + transfers;
    phase.latencies.record(endedMs - startedMs);
  }

  /** The load has ended by itself, which it should not. */
  fail(error: unknown): void {
    this.#failure = error;
  }

  /** Throws what the load ended with. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  end(): readonly PhaseRow[] {
    this.#close();
    const usual = this.#phases[1];
    return this.#phases.map((phase) => ({
      phase: phase.name,
      seconds: (phase.endedAt - phase.startedAt) / 1000,
      transfersPerSecond: perSecond(phase),
      share: usual === undefined ? Number.NaN : perSecond(phase) / perSecond(usual),
      slowest: slowestOf(phase),
      p50Ms: phase.latencies.percentile(50),
      p99Ms: phase.latencies.percentile(99),
    }));
  }

  #close(): number {
    const now = this.#now();
    const last = this.#phases.at(-1);
    if (last !== undefined) last.endedAt = now;
    return now;
  }
}

/** The last second is not whole. */
function slowestOf({ seconds, startedAt, endedAt }: Phase): number {
  const whole = Math.floor((endedAt - startedAt) / 1000);
  return whole === 0 ? Number.NaN : Math.min(...Array.from({ length: whole }, (_, i) => seconds[i] ?? 0));
}

function perSecond({ committed, startedAt, endedAt }: Phase): number {
  return (committed * 1000) / (endedAt - startedAt);
}
