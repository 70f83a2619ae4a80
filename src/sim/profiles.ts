// The five profiles: from which ranges a run of each is drawn. What kinds of fault a run has is drawn, too, so that
// rare mixtures come up, and runs in which nothing hides a fault behind another. Calm has no faults; weather is the
// network's doing; storm the machines'; treason has byzantine nodes and clients in bad weather; crossfire has nearly
// nothing but cross-shard requests on few accounts, sent all at once, and loses its primaries.

import { limits } from "../types/limits.js";
import type { FailureModel } from "../types/topology.js";
import { Draw, type Range } from "./draw.js";
import { FAIR_WEATHER, type Weather } from "./network.js";
import { type ClusterPlan, type Fault, type LoadPlan, PACED, PROFILES, type Profile, type RunPlan } from "./plan.js";
import { quietPlan } from "./quiet-plan.js";

export interface PlanWishes {
  readonly seed: number;
  /** Default: by the seed, in turn. */
  readonly profile?: Profile | undefined;
  /** Default: drawn. */
  readonly clusters?: number | undefined;
}

/** More would make a seed too expensive, and show nothing that fewer do not. */
const NODES_MAX = 18;

const NETWORK_FAULTS: readonly Fault[] = [
  "isolate-node",
  "isolate-primary",
  "split-cluster",
  "split-network",
  "one-way",
  "cut-clients",
  "clog",
  "gale",
];
const MACHINE_FAULTS: readonly Fault[] = [
  "crash-node",
  "crash-primary",
  "crash-cluster",
  "crash-all",
  "pause-node",
  "pause-primary",
  "slow-disk",
  "clock-jump",
];
const STORAGE_FAULTS: readonly Fault[] = ["full-disk", "lost-tail"];
const DISK_FAULTS: readonly Fault[] = ["lose-disk", "old-disk"];
const VILLAIN_FAULTS: readonly Fault[] = ["crash-villain"];
const PRIMARY_FAULTS: readonly Fault[] = ["crash-primary", "pause-primary", "isolate-primary", "crash-node"];

export function profileOf({ seed, profile }: PlanWishes): Profile {
  return profile ?? (PROFILES[seed % PROFILES.length] as Profile);
}

export function planOf(wishes: PlanWishes): RunPlan {
  const profile = profileOf(wishes);
  if (profile === PACED) return pacedPlan(wishes.seed);
  const draw = new Draw(wishes.seed, `plan ${profile}`);
  const clusters = drawClusters(draw, profile, wishes.clusters);
  const isFast = draw.chance(0.5);
  const safetyMs = profile === "calm" ? 10_000 : draw.magnitude([10_000, 45_000]);
  return {
    seed: wishes.seed,
    profile,
    clusters,
    dissemination: draw.pick(["flattened", "super-propose", "adaptive"]),
    initiator: draw.pick(["source", "source", "lowest"]),
    shards: draw.pick(["hash", "range", "table"]),
    blockRequestsMax: draw.pick([1, 2, 10, 100]),
    tempo: {
      turnMs: [0.05, draw.magnitude([0.1, 5])],
      diskMs: [0.1, draw.magnitude([0.2, 20])],
      bootMs: [5, draw.magnitude([10, 2000])],
      pruneMs: draw.chance(0.2) ? 10_000 : 0,
    },
    latency: {
      inner: [0.1, draw.magnitude([0.2, isFast ? 2 : 20])],
      outer: [0.2, draw.magnitude([0.5, isFast ? 5 : 100])],
      client: [0.2, draw.magnitude([0.5, 50])],
    },
    weather: drawWeather(draw, profile),
    skewMs: profile === "calm" ? draw.pick([0, 50]) : draw.pick([0, 100, 3000]),
    load: drawLoad(draw, { profile, clusters, safetyMs }),
    faults: withStorage(wishes.seed, profile, drawFaults(draw, profile)),
    safetyMs,
    ...drawAbsence(wishes.seed, { profile, clusters, safetyMs }),
  };
}

