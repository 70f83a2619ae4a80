// A bounded space that many share: half of it goes to whoever comes first, the other half in equal shares. So one who
// floods it can fill half, and whoever comes later still finds room; alone, one may hold half of it. When all shares
// are taken there is room for one thing of whoever holds none, up to the same again.

export interface Space {
  /** What the asker holds, what all hold together, and how many hold anything. */
  readonly held: number;
  readonly total: number;
  readonly holders: number;
  readonly max: number;
}

/** May the asker put in one more? */
export function hasShare({ held, total, holders, max }: Space): boolean {
  if (held === 0) return total < 2 * max;
  const half = max / 2;
  if (total >= max) return false;
  return total < half || held < half / Math.max(1, holders);
}
