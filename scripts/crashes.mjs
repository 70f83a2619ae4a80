#!/usr/bin/env node
// Crashes simulated nodes at every boundary between two effects of a run of 200 blocks, checkers on:
// scripts/crashes.mjs [crash|byzantine|cross] [first run] [runs] [stride]. Run r crashes at boundaries r, r + stride,
// r + 2 * stride, ...: all runs from 0 to stride - 1 together crash at all of them. Needs dist/ (npm run build).

import { CRASH_PLANS } from "../dist/sim/crash-plans.js";
import { runWithCrashes } from "../dist/sim/crashes.js";

const BLOCKS = 200;
const [name = "crash", from = "0", runs = "500", strideText = "500"] = process.argv.slice(2);
const stride = Number(strideText);
const plan = CRASH_PLANS[name](BLOCKS);
let [crashes, failed, boundaries] = [0, 0, 0];
for (let first = Number(from); first < Number(from) + Number(runs); first++) {
  const one = await runWithCrashes({ plan, first, stride });
  crashes += one.crashes.length;
  boundaries = Math.max(boundaries, one.boundaries);
  if (one.result.verdict === "PASS") continue;
  failed++;
  const { verdict, violations, waiting } = one.result;
  process.stdout.write(`${JSON.stringify({ name, first, stride, verdict, violations, waiting })}\n`);
}
process.stdout.write(
  `${name}: ${runs} runs, ${crashes} crashes at up to ${boundaries} boundaries each, ${failed} failed\n`,
);
process.exitCode = failed === 0 ? 0 : 1;
