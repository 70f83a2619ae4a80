// A scale run in words: the rows of the table that is printed, and the lines below it.

import { type Growth, percent } from "./growth.js";
import type { ScaleOptions, ScaleRow } from "./run.js";

export type TableRow = Readonly<Record<string, string | number>>;

export function tableRow(row: ScaleRow): TableRow {
  return {
    clusters: row.clusters,
    nodes: row.nodes,
    "transfers/s": Math.round(row.transfersPerSecond),
    "per cluster": (row.transfersPerSecond / row.clusters).toFixed(1),
    "messages/transfer": row.messagesPerTransfer.toFixed(2),
    "intra p50 ms": Math.round(row.intra.p50Ms),
    "p99 ms": Math.round(row.intra.p99Ms),
    "cross p50 ms": Math.round(row.cross.p50Ms),
    "p99 ms ": Math.round(row.cross.p99Ms),
    "busiest core": percent(row.busy),
  };
}

/** What the numbers are numbers of. */
export function conditionsOf(options: Omit<ScaleOptions, "clusters">): readonly string[] {
  const { model, faults, cross, costs, regions, spread, blockRequestsMax, dissemination, clientsPerCluster } = options;
  const { receiveUs, verifyUs, signUs, sendUs } = costs;
  const where = spread ? "nodes" : "clusters";
  const blocks = blockRequestsMax === 1 ? "blocks of one request" : `blocks of up to ${blockRequestsMax} requests`;
  return [
    `${model} clusters, f = ${faults}; ${blocks}, ${dissemination}; ` +
      `${percent(cross)} of transfers between two random clusters; ${clientsPerCluster} clients per cluster`,
    `one core per node: ${micro(verifyUs)} to check a signature, ${micro(signUs)} to sign, ` +
      `${micro(receiveUs)} to receive, ${micro(sendUs)} to send a message; ${where} go round ${regions} cloud regions`,
    `virtual time: ${options.warmup} s of warm-up, ${options.seconds} s measured; seed ${options.seed}`,
  ];
}

export function growthLines({ slope, moreMessages, problems }: Growth): readonly string[] {
  return [
    `throughput over clusters: ${slope === undefined ? "one size, no slope" : `slope ${slope.toFixed(3)}`}`,
    `messages per transfer: at most ${percent(moreMessages)} more than with the fewest clusters`,
    problems.length === 0 ? "SCALES" : `DOES NOT SCALE: ${problems.join("; ")}`,
  ];
}

function micro(microseconds: number): string {
  return `${Number(microseconds.toFixed(1))} µs`;
}
