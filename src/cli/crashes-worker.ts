// A thread of `sharper crashes`: crashes one node at each boundary that it is sent, in a run for each, and sends back
// what came of it.

import { parentPort } from "node:worker_threads";
import { CRASH_PLANS } from "../sim/crash-plans.js";
import { runWithCrashes } from "../sim/crashes.js";
import type { RunPlan } from "../sim/plan.js";
import type { Verdict } from "../sim/run.js";
import type { CrashTask } from "./crashes-tally.js";

export interface CrashOutcome {
  readonly boundary: number;
  /** Where nodes died; one, unless something is wrong. */
  readonly crashes: readonly string[];
  readonly verdict: Verdict;
  /** What is broken, or still waits. */
  readonly reasons: readonly string[];
}

/** The network goes on for so many requests once whoever died takes part again. */
const REQUESTS_AFTER = 20;

parentPort?.on("message", (task: CrashTask) => {
  void outcomeOf(task).then((outcome) => parentPort?.postMessage(outcome));
});

async function outcomeOf({ kind, blocks, boundary }: CrashTask): Promise<CrashOutcome> {
  try {
    const plan = (CRASH_PLANS[kind] as (blocks: number) => RunPlan)(blocks);
    const { crashes, result } = await runWithCrashes({ plan, first: boundary, requestsAfter: REQUESTS_AFTER });
    const broken = result.violations.map(({ invariant, reason }) => `${invariant}: ${reason}`);
    return { boundary, crashes, verdict: result.verdict, reasons: [...result.waiting, ...broken] };
  } catch (error) {
    // The simulator itself broke down; the message is all that another thread sees of it.
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    throw new Error(`${kind}, boundary ${boundary} cannot be judged: ${what}`, { cause: error });
  }
}
