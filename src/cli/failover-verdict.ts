// What `sharper failover` says of a run: first whether anything is lost, then whether the kill cost more than it may.
// Figures are compared as they were measured, not as they are shown; one that could not be measured is no success.

export interface FailoverAims {
  /** From the kill to the cluster's next commit, at most. */
  readonly maxMs: number;
  /** Share of the other clusters' transfers per second that is left, at least. */
  readonly kept: number;
}

export interface FailoverFigures {
  readonly firstCommitMs: number;
  readonly othersKept: number;
}

export interface FailoverVerdict {
  readonly verdict: "CONSISTENT" | "INCONSISTENT" | "SLOWED";
  /** One line each: what is lost or wrong, then what took too long. */
  readonly problems: readonly string[];
}

export function failoverVerdict(
  findings: readonly string[],
  figures: FailoverFigures,
  aims: FailoverAims,
): FailoverVerdict {
  const slow = missed(figures, aims);
  const verdict = findings.length > 0 ? "INCONSISTENT" : slow.length > 0 ? "SLOWED" : "CONSISTENT";
  return { verdict, problems: [...findings, ...slow] };
}

function missed({ firstCommitMs, othersKept }: FailoverFigures, { maxMs, kept }: FailoverAims): readonly string[] {
  const problems: string[] = [];
  if (!(firstCommitMs <= maxMs)) {
    problems.push(
      `the cluster's first commit came ${Math.round(firstCommitMs)} ms after the kill, at most ${maxMs} ms`,
    );
  }
  if (!(othersKept >= kept)) {
    problems.push(
      `the others keep ${percent(othersKept)} % of their transfers per second, at least ${percent(kept)} %`,
    );
  }
  return problems;
}

function percent(share: number): number {
  return Math.round(share * 1000) / 10;
}
