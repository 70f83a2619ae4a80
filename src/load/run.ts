// A whole load: connects with the client keys it is given, draws a workload for each, runs them, and closes everything.
// Sessions share the keys' connections, so a thousand of them cost no more connections than a few.

import { type Client, connect, type TransportFactory } from "../client/sdk.js";
import { systemTime, type Time } from "../client/time.js";
import { CodedError } from "../types/codes.js";
import type { Topology } from "../types/topology.js";
import { loadAccounts } from "./accounts.js";
import { type LoadProgress, startLoad } from "./driver.js";
import type { Ending } from "./meter.js";
import type { LoadConfig, LoadReport } from "./report.js";
import { type WorkloadOptions, workloadOf } from "./workload.js";

export interface RunLoadOptions extends WorkloadOptions {
  readonly topology: Topology;
  /** Paths of client key files, or seeds. */
  readonly keys: readonly (string | Uint8Array)[];
  /** Concurrent sessions of the closed loop. */
  readonly sessions: number;
  /** Requests per second: an open loop instead. */
  readonly rate?: number | undefined;
  readonly warmupMs: number;
  /** After the warm-up. */
  readonly durationMs: number;
  /** Of each request; default 10,000. */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
  /** Called every 500 ms. */
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  /** Hears of every request that has ended, when it has. */
  readonly onEnding?: ((ending: Ending) => void) | undefined;
  readonly transport?: TransportFactory;
  readonly time?: Time;
}

const DEADLINE_MS = 10_000;
const PROGRESS_MS = 500;

export async function runLoad(options: RunLoadOptions): Promise<LoadReport> {
  const { topology, keys, time = systemTime } = options;
  checkCounts(options);
  const accounts = loadAccounts(topology);
  const clients = await connectAll(options);
  try {
    const startedAt = new Date(time.now()).toISOString();
    const load = startLoad({
      clients: clients.map((client, number) => ({
        client,
        workload: workloadOf(accounts, { ...options, client: { key: client.key, number } }),
      })),
      mode:
        options.rate === undefined
          ? { kind: "closed", sessions: options.sessions }
          : { kind: "open", requestsPerSecond: options.rate },
      warmupMs: options.warmupMs,
      durationMs: options.durationMs,
      deadlineMs: options.deadlineMs ?? DEADLINE_MS,
      time,
      onEnding: options.onEnding,
      ...(options.signal && { signal: options.signal }),
    });
    const stopProgress = time.every(PROGRESS_MS, () => options.onProgress?.(load.progress()));
    const result = await load.result.finally(stopProgress);
    return { startedAt, config: configOf(options, keys.length), result };
  } finally {
    await Promise.all(clients.map((client) => client.close()));
  }
}

async function connectAll({ topology, keys, transport, time }: RunLoadOptions): Promise<readonly Client[]> {
  const parts = { topology, ...(transport && { transport }), ...(time && { time }) };
  const connecting = await Promise.allSettled(keys.map((key) => connect({ ...parts, key })));
  const clients = connecting.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  const failed = connecting.find((each) => each.status === "rejected");
  if (failed === undefined) return clients;
  await Promise.all(clients.map((client) => client.close()));
  throw failed.reason;
}

function checkCounts({ keys, sessions, rate, warmupMs, durationMs }: RunLoadOptions): void {
  if (keys.length === 0) throw new CodedError("key-missing", "no client key is given; a load needs one or more");
  if (!Number.isInteger(sessions) || sessions < 1 || sessions > 100_000) {
    throw new CodedError("bad-workload", `${sessions} clients; it must be a whole number within 1 and 100000`);
  }
  if (rate !== undefined && !(rate > 0 && rate <= 1_000_000)) {
    throw new CodedError("bad-workload", `the rate is ${rate}; it must be above 0 and at most 1000000 requests/s`);
  }
  if (!(warmupMs >= 0 && durationMs > 0 && warmupMs + durationMs < 2 ** 31)) {
    throw new CodedError("bad-workload", "the duration must be above 0, the warm-up 0 or more, both within 24 days");
  }
}

function configOf(options: RunLoadOptions, keys: number): LoadConfig {
  const { topology, cross, shardsPerCross, debitsPerCross, skew, batch, seed } = options;
  return {
    network: topology.name,
    clusters: topology.clusters.map(({ model, nodes }) => `${model} ${nodes.length}`),
    clients: options.sessions,
    keys,
    durationSeconds: options.durationMs / 1000,
    warmupSeconds: options.warmupMs / 1000,
    cross,
    shardsPerCross,
    debitsPerCross,
    skew,
    batch,
    rate: options.rate ?? null,
    seed,
  };
}
