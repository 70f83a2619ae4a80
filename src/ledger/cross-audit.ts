// What must hold between the views of different clusters (protocol 7, 10: I3, I4, I5): a cross-shard block is the same
// in all its views and missing from none that has gone past it, its results follow from the verdicts of all its
// validators, the united graph has no cycle, and money is neither made nor lost at any sequence.

import { resultCode, resultNumber } from "../types/codes.js";
import type { ClusterId, Sequence } from "../types/ids.js";
import { clusterOf, showSequence } from "../types/ids.js";
import type { Fault, Finding, SoundView, ViewEntry } from "./findings.js";
import { findCycle, unite, type Vertex } from "./union.js";

export interface CrossAuditOptions {
  /** One view of each cluster that is looked at, ascending by cluster. */
  readonly views: readonly SoundView[];
  readonly cuts: readonly Sequence[];
  /** The sum of all genesis balances; undefined when clusters are absent, whose money cannot be counted. */
  readonly supply: bigint | undefined;
  /** The network is stopped and quiet: every block must be in all its views. */
  readonly strict: boolean;
  readonly report: (finding: Finding) => void;
}

export interface CrossAudit {
  readonly crossBlocks: number;
  /** Cross-shard blocks that a view which ends before them does not have yet. */
  readonly notYetThere: number;
}

export function auditCross(options: CrossAuditOptions): CrossAudit {
  const { views, report } = options;
  const dag = unite(views);
  const crossing = [...dag.values()].filter(isCross);
  const behind = crossing.flatMap((vertex) => auditCrossBlock(vertex, options));
  const cycle = findCycle(dag);
  if (cycle !== undefined) {
    const around = cycle.map((digest) => digest.slice(0, 12)).join(" -> ");
    report({ ...NETWORK, code: "cycle", reason: `blocks follow each other in a circle: ${around}` });
  }
  auditSupply(behind, options);
  return { crossBlocks: crossing.length, notYetThere: behind.length };
}

const NETWORK = { cluster: undefined, node: undefined, height: undefined } as const;

interface Behind {
  readonly finalSequence: Sequence;
  /** What the view will gain or lose when it gets there. */
  readonly change: bigint;
}

function isCross(vertex: Vertex<ViewEntry>): boolean {
  return firstRecord(vertex)[1].sequences.length > 1;
}

function firstRecord({ records }: Vertex<ViewEntry>): readonly [ClusterId, ViewEntry] {
  return [...records][0] as [ClusterId, ViewEntry];
}

/** Judges one block over all views and returns the views that have yet to reach it. */
function auditCrossBlock(vertex: Vertex<ViewEntry>, { views, strict, report }: CrossAuditOptions): readonly Behind[] {
  const [firstCluster, first] = firstRecord(vertex);
  for (const [cluster, entry] of vertex.records) {
    const difference = differenceOf(entry, first);
    if (difference === undefined) continue;
    const reason = `block ${vertex.digest.slice(0, 12)} has other ${difference} than in cluster ${firstCluster}`;
    report({ cluster, node: nodeOf(views, cluster), height: entry.height, code: "cross-mismatch", reason });
  }
  const wrong = judgeVerdicts(vertex, first);
  if (wrong !== undefined) {
    report({ cluster: firstCluster, node: nodeOf(views, firstCluster), height: first.height, ...wrong });
  }
  const behind: Behind[] = [];
  for (const cluster of first.sequences.map(clusterOf)) {
    const view = views.find((each) => each.cluster === cluster);
    if (view === undefined || vertex.records.has(cluster)) continue;
    const last = view.entries.at(-1)?.finalSequence ?? 0;
    if (strict || last > first.finalSequence) {
      const after = view.entries.findLast(({ finalSequence }) => finalSequence < first.finalSequence)?.height ?? 0;
      const where = `record ${first.height} of cluster ${firstCluster}`;
      const reason = `block ${vertex.digest.slice(0, 12)} (${showSequence(first.finalSequence)}, ${where}) is missing`;
      report({ cluster, node: view.node, height: after + 1, code: "cross-missing", reason });
    }
    behind.push({ finalSequence: first.finalSequence, change: first.changes?.get(cluster) ?? 0n });
  }
  return behind;
}

function nodeOf(views: readonly SoundView[], cluster: ClusterId): string | undefined {
  return views.find((view) => view.cluster === cluster)?.node;
}

function differenceOf(a: ViewEntry, b: ViewEntry): string | undefined {
  if (a.finalSequence !== b.finalSequence) return "final sequence";
  if (a.sequences.some((sequence, i) => sequence !== b.sequences[i])) return "sequences";
  return Buffer.compare(a.results, b.results) === 0 ? undefined : "results";
}

/** A transfer applies if and only if all validators say ok; else the lowest failing cluster's code is the result. */
function judgeVerdicts({ records }: Vertex<ViewEntry>, { results, sequences }: ViewEntry): Fault | undefined {
  const verdicts: Uint8Array[] = [];
  for (const cluster of sequences.map(clusterOf)) {
    const own = records.get(cluster)?.verdicts;
    if (own === undefined) return undefined;
    verdicts.push(own);
  }
  for (const [i, result] of results.entries()) {
    const expected = verdicts.map((own) => own[i]).find((code) => code !== OK && code !== FOREIGN) ?? OK;
    if (expected === result) continue;
    const right = resultCode(expected);
    const reason = `operation ${i} says ${resultCode(result)}, the verdicts of its clusters give ${right}`;
    return { code: "wrong-results", reason };
  }
  return undefined;
}

const OK = resultNumber("ok");
const FOREIGN = resultNumber("foreign");

/** The blocks with final sequence <= S are a snapshot of all shards (protocol 7); what is under way counts as there. */
function auditSupply(behind: readonly Behind[], { views, cuts, supply, report }: CrossAuditOptions): void {
  if (supply === undefined) return;
  for (const [k, cut] of cuts.entries()) {
    const held = views.reduce((sum, { sums }) => sum + (sums[k] ?? 0n), 0n);
    const underWay = behind.reduce((sum, { finalSequence, change }) => (finalSequence <= cut ? sum + change : sum), 0n);
    if (held + underWay === supply) continue;
    const reason = `at sequence ${showSequence(cut)} all balances sum to ${held + underWay}, the supply is ${supply}`;
    report({ ...NETWORK, code: "supply", reason });
    return;
  }
}
