// Protocol 9, scenario 12: self-assigning before the view's re-proposals are known. X is decided in view 0. Two nodes
// that have promised view 1, and have not seen its opening, give X's slot to Z: in a ballot above that of X's accepts.
// View 2 hears of both.

import { describe, expect, test, vi } from "vitest";
import { Log } from "../../../src/intra/log.js";
import { Ordering } from "../../../src/intra/ordering.js";
import { expectViolated, isolate, lose, restoreRules, SOUND, scenario, suspect, wait } from "./scenario.js";

/** A node answers in the view it has promised, whether or not that has opened. */
function answerAtOnce(): void {
  const { acceptDirect } = Ordering.prototype;
  const { learnBody } = Log.prototype;
  let log: Log | undefined;
  vi.spyOn(Log.prototype, "learnBody").mockImplementation(function (this: Log, digest, body) {
    log = this;
    learnBody.call(this, digest, body);
  });
  vi.spyOn(Ordering.prototype, "acceptDirect").mockImplementation(function (this: Ordering, step, block, hint) {
    this.learnBlock(block);
    const own = log as Log;
    const { isOpen } = own;
    own.isOpen = true;
    acceptDirect.call(this, step, block, hint);
    own.isOpen = isOpen;
  });
}

restoreRules();

describe("12. self-assigning before the view's re-proposals are known", () => {
  const run = () =>
    scenario({ models: ["crash", "crash", "crash"], faults: 2 }, (network) => {
      // View 0: X is decided by c2n0, c2n1 and c2n2 in round 1, and cluster 1 alone hears of that.
      network.send([network.payment([2])]);
      network.deliver({ receiver: "c2n0", kind: "request" });
      for (const name of ["c2n1", "c2n2"]) {
        network.deliver({ receiver: name, kind: "propose" });
        network.deliver({ sender: name, receiver: "c2n0", kind: "accept" });
      }
      lose(network, () => true);
      // View 1: c2n1 opens it, and nobody hears.
      const down = isolate(network, ["c2n0"]);
      suspect(network, "c2n1");
      for (const name of ["c2n2", "c2n3", "c2n4"]) network.deliver({ receiver: name, kind: "prepare" });
      for (const name of ["c2n2", "c2n3"]) network.deliver({ sender: name, receiver: "c2n1", kind: "promise" });
      lose(network, () => true);
      // Z reaches c2n3 and c2n4.
      network.pay(3, 2);
      network.deliver({ receiver: "c3n0", kind: "request" });
      for (const receiver of ["c2n3", "c2n4"]) network.deliver({ sender: "c3n0", receiver, kind: "propose" });
      lose(network, ({ receiver }) => receiver.startsWith("c2"));
      // View 2.
      const late = isolate(network, ["c2n1"]);
      suspect(network, "c2n2");
      network.settle();
      wait(network, 20);
      down.heal();
      late.heal();
      // Who was away hears of what it missed when there is something new.
      network.send([network.payment([2], 2)], { to: "c2n2" });
      wait(network, 60);
    });

  test("a self-assigned accept of an unopened view displaces what is decided", async () => {
    answerAtOnce();
    expectViolated(await run(), "I1");
  });

  test("a node self-assigns above what the opening of its view keeps", async () => {
    expect(await run()).toEqual(SOUND);
  });
});