/** Drawn apart, so that the runs of other seeds stay what they were. */
function withStorage(seed: number, profile: Profile, faults: RunPlan["faults"]): RunPlan["faults"] {
  if (profile !== "storm") return faults;
  return { ...faults, kinds: [...faults.kinds, ...new Draw(seed, "storage").some(STORAGE_FAULTS, 0.3)] };
}

/** Drawn by itself, since it came later than the rest: seeds of before have their runs. */
function drawAbsence(
  seed: number,
  { profile, clusters, safetyMs }: Pick<RunPlan, "clusters" | "safetyMs"> & { readonly profile: Profile },
): Pick<RunPlan, "sleep" | "catchUpAtOnceMax"> {
  const draw = new Draw(seed, "absence");
  const catchUpAtOnceMax = draw.pick([0, 0, 16, limits.catchUpAtOnceMax]);
  // In a cluster with a byzantine node one more that is away may be too many.
  const loyal = [...clusters.keys()].filter((cluster) => clusters[cluster]?.villains === 0);
  if (profile === "calm" || profile === PACED || loyal.length === 0 || !draw.chance(0.35)) {
    return { sleep: undefined, catchUpAtOnceMax };
  }
  const cluster = draw.pick(loyal);
  const node = draw.below(clusters[cluster]?.nodes ?? 1);
  return { sleep: { cluster, node, fromMs: Math.floor(draw.number([0, safetyMs / 3])) }, catchUpAtOnceMax };
}

/** 4 byzantine clusters of 4, one request a second, a tenth of them over two clusters, for 5 minutes. */
function pacedPlan(seed: number): RunPlan {
  const byzantine: ClusterPlan = { model: "byzantine", faults: 1, nodes: 4, villains: 0 };
  const plan = quietPlan(seed, Array<ClusterPlan>(4).fill(byzantine));
  const pace = { clients: 4, pauseMs: 4000, requestsMax: Number.MAX_SAFE_INTEGER, attemptMs: 1000 };
  return {
    ...plan,
    profile: PACED,
    tempo: { ...plan.tempo, diskMs: [0.2, 2] },
    load: { ...plan.load, ...pace, cross: 0.1, clustersMax: 2, accounts: 10 },
    faults: { ...plan.faults, lastsMs: [1, 2] },
    safetyMs: 300_000,
  };
}

function drawClusters(draw: Draw, profile: Profile, wished: number | undefined): readonly ClusterPlan[] {
  const fewest = profile === "crossfire" ? 2 : 1;
  const count = wished ?? Math.max(fewest, draw.pick([1, 2, 2, 2, 2, 3, 3, 3, 3, 4]));
  const mixture = draw.pick<FailureModel | "mixed">(["crash", "byzantine", "mixed", "mixed"]);
  const clusters: ClusterPlan[] = [];
  let nodes = 0;
  for (let i = 0; i < count; i++) {
    const model = mixture === "mixed" ? draw.pick<FailureModel>(["crash", "byzantine"]) : mixture;
    const isLast = i === count - 1;
    const needsVillains = profile === "treason" && isLast && clusters.every((each) => each.model === "crash");
    const cluster = drawCluster(draw, needsVillains ? "byzantine" : model, profile);
    const small = { ...cluster, faults: 1, nodes: cluster.model === "crash" ? 3 : 4 };
    const chosen = nodes + cluster.nodes > NODES_MAX ? { ...small, villains: Math.min(1, cluster.villains) } : cluster;
    nodes += chosen.nodes;
    clusters.push(chosen);
  }
  return clusters;
}

function drawCluster(draw: Draw, model: FailureModel, profile: Profile): ClusterPlan {
  const faults = draw.pick([1, 1, 1, 1, 1, 1, 1, 2]);
  const spare = draw.chance(0.15) ? 1 : 0;
  const nodes = (model === "crash" ? 2 : 3) * faults + 1 + spare;
  const isBetrayed = model === "byzantine" && (profile === "treason" ? draw.chance(0.8) : false);
  return { model, faults, nodes, villains: isBetrayed ? draw.integer([1, faults]) : 0 };
}

