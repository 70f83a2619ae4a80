// What f lying backups can hold up while the primary is correct. Where a test is marked as failing, it shows a known
// gap, step by step.

import { expect, test } from "vitest";
import type { Villain } from "../../../src/sim/observer.js";
import { moved, reword } from "../../../src/sim/villains/speech.js";
import type { Packet } from "../../support/network.js";
import { Stage } from "./stage.js";

/** Truthful to the primary in round 0, with another sequence to the others; says nothing else. */
function betrayer(): Villain {
  return {
    name: "betrayer",
    bend: (outgoing, context) =>
      reword(outgoing, context, (message, to) => {
        if (message.kind !== "accept" || message.entry.round !== 0) return [];
        return to.node === 0 ? [message] : [{ ...message, entry: moved(message.entry, 1) }];
      }),
  };
}

/**
 * Blocks X and Y of cluster 2 reach n0, n1 and the liar n3 of cluster 1 as X, Y, and n2 as Y, X. Slot 1 has the accepts
 * of n0, n1 and n3 for X at the primary n0, which is so prepared for its round-0 choice; n1 heard another sequence from
 * n3 first, so it is not, and never will be: n2 has Y there. A primary that is prepared does not turn its choice into
 * round 1, so the slot waits for a view change that one lying backup can force at every cross-shard block.
 */
test("a lying backup cannot hold up a slot of a correct primary", () => {
  return expectAnswers(1, 60_000);
});

async function expectAnswers(seed: number, ms: number): Promise<void> {
  const stage = await Stage.create(seed, { models: ["byzantine", "byzantine"], blockRequestsMax: 1 });
  const { network } = stage;
  await stage.cast("c1n3", betrayer);
  network.takesTurn = () => true;
  const isSwapped = ({ kind, sender, receiver }: Packet) =>
    kind === "propose" && sender === "c2n0" && receiver === "c1n2";
  let isOver = false;
  network.pick = (packets) => {
    const at = packets.flatMap((packet, i) => (isSwapped(packet) ? [i] : []));
    if (!isOver && at.length === 2) {
      isOver = true;
      return at[1] as number;
    }
    return Math.max(
      0,
      packets.findIndex((packet) => isOver || !isSwapped(packet)),
    );
  };
  network.pay(2, 1);
  network.pay(2, 1);
  stage.pass(ms);
  expect(isOver).toBe(true);
  expect(new Set(network.replies.map(({ nonce }) => nonce)).size, `seed ${seed}`).toBe(2);
  expect(stage.correct.map(({ replica }) => replica.coordinator.engine.view)).toEqual(stage.correct.map(() => 0));
}
