// Protocol 9, scenario 3: a self-assigned accept with f + 1 is lost on recovery. Two of three nodes gave X a slot by
// themselves and the third gave it to Y; the primary and the initiator's primary, who know that X is decided, crash. Of
// the other two each reports one block.

import { describe, expect, test, vi } from "vitest";
import type { Ballot, NodeIndex } from "../../../src/types/ids.js";
import type { ClusterInfo } from "../../../src/types/topology.js";
import { expectViolated, isolate, lose, SOUND, scenario, suspect, wait } from "./scenario.js";

const published = vi.hoisted(() => ({ isInForce: false }));

/** §6.3.2: f + 1 matching accepts, self-assigned or not. */
vi.mock("../../../src/cluster/quorum.js", async (importOriginal) => {
  const ours = await importOriginal<typeof import("../../../src/cluster/quorum.js")>();
  return {
    ...ours,
    fastQuorumOf: (cluster: ClusterInfo) => (published.isInForce ? cluster.faults + 1 : ours.fastQuorumOf(cluster)),
    isQuorum: (cluster: ClusterInfo, ballot: Ballot, voters: ReadonlySet<NodeIndex>) =>
      published.isInForce ? voters.size > cluster.faults : ours.isQuorum(cluster, ballot, voters),
  };
});

describe("3. a self-assigned accept with f + 1", () => {
  async function run(isInForce: boolean) {
    published.isInForce = isInForce;
    const outcome = await scenario({ models: ["crash", "crash", "crash"] }, (network) => {
      for (let i = 0; i < 4; i++) network.pay(1);
      network.settle();
      // X comes from cluster 1, whose counter is ahead, so its sequence in cluster 2 is above Y's.
      network.pay(1, 2);
      network.pay(3, 2);
      for (const receiver of ["c1n0", "c3n0"]) network.deliver({ receiver, kind: "request" });
      for (const receiver of ["c2n0", "c2n1"]) network.deliver({ sender: "c1n0", receiver, kind: "propose" });
      network.deliver({ sender: "c3n0", receiver: "c2n2", kind: "propose" });
      lose(network, ({ receiver }) => receiver.startsWith("c2"));
      // Cluster 1 hears of the accepts, cluster 2 hears of nothing.
      const cut = isolate(network, ["c2n0", "c2n1", "c2n2"]);
      for (const sender of ["c2n0", "c2n1"]) network.deliver({ sender, receiver: "c1n0", kind: "accept" });
      network.settle();
      cut.heal();
      const crashed = isolate(network, ["c1n0", "c2n0"]);
      suspect(network, "c2n1");
      network.settle();
      wait(network, 20);
      crashed.heal();
      wait(network, 60);
    });
    published.isInForce = false;
    return outcome;
  }

  test("f + 1 accepts decide what a new view cannot tell from what f accepted", async () => {
    expectViolated(await run(true), "I3");
  });

  test("a round-0 quorum shows in any quorum of promises", async () => {
    expect(await run(false)).toEqual(SOUND);
  });
});