function drawWeather(draw: Draw, profile: Profile): Weather {
  if (profile === "calm") return FAIR_WEATHER;
  const isBad = profile === "weather" || draw.chance(0.5);
  if (!isBad) return FAIR_WEATHER;
  const share = (most: number) => (draw.chance(0.6) ? draw.magnitude([0.001, most]) : 0);
  return {
    loss: share(0.1),
    duplicates: share(0.2),
    overtaken: share(0.2),
    slow: share(0.1),
    slowMs: draw.magnitude([10, 2000]),
  };
}

function drawLoad(
  draw: Draw,
  { profile, clusters, safetyMs }: Pick<RunPlan, "clusters" | "safetyMs"> & { readonly profile: Profile },
): LoadPlan {
  const isCrossfire = profile === "crossfire";
  const clients = draw.integer(isCrossfire ? [3, 8] : [1, 6]);
  const mostClusters = clusters.length;
  const requestsMax = requestsMaxOf(clusters);
  // Mostly the requests last as long as the faults do; some runs send them in a hurry.
  const pauseMs = ((clients * safetyMs) / requestsMax) * draw.magnitude([0.1, 1.5]);
  return {
    clients,
    pauseMs,
    requestsMax,
    cross: mostClusters === 1 ? 0 : isCrossfire ? draw.number([0.9, 1]) : draw.pick([0, 0.1, 0.3, 0.6]),
    clustersMax: Math.min(mostClusters, draw.pick([2, 2, 3, 4])),
    batchMax: draw.pick([1, 1, 2, 8]),
    accounts: isCrossfire ? draw.integer([1, 3]) : draw.integer([2, 12]),
    skew: draw.pick([0, 0.5, 1.2]),
    balance: draw.pick([20n, 1000n, 1_000_000n]),
    openings: draw.pick([0, 0.05, 0.2]),
    mistakes: draw.pick([0, 0.05, 0.2]),
    shortLived: draw.pick([0, 0, 0.1]),
    readings: draw.pick([0, 0.2, 0.5]),
    attemptMs: draw.magnitude([300, 3000]),
    volleys: isCrossfire || draw.chance(0.15),
    rogues: profile === "treason" && draw.chance(0.6) ? draw.integer([1, 2]) : 0,
  };
}

/** Messages of a block grow with the square of a byzantine cluster: larger networks get fewer requests. */
function requestsMaxOf(clusters: readonly ClusterPlan[]): number {
  const price = clusters.reduce((sum, { model, nodes }) => sum + (model === "crash" ? 4 * nodes : 2 * nodes ** 2), 0);
  return Math.round(Math.min(200, 8000 / price));
}

function drawFaults(draw: Draw, profile: Profile): RunPlan["faults"] {
  const everyMs = draw.magnitude([500, 8000]);
  const lastsMs: Range = [20, draw.magnitude([200, 12_000])];
  return { kinds: drawKinds(draw, profile), everyMs, lastsMs };
}

function drawKinds(draw: Draw, profile: Profile): readonly Fault[] {
  const some = (kinds: readonly Fault[]): readonly Fault[] => {
    const drawn = draw.some(kinds, 0.4);
    return drawn.length > 0 ? drawn : [draw.pick(kinds)];
  };
  switch (profile) {
    case "calm":
    case PACED:
      return [];
    case "weather":
      return some(NETWORK_FAULTS);
    case "storm":
      return [...some(MACHINE_FAULTS), ...draw.some(NETWORK_FAULTS, 0.2), ...draw.some(DISK_FAULTS, 0.3)];
    case "treason":
      // What a byzantine node forgets at a restart only shows when it restarts.
      return [
        ...draw.some(NETWORK_FAULTS, 0.2),
        ...draw.some(MACHINE_FAULTS, 0.15),
        ...draw.some(VILLAIN_FAULTS, 0.5),
        ...draw.some(DISK_FAULTS, 0.3),
      ];
    case "crossfire":
      return [...some(PRIMARY_FAULTS), ...draw.some(NETWORK_FAULTS, 0.15)];
  }
}
