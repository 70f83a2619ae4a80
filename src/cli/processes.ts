// The processes of a network on this machine, one per node: where their files are below a network's folder, starting
// them, waiting until all are connected with all, and ending them by process id. Used by devnet and demo.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { NodeStatus } from "../node/status.js";
import { CodedError } from "../types/codes.js";
import type { NodeInfo, Topology } from "../types/topology.js";

/** Where everything of a network is below its folder. */
export const places = {
  topology: (folder: string) => join(folder, "topology.yaml"),
  key: (folder: string, id: string) => join(folder, "nodes", `${id}.key`),
  clients: (folder: string) => join(folder, "clients"),
  data: (folder: string, id: string) => join(folder, "data", id),
  log: (folder: string, id: string) => join(folder, "logs", `${id}.log`),
  status: (folder: string, id: string) => join(folder, "run", `${id}.json`),
};

/** Nodes are many on one machine: a small young generation keeps each one near 130 MB resident. */
const NODE_FLAGS = ["--max-semi-space-size=4", "--max-old-space-size=512"];
const CONNECT_MAX_MS = 60_000;
const STOP_MAX_MS = 5000;

export interface NodeProcess {
  readonly info: NodeInfo;
  readonly child: ChildProcess;
}

export function nodesOf(topology: Topology): readonly NodeInfo[] {
  return topology.clusters.flatMap(({ nodes }) => nodes);
}

/** Starts all nodes. `withParent`: they end with this process, however it ends. */
export async function startNodes(
  folder: string,
  topology: Topology,
  { withParent }: { readonly withParent: boolean },
): Promise<readonly NodeProcess[]> {
  for (const part of ["data", "logs", "run"]) await mkdir(join(folder, part), { recursive: true, mode: 0o700 });
  return nodesOf(topology).map((info) => ({ info, child: startNode(folder, info, withParent) }));
}

/** Starts one node, for the first time or again. */
export function startNode(
  folder: string,
  { id }: NodeInfo,
  withParent: boolean,
  topologyFile = places.topology(folder),
): ChildProcess {
  const args = ["node", "--topology", topologyFile, "--node", id, "--key", places.key(folder, id)];
  args.push(
    "--data",
    places.data(folder, id),
    "--log-file",
    places.log(folder, id),
    "--status",
    places.status(folder, id),
  );
  if (withParent) args.push("--with-parent");
  // Its own process group: Ctrl-C is for the command, which ends its nodes in order.
  const options = { detached: true, execArgv: NODE_FLAGS, stdio: ["ignore", "ignore", "pipe", "ipc"] } as const;
  return fork(fileURLToPath(new URL("main.js", import.meta.url)), args, { ...options, stdio: [...options.stdio] });
}

/** Resolves when every node is connected with every other one; fails with the first that ended instead. */
export async function allConnected(processes: readonly NodeProcess[], signal: AbortSignal): Promise<void> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(CONNECT_MAX_MS)]);
  const waits = processes.map(({ child, info }) => connected(child, info));
  const aborted = new Promise<never>((_, reject) => {
    limit.addEventListener("abort", () => {
      reject(new CodedError("unavailable", signal.aborted ? "interrupted" : "the nodes did not connect within 60 s"));
    });
  });
  await Promise.race([Promise.all(waits), aborted]);
}

function connected(child: ChildProcess, { id }: NodeInfo): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let complaint = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    complaint = `${complaint}${text}`.slice(-2000);
  });
  child.once("message", () => resolve());
  child.once("exit", (code) =>
    reject(new CodedError("node-failed", `node ${id} ended with ${code}: ${complaint.trim()}`)),
  );
  return promise;
}

/** By itself or by a signal. */
export function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

/** SIGKILL; returns when it is gone. */
export async function killNode({ info, child }: NodeProcess): Promise<void> {
  if (hasEnded(child)) throw new CodedError("node-failed", `node ${info.id} has ended`);
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}

/** SIGTERM to all, SIGKILL to those that do not end within 5 s; returns when none is left. */
export async function stopNodes(processes: readonly NodeProcess[]): Promise<void> {
  await Promise.all(
    processes.map(async ({ child }) => {
      if (hasEnded(child)) return;
      const exit = once(child, "exit");
      child.kill("SIGTERM");
      const guard = setTimeout(() => child.kill("SIGKILL"), STOP_MAX_MS);
      await exit;
      clearTimeout(guard);
    }),
  );
}

/** Lets the nodes go on without this process. */
export function release(processes: readonly NodeProcess[]): void {
  for (const { child } of processes) {
    child.stderr?.destroy();
    if (child.connected) child.disconnect();
    child.unref();
  }
}

export async function readStatus(folder: string, id: string): Promise<NodeStatus | undefined> {
  try {
    return JSON.parse(await readFile(places.status(folder, id), "utf8")) as NodeStatus;
  } catch {
    return undefined;
  }
}

/** Which of a cluster's nodes says that it is primary, in the highest view if several do; at most a second ago. */
export async function primaryOf(folder: string, nodes: readonly NodeInfo[]): Promise<string | undefined> {
  const statuses = await Promise.all(nodes.map(({ id }) => readStatus(folder, id)));
  const primaries = statuses.flatMap((each) => (each?.primary === true ? [each] : []));
  return primaries.sort((a, b) => b.view - a.view)[0]?.node;
}

export async function removeStatus(folder: string, id: string): Promise<void> {
  await rm(places.status(folder, id), { force: true });
}

/** Is the process of this status file still that node? Process ids come round again. */
export async function isRunning(folder: string, { node, pid }: Pick<NodeStatus, "node" | "pid">): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => undefined);
  return commandLine === undefined ? process.platform !== "linux" : commandLine.includes(places.data(folder, node));
}
