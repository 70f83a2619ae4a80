// What a run is made of: everything that is drawn from its seed before it begins. A profile (profiles.ts) gives the
// ranges; a plan is one draw. A plan can also be written by hand, for tests and measurements.

import type { Dissemination, FailureModel, Initiator } from "../types/topology.js";
import type { Range } from "./draw.js";
import type { Weather } from "./network.js";
import type { Tempo } from "./surroundings.js";

export const PROFILES = ["calm", "weather", "storm", "treason", "crossfire"] as const;
/** Not drawn and without faults: what the simulator's speed is measured with. */
export const PACED = "paced";
export type Profile = (typeof PROFILES)[number] | typeof PACED;

/** What can go wrong while a run lasts (faults.ts). */
export const FAULTS = [
  "crash-node",
  "crash-primary",
  "crash-villain",
  "crash-cluster",
  "crash-all",
  "pause-node",
  "pause-primary",
  "isolate-node",
  "isolate-primary",
  "split-cluster",
  "split-network",
  "one-way",
  "cut-clients",
  "clog",
  "slow-disk",
  "full-disk",
  "lost-tail",
  "gale",
  "clock-jump",
  "lose-disk",
  "old-disk",
] as const;
export type Fault = (typeof FAULTS)[number];

export interface ClusterPlan {
  readonly model: FailureModel;
  readonly faults: number;
  readonly nodes: number;
  /** Its first so many nodes in a drawn order are byzantine; at most `faults`. */
  readonly villains: number;
}

export interface LoadPlan {
  readonly clients: number;
  /** Between the end of one request and the next of the same client, on average. */
  readonly pauseMs: number;
  /** All clients together stop after so many, so that a seed has its price. */
  readonly requestsMax: number;
  /** Share of requests that involve several clusters, and how many at most. */
  readonly cross: number;
  readonly clustersMax: number;
  /** Largest number of operations in a request. */
  readonly batchMax: number;
  /** Accounts of each client in each cluster, and Zipf's exponent over them. */
  readonly accounts: number;
  readonly skew: number;
  readonly balance: bigint;
  /** Shares of requests that open accounts, cannot succeed, expire soon, and of pauses that end in a reading. */
  readonly openings: number;
  readonly mistakes: number;
  readonly shortLived: number;
  readonly readings: number;
  /** How long a client waits for an answer before it asks all nodes. */
  readonly attemptMs: number;
  /** All clients send at the same moments, so that blocks collide. */
  readonly volleys: boolean;
  /** Clients that keep to no rule. */
  readonly rogues: number;
}

export interface FaultPlan {
  readonly kinds: readonly Fault[];
  /** From one fault to the next, on average. */
  readonly everyMs: number;
  /** How long one lasts. */
  readonly lastsMs: Range;
}

/** A node that is away from one moment until everything heals, so that others forget what it lacks. */
export interface SleepPlan {
  /** Positions in the plan's clusters and in the cluster's nodes. */
  readonly cluster: number;
  readonly node: number;
  readonly fromMs: number;
}

export interface RunPlan {
  readonly seed: number;
  readonly profile: Profile | "own";
  readonly clusters: readonly ClusterPlan[];
  readonly dissemination: Dissemination;
  readonly initiator: Initiator;
  readonly shards: "hash" | "range" | "table";
  readonly blockRequestsMax: number;
  readonly tempo: Tempo;
  /** One way, inside of a cluster, between two, and to a client. */
  readonly latency: { readonly inner: Range; readonly outer: Range; readonly client: Range };
  readonly weather: Weather;
  readonly skewMs: number;
  readonly load: LoadPlan;
  readonly faults: FaultPlan;
  readonly sleep: SleepPlan | undefined;
  /** A gap of so many records is closed by records without a question whether the state is less. */
  readonly catchUpAtOnceMax: number;
  /** How long faults happen. */
  readonly safetyMs: number;
}
