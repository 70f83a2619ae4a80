// What goes wrong in a run, and when: drawn from a seed alone, so that a run that failed can be run again. Most of the
// time no cluster has more than f nodes in trouble at once; whole clusters, and at times all nodes, are killed on top
// of that, which must be safe, and live after their restart. A fault of a node counts for its cluster until some time
// after its end, since a node that comes back has to catch up before it is of use.

import { type Random, randomOf } from "../load/random.js";
import type { ClusterId, NodeIndex } from "../types/ids.js";

/** A node, by its place or by its office: who is primary is known only when the fault begins. */
export type Victim =
  | { readonly cluster: ClusterId; readonly by: "index"; readonly index: NodeIndex }
  /** `index` if nobody is known to be primary. */
  | { readonly cluster: ClusterId; readonly by: "primary"; readonly index: NodeIndex };

/** Which frames are lost: those that come to the node, or cluster, named first, those that leave it, or all. */
export type Ways = "both" | "in" | "out";

/** `reset`: connections break at once; else they fall silent, and go on when it heals, as TCP does. */
export interface Cutting {
  readonly ways: Ways;
  readonly reset: boolean;
}

export const DAMAGES = ["flip", "truncate", "delete", "old-copy"] as const;
export type Damage = (typeof DAMAGES)[number];

export type FaultKind =
  /** SIGKILL, and a start `forMs` later. */
  | { readonly kind: "kill"; readonly victim: Victim }
  /** All nodes of a cluster at once; they come back one after the other, the last `forMs` later. */
  | { readonly kind: "kill-cluster"; readonly cluster: ClusterId }
  | { readonly kind: "kill-all" }
  /** SIGSTOP, and SIGCONT `forMs` later. */
  | { readonly kind: "pause"; readonly victim: Victim }
  /** One node from all other nodes, and from the clients, too. */
  | ({ readonly kind: "cut-node"; readonly victim: Victim; readonly clients: boolean } & Cutting)
  /** One node from one other node of its cluster. */
  | ({ readonly kind: "cut-link"; readonly victim: Victim; readonly other: NodeIndex } & Cutting)
  | ({ readonly kind: "cut-clusters"; readonly cluster: ClusterId; readonly other: ClusterId } & Cutting)
  /** The clients alone from one node. */
  | ({ readonly kind: "cut-clients"; readonly victim: Victim } & Cutting)
  /** SIGKILL, damage of the data folder, recovery, start. */
  | { readonly kind: "damage"; readonly victim: Victim; readonly damage: Damage };

export type Fault = FaultKind & { readonly atMs: number; readonly forMs: number };

export interface Shape {
  readonly clusters: readonly { readonly id: ClusterId; readonly nodes: number; readonly faults: number }[];
}

export interface ScheduleOptions extends Shape {
  readonly seed: number;
  /** No fault begins later, and all are over by then. */
  readonly durationMs: number;
  readonly damage: boolean;
}

const GAP_MIN_MS = 5000;
const GAP_MAX_MS = 20_000;
const FIRST_MS = 3000; // the load should have begun
const DRAWS_MAX = 50; // until one fits beside what is under way
/** After a fault's end its cluster is spared so long: processes start, connect and catch up. */
const RECOVERY_MS = 10_000;
/** A node that lost data refuses, is recovered, starts, and takes part again when its cluster has ordered that. */
const DAMAGE_RECOVERY_MS = 30_000;

/** How often each kind is drawn, and for how long it lasts. */
const kinds: readonly { readonly kind: Fault["kind"]; readonly weight: number; readonly maxMs: number }[] = [
  { kind: "kill", weight: 6, maxMs: 15_000 },
  { kind: "kill-cluster", weight: 2, maxMs: 8000 },
  { kind: "kill-all", weight: 1, maxMs: 5000 },
  { kind: "pause", weight: 4, maxMs: 30_000 },
  { kind: "cut-node", weight: 4, maxMs: 25_000 },
  { kind: "cut-link", weight: 2, maxMs: 25_000 },
  { kind: "cut-clusters", weight: 4, maxMs: 25_000 },
  { kind: "cut-clients", weight: 1, maxMs: 15_000 },
  { kind: "damage", weight: 3, maxMs: 10_000 },
];
const LEAST_MS = 1000;

export function scheduleOf({ clusters, seed, durationMs, damage }: ScheduleOptions): readonly Fault[] {
  const random = randomOf(seed);
  const shape = { clusters };
  const faults: Fault[] = [];
  const possible = kinds.filter(({ kind }) => isPossible(kind, { shape, damage }));
  for (let atMs = FIRST_MS; atMs + LEAST_MS <= durationMs; atMs += between(random, GAP_MIN_MS, GAP_MAX_MS)) {
    for (let draws = 0; draws < DRAWS_MAX; draws++) {
      const { kind, maxMs } = drawKind(possible, random);
      const forMs = Math.min(between(random, LEAST_MS, maxMs), durationMs - atMs);
      const fault: Fault = { ...drawFault(kind, { shape, random }), atMs, forMs };
      if (!fits(fault, { faults, shape })) continue;
      faults.push(fault);
      break;
    }
  }
  return faults;
}

