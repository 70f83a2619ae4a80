// Runs in which every fault is chosen and none is drawn: a quiet network, all checkers, and a schedule written by hand
// that has the world itself. When the run heals, the schedule undoes what it did, and then the network must converge as
// after any other run. What clients were told and what correct nodes recorded is kept with its time, so that a test can
// say what went on while the fault lasted.

import { expect } from "vitest";
import { fullCast } from "../../../src/sim/cast.js";
import type { SimHost } from "../../../src/sim/host.js";
import type { Endpoint } from "../../../src/sim/network.js";
import type { Checker, SimWorld } from "../../../src/sim/observer.js";
import type { ClusterPlan, RunPlan } from "../../../src/sim/plan.js";
import { quietPlan } from "../../../src/sim/quiet-plan.js";
import { type RunResult, run } from "../../../src/sim/run.js";
import { START } from "../../../src/sim/surroundings.js";
import type { World } from "../../../src/sim/world.js";
import type { FailureModel } from "../../../src/types/topology.js";

/** Undoes what the schedule did. */
export type Heal = () => void;
export type Direct = (world: World) => Heal;

export interface Directed {
  readonly result: RunResult;
  /** When a client believed an answer, in virtual milliseconds. */
  readonly answers: readonly number[];
  /** Of every record of a correct node: when it was made, and the block's own time. */
  readonly records: readonly { readonly at: number; readonly blockTime: number }[];
  readonly healedAt: number;
  /** The views of all nodes that run, in their order: when everything healed, and in the end. */
  readonly viewsThen: readonly number[];
  readonly viewsInTheEnd: readonly number[];
}

/** The smallest cluster that tolerates so many faults. */
export function clusterOf(model: FailureModel, faults = 1): ClusterPlan {
  return { model, faults, nodes: (model === "crash" ? 2 : 3) * faults + 1, villains: 0 };
}

/** Three clients that together ask some ten times a second. */
export function busyPlan(seed: number, clusters: readonly ClusterPlan[], safetyMs: number): RunPlan {
  const plan = quietPlan(seed, clusters);
  return { ...plan, safetyMs, load: { ...plan.load, clients: 3, pauseMs: 300, requestsMax: safetyMs / 100 } };
}

/** The checkers find nothing, and after healing the network converges. */
export async function direct(plan: RunPlan, schedule: Direct): Promise<Directed> {
  const answers: number[] = [];
  const records: { at: number; blockTime: number }[] = [];
  const worlds: World[] = [];
  let healedAt = Number.NaN;
  let viewsThen: readonly number[] = [];
  const watch = (observed: SimWorld): Checker => {
    const world = observed as World;
    worlds.push(world);
    const heal = schedule(world);
    return {
      onTurn({ isCorrect }, { notes }) {
        for (const note of isCorrect ? notes : []) {
          if (note.kind === "recorded") records.push({ at: world.now, blockTime: note.block.time - START });
        }
      },
      onReply: () => void answers.push(world.now),
      onHealed() {
        healedAt = world.now;
        viewsThen = viewsOf(world);
        heal();
      },
    };
  };
  const result = await run({ plan, cast: { ...fullCast, checkers: [...fullCast.checkers, watch] } });
  const { verdict, violations, waiting } = result;
  expect(verdict, `seed ${plan.seed}: ${JSON.stringify({ violations, waiting })}`).toBe("PASS");
  return { result, answers, records, healedAt, viewsThen, viewsInTheEnd: worlds.flatMap(viewsOf) };
}

export function hostOf({ hosts }: World, name: string): SimHost {
  const host = hosts.find((each) => each.name === name);
  if (host === undefined) throw new Error(`no node ${name}`);
  return host;
}

export function countWithin(times: readonly number[], from: number, to: number): number {
  return times.filter((at) => at >= from && at < to).length;
}

/** Directed links that are down together. */
export class Cut {
  readonly #world: World;
  readonly #links: readonly (readonly [Endpoint, Endpoint])[];
  #isDown = false;

  /** Between nodes for which `hears` is false, in that direction. Clients are connected to everybody. */
  static between(world: World, hears: (from: SimHost, to: SimHost) => boolean): Cut {
    const links = world.hosts.flatMap((from) =>
      world.hosts.filter((to) => to !== from && !hears(from, to)).map((to) => [from.endpoint, to.endpoint] as const),
    );
    return new Cut(world, links);
  }

  private constructor(world: World, links: readonly (readonly [Endpoint, Endpoint])[]) {
    this.#world = world;
    this.#links = links;
  }

  get size(): number {
    return this.#links.length;
  }

  set(isDown: boolean): void {
    if (isDown === this.#isDown) return;
    this.#isDown = isDown;
    for (const [from, to] of this.#links) {
      if (isDown) this.#world.network.cut(from, to);
      else this.#world.network.heal(from, to);
    }
  }
}

function viewsOf({ hosts }: World): readonly number[] {
  return hosts.flatMap(({ running }) => running?.replica.coordinator.engine.view ?? []);
}
