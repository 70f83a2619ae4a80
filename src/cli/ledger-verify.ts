// `sharper ledger verify`: the offline audit of any number of nodes' data, with a progress line on a terminal and one
// line for everything that is off.

import { ed25519Verifier } from "../crypto/signature.js";
import { replayer } from "../execution/replay.js";
import { type AuditProgress, type AuditReport, auditLedgers } from "../ledger/audit.js";
import type { Finding } from "../ledger/findings.js";
import { openLedgers } from "./ledger-data.js";
import { type CommonOptions, ExitCode, printJson, printLine } from "./output.js";

export interface VerifyOptions extends CommonOptions {
  readonly data: readonly string[];
  readonly topology?: string | undefined;
  readonly strict?: boolean | undefined;
}

/** Findings printed for people; programs get all. */
const PRINTED_FINDINGS = 50;
const PROGRESS_AFTER_MS = 1000;
const PROGRESS_EVERY_MS = 200;

export async function verify(options: VerifyOptions): Promise<ExitCode> {
  const report = await verifyLedgers(options);
  if (options.json === true) printJson(toDocument(report));
  else printReport(report);
  return report.findings.length === 0 ? ExitCode.ok : ExitCode.checkFailed;
}

/** The audit itself, for other commands. */
export async function verifyLedgers({ data, topology: file, strict = false }: VerifyOptions): Promise<AuditReport> {
  const { topology, members, nodes, close } = await openLedgers(data, file);
  const progress = progressLine();
  try {
    return await auditLedgers({
      topology,
      verifier: ed25519Verifier,
      nodes,
      strict,
      replayer: (cluster) => replayer(topology, members, cluster),
      onProgress: progress.show,
    });
  } finally {
    progress.clear();
    await close();
  }
}

/** "cluster 2, node c2n1, height 17: wrong-results: ...". */
export function showFinding({ cluster, node, height, code, reason }: Finding): string {
  const places = [
    cluster === undefined ? "network" : `cluster ${cluster}`,
    node === undefined ? "" : `node ${node}`,
    height === undefined ? "" : `height ${height}`,
  ];
  return `${places.filter((place) => place !== "").join(", ")}: ${code}: ${reason}`;
}

function printReport(report: AuditReport): void {
  const { findings, nodes, records, crossBlocks, notYetThere, absent, supply } = report;
  for (const finding of findings.slice(0, PRINTED_FINDINGS)) printLine(showFinding(finding));
  if (findings.length > PRINTED_FINDINGS) printLine(`... and ${findings.length - PRINTED_FINDINGS} more; see --json`);
  for (const { node, height, behind, lacking } of nodes) {
    if (behind > 0)
      printLine(`node ${node} is behind: it ends at height ${height}, ${behind} records before its cluster`);
    if (lacking > 0) printLine(`node ${node} took a state and has yet to fetch ${lacking} older records`);
  }
  if (notYetThere > 0) printLine(`${notYetThere} cross-shard blocks have not reached a view that ends before them`);
  const money = supply === undefined ? `supply not counted, clusters ${absent.join(", ")} absent` : `supply ${supply}`;
  printLine(`${nodes.length} nodes, ${records} records, ${crossBlocks} cross-shard blocks, ${money}`);
  printLine(findings.length === 0 ? "CONSISTENT" : `INCONSISTENT: ${findings.length} findings`);
}

function toDocument(report: AuditReport): object {
  return { verdict: report.findings.length === 0 ? "CONSISTENT" : "INCONSISTENT", ...report };
}

interface ProgressLine {
  show(progress: AuditProgress): void;
  clear(): void;
}

/** On a terminal only, and only when there is time to read it. */
function progressLine(): ProgressLine {
  if (!process.stderr.isTTY) return { show: () => undefined, clear: () => undefined };
  let next = performance.now() + PROGRESS_AFTER_MS;
  let shown = false;
  return {
    show({ cluster, records, requests }) {
      const now = performance.now();
      if (now < next) return;
      next = now + PROGRESS_EVERY_MS;
      shown = true;
      process.stderr.write(`\r\x1b[Kverifying cluster ${cluster}: ${records} records, ${requests} requests`);
    },
    clear() {
      if (shown) process.stderr.write("\r\x1b[K");
    },
  };
}
