// Nodes die at boundaries between two effects of a turn, and come back: the smallest of all faults, to be tried at
// every place there is. The boundaries of a run are counted over all nodes: before a turn's first effect, between its
// write and its first frame, between any two frames, and after the last. Until the first crash a run is the
// undisturbed run of its plan, so one run for each boundary tries all of them, each exactly; after it the run is
// another one, and further crashes in it, at every `stride`-th boundary, are a sample of that.

import { type Cast, fullCast } from "./cast.js";
import type { SimHost } from "./host.js";
import type { Checker, SimWorld } from "./observer.js";
import type { RunPlan } from "./plan.js";
import { type RunResult, run } from "./run.js";
import type { Doom } from "./surroundings.js";
import type { World } from "./world.js";

export interface CrashOptions {
  readonly plan: RunPlan;
  /** The boundary of the first crash, counted from 0. */
  readonly first: number;
  /** From one crash to the next, at least. Without it there is one. */
  readonly stride?: number | undefined;
  /**
   * The clients stop when whoever died takes part again and so many more requests were made. Without it they go on to
   * the end of the plan.
   */
  readonly requestsAfter?: number | undefined;
}

export interface CrashResult {
  readonly result: RunResult;
  /** Where nodes died, named as by `boundariesOf`. */
  readonly crashes: readonly string[];
}

/** The boundaries of the undisturbed run, in their order: when, who, and where in the turn or after how many frames. */
export async function boundariesOf(plan: RunPlan): Promise<readonly string[]> {
  const found: string[] = [];
  const cast = castWith((world) => {
    eachTurn(world, (host, places) => {
      for (const place of places) found.push(boundaryName({ world, host, place }));
      return undefined;
    });
    return {};
  });
  const { verdict } = await run({ plan, cast });
  if (verdict !== "PASS") throw new Error(`the run without any crash ends with ${verdict}`);
  return found;
}

export async function runWithCrashes({ plan, first, stride, requestsAfter }: CrashOptions): Promise<CrashResult> {
  const crashes: string[] = [];
  let passed = 0;
  let next = first;
  const cast = castWith((world) => {
    eachTurn(world, (host, places) => {
      const place = places[next - passed];
      passed += places.length;
      if (place === undefined) return undefined;
      if (!isAllUp(world)) {
        // Another one is down: later ones are put off, so that the clients' work goes on. The first one never is.
        while (next < passed) next += LATER;
        return undefined;
      }
      crashes.push(boundaryName({ world, host, place }));
      next += stride ?? Number.POSITIVE_INFINITY;
      return place;
    });
    return whoRestarts(world, requestsAfter);
  });
  return { result: await run({ plan, cast }), crashes };
}

/** All checkers, nobody byzantine, and one more checker, which may do what others must not. */
function castWith(make: (world: SimWorld) => Checker): Cast {
  return { ...fullCast, villains: {}, rogues: {}, checkers: [...fullCast.checkers, make] };
}

function eachTurn(world: SimWorld, fateOf: (host: SimHost, places: readonly Doom[]) => Doom | undefined): void {
  for (const host of world.nodes as readonly SimHost[]) {
    host.fate = (_host, { persist, outbound }) => fateOf(host, placesOf(persist.length > 0, outbound.size));
  }
}

function placesOf(writes: boolean, frames: number): readonly Doom[] {
  if (!writes && frames === 0) return [];
  const between = Array.from({ length: Math.max(0, frames - 1) }, (_, i) => i + 1);
  return ["before", ...(writes ? (["between"] as const) : []), ...between, ...(frames > 0 ? (["after"] as const) : [])];
}

function isAllUp({ nodes }: SimWorld): boolean {
  return nodes.every(({ running }) => running !== undefined);
}

/** Starts who died, and lets the clients stop when it has come back and the network has gone on with it. */
function whoRestarts(world: SimWorld, requestsAfter = Number.POSITIVE_INFINITY): Checker {
  const died = new Set<string>();
  let left = Number.POSITIVE_INFINITY;
  return {
    onCrash: (crashed) => {
      died.add(crashed.name);
      (crashed as SimHost).restart();
    },
    onTurn: ({ name }, { notes }) => {
      if (died.has(name) && notes.some(({ kind }) => kind === "takes-part")) left = Math.min(left, requestsAfter);
    },
    onRequest: () => {
      left--;
      if (left <= 0) for (const client of (world as World).clients) client.stop();
    },
  };
}

function boundaryName({ world, host, place }: { world: SimWorld; host: SimHost; place: Doom }): string {
  return `${world.now.toFixed(3)} ms ${host.name} ${place}`;
}

/** By so many boundaries a crash is put off: few, and no multiple of what a turn has, so that it may hit any place. */
const LATER = 7;
