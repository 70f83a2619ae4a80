// A thread of `sharper simulate`: runs the seeds that it is sent, one after the other, and sends back what came of
// them.

import { parentPort } from "node:worker_threads";
import { type PlanWishes, planOf } from "../sim/profiles.js";
import { type RunResult, run } from "../sim/run.js";

export interface TimedResult extends RunResult {
  /** That the thread has computed, which other work on the machine does not change much. */
  readonly computedMs: number;
}

parentPort?.on("message", (wishes: PlanWishes) => {
  void simulate(wishes).then((result) => parentPort?.postMessage(result));
});

async function simulate(wishes: PlanWishes): Promise<TimedResult> {
  const started = computedMs();
  const plan = planOf(wishes);
  try {
    const result = await run({ plan });
    return { ...result, computedMs: computedMs() - started };
  } catch (error) {
    // The simulator itself broke down; the message is all that another thread sees of it.
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    throw new Error(`seed ${plan.seed} (${plan.profile}) cannot be judged: ${what}`, { cause: error });
  }
}

/** CPU time of this thread; before Node 23.9, which does not tell it, the time. */
function computedMs(): number {
  const usage = process.threadCpuUsage?.();
  return usage === undefined ? performance.now() : (usage.user + usage.system) / 1000;
}
