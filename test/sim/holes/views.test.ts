// Protocol 9, scenario 4: accepts without a view number. X gets an accept in view 0 and another in view 2, and no quorum
// in either; Y gets one in view 1. View 3 keeps Y, which is of a higher ballot than the accept of X that it hears of; so
// the two accepts of X must not be added up.

import { describe, expect, test, vi } from "vitest";
import type { Entry } from "../../../src/types/ids.js";
import type { TestNetwork } from "../../support/network.js";
import { expectViolated, isolate, SOUND, scenario, suspect, timeOut, wait } from "./scenario.js";

const published = vi.hoisted(() => ({ isInForce: false }));

/** §6.3.2: ACCEPT(h_i, h_j, d, r). */
vi.mock("../../../src/cluster/quorum.js", async (importOriginal) => {
  const ours = await importOriginal<typeof import("../../../src/cluster/quorum.js")>();
  const withoutView = ({ slot, sequence, digest }: Entry) => `${slot}.${sequence}.${digest}`;
  return { ...ours, voteKey: (entry: Entry) => (published.isInForce ? withoutView(entry) : ours.voteKey(entry)) };
});

/** A node of cluster 2 makes itself primary by the promise of one other, and fetches from it what it needs. */
function elect(network: TestNetwork, { primary, by }: { readonly primary: string; readonly by: string }): void {
  suspect(network, primary);
  network.deliver({ sender: primary, receiver: by, kind: "prepare" });
  network.deliver({ sender: by, receiver: primary, kind: "promise" });
  timeOut(network, primary, 100);
  for (const kind of ["fetch", "chunk"] as const) {
    const [sender, receiver] = kind === "fetch" ? [primary, by] : [by, primary];
    const isThere = network.packets.some((packet) => packet.kind === kind && packet.receiver === receiver);
    if (isThere) network.deliver({ sender, receiver, kind });
  }
}

describe("4. accepts without a view number", () => {
  async function run(isInForce: boolean) {
    published.isInForce = isInForce;
    const outcome = await scenario({ models: ["crash", "crash"], dissemination: "super-propose" }, (network) => {
      const nodes = ["c2n0", "c2n1", "c2n2"];
      // View 0: c2n0 alone accepts X, and cluster 1 hears of it.
      const view0 = isolate(network, ["c2n1", "c2n2"]);
      network.pay(1, 2);
      network.settle();
      view0.heal();
      // View 1: c2n1, by the promise of c2n2, which then hears no more of it, accepts Y and a block after it.
      elect(network, { primary: "c2n1", by: "c2n2" });
      const view1 = isolate(network, nodes);
      for (const n of [0, 1]) {
        network.send([network.payment([2], n)], { to: "c2n1" });
        network.deliver({ receiver: "c2n1", kind: "request" });
      }
      network.settle();
      view1.heal();
      // View 2: c2n2, by the promise of c2n0, which then hears no more of it, accepts X, and cluster 1 hears of that, too.
      elect(network, { primary: "c2n2", by: "c2n0" });
      network.deliver({ sender: "c2n2", receiver: "c1n0", kind: "super-accept" });
      const view2 = isolate(network, nodes);
      network.settle();
      view2.heal();
      // View 3: c2n0, by the promise of c2n1.
      elect(network, { primary: "c2n0", by: "c2n1" });
      const view3 = isolate(network, ["c2n2", "c1n0", "c1n1", "c1n2"]);
      network.settle();
      view3.heal();
      wait(network, 60);
    });
    published.isInForce = false;
    return outcome;
  }

  test("accepts of two views are no quorum", async () => {
    expectViolated(await run(true), "I3");
  });

  test("votes count together only in one ballot", async () => {
    expect(await run(false)).toEqual(SOUND);
  });
});
