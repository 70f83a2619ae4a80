// The ledger as the paper defines it (§6.2.2): the union of the views of all clusters, a directed acyclic graph whose
// vertices are block digests and whose edges are the parent links of every view. No node stores it; auditors and
// pictures unite it. Also the question that final sequences answer by construction and that is asked here without them:
// has it a cycle?

import type { ClusterId, Digest, Sequence } from "../types/ids.js";

/** What the union needs of a record. */
export interface UnitedEntry {
  readonly height: number;
  readonly digest: Digest;
  readonly finalSequence: Sequence;
}

export interface ClusterView<E extends UnitedEntry = UnitedEntry> {
  readonly cluster: ClusterId;
  /** Ascending by height; the genesis record is left out. */
  readonly entries: readonly E[];
}

export interface Vertex<E extends UnitedEntry = UnitedEntry> {
  readonly digest: Digest;
  readonly finalSequence: Sequence;
  /** Its record in each view that has it. */
  readonly records: Map<ClusterId, E>;
  /** Blocks that follow it directly in some view. */
  readonly next: Set<Digest>;
}

/** Vertices in the order in which the views first show them. */
export type Dag<E extends UnitedEntry = UnitedEntry> = ReadonlyMap<Digest, Vertex<E>>;

export function unite<E extends UnitedEntry>(views: readonly ClusterView<E>[]): Dag<E> {
  const dag = new Map<Digest, Vertex<E>>();
  for (const { cluster, entries } of views) {
    let previous: Vertex<E> | undefined;
    for (const entry of entries) {
      const { digest, finalSequence } = entry;
      const vertex = dag.get(digest) ?? { digest, finalSequence, records: new Map(), next: new Set() };
      dag.set(digest, vertex);
      vertex.records.set(cluster, entry);
      previous?.next.add(digest);
      previous = vertex;
    }
  }
  return dag;
}

/** The digests along a cycle, each followed by the next and the last by the first; undefined when there is none. */
export function findCycle(dag: Dag): readonly Digest[] | undefined {
  const waiting = new Map<Digest, number>([...dag.keys()].map((digest) => [digest, 0]));
  for (const { next } of dag.values()) for (const digest of next) waiting.set(digest, (waiting.get(digest) ?? 0) + 1);
  const ready = [...waiting].filter(([, parents]) => parents === 0).map(([digest]) => digest);
  for (let digest = ready.pop(); digest !== undefined; digest = ready.pop()) {
    waiting.delete(digest);
    for (const child of dag.get(digest)?.next ?? []) {
      const parents = (waiting.get(child) ?? 0) - 1;
      waiting.set(child, parents);
      if (parents === 0) ready.push(child);
    }
  }
  return waiting.size === 0 ? undefined : cycleAmong(waiting, dag);
}

/** Every vertex that was never ready has a parent of its kind, so walking backwards must meet itself. */
function cycleAmong(stuck: ReadonlyMap<Digest, number>, dag: Dag): readonly Digest[] {
  const parentOf = new Map<Digest, Digest>();
  for (const digest of stuck.keys()) {
    for (const child of dag.get(digest)?.next ?? []) if (stuck.has(child)) parentOf.set(child, digest);
  }
  const path: Digest[] = [];
  const at = new Map<Digest, number>();
  let digest = [...stuck.keys()][0] as Digest;
  while (!at.has(digest)) {
    at.set(digest, path.length);
    path.push(digest);
    digest = parentOf.get(digest) as Digest;
  }
  return path.slice(at.get(digest)).reverse();
}
