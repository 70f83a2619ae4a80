// What a simulated node meets: how quick its machine is, where in a turn it may die, and the world around it as far as
// it needs to know it.

import type { BlockContext } from "../cluster/block.js";
import type { TurnPlan } from "../node/turn.js";
import type { NodeRef, PublicKey } from "../types/ids.js";
import type { Range } from "./draw.js";
import type { EventQueue } from "./events.js";
import type { SimHost } from "./host.js";
import type { Endpoint, Frame } from "./network.js";
import type { SimWorld } from "./observer.js";

/** Virtual time 0 in milliseconds since 1970. */
export const START = 1_700_000_000_000;

/** Where in a turn a node dies: nothing is durable, nothing was sent, some was sent, all was sent. */
export const CRASH_POINTS = ["before", "between", "partly", "after"] as const;
export type CrashPoint = (typeof CRASH_POINTS)[number];
/** A number: after so many frames were sent. */
export type Doom = CrashPoint | number;

/** How quick a node is, in virtual ms. */
export interface Tempo {
  /** From the arrival of a message to the turn that takes it. */
  readonly turnMs: Range;
  /** A synced write. */
  readonly diskMs: Range;
  /** Reading the store at start. */
  readonly bootMs: Range;
  /** How often expired replies are forgotten; 0: never. */
  readonly pruneMs: number;
}

/** What a node needs of the world around it. */
export interface Surroundings {
  readonly queue: EventQueue;
  readonly world: SimWorld;
  readonly context: BlockContext;
  readonly tempo: Tempo;
  readonly catchUpAtOnceMax: number;
  readonly keyOf: (node: NodeRef) => PublicKey;
  readonly send: (from: Endpoint, to: PublicKey, frame: Frame, extraMs?: number) => void;
  readonly onTurn: (host: SimHost, plan: TurnPlan) => void;
  readonly onCrash: (host: SimHost) => void;
  readonly onStart: (host: SimHost) => void;
  readonly onLost: (host: SimHost) => void;
  /** It stopped, since it found that its folder is not what it should be. */
  readonly onRefused: (host: SimHost, code: string) => void;
  /** An invariant of the node's own broke: its process would have ended. */
  readonly onBroken: (host: SimHost, error: unknown) => void;
  readonly onRejected: (host: SimHost, code: string, from: PublicKey, kind: string) => void;
}
