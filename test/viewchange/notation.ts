// Entries, reports and clusters of the view-change tests, written as short text: "2.1 5:7 X" is block X with counter 7
// in slot 5, of ballot (view 2, round 1); a block called "-" is the no-op.

import { type ClusterId, counterOf, type Digest, type Entry, type Sequence, sequenceOf } from "../../src/types/ids.js";
import type { ClusterInfo, FailureModel, NodeInfo } from "../../src/types/topology.js";
import { type Kept, keep, type Point, type Report } from "../../src/viewchange/keep.js";

export const CLUSTER = 7 as ClusterId;
export const NO_OP = digestOf("-");

export function clusterOf({ model, n, f }: { readonly model: FailureModel; readonly n: number; readonly f: number }) {
  const nodes = Array.from({ length: n }, () => ({}) as NodeInfo);
  return { id: CLUSTER, model, faults: f, nodes } satisfies ClusterInfo;
}

export const crash = (n: number): ClusterInfo => clusterOf({ model: "crash", n, f: Math.floor((n - 1) / 2) });
export const byzantine = (n: number): ClusterInfo => clusterOf({ model: "byzantine", n, f: Math.floor((n - 1) / 3) });

export function digestOf(name: string): Digest {
  return Buffer.from(name.padEnd(32, ".")).toString("hex") as Digest;
}

export function nameOf(digest: Digest): string {
  return Buffer.from(digest, "hex").toString().replace(/\.+$/, "");
}

export function entryOf(text: string): Entry {
  const [ballot = "", place = "", name = ""] = text.split(" ");
  const [view, round] = ballot.split(".").map(Number) as [number, 0 | 1];
  const [slot, counter] = place.split(":").map(Number) as [number, number];
  return { cluster: CLUSTER, view, round, slot, sequence: sequenceOf(counter, CLUSTER), digest: digestOf(name) };
}

export function show({ view, round, slot, sequence, digest }: Entry): string {
  return `${view}.${round} ${slot}:${counterOf(sequence)} ${nameOf(digest)}`;
}

export function pointOf(slot: number, counter: number): Point {
  return { slot, sequence: slot === 0 ? (0 as Sequence) : sequenceOf(counter, CLUSTER) };
}

export interface ReportText {
  readonly stable?: readonly [slot: number, counter: number];
  readonly decided?: readonly string[];
  readonly candidates?: readonly string[];
}

/** Reports of nodes 0, 1, ... in this order. */
export function reportsOf(...reports: readonly ReportText[]): Report[] {
  return reports.map(({ stable = [0, 0], decided = [], candidates = [] }, node) => ({
    node,
    stable: pointOf(...stable),
    decided: decided.map(entryOf),
    candidates: candidates.map(entryOf),
  }));
}

/** What a new view 9 keeps; `placed` has the slots of blocks decided at or below the stable checkpoint. */
export function keepOf(
  cluster: ClusterInfo,
  reports: readonly Report[],
  placed: Readonly<Record<string, number>> = {},
): Kept {
  return keep({ cluster, view: 9, noOp: NO_OP, reports, placedAt: (digest) => placed[nameOf(digest)] });
}

/** For example ["1:1 A", "2:1 -", "3:4 B decided"]. */
export function showKept({ entries }: Kept): string[] {
  return entries.map(({ entry, isDecided }) => `${show(entry).replace(/^\S+ /, "")}${isDecided ? " decided" : ""}`);
}
