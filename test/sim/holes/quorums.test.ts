// Protocol 9, scenario 9: with more than 2f + 1 (crash) or 3f + 1 (byzantine) nodes, quorums of f + 1 and 2f + 1 meet in
// no correct node. Here four nodes of a crash cluster and five of a byzantine one, both with f = 1.

import { describe, expect, test, vi } from "vitest";
import type { Ballot, NodeIndex } from "../../../src/types/ids.js";
import type { ClusterInfo } from "../../../src/types/topology.js";
import { commitOf, nextEntry, paymentBlock, proposal } from "../../support/forge.js";
import type { TestNetwork } from "../../support/network.js";
import { expectViolated, hold, restoreRules, SOUND, scenario, speakAs, wait } from "./scenario.js";

const published = vi.hoisted(() => ({ isInForce: false }));

/** §6.3.1, §6.3.2, §6.4.2: f + 1 or 2f + 1 matching accepts, whoever they come from. */
vi.mock("../../../src/cluster/quorum.js", async (importOriginal) => {
  const ours = await importOriginal<typeof import("../../../src/cluster/quorum.js")>();
  const size = ({ model, faults }: ClusterInfo) => (model === "crash" ? faults + 1 : 2 * faults + 1);
  return {
    ...ours,
    quorumOf: (cluster: ClusterInfo) => (published.isInForce ? size(cluster) : ours.quorumOf(cluster)),
    fastQuorumOf: (cluster: ClusterInfo) => (published.isInForce ? size(cluster) : ours.fastQuorumOf(cluster)),
    isQuorum: (cluster: ClusterInfo, ballot: Ballot, voters: ReadonlySet<NodeIndex>) =>
      published.isInForce ? voters.size >= size(cluster) : ours.isQuorum(cluster, ballot, voters),
  };
});

restoreRules();

async function withPublished<T>(run: () => Promise<T>): Promise<T> {
  published.isInForce = true;
  try {
    return await run();
  } finally {
    published.isInForce = false;
  }
}

describe("9. quorums of f + 1 in a crash cluster of four", () => {
  // As many nodes as a byzantine cluster with f = 1 has.
  const edit = (text: string) => text.replaceAll("model: byzantine", "model: crash");
  const run = () =>
    scenario({ models: ["byzantine", "byzantine", "byzantine"], edit }, (network) => {
      const here = (name: string) => name.startsWith("c1") || name === "c3n0" || name === "c3n1";
      const partition = hold(network, ({ sender, receiver }) => {
        return sender !== "client" && receiver !== "client" && here(sender) !== here(receiver);
      });
      network.pay(1, 3);
      network.pay(2, 3);
      network.settle();
      partition.release();
      wait(network, 20);
    });

  test("two pairs decide one slot for two blocks", async () => {
    expectViolated(await withPublished(run), "I1");
  });

  test("any two quorums of floor(n/2) + 1 meet", async () => {
    expect(await run()).toEqual(SOUND);
  });
});

describe("9. quorums of 2f + 1 in a byzantine cluster of five", () => {
  const edit = (text: string) => text.replace("model: crash", "model: byzantine").replace("faults: 2", "faults: 1");
  const run = () =>
    scenario({ models: ["crash"], faults: 2, edit, liar: "c1n0" }, (network) => {
      equivocate(network, { to: ["c1n1", "c1n2"] });
      equivocate(network, { to: ["c1n3", "c1n4"] });
      network.settle();
      // A client that hears nothing asks everyone.
      const request = network.request([network.payment([1], 2)]);
      for (const { name } of network.nodes) network.sendBytes(request, name);
      wait(network, 60);
    });

  /** The primary proposes, accepts and commits a block of its own for these nodes. */
  function equivocate(network: TestNetwork, { to }: { readonly to: readonly string[] }): void {
    const block = paymentBlock(network, 1);
    const entry = nextEntry(network, 1, block.digest);
    speakAs(network, { from: "c1n0", to, message: proposal(network, block, entry) });
    speakAs(network, { from: "c1n0", to, message: { kind: "accept", entry, node: 0 } });
    speakAs(network, { from: "c1n0", to, message: commitOf(entry, 0) });
  }

  test("a lying primary makes two pairs decide differently", async () => {
    expectViolated(await withPublished(run), "I1");
  });

  test("any two quorums of floor((n+f)/2) + 1 meet in a correct node", async () => {
    expect(await run()).toEqual(SOUND);
  });
});
