// How long messages travel: round trips between regions of a real cloud. The figures are the monthly medians (P50) that
// Microsoft publishes as "Azure network round-trip latency statistics", of the 30 days to 9 April 2024
// (https://learn.microsoft.com/azure/networking/azure-network-latency); of the two directions of a pair, which differ
// by 4 ms at most, the larger. That page says nothing of two machines in one region: 1 ms is about what others measure
// between virtual machines of one region, within and across its zones. Delays are constant, so a link delivers in the
// order in which it was given, as a stream does.

export interface Region {
  readonly name: string;
  /** Milliseconds there and back, to the regions listed before this one. */
  readonly roundTrips: readonly number[];
}

export const regions: readonly Region[] = [
  { name: "East US", roundTrips: [] },
  { name: "West Europe", roundTrips: [84] },
  { name: "Japan East", roundTrips: [158, 226] },
  { name: "Southeast Asia", roundTrips: [227, 159, 72] },
  { name: "Brazil South", roundTrips: [118, 186, 281, 343] },
  { name: "UK South", roundTrips: [78, 11, 226, 157, 180] },
];

const WITHIN_REGION_MS = 1;
const MICROSECONDS = 1000;

/** Microseconds from a machine in one region to another machine in the same or another region, by their positions. */
export function oneWayUs(from: number, to: number): number {
  const roundTrip = from === to ? WITHIN_REGION_MS : regions[Math.max(from, to)]?.roundTrips[Math.min(from, to)];
  if (roundTrip === undefined) throw new Error(`no delay is known between regions ${from} and ${to}`);
  return (roundTrip * MICROSECONDS) / 2;
}
