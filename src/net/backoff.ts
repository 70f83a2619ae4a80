// How long to wait before trying again: doubling from limits.dialBackoffMinMs to limits.dialBackoffMaxMs, the upper
// half of it random, so that nodes that lost the same peer do not come back in step.

import { setTimeout as sleep } from "node:timers/promises";
import { limits } from "../types/limits.js";

/** `chance` is within 0..1. */
export function backoffMs(attempt: number, chance: number): number {
  const fullMs = Math.min(limits.dialBackoffMaxMs, limits.dialBackoffMinMs * 2 ** attempt);
  return fullMs / 2 + (fullMs / 2) * chance;
}

/**
 * Runs `live` again and again until the signal ends it. What lived for a while starts over with a short wait; what
 * fails at once waits longer each time. Errors of `live` are failures like any other.
 */
export async function keepAlive(live: () => Promise<void>, signal: AbortSignal): Promise<void> {
  for (let attempt = 0; !signal.aborted; attempt++) {
    const startedAt = performance.now();
    try {
      await live();
    } catch {
      // Tried again below: a peer that is down is the ordinary case.
    }
    if (performance.now() - startedAt >= limits.dialBackoffMaxMs) attempt = 0;
    try {
      await sleep(backoffMs(attempt, Math.random()), undefined, { signal });
    } catch {
      return;
    }
  }
}
