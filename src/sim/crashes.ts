// Nodes die at boundaries between two effects of a turn, and come back: the smallest of all faults, to be tried at
// every place there is. A run counts the boundaries that it comes to, over all nodes: before a turn's write, after it
// and before anything is sent, between any two frames, and after the last. It passes a first one, crashes whoever is
// there, and goes on to every `stride`-th after it; so `stride` runs, each with another first one, crash at all of
// them.

import { type Cast, fullCast } from "./cast.js";
import type { SimHost } from "./host.js";
import type { MakeChecker } from "./observer.js";
import type { RunPlan } from "./plan.js";
import { type RunResult, run } from "./run.js";
import type { Doom } from "./surroundings.js";

export interface CrashOptions {
  readonly plan: RunPlan;
  /** The boundary of the first crash, counted from 0. */
  readonly first: number;
  /** From one crash to the next, at least; infinity: there is one. */
  readonly stride: number;
}

export interface CrashResult {
  readonly result: RunResult;
  /** Where nodes died: "c1n0 before", or after how many frames. */
  readonly crashes: readonly string[];
  /** Boundaries that the run came to. */
  readonly boundaries: number;
}

export async function runWithCrashes({ plan, first, stride }: CrashOptions): Promise<CrashResult> {
  const crashes: string[] = [];
  let boundaries = 0;
  let next = first;
  const crash: MakeChecker = (world) => {
    const hosts = world.nodes as readonly SimHost[];
    for (const host of hosts) {
      host.fate = (_host, { persist, outbound }) => {
        const places = placesOf(persist.length > 0, outbound.size);
        const place = places[next - boundaries];
        boundaries += places.length;
        if (place === undefined) return undefined;
        // One is down at a time, so that the clients' work goes on.
        if (!hosts.every((each) => each.running !== undefined)) {
          while (next < boundaries) next += LATER;
          return undefined;
        }
        crashes.push(`${host.name} ${place}`);
        next += stride;
        return place;
      };
    }
    return { onCrash: (crashed) => (crashed as SimHost).restart() };
  };
  const cast: Cast = { ...fullCast, villains: {}, rogues: {}, checkers: [...fullCast.checkers, crash] };
  return { result: await run({ plan, cast }), crashes, boundaries };
}

function placesOf(writes: boolean, frames: number): readonly Doom[] {
  const between = Array.from({ length: Math.max(0, frames - 1) }, (_, i) => i + 1);
  return [...(writes ? (["before", "between"] as const) : []), ...between, ...(frames > 0 ? (["after"] as const) : [])];
}

/** By so many boundaries a crash is put off: few, and no multiple of what a turn has, so that it may hit any place. */
const LATER = 7;
