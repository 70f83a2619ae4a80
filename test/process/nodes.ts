// Nodes of a network as child processes, one by one: how each ended, and what it says of itself meanwhile.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { NodeStatus } from "../../src/node/status.js";
import { main, sharperJson } from "./commands.js";

const PLANT = new URL("./plant.mjs", import.meta.url).href;

export interface Node {
  readonly process: ChildProcess;
  /** What it has said on stderr so far. */
  readonly said: () => string;
  /** Resolves with the exit code and the code of the error that it named on stderr. */
  readonly ended: Promise<{ readonly code: number | null; readonly error: string }>;
}

export interface Changed {
  readonly data?: string;
  readonly topology?: string;
  /** A fault that waits in the process for SIGUSR2. */
  readonly plant?: "disk" | "throw" | "reject" | "clock";
}

/** Runs a node of the network in `net`; `changed`: with another data folder or topology file than its own. */
export function start(net: string, node: string, changed: Changed = {}): Node {
  const { data = join(net, "data", node), topology = join(net, "topology.yaml"), plant } = changed;
  const args = ["--topology", topology, "--node", node, "--key", join(net, "nodes", `${node}.key`)];
  const all = [main, "node", ...args, "--data", data, "--status", `${data}.status`, "--with-parent", "--json"];
  const planted = plant === undefined ? [] : ["--import", PLANT];
  const env = { ...process.env, PLANT: plant };
  const child = spawn(process.execPath, [...planted, ...all], { stdio: ["ignore", "ignore", "pipe", "ipc"], env });
  let stderr = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const ended = once(child, "close").then(([code]) => {
    const line = stderr.split("\n").find((each) => each.startsWith("{")) ?? "{}";
    const { error } = JSON.parse(line) as { readonly error?: { readonly code: string } };
    return { code: code as number | null, error: error?.code ?? stderr };
  });
  return { process: child, said: () => stderr, ended };
}

export async function connected({ process: child, said, ended }: Node): Promise<void> {
  const first = await Promise.race([once(child, "message"), ended]);
  if ("error" in first) throw new Error(`the node ended with ${first.code}: ${said()}`);
}

export async function statusOf(net: string, node: string, data = join(net, "data", node)): Promise<NodeStatus> {
  return JSON.parse(await readFile(`${data}.status`, "utf8")) as NodeStatus;
}

export async function heightOf(net: string, node: string, data?: string): Promise<number> {
  return (await statusOf(net, node, data)).height;
}

/** A second of payments, none of which may fail but for funds. */
export async function load(net: string): Promise<void> {
  const args = ["--topology", join(net, "topology.yaml"), "--clients", "4", "--duration", "1", "--warmup", "0"];
  await sharperJson("load", ...args, "--cross", "0");
}
