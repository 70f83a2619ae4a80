// The united ledger as a graph to be shown: the blocks of a part of it, each with its place in every view, and the
// parent links between them. Written as DOT or JSON here and as a picture in picture.ts. Blocks are named as in the
// paper: t with the cluster and height of each of its records (§6.2.2, figure 6.2).

import { type ClusterId, type Digest, type Sequence, showSequence } from "../types/ids.js";
import type { ClusterInfo } from "../types/topology.js";
import { type ClusterView, type UnitedEntry, unite } from "./union.js";

export interface GraphEntry extends UnitedEntry {
  readonly requests: number;
}

export interface GraphView extends ClusterView<GraphEntry> {
  readonly info: ClusterInfo;
  /** Blocks of this view that lie before the part that is shown. */
  readonly earlier: number;
}

export interface LedgerGraph {
  readonly lanes: readonly GraphLane[];
  /** Ascending by final sequence, so that parents come first. */
  readonly blocks: readonly GraphBlock[];
}

export interface GraphLane {
  readonly cluster: ClusterId;
  /** For example "byzantine, f = 1". */
  readonly kind: string;
  readonly earlier: number;
}

export interface GraphBlock {
  readonly digest: Digest;
  readonly finalSequence: Sequence;
  readonly requests: number;
  /** Ascending by cluster. */
  readonly records: readonly GraphPlace[];
}

export interface GraphPlace {
  readonly cluster: ClusterId;
  readonly height: number;
  /** The block before it in this view, where that is shown. */
  readonly parent: Digest | undefined;
}

/** Views hold the part to be shown: consecutive records of each, ascending by cluster. */
export function buildGraph(views: readonly GraphView[]): LedgerGraph {
  const blocks = [...unite(views).values()].map(({ digest, finalSequence, records }) => {
    const places = [...records].map(([cluster, { height }]) => ({
      cluster,
      height,
      parent: parentOf(cluster, height),
    }));
    const requests = Math.max(...[...records.values()].map((entry) => entry.requests));
    return { digest, finalSequence, requests, records: places };
  });
  return { lanes: views.map(laneOf), blocks: blocks.sort((a, b) => a.finalSequence - b.finalSequence) };

  function parentOf(cluster: ClusterId, height: number): Digest | undefined {
    const entries = views.find((view) => view.cluster === cluster)?.entries ?? [];
    return entries[height - 1 - (entries[0]?.height ?? 0)]?.digest;
  }
}

function laneOf({ cluster, info, earlier }: GraphView): GraphLane {
  return { cluster, kind: `${info.model}, f = ${info.faults}`, earlier };
}

/** What stands below the t: "11" and "12,22" as in the paper, "1.104,2.97" once a number has two digits. */
export function labelOf(records: readonly GraphPlace[], separator: "" | "."): string {
  return records.map(({ cluster, height }) => `${cluster}${separator}${height}`).join(",");
}

export function separatorOf({ blocks }: LedgerGraph): "" | "." {
  const isLong = blocks.some(({ records }) => records.some(({ cluster, height }) => cluster > 9 || height > 9));
  return isLong ? "." : "";
}

export function graphJson(graph: LedgerGraph): string {
  const blocks = graph.blocks.map(({ finalSequence, ...block }) => ({
    ...block,
    finalSequence: showSequence(finalSequence),
  }));
  return `${JSON.stringify({ lanes: graph.lanes, blocks }, undefined, 2)}\n`;
}

/** For Graphviz: one box for each cluster's intra-shard blocks, cross-shard blocks between them. */
export function graphDot(graph: LedgerGraph): string {
  const separator = separatorOf(graph);
  const lines = ["digraph ledger {", "  rankdir=BT;", "  node [shape=box, style=rounded];", '  genesis [label="λ"];'];
  const name = (digest: Digest): string => `b${digest.slice(0, 16)}`;
  const declare = ({ digest, records, finalSequence, requests }: GraphBlock): string => {
    const label = `t${labelOf(records, separator)}\\n${showSequence(finalSequence)}, ${requests} requests`;
    return `${name(digest)} [label="${label}"];`;
  };
  for (const { cluster, kind } of graph.lanes) {
    const own = graph.blocks.filter(({ records }) => records.length === 1 && records[0]?.cluster === cluster);
    lines.push(`  subgraph cluster_p${cluster} {`, `    label="p${cluster} (${kind})";`);
    lines.push(...own.map((block) => `    ${declare(block)}`), "  }");
  }
  for (const block of graph.blocks) if (block.records.length > 1) lines.push(`  ${declare(block)}`);
  for (const { digest, records } of graph.blocks) {
    for (const { cluster, height, parent } of records) {
      const to = parent === undefined ? "genesis" : name(parent);
      const dashed = parent === undefined && height > 1 ? ", style=dashed" : "";
      lines.push(`  ${name(digest)} -> ${to} [label="p${cluster}"${dashed}];`);
    }
  }
  return `${lines.join("\n")}\n}\n`;
}
