// The straight line that lies closest to measured points (least squares), for what must not grow over time.

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** By how much y grows with x; 0 for fewer than two different x. */
export function slopeOf(points: readonly Point[]): number {
  const count = points.length;
  const meanX = points.reduce((sum, { x }) => sum + x, 0) / count;
  const meanY = points.reduce((sum, { y }) => sum + y, 0) / count;
  let covariance = 0;
  let variance = 0;
  for (const { x, y } of points) {
    covariance += (x - meanX) * (y - meanY);
    variance += (x - meanX) ** 2;
  }
  return variance === 0 || count < 2 ? 0 : covariance / variance;
}
