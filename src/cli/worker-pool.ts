// Threads that do simulations side by side: each gets the next task when it has finished one. A thread that breaks
// down is an error of the whole command, since the result of its task would be missing.

import { Worker } from "node:worker_threads";

export interface PoolOptions<Task, Result> {
  /** The module of a thread: it answers each message, a task, with one, its result. */
  readonly module: URL;
  readonly tasks: Iterable<Task>;
  readonly jobs: number;
  readonly signal: AbortSignal;
  readonly onResult: (result: Result) => void;
}

/** Resolves when all tasks are done, or soon after the signal, when every thread has ended. */
export async function runTasks<Task, Result>(options: PoolOptions<Task, Result>): Promise<void> {
  const { module, tasks, jobs, signal, onResult } = options;
  const waiting = tasks[Symbol.iterator]();
  const workers = new Set<Worker>();
  const endAll = async () => {
    await Promise.all([...workers].map((worker) => worker.terminate()));
  };
  const serve = () =>
    new Promise<void>((resolve, reject) => {
      const worker = new Worker(module);
      workers.add(worker);
      const next = () => {
        const { value, done } = waiting.next();
        if (done === true || signal.aborted) void worker.terminate();
        else worker.postMessage(value);
      };
      worker.on("message", (result: Result) => {
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
