// One run: a phase with faults in which only safety counts, then every fault heals and the network must converge: all
// requests answered, all correct nodes of a cluster at one record, nothing in flight. The verdict is one word.

import { recordKey } from "../ledger/keys.js";
import { toHex } from "../types/ids.js";
import { limits } from "../types/limits.js";
import { type Cast, fullCast } from "./cast.js";
import { Draw } from "./draw.js";
import type { SimHost } from "./host.js";
import type { Invariant, Violation } from "./observer.js";
import type { RunPlan } from "./plan.js";
import { World } from "./world.js";

export type Verdict = "PASS" | `VIOLATION ${string}` | "NO-PROGRESS";

export interface RunResult {
  readonly seed: number;
  readonly profile: string;
  readonly clusters: number;
  readonly verdict: Verdict;
  readonly violations: readonly Violation[];
  /** What had not converged when the time was over. */
  readonly waiting: readonly string[];
  /** Two runs of one seed have the same. */
  readonly digest: string;
  readonly virtualMs: number;
  readonly requests: number;
  readonly transfers: number;
  readonly messages: number;
  readonly events: number;
  readonly faults: number;
}

export interface RunOptions {
  readonly plan: RunPlan;
  readonly cast?: Cast;
  readonly trace?: ((line: string) => void) | undefined;
}

/** How long after healing a network may take: the largest time-out, doubled to its cap, several times over. */
const CONVERGE_MS = 120_000;
/** What a network that is stuck breaks in the end, since it has not come to all of its records and replies. */
const OF_THE_SETTLED: ReadonlySet<Invariant> = new Set<Invariant>(["I3", "I5", "I9", "I10", "I11", "I12"]);
/** How long clients go on with what they do, so that healing happens under load. */
const AFTERMATH_MS = 2000;
const LOOK_EVERY_MS = 200;
/** Without new requests for so long, a network that can settle has done so. */
const QUIET_MS = 15_000;
/**
 * Requests that are sent when it has not, since a node that was away learns from what is new: at first enough of them
 * for two checkpoints of each cluster, then a few.
 */
const TRICKLES: readonly number[] = [4 * limits.checkpointSlots, 10];
const TRICKLE_EVERY_MS = 50;
const TRICKLE_MAX_MS = 10_000;

export async function run({ plan, cast = fullCast, trace }: RunOptions): Promise<RunResult> {
  const world = new World({ plan, cast, trace });
  await world.start();
  await world.runUntil(plan.safetyMs);
  const waiting: string[] = [];
  if (!world.isViolated) {
    world.heal();
    waiting.push(...(await converge(world)));
  }
  const isStuck = waiting.length > 0 && !world.isViolated;
  if (!world.isViolated) world.end();
  const { violations } = world;
  const broken = violations.find(({ invariant }) => !isStuck || !OF_THE_SETTLED.has(invariant));
  const verdict: Verdict = broken !== undefined ? `VIOLATION ${broken.invariant}` : isStuck ? "NO-PROGRESS" : "PASS";
  return {
    seed: plan.seed,
    profile: plan.profile,
    clusters: plan.clusters.length,
    verdict,
    violations,
    waiting,
    digest: world.digest.digest(),
    virtualMs: Math.round(world.now),
    ...world.counts,
    events: world.queue.performed,
    faults: world.nemesis.count,
  };
}

/** What still waits when the time is over; nothing: the network has converged. */
async function converge(world: World): Promise<readonly string[]> {
  const draw = new Draw(world.plan.seed, "converge");
  const end = world.now + CONVERGE_MS;
  await world.runUntil(world.now + AFTERMATH_MS);
  for (const client of world.clients) client.stop();
  for (let round = 0; ; round++) {
    const waiting = await settle(world, Math.min(end, world.now + QUIET_MS));
    if (waiting.length === 0 || world.isViolated) return [];
    if (world.now >= end) return waiting;
    const count = TRICKLES[Math.min(round, TRICKLES.length - 1)] as number;
    await trickle(world, { draw, count, until: Math.min(end, world.now + TRICKLE_MAX_MS) });
  }
}

async function settle(world: World, until: number): Promise<readonly string[]> {
  for (;;) {
    const waiting = waitingFor(world);
    if (waiting.length === 0 || world.now >= until || world.isViolated) return waiting;
    await world.runUntil(world.now + LOOK_EVERY_MS);
  }
}

/** So many small requests to each cluster, by whoever is free. */
async function trickle(
  world: World,
  { draw, count, until }: { readonly draw: Draw; readonly count: number; readonly until: number },
): Promise<void> {
  let left = count * world.topology.clusters.length;
  while (left > 0 && world.now < until && !world.isViolated) {
    for (const client of world.clients) {
      const order = world.orders.trickle(client.key, draw.pick(world.topology.clusters).id, draw);
      if (order === undefined || client.isBusy) continue;
      client.ask(order);
      left--;
    }
    await world.runUntil(world.now + TRICKLE_EVERY_MS);
  }
}

function waitingFor(world: World): readonly string[] {
  const requests = world.clients.flatMap(({ waitsFor }) => waitsFor ?? []);
  const clusters = world.topology.clusters.flatMap(({ id }) =>
    unsettled(
      world,
      world.hosts.filter(({ ref, isCorrect }) => ref.cluster === id && isCorrect),
    ),
  );
  return [...requests, ...clusters];
}

/** Why these nodes of one cluster have not converged. */
function unsettled(world: World, hosts: readonly SimHost[]): readonly string[] {
  const reasons: string[] = [];
  const heights = hosts.map(({ running }) => running?.replica.height);
  const highest = Math.max(...heights.map((height) => height ?? 0));
  const heads = new Set<string>();
  hosts.forEach(({ name, running, store }, i) => {
    if (running === undefined) {
      reasons.push(`${name} is down`);
      return;
    }
    if (heights[i] !== highest) reasons.push(`${name} is at height ${heights[i]} of ${highest}`);
    else {
      const record = store.get(recordKey(highest));
      if (record === undefined) reasons.push(`${name} writes record ${highest}`);
      else heads.add(toHex(record));
    }
    const { waitsFor } = running.replica;
    if (waitsFor !== undefined) reasons.push(`${name} waits for ${waitsFor}`);
    const { queued = 0, undelivered = 0, unexecuted = 0, cross = 0 } = running.replica.gauges;
    // Blocks that a byzantine node invented may stay up to their bound.
    const open = world.hosts.every(({ isCorrect }) => isCorrect) ? cross : 0;
    if (queued + undelivered + unexecuted + open > 0) {
      reasons.push(`${name} has ${queued} queued, ${undelivered} undelivered, ${unexecuted} unexecuted, ${open} open`);
    }
  });
  if (heads.size > 1) {
    const names = hosts.map(({ name }) => name).join(", ");
    world.violate({ invariant: "I1", reason: `${names} have ${heads.size} different records at height ${highest}` });
  }
  return reasons;
}
