// What a cluster owes to others (protocol 3.4, 5): once one of them has decided a block, nodes that hold its certificate
// show it to their own primary, and exchange a primary that ignores it. One that places the block in time stays.

import { describe, expect, test } from "vitest";
import type { FailureModel } from "../../src/types/topology.js";
import { expectConsistent, expectIdle } from "../support/inspect.js";
import { type Packet, TestNetwork, type TestNode } from "../support/network.js";

const PRIMARY = "c2n0";

type Way = "commit" | "accept-query";

/** By which cluster 1 could bring the block to cluster 2 before that decides it. */
const bringing = ["propose", "super-propose", "super-accept"];
/** By which the primary of cluster 2 could hear of it otherwise. */
const telling = [...bringing, "accept", "commit", "committed", "accept-query", "chunk"];

/**
 * Cluster 1 decides a block for all, which nobody brings to cluster 2: its backups hear of it by COMMITs, or by
 * questions and what follows from their answers; its primary by nothing but what these show it. A third cluster
 * would be silent.
 */
async function owing({ models, way }: { readonly models: readonly FailureModel[]; readonly way: Way }) {
  const network = await TestNetwork.create({ models, dissemination: "super-propose" });
  const shown: Packet[] = [];
  const isSilenced = ({ sender, receiver, kind }: Packet) => {
    // Else it would be given the block as soon as it is asked about it.
    if (sender === PRIMARY && kind === "unknown") return true;
    if ([sender, receiver].some((name) => name.startsWith("c3"))) return true;
    if (!sender.startsWith("c1") || !receiver.startsWith("c2")) return false;
    if (receiver === PRIMARY) return telling.includes(kind);
    return bringing.includes(kind) || (kind === "commit" && way === "accept-query");
  };
  network.drop = (packet) => {
    const { sender, receiver, kind } = packet;
    if (sender.startsWith("c2") && receiver === PRIMARY && kind === "chunk") return shown.push(packet) > 0;
    return isSilenced(packet);
  };
  network.pay(...models.map((_, i) => i + 1));
  network.settle();
  for (let each = 0; each < 200 && shown.length === 0; each++) network.advance(50);
  const backups = network.nodesOf(2).slice(1);
  expect(shown.map(({ sender }) => sender)).toEqual(backups.map(({ name }) => name));
  expect(backups.map(suspicions), "before it was shown").toEqual(backups.map(() => []));
  return { network, backups, shown, isSilenced };
}

/** For what each time the primary was suspected. */
function suspicions({ notes }: TestNode): readonly string[] {
  return notes.flatMap((note) => (note.kind === "suspected" ? [note.why.replace(/:.*/, "")] : []));
}

function viewsOf(nodes: readonly TestNode[]) {
  return nodes.map(({ replica }) => replica.coordinator.engine.view);
}

function pass(network: TestNetwork, ms: number): void {
  for (let each = 0; each < ms; each += 50) network.advance(50);
}

async function expectExecuted(network: TestNetwork): Promise<void> {
  expect(network.nodes.map(({ replica }) => replica.height)).toEqual(network.nodes.map(() => 1));
  await expectConsistent(network, "in the end");
  expectIdle(network, "in the end");
}

const cases = (["commit", "accept-query"] as const).flatMap((way) =>
  (["byzantine crash", "crash byzantine", "byzantine byzantine", "crash crash"] as const).map((text) => {
    return { way, text, models: text.split(" ") as FailureModel[] };
  }),
);

describe.each(cases)("a block that $text clusters share, and the second hears of by $way", ({ models, way }) => {
  test("its primary is exchanged if it ignores what it is shown, and the next one places the block", async () => {
    const { network, backups } = await owing({ models, way });
    const { intraMs } = network.topology.timers;
    pass(network, intraMs / 2 - 50);
    expect(viewsOf(network.nodesOf(2)), "as long as it has time").toEqual(network.nodesOf(2).map(() => 0));
    pass(network, 3 * intraMs);
    const why = backups.flatMap(suspicions);
    expect(why).toEqual(why.map(() => "owed"));
    expect(why.length).toBeGreaterThanOrEqual(1);
    expect(viewsOf(network.nodesOf(1))).toEqual(network.nodesOf(1).map(() => 0));
    expect(viewsOf(backups)).toEqual(backups.map(() => 1));
    network.drop = () => false;
    await network.run(20);
    await expectExecuted(network);
  });

  test.each([0, 450])("its primary stays if it places the block %i ms after it was shown", async (ms) => {
    const { network, backups, shown, isSilenced } = await owing({ models, way });
    pass(network, ms);
    network.packets.push(...shown);
    network.drop = isSilenced;
    network.settle();
    for (const { name, replica } of network.nodesOf(2))
      expect({ name, height: replica.height }).toEqual({ name, height: 1 });
    network.drop = () => false;
    await network.run(20);
    expect(backups.map(suspicions)).toEqual(backups.map(() => []));
    expect(viewsOf(network.nodes)).toEqual(network.nodes.map(() => 0));
    await expectExecuted(network);
  });
});

test.each<[FailureModel]>([["crash"], ["byzantine"]])(
  "a %s primary that placed the block owes nothing more, however long that waits for a third cluster",
  async (model) => {
    const { network, backups, shown, isSilenced } = await owing({ models: [model, model, "crash"], way: "commit" });
    network.packets.push(...shown);
    network.drop = isSilenced;
    await network.run(60);
    for (const { name, replica } of network.nodesOf(2)) {
      const { engine } = replica.coordinator;
      expect({ name, view: engine.view, slot: engine.frontier.slot }).toEqual({ name, view: 0, slot: 1 });
      expect(replica.height, `${name} waits`).toBe(0);
    }
    expect(backups.map(suspicions)).toEqual(backups.map(() => []));
  },
);
