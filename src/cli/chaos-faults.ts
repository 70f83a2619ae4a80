// Performs the faults of a schedule on the stage, each at its time and each undone at its end, side by side as they
// were drawn. A primary is looked up when its fault begins.

import { setTimeout as pause } from "node:timers/promises";
import { CLIENTS } from "../chaos/mesh.js";
import { type Fault, showFault, type Victim, type Ways } from "../chaos/schedule.js";
import { type Random, randomOf } from "../load/random.js";
import type { Stage } from "./chaos-stage.js";

export interface FaultOutcome {
  readonly fault: Fault;
  /** The node that was hit, if it was one. */
  readonly node: string | undefined;
  readonly note: string;
}

export interface PerformOptions {
  readonly stage: Stage;
  readonly faults: readonly Fault[];
  readonly seed: number;
  readonly durationMs: number;
  /** Copies of data folders are kept, for damage that puts them back. */
  readonly keepsCopies: boolean;
  readonly signal: AbortSignal;
  readonly onLine: (line: string) => void;
}

/** Returns when the duration is over and every fault is undone. */
export async function performFaults(options: PerformOptions): Promise<readonly FaultOutcome[]> {
  const { faults, durationMs, signal, onLine } = options;
  const startedAt = performance.now();
  const until = async (atMs: number): Promise<void> => {
    await pause(Math.max(0, startedAt + atMs - performance.now()), undefined, { signal });
  };
  const outcomes: FaultOutcome[] = [];
  await Promise.all([
    ...faults.map(async (fault, i) => {
      await until(fault.atMs);
      const node = await nodeOf(fault, options.stage);
      const who = node === undefined ? "" : ` (${node})`;
      onLine(`${(fault.atMs / 1000).toFixed(1).padStart(7)} s  ${showFault(fault)}${who}`);
      const note = await perform({ ...options, fault, node: node ?? "", random: randomOf(options.seed * 31 + i) }, () =>
        until(fault.atMs + fault.forMs),
      );
      if (note !== "") onLine(`           ${note}`);
      outcomes.push({ fault, node, note });
    }),
    until(durationMs),
  ]);
  return outcomes;
}

interface Performance extends PerformOptions {
  readonly fault: Fault;
  readonly node: string;
  readonly random: Random;
}

async function nodeOf(fault: Fault, stage: Stage): Promise<string | undefined> {
  return "victim" in fault ? resolve(fault.victim, stage) : undefined;
}

async function resolve({ cluster, by, index }: Victim, stage: Stage): Promise<string | undefined> {
  const drawn = stage.nodesOf(cluster)[index]?.id;
  return by === "primary" ? ((await stage.primaryOf(cluster)) ?? drawn) : drawn;
}

async function perform({ fault, node, stage, random, keepsCopies }: Performance, end: () => Promise<void>) {
  switch (fault.kind) {
    case "kill":
      await stage.kill(node);
      if (keepsCopies) await stage.copy(node);
      await end();
      stage.start(node);
      return "";
    case "kill-cluster":
    case "kill-all": {
      const nodes = fault.kind === "kill-all" ? stage.nodes : stage.nodesOf(fault.cluster);
      await Promise.all(nodes.map(({ id }) => stage.kill(id)));
      await end();
      for (const { id } of nodes) stage.start(id);
      return "";
    }
    case "pause":
      stage.stop(node);
      await end();
      stage.resume(node);
      return "";
    case "cut-node": {
      const isOutside = (id: string): boolean => id !== node && (fault.clients || id !== CLIENTS);
      await cutting(stage, { from: (id) => id === node, to: isOutside, ...fault }, end);
      return "";
    }
    case "cut-link": {
      const nodes = stage.nodesOf(fault.victim.cluster);
      // The primary may be the other one itself: then from whoever follows it.
      const at = nodes[fault.other]?.id === node ? (fault.other + 1) % nodes.length : fault.other;
      await cutting(stage, { from: (id) => id === node, to: (id) => id === nodes[at]?.id, ...fault }, end);
      return "";
    }
    case "cut-clusters": {
      const isIn = (cluster: number) => (id: string) => stage.nodesOf(cluster).some((each) => each.id === id);
      await cutting(stage, { from: isIn(fault.cluster), to: isIn(fault.other), ...fault }, end);
      return "";
    }
    case "cut-clients":
      await cutting(stage, { from: (id) => id === node, to: (id) => id === CLIENTS, ...fault }, end);
      return "";
    case "damage": {
      await stage.kill(node);
      const done = await stage.damage(node, { damage: fault.damage, random });
      await end();
      return `${node}: ${done}; ${await stage.startDamaged(node)}`;
    }
  }
}

interface Cutting {
  readonly from: (id: string) => boolean;
  readonly to: (id: string) => boolean;
  readonly ways: Ways;
  readonly reset: boolean;
}

async function cutting(stage: Stage, { from, to, ways, reset }: Cutting, end: () => Promise<void>): Promise<void> {
  const blocks = (sender: string, receiver: string): boolean =>
    (ways !== "in" && from(sender) && to(receiver)) || (ways !== "out" && to(sender) && from(receiver));
  const heal = stage.cut({ blocks, reset });
  await end();
  heal();
}
