// Binary search: histories of an hour are long, and every read asks what was known before it.

/** The first index whose element satisfies the question, where all after it do, too; the length if none does. */
export function firstIndex<T>(sorted: readonly T[], satisfies: (element: T) => boolean): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (satisfies(sorted[middle] as T)) high = middle;
    else low = middle + 1;
  }
  return low;
}
