// A node that says everything, just before the others' timers run out: never suspected, and as slow as that allows.
// Crash nodes may be like this, too.

import type { Below, Villain } from "../observer.js";
import { happens, within } from "./draw.js";
import { membersOf } from "./speech.js";

/** Percent of the timer that is waited for: the intra timer within the cluster, the cross timer elsewhere. */
const DELAY_PERCENT = { from: 70, to: 95 };

export function slow(below: Below): Villain {
  const steady = within(below, DELAY_PERCENT);
  const isSteady = happens(below, 50);
  const isSlowAbroadOnly = happens(below, 25);
  return {
    name: "slow",
    bend(outgoing, context) {
      const { topology } = context.world;
      // What one turn says stays in its order.
      const percent = isSteady ? steady : within(context.below, DELAY_PERCENT);
      return outgoing.map((each) => {
        const isAbroad = membersOf(context).nodeByKey(each.to)?.cluster !== context.node.ref.cluster;
        if (isSlowAbroadOnly && !isAbroad) return each;
        const timer = isAbroad ? topology.timers.crossMs : topology.timers.intraMs;
        return { ...each, delay: (each.delay ?? 0) + Math.floor((timer * percent) / 100) };
      });
    },
  };
}
