// What a table of scale runs says about growth: throughput should grow as the number of clusters does (a slope of 1 in
// logarithms), and the messages that a transfer costs should not grow at all.

import type { ScaleRow } from "./run.js";

export interface Growth {
  /** Least squares of log(transfers/s) over log(clusters). Undefined: there are no two numbers of clusters. */
  readonly slope: number | undefined;
  /** How much more messages a transfer costs than with the fewest clusters, at most: 0.1 is a tenth more. */
  readonly moreMessages: number;
  /** Empty: the network scales. */
  readonly problems: readonly string[];
}

const SLOPE_MIN = 0.95;
const MORE_MESSAGES_MAX = 0.1;

export function growthOf(rows: readonly ScaleRow[]): Growth {
  const slope = slopeOf(rows.map((row) => [Math.log(row.clusters), Math.log(row.transfersPerSecond)]));
  const moreMessages = moreMessagesOf(rows);
  const problems: string[] = [];
  const idle = rows.filter(({ transfersPerSecond }) => transfersPerSecond === 0);
  for (const { clusters } of idle) problems.push(`with ${clusters} clusters no transfer ended in the measured span`);
  if (slope !== undefined && idle.length === 0 && !(slope >= SLOPE_MIN)) {
    problems.push(`throughput grows with slope ${slope.toFixed(3)}, below ${SLOPE_MIN}`);
  }
  if (!(moreMessages <= MORE_MESSAGES_MAX)) {
    problems.push(`a transfer costs up to ${percent(moreMessages)} more messages, above ${percent(MORE_MESSAGES_MAX)}`);
  }
  for (const { clusters, failed } of rows) {
    if (failed > 0) problems.push(`with ${clusters} clusters ${failed} transfers failed`);
  }
  return { slope, moreMessages, problems };
}

function moreMessagesOf(rows: readonly ScaleRow[]): number {
  const [fewest, ...others] = [...rows].sort((a, b) => a.clusters - b.clusters);
  if (fewest === undefined || fewest.messagesPerTransfer === 0) return 0;
  const most = Math.max(0, ...others.map(({ messagesPerTransfer }) => messagesPerTransfer));
  return Math.max(0, most / fewest.messagesPerTransfer - 1);
}

function slopeOf(points: readonly (readonly [x: number, y: number])[]): number | undefined {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const xMean = mean(points.map(([x]) => x));
  const yMean = mean(points.map(([, y]) => y));
  let covariance = 0;
  let variance = 0;
  for (const [x, y] of points) {
    covariance += (x - xMean) * (y - yMean);
    variance += (x - xMean) ** 2;
  }
  return points.length < 2 || variance === 0 ? undefined : covariance / variance;
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
