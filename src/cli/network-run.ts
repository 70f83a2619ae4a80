// For commands that measure a network of processes on this machine: it is made in a folder of its own, started, waited
// for, and whatever happens ended and removed.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Topology } from "../types/topology.js";
import { type LocalNetwork, makeNetwork } from "./local-network.js";
import { allConnected, type NodeProcess, startNodes, stopNodes } from "./processes.js";

export interface NetworkRun {
  readonly net: string;
  readonly topology: Topology;
  /** All processes that were started; those that ended stay in it, and who starts another adds it. */
  readonly running: NodeProcess[];
  readonly signal: AbortSignal;
}

/** `keepIn`: a new folder that stays. The nodes are connected when `use` is called, which may stop them itself. */
export async function withNetwork<T>(
  network: LocalNetwork,
  { keepIn, signal }: { readonly keepIn?: string | undefined; readonly signal: AbortSignal },
  use: (run: NetworkRun) => Promise<T>,
): Promise<T> {
  const net = keepIn ?? (await mkdtemp(join(tmpdir(), `sharper-${network.name}-`)));
  const running: NodeProcess[] = [];
  try {
    const topology = await makeNetwork(net, network);
    running.push(...(await startNodes(net, topology, { withParent: true })));
    await allConnected(running, signal);
    return await use({ net, topology, running, signal });
  } finally {
    await stopNodes(running);
    if (keepIn === undefined) await rm(net, { recursive: true, force: true });
  }
}
