// The demo's one table: what the clients measured, what the nodes counted, what the ledgers hold.

import type { AuditReport } from "../ledger/audit.js";
import type { LatencySummary } from "../load/latencies.js";
import type { LoadReport } from "../load/report.js";
import type { NodeStatus } from "../node/status.js";
import type { Row } from "./output.js";

export interface DemoFigures {
  readonly load: LoadReport;
  readonly audit: AuditReport;
  readonly statuses: readonly NodeStatus[];
}

export function demoRows({ load, audit, statuses }: DemoFigures): readonly Row[] {
  const { result } = load;
  const blocks = (kind: string) => sum(primaries(statuses), `sharper_recorded_total{${kind}}`);
  const proposed = sum(statuses, "sharper_proposed_total{no-op}");
  const memory = statuses.map(({ residentBytes }) => residentBytes / 2 ** 20);
  return [
    { measure: "transfers/s", intra: "", cross: "", all: Math.round(result.transfersPerSecond) },
    ...latencyRows(result.intra, result.cross),
    {
      measure: "blocks",
      intra: blocks("intra"),
      cross: audit.crossBlocks,
      all: blocks("intra") + audit.crossBlocks,
    },
    { measure: "clock no-ops", intra: proposed, cross: "", all: proposed },
    {
      measure: "super-proposes (on conflict)",
      intra: "",
      cross: `${superProposes(statuses)} (${sum(statuses, "sharper_super_proposed_total{conflict}")})`,
      all: "",
    },
    { measure: "failed other than by funds", intra: "", cross: "", all: result.failedOtherThanByFunds },
    { measure: "memory per node, mean MB", intra: "", cross: "", all: Math.round(mean(memory)) },
    { measure: "memory per node, largest MB", intra: "", cross: "", all: Math.round(Math.max(0, ...memory)) },
  ];
}

function latencyRows(intra: LatencySummary, cross: LatencySummary): readonly Row[] {
  const row = (name: string, of: (summary: LatencySummary) => number): Row => ({
    measure: `latency ${name}, ms`,
    intra: show(intra, of),
    cross: show(cross, of),
    all: "",
  });
  return [row("p50", ({ p50Ms }) => p50Ms), row("p95", ({ p95Ms }) => p95Ms), row("p99", ({ p99Ms }) => p99Ms)];
}

function show(summary: LatencySummary, of: (summary: LatencySummary) => number): string {
  return summary.count === 0 ? "-" : of(summary).toFixed(1);
}

function primaries(statuses: readonly NodeStatus[]): readonly NodeStatus[] {
  return statuses.filter(({ primary }) => primary);
}

function superProposes(statuses: readonly NodeStatus[]): number {
  return (
    sum(statuses, "sharper_super_proposed_total{chosen}") + sum(statuses, "sharper_super_proposed_total{conflict}")
  );
}

function sum(statuses: readonly NodeStatus[], name: string): number {
  return statuses.reduce((total, { metrics }) => total + (metrics[name] ?? 0), 0);
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((total, value) => total + value, 0) / values.length;
}
