// A thread of `sharper simulate`: runs the seeds that it is sent, one after the other, and sends back what came of
// them.

import { parentPort } from "node:worker_threads";
import { type PlanWishes, planOf } from "../sim/profiles.js";
import { type RunResult, run } from "../sim/run.js";

export interface TimedResult extends RunResult {
  /** Of this machine, without waiting for a turn of the thread. */
  readonly elapsedMs: number;
}

parentPort?.on("message", (wishes: PlanWishes) => {
  void simulate(wishes).then((result) => parentPort?.postMessage(result));
});

async function simulate(wishes: PlanWishes): Promise<TimedResult> {
  const started = performance.now();
  const plan = planOf(wishes);
  try {
    const result = await run({ plan });
    return { ...result, elapsedMs: performance.now() - started };
  } catch (error) {
    // The simulator itself broke down; the message is all that another thread sees of it.
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    throw new Error(`seed ${plan.seed} (${plan.profile}) cannot be judged: ${what}`, { cause: error });
  }
}
