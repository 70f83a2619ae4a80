// Threads that run seeds side by side: each gets the next seed when it has finished one. A thread that breaks down is
// an error of the whole run, since the verdict of its seed would be missing.

import { Worker } from "node:worker_threads";
import type { PlanWishes } from "../sim/profiles.js";
import type { TimedResult } from "./simulate-worker.js";

export interface PoolOptions {
  readonly seeds: Iterable<PlanWishes>;
  readonly jobs: number;
  readonly signal: AbortSignal;
  readonly onResult: (result: TimedResult) => void;
}

/** Resolves when all seeds are done, or soon after the signal, when every thread has ended. */
export async function runSeeds({ seeds, jobs, signal, onResult }: PoolOptions): Promise<void> {
  const waiting = seeds[Symbol.iterator]();
  const workers = new Set<Worker>();
  const endAll = async () => {
    await Promise.all([...workers].map((worker) => worker.terminate()));
  };
  const serve = () =>
    new Promise<void>((resolve, reject) => {
      const worker = new Worker(new URL("simulate-worker.js", import.meta.url));
      workers.add(worker);
      const next = () => {
        const { value, done } = waiting.next();
        if (done === true || signal.aborted) void worker.terminate();
        else worker.postMessage(value);
      };
      worker.on("message", (result: TimedResult) => {
        onResult(result);
        next();
      });
      worker.on("error", reject);
      worker.on("exit", () => {
        workers.delete(worker);
        resolve();
      });
      next();
    });
  const onAbort = () => void endAll();
  signal.addEventListener("abort", onAbort);
  try {
    await Promise.all(Array.from({ length: jobs }, serve));
  } finally {
    signal.removeEventListener("abort", onAbort);
    await endAll();
  }
}
