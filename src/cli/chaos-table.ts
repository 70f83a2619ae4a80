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

export function outcomeRows({ history, unknown, staleness, records, sequences }: ChaosResult): readonly Row[] {
  const told = history.writes.map((write) => write.told);
  const recorded = told.flatMap((each) => (each.kind === "recorded" ? [each] : []));
  const applied = recorded.filter(({ results }) => results.includes("ok")).length;
  const still = told.filter(({ kind }) => kind === "unknown").length;
  const values: Readonly<Record<string, number>> = {
    acknowledged: applied,
    "rejected, and recorded so": recorded.length - applied,
    refused: told.filter(({ kind }) => kind === "refused").length,
    "unknown, then resolved": unknown - still,
    "unknown still": still,
    "reads answered": history.reads.filter(({ answers }) => answers.length > 0).length,
    "reads behind another client's": staleness.staleReads,
    "by so many ms at most": Math.round(staleness.staleMaxMs),
    "reads behind the client's own credit from another cluster": staleness.missedOwn,
    records,
    "sequences at which sums were checked": sequences,
  };
  return Object.entries(values).map(([measure, value]) => ({ measure, value }));
}

export function outageRows({ outages }: ChaosResult): readonly Row[] {
  return outages.map(({ cluster, fromMs, forMs }) => ({
    cluster,
    "longest without an acknowledgement (s)": Math.round(forMs / 100) / 10,
    "from (s)": Math.round(fromMs / 100) / 10,
  }));
}

export function verdictRows(verdicts: readonly Verdict[]): readonly Row[] {
  return verdicts.map(({ name, problems }) => ({ check: name, violations: problems.length }));
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
