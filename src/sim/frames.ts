// What a byzantine node says instead, as frames again: its words come back one by one, each with a delay of its own.

import type { PublicKey } from "../types/ids.js";
import type { Outgoing } from "./observer.js";

/** One frame for each receiver and delay, in the order of first mention. */
export function framesOf(outgoing: readonly Outgoing[]): { to: PublicKey; frame: Uint8Array[]; delay: number }[] {
  const frames = new Map<string, { to: PublicKey; frame: Uint8Array[]; delay: number }>();
  for (const { to, envelope, delay = 0 } of outgoing) {
    const key = `${to} ${delay}`;
    const known = frames.get(key);
    if (known === undefined) frames.set(key, { to, frame: [envelope], delay });
    else known.frame.push(envelope);
  }
  return [...frames.values()];
}
