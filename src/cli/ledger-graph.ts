// `sharper ledger graph`: the united views as DOT, JSON or a picture. Each cluster is shown as its longest view among
// the given nodes has it; `verify` tells whether they agree.

import { writeFile } from "node:fs/promises";
import { extname } from "node:path";
import { buildGraph, type GraphEntry, type GraphView, graphDot, graphJson, type LedgerGraph } from "../ledger/graph.js";
import { blockKey } from "../ledger/keys.js";
import { drawPicture } from "../ledger/picture.js";
import type { LedgerRecord } from "../ledger/records.js";
import type { Store } from "../ledger/store.js";
import { CodedError } from "../types/codes.js";
import { type ClusterId, counterOf, sequenceOf } from "../types/ids.js";
import { limits } from "../types/limits.js";
import { blockSchema } from "../types/schema.js";
import type { ClusterInfo } from "../types/topology.js";
import { checkCount, checkRange, lastHeight, type OpenLedgers, openLedgers, readRecords } from "./ledger-data.js";
import { type CommonOptions, printJson, printLine } from "./output.js";

export type GraphFormat = "dot" | "json" | "svg";
export const GRAPH_FORMATS: readonly GraphFormat[] = ["dot", "json", "svg"];

export interface GraphOptions extends CommonOptions {
  readonly data: readonly string[];
  readonly topology?: string | undefined;
  readonly format?: GraphFormat | undefined;
  readonly out?: string | undefined;
  /** Counters of final sequences. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly last?: number | undefined;
}

/** About a page. */
const SHOWN_BLOCKS = 60;

const writers: Readonly<Record<GraphFormat, (graph: LedgerGraph) => string>> = {
  dot: graphDot,
  json: graphJson,
  svg: drawPicture,
};

export async function graph(options: GraphOptions): Promise<void> {
  const { out } = options;
  checkRange(options);
  checkCount("last", options.last, 1);
  const format = options.format ?? (options.json === true && out === undefined ? "json" : formatOf(out));
  const ledgers = await openLedgers(options.data, options.topology);
  try {
    const views = await readViews(ledgers, options);
    const drawn = buildGraph(views);
    const text = writers[format](drawn);
    if (out === undefined) process.stdout.write(text);
    else {
      await writeFile(out, text);
      const [blocks, clusters] = [drawn.blocks.length, drawn.lanes.length];
      if (options.json === true) printJson({ out, format, blocks, clusters });
      else printLine(`${out}: ${blocks} blocks of ${clusters} clusters`);
    }
  } finally {
    await ledgers.close();
  }
}

function formatOf(out: string | undefined): GraphFormat {
  const ending = extname(out ?? "").slice(1);
  const format = GRAPH_FORMATS.find((each) => each === ending);
  if (format !== undefined) return format;
  throw new CodedError("usage", "the format is not known; give --format dot, json or svg, or an --out that ends so");
}

interface PartialView {
  readonly info: ClusterInfo;
  readonly store: Store;
  readonly records: readonly LedgerRecord[];
}

/** The part of each cluster's longest view that is to be shown. */
async function readViews({ topology, nodes }: OpenLedgers, options: GraphOptions): Promise<readonly GraphView[]> {
  const { from, to } = options;
  const last = options.last ?? (from === undefined && to === undefined ? SHOWN_BLOCKS : undefined);
  const views: PartialView[] = [];
  for (const info of topology.clusters) {
    const own = await Promise.all(
      nodes
        .filter(({ cluster }) => cluster === info.id)
        .map(async ({ store }) => ({ store, end: await lastHeight(store) })),
    );
    if (own.length === 0) continue;
    const { store, end } = own.reduce((best, each) => (each.end > best.end ? each : best));
    const first = last === undefined ? 1 : Math.max(1, end - last + 1);
    views.push({ info, store, records: await readRecords(store, first, end) });
  }
  const floor = last === undefined ? sequenceFloor(from) : floorOf(views, last);
  return views.map(({ info, store, records }) => {
    const shown = records.filter(({ finalSequence }) => {
      return finalSequence >= floor && counterOf(finalSequence) <= (to ?? limits.counterMax);
    });
    const earlier = records.filter(({ finalSequence }) => finalSequence < floor).length + (records[0]?.height ?? 1) - 1;
    return { cluster: info.id, info, earlier, entries: shown.map((record) => entryOf(store, record)) };
  });
}

function sequenceFloor(counter: number | undefined): number {
  return sequenceOf(counter ?? 0, 0 as ClusterId);
}

/** The final sequence from which on there are `last` blocks, or all. */
function floorOf(views: readonly PartialView[], last: number): number {
  const finals = new Set(views.flatMap(({ records }) => records.map(({ finalSequence }) => finalSequence)));
  return [...finals].sort((a, b) => b - a)[last - 1] ?? 0;
}

function entryOf(store: Store, { height, digest, finalSequence }: LedgerRecord): GraphEntry {
  const bytes = store.get(blockKey(digest));
  const requests = bytes === undefined ? 0 : blockSchema.decode(bytes).requests.length;
  return { height, digest, finalSequence, requests };
}
