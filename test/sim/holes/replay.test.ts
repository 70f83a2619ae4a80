// Protocol 9, scenario 14: replay of a refused payment. The client was told that its payment failed for want of funds.
// If only what succeeded uses an id up, anyone who kept the request can have it executed once the funds are there.

import { describe, expect, test, vi } from "vitest";
import type { evaluate as Evaluate } from "../../../src/execution/evaluate.js";
import { OK } from "../../../src/execution/rules.js";
import type { Request } from "../../../src/types/block.js";
import { balanceOf } from "../../support/inspect.js";
import { expectViolated, SOUND, scenario } from "./scenario.js";

const natural = vi.hoisted(() => ({ isInForce: false }));

/** An id is used up by a request that did something. */
vi.mock("../../../src/execution/evaluate.js", async (importOriginal) => {
  const ours = await importOriginal<{ readonly evaluate: typeof Evaluate }>();
  const evaluate: typeof Evaluate = (ordered, parts, state) => {
    if (!natural.isInForce) return ours.evaluate(ordered, parts, state);
    const added: Request[] = [];
    const ids = { has: state.ids.has.bind(state.ids), add: (request: Request) => added.push(request) };
    const evaluation = ours.evaluate(ordered, parts, { ...state, ids: ids as never });
    const consumed = evaluation.consumed.filter(({ request, first }) => {
      return request.operations.every((_, i) => evaluation.verdicts[first + i] === OK);
    });
    for (const { request } of consumed) state.ids.add(request);
    return { ...evaluation, consumed };
  };
  return { ...ours, evaluate };
});

describe("14. replay of a refused payment", () => {
  async function run(isInForce: boolean) {
    natural.isInForce = isInForce;
    let left: bigint | undefined;
    const outcome = await scenario({ models: ["crash"] }, (network) => {
      const [poor, rich, shop] = [network.account(1, 0), network.account(1, 1), network.account(1, 2)];
      const refused = network.request([network.transfer(poor, shop, 1500n)]);
      network.sendBytes(refused, "c1n0");
      network.settle();
      network.send([network.transfer(rich, poor, 1000n)]);
      network.settle();
      // Someone has kept it.
      network.advance(1000);
      network.sendBytes(refused, "c1n0");
      network.settle();
      left = balanceOf(network.node("c1n1"), poor);
    });
    natural.isInForce = false;
    return { ...outcome, left };
  }

  test("a refused payment is executed after all, if its id was not used up", async () => {
    const { left, ...outcome } = await run(true);
    expect(left).toBe(500n);
    expectViolated(outcome, "I7");
  });

  test("an id is used up whatever the verdict", async () => {
    expect(await run(false)).toEqual({ ...SOUND, left: 2000n });
  });
});
