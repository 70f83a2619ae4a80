// What `sharper crashes` may say of its runs: a boundary counts as tried only if its run came back and one node died
// in it, at the very place that the undisturbed run has under that number.

import type { CrashOutcome } from "./crashes-worker.js";

export interface CrashTask {
  readonly kind: string;
  readonly blocks: number;
  readonly boundary: number;
}

export interface Part {
  readonly from: number;
  /** Included. */
  readonly to: number;
  readonly every: number;
}

export interface CrashTally {
  readonly kind: string;
  readonly boundaries: number;
  /** How many of them were asked for. */
  readonly asked: number;
  readonly tried: number;
  readonly failed: number;
  /** Of those that were asked for, the first that was not tried. */
  readonly missing: number | undefined;
  readonly failures: readonly CrashFailure[];
}

export interface CrashFailure {
  readonly boundary: number;
  readonly place: string;
  readonly verdict: string;
  readonly reasons: readonly string[];
}

export function asked({ from, to, every }: Part): readonly number[] {
  return Array.from({ length: Math.ceil((to - from + 1) / every) }, (_, i) => from + i * every);
}

export function tallyOf(options: {
  readonly kind: string;
  /** Of the undisturbed run. */
  readonly places: readonly string[];
  readonly part: Part;
  readonly outcomes: readonly CrashOutcome[];
}): CrashTally {
  const { kind, places, part, outcomes } = options;
  const byBoundary = new Map(outcomes.map((outcome) => [outcome.boundary, outcome]));
  const wanted = asked(part);
  const isTried = (boundary: number) => {
    const crashes = byBoundary.get(boundary)?.crashes;
    return crashes?.length === 1 && crashes[0] === places[boundary];
  };
  const failures = wanted.flatMap((boundary) => {
    const outcome = byBoundary.get(boundary);
    if (outcome === undefined || (isTried(boundary) && outcome.verdict === "PASS")) return [];
    return [failureOf(outcome, places[boundary] as string, isTried(boundary))];
  });
  return {
    kind,
    boundaries: places.length,
    asked: wanted.length,
    tried: wanted.filter(isTried).length,
    failed: failures.length,
    missing: wanted.find((boundary) => !isTried(boundary)),
    failures,
  };
}

function failureOf({ boundary, crashes, verdict, reasons }: CrashOutcome, place: string, isTried: boolean) {
  const elsewhere = isTried ? [] : [`nobody died there alone, but: ${crashes.join(", ") || "nobody"}`];
  return { boundary, place, verdict, reasons: [...elsewhere, ...reasons] };
}

/** Nothing failed, and all that were asked for were tried. */
export function isClean({ asked: wanted, tried, failed }: CrashTally): boolean {
  return failed === 0 && tried === wanted;
}
