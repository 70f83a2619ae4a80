// Wilder schedules for a test network, each a function of its seed: links that overtake each other while each stays
// first in, first out; turns that take many events at once; lost messages.

import type { Packet, TestNetwork } from "./network.js";

/** 0 <= x < 1, the same for the same seed (mulberry32). */
export type Random = () => number;

export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = state;
    x = Math.imul(x ^ (x >>> 15), x | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function below(random: Random, count: number): number {
  return Math.floor(random() * count);
}

/** `count` different ones of 1..max. */
export function someOf(random: Random, { count, max }: { readonly count: number; readonly max: number }): number[] {
  const all = Array.from({ length: max }, (_, i) => i + 1);
  return Array.from({ length: count }, () => all.splice(below(random, all.length), 1)[0] as number);
}

/** Any link may go next, but no packet overtakes another of its link; turns take one event or many. */
export function shuffle(network: TestNetwork, random: Random): void {
  network.pick = (packets) => {
    const chosen = packets[below(random, packets.length)] as Packet;
    return packets.findIndex(({ from, to }) => from === chosen.from && to === chosen.to);
  };
  network.takesTurn = () => random() < 0.7;
}

/** Loses a share of what `concerns` says. Clients' words always arrive. */
export function lose(
  network: TestNetwork,
  random: Random,
  { share, concerns }: { readonly share: number; readonly concerns: (packet: Packet) => boolean },
): void {
  network.drop = (packet) =>
    packet.sender !== "client" && packet.receiver !== "client" && concerns(packet) && random() < share;
}
