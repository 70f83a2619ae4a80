// Protocol 9, scenario 2: deadlock by waiting. Two blocks over the same two clusters, each accepted first by one. Who
// waits for the earlier block to be committed before it accepts the later one waits for ever (§6.3.2, §6.3.5).

import { describe, expect, test, vi } from "vitest";
import { Coordinator } from "../../../src/cross/coordinator.js";
import type { Block } from "../../../src/types/block.js";
import { expectViolated, restoreRules, SOUND, scenario, wait } from "./scenario.js";

/** §6.3.2: no accept while another block that shares a second cluster is accepted and not committed. */
function waitForTheEarlier(): void {
  const { onPropose, onSuperPropose, onBody, takeOutput } = Coordinator.prototype;
  const held = new WeakMap<Coordinator, { readonly block: Block; readonly go: () => void }[]>();
  const mustWait = (coordinator: Coordinator, { digest, clusters }: Block) =>
    [...coordinator.decisions.all()].some(({ block, complete }) => {
      if (block === undefined || block.digest === digest || complete !== undefined) return false;
      if (coordinator.engine.entryOf(block.digest) === undefined) return false;
      return block.clusters.filter((cluster) => clusters.includes(cluster)).length > 1;
    });
  const hold = (coordinator: Coordinator, block: Block, go: () => void) => {
    if (!mustWait(coordinator, block)) return go();
    held.set(coordinator, [...(held.get(coordinator) ?? []), { block, go }]);
  };
  vi.spyOn(Coordinator.prototype, "onPropose").mockImplementation(function (this: Coordinator, verified) {
    hold(this, verified.message.block, () => onPropose.call(this, verified));
  });
  vi.spyOn(Coordinator.prototype, "onSuperPropose").mockImplementation(function (this: Coordinator, verified) {
    hold(this, verified.message.block, () => onSuperPropose.call(this, verified));
  });
  vi.spyOn(Coordinator.prototype, "onBody").mockImplementation(function (this: Coordinator, block) {
    hold(this, block, () => onBody.call(this, block));
  });
  vi.spyOn(Coordinator.prototype, "takeOutput").mockImplementation(function (this: Coordinator) {
    const waiting = held.get(this) ?? [];
    held.set(this, []);
    for (const { block, go } of waiting) hold(this, block, go);
    return takeOutput.call(this);
  });
}

restoreRules();

describe("2. deadlock by waiting", () => {
  const run = () =>
    scenario({ models: ["crash", "crash"] }, (network) => {
      network.pay(1, 2);
      network.pay(2, 1);
      for (const receiver of ["c1n0", "c2n0"]) network.deliver({ receiver, kind: "request" });
      for (const { name, ref } of network.nodes) {
        if (ref.node > 0) network.deliver({ sender: `c${ref.cluster}n0`, receiver: name, kind: "propose" });
      }
      wait(network, 60);
    });

  test("a node that waits before it accepts waits for ever", async () => {
    waitForTheEarlier();
    expectViolated(await run(), "I10");
  });

  test("nothing waits before it is accepted", async () => {
    expect(await run()).toEqual(SOUND);
  });
});