function isPossible(kind: Fault["kind"], { shape, damage }: { readonly shape: Shape; readonly damage: boolean }) {
  if (kind === "damage") return damage;
  return kind !== "cut-clusters" || shape.clusters.length > 1;
}

function drawKind(possible: typeof kinds, random: Random): (typeof kinds)[number] {
  let point = random.below(possible.reduce((sum, { weight }) => sum + weight, 0));
  for (const each of possible) {
    point -= each.weight;
    if (point < 0) return each;
  }
  throw new Error("a point beyond all weights");
}

interface Drawing {
  readonly shape: Shape;
  readonly random: Random;
}

function drawFault(kind: Fault["kind"], { shape, random }: Drawing): FaultKind {
  const cluster = pick(shape.clusters, random);
  const index = random.below(cluster.nodes);
  const by = random.below(2) === 0 ? "primary" : "index";
  const victim: Victim = { cluster: cluster.id, by, index };
  const ways = pick(["both", "both", "in", "out"] as const, random);
  const cutting: Cutting = { ways, reset: random.below(3) === 0 };
  const other = random.below(shape.clusters.length - 1);
  switch (kind) {
    case "kill":
    case "pause":
      return { kind, victim };
    case "kill-cluster":
      return { kind, cluster: cluster.id };
    case "kill-all":
      return { kind };
    case "cut-node":
      return { kind, victim, clients: random.below(2) === 0, ...cutting };
    case "cut-link":
      return { kind, victim, other: (index + 1 + random.below(cluster.nodes - 1)) % cluster.nodes, ...cutting };
    case "cut-clusters": {
      const others = shape.clusters.filter(({ id }) => id !== cluster.id);
      return { kind, cluster: cluster.id, other: (others[other] as (typeof others)[number]).id, ...cutting };
    }
    case "cut-clients":
      return { kind, victim, ...cutting };
    case "damage":
      return { kind, victim, damage: pick(DAMAGES, random) };
  }
}

/** How much of a cluster's f a fault takes; "all" is beyond the model. */
function troubleOf(fault: Fault, cluster: ClusterId): number | "all" {
  switch (fault.kind) {
    case "kill-all":
      return "all";
    case "kill-cluster":
      return fault.cluster === cluster ? "all" : 0;
    case "cut-clusters":
    case "cut-clients":
      return 0;
    case "kill":
    case "pause":
    case "cut-node":
    case "cut-link":
    case "damage":
      return fault.victim.cluster === cluster ? 1 : 0;
  }
}

function fits(fault: Fault, { faults, shape }: { readonly faults: readonly Fault[]; readonly shape: Shape }): boolean {
  const beside = faults.filter(({ kind, atMs, forMs }) => {
    return atMs + forMs + (kind === "damage" ? DAMAGE_RECOVERY_MS : RECOVERY_MS) > fault.atMs;
  });
  return shape.clusters.every(({ id, faults: most }) => {
    const own = troubleOf(fault, id);
    if (own === 0) return true;
    const others = beside.map((each) => troubleOf(each, id));
    // Nodes that are in trouble already may be killed with all others: that must be safe, too.
    if (own === "all") return !others.includes("all");
    if (others.includes("all")) return false;
    return others.reduce<number>((sum, trouble) => sum + Number(trouble), own) <= most;
  });
}

function pick<T>(from: readonly T[], random: Random): T {
  return from[random.below(from.length)] as T;
}

function between(random: Random, least: number, most: number): number {
  return Math.round(least + random.fraction() * (most - least));
}

/** "pause c2's primary for 12.3 s". */
export function showFault(fault: Fault): string {
  const seconds = `${(fault.forMs / 1000).toFixed(1)} s`;
  switch (fault.kind) {
    case "kill":
    case "pause":
      return `${fault.kind} ${showVictim(fault.victim)} for ${seconds}`;
    case "kill-cluster":
      return `kill all of cluster ${fault.cluster} for ${seconds}`;
    case "kill-all":
      return `kill all nodes for ${seconds}`;
    case "cut-node": {
      const whom = fault.clients ? "all" : "all nodes";
      return `cut ${showVictim(fault.victim)} from ${whom}${showCut(fault)} for ${seconds}`;
    }
    case "cut-link":
      return `cut ${showVictim(fault.victim)} from node ${fault.other}${showCut(fault)} for ${seconds}`;
    case "cut-clusters":
      return `cut cluster ${fault.cluster} from cluster ${fault.other}${showCut(fault)} for ${seconds}`;
    case "cut-clients":
      return `cut clients from ${showVictim(fault.victim)}${showCut(fault)} for ${seconds}`;
    case "damage":
      return `damage (${fault.damage}) the data of ${showVictim(fault.victim)} for ${seconds}`;
  }
}

function showVictim({ cluster, by, index }: Victim): string {
  return by === "primary" ? `the primary of cluster ${cluster}` : `node ${index} of cluster ${cluster}`;
}

function showCut({ ways, reset }: Cutting): string {
  const which = ways === "both" ? "" : ways === "in" ? ", only what comes in" : ", only what goes out";
  return `${which}${reset ? ", connections reset" : ""}`;
}
