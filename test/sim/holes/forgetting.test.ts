// Protocol 9, scenario 14: time-based forgetting out of delivery order. A later block that need not wait is judged before
// an earlier one that does. If its record time makes a node forget expired ids, that node judges the earlier block
// otherwise than its peers.

import { describe, expect, test, vi } from "vitest";
import type { ConsumedIds } from "../../../src/execution/consumed.js";
import type { evaluate as Evaluate } from "../../../src/execution/evaluate.js";
import { START } from "../../support/network.js";
import { expectViolated, hold, SOUND, scenario } from "./scenario.js";

const natural = vi.hoisted(() => ({ isInForce: false }));

/** Whatever has expired when a block is judged is forgotten. */
vi.mock("../../../src/execution/evaluate.js", async (importOriginal) => {
  const ours = await importOriginal<{ readonly evaluate: typeof Evaluate }>();
  const evaluate: typeof Evaluate = (ordered, parts, state) => {
    if (natural.isInForce) (state.ids as ConsumedIds).sweep({ recordTime: ordered.recordTime, added: 1000 });
    return ours.evaluate(ordered, parts, state);
  };
  return { ...ours, evaluate };
});

describe("14. forgetting ids out of delivery order", () => {
  async function run(isInForce: boolean) {
    natural.isInForce = isInForce;
    const outcome = await scenario({ models: ["crash", "crash"] }, async (network) => {
      const [from, to] = [network.account(1, 0), network.account(1, 1)];
      const request = network.request([network.transfer(from, to)], { validUntil: START + 1500 });
      // X with the request; its primary restarts before it is decided and does not know the request any more.
      const votes = hold(network, ({ receiver, kind }) => receiver === "c1n0" && kind === "accept");
      network.sendBytes(request, "c1n0");
      network.settle();
      await network.restart(network.node("c1n0"));
      // W pays into the same account from cluster 2, whose verdict reaches c1n1 late.
      const verdict = hold(network, ({ receiver, kind }) => receiver === "c1n1" && kind === "result");
      network.send([network.transfer(network.account(2), from)]);
      network.settle();
      // Y with the same request again.
      network.advance(1);
      network.sendBytes(request, "c1n0");
      network.settle();
      votes.release();
      network.settle();
      network.advance(2000);
      // Z, after the request has expired, is nothing to them.
      network.send([network.transfer(network.account(1, 2), network.account(1, 3))]);
      network.settle();
      verdict.release();
      network.settle();
    });
    natural.isInForce = false;
    return outcome;
  }

  test("a node that judges a later block first forgets what the earlier one needs", async () => {
    expectViolated(await run(true), "I1");
  });

  test("what is remembered depends on the order alone", async () => {
    expect(await run(false)).toEqual(SOUND);
  });
});
