// The tables with which a chaos run ends.

import type { FaultOutcome } from "./chaos-faults.js";
import type { ChaosResult, Verdict } from "./chaos-run.js";
import type { Row } from "./output.js";

/** Faults by kind; damages by what was damaged. */
export function faultRows(outcomes: readonly FaultOutcome[]): readonly Row[] {
  const kinds = Map.groupBy(outcomes, ({ fault }) =>
    fault.kind === "damage" ? `damage (${fault.damage})` : fault.kind,
  );
  return [...kinds].sort(byName).map(([fault, those]) => ({
    fault,
    times: those.length,
    "of a primary": those.filter((each) => "victim" in each.fault && each.fault.victim.by === "primary").length,
    "seconds in all": Math.round(those.reduce((sum, each) => sum + each.fault.forMs, 0) / 1000),
  }));
}

export function outcomeRow({ history, unknown, staleness, records, sequences }: ChaosResult): Row {
  const told = history.writes.map((write) => write.told);
  const recorded = told.flatMap((each) => (each.kind === "recorded" ? [each] : []));
  const applied = recorded.filter(({ results }) => results.includes("ok")).length;
  return {
    acknowledged: applied,
    "rejected, recorded": recorded.length - applied,
    refused: told.filter(({ kind }) => kind === "refused").length,
    "unknown at first": unknown,
    "unknown still": told.filter(({ kind }) => kind === "unknown").length,
    reads: history.reads.filter(({ answers }) => answers.length > 0).length,
    "reads behind others": staleness.staleReads,
    "by at most (s)": Math.round(staleness.staleMaxMs / 100) / 10,
    records,
    "sums checked": sequences,
  };
}

export function outageRows({ outages }: ChaosResult): readonly Row[] {
  return [...outages].map(([cluster, longestMs]) => ({
    cluster,
    "longest without an acknowledgement (s)": Math.round(longestMs / 100) / 10,
  }));
}

export function verdictRows(verdicts: readonly Verdict[]): readonly Row[] {
  return verdicts.map(({ name, problems }) => ({ check: name, violations: problems.length }));
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
