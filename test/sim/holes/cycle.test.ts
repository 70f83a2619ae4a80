// Protocol 9, scenario 1: a cycle through three clusters. Three blocks of which any two share one cluster only: the
// waiting rule of §6.3.2, for blocks that share two, never applies, and each cluster orders its two as they came. And
// what final sequences need besides: a block is delivered when nothing below it can come any more.

import { describe, expect, test } from "vitest";
import { deliverAtOnce, deliverInLogOrder } from "./order.js";
import { expectViolated, hold, restoreRules, SOUND, scenario } from "./scenario.js";

restoreRules();

describe("1. a cycle through three clusters", () => {
  const run = () =>
    scenario({ models: ["crash", "crash", "crash"] }, (network) => {
      // Each cluster has its own block in slot 1 before it hears of another's.
      for (const clusters of [
        [1, 2],
        [2, 3],
        [3, 1],
      ])
        network.pay(...clusters);
      for (const receiver of ["c1n0", "c2n0", "c3n0"]) network.deliver({ receiver, kind: "request" });
      network.settle();
    });

  test("delivery in the order of the log makes views that contradict each other", async () => {
    deliverInLogOrder();
    expectViolated(await run(), "I4");
  });

  test("delivery by final sequence does not", async () => {
    expect(await run()).toEqual(SOUND);
  });
});

describe("1. a smaller final sequence comes later", () => {
  const run = () =>
    scenario({ models: ["crash", "crash"] }, (network) => {
      // Cluster 2's counter is ahead, so X gets its final sequence there.
      for (let i = 0; i < 5; i++) network.pay(2);
      network.settle();
      // Cluster 1 has X in slot 1 and Y, with a smaller sequence, in slot 2. Its nodes learn of X's final sequence and of
      // Y's decision, one in this order and one in the other.
      const votes = hold(network, ({ sender, kind }) => kind === "accept" && sender.startsWith("c1"));
      network.pay(1, 2);
      network.settle();
      network.pay(1);
      network.settle();
      const late = hold(
        network,
        ({ receiver, kind, sender }) => kind === "commit" && receiver === "c1n2" && sender === "c1n0",
      );
      votes.release();
      network.settle();
      network.pick = (packets) => packets.length - 1;
      late.release();
      network.settle();
    });

  test("delivery of what is known to be smallest is not the order of the others", async () => {
    deliverAtOnce();
    expectViolated(await run(), "I1");
  });

  test("delivery waits until the log's own sequences have passed", async () => {
    expect(await run()).toEqual(SOUND);
  });
});
