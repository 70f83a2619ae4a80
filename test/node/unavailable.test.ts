// While a whole cluster is down (protocol 11): what involves it and has a slot waits, what comes later is refused at
// once, others go on, and all is as before when it is back. No primary is blamed for any of it.

import { expect, test } from "vitest";
import { refusalCode } from "../../src/types/codes.js";
import type { ClusterId } from "../../src/types/ids.js";
import type { FailureModel } from "../../src/types/topology.js";
import { START, TestNetwork } from "../support/network.js";

const C2N0 = { cluster: 2 as ClusterId, node: 0 };

test.each<[FailureModel]>([["crash"], ["byzantine"]])(
  "a %s cluster refuses what another, down, would have to decide",
  async (model) => {
    const network = await TestNetwork.create({ models: [model, model, model] });
    const cut = ({ sender, receiver }: { sender: string; receiver: string }) =>
      sender.startsWith("c2") !== receiver.startsWith("c2");
    network.drop = (packet) => packet.sender !== "client" && packet.receiver !== "client" && cut(packet);
    const nodes = network.nodesOf(1);
    const settings = { validUntil: START + 590_000 };
    const seconds = (count: number) => {
      for (let half = 0; half < 2 * count; half++) network.advance(500);
    };
    /** What a payment meets that is sent to all nodes of its first cluster. */
    const pay = (clusters: readonly number[], n: number) => {
      const before = network.replies.length;
      const nodes = network.nodesOf(clusters[0] as number);
      const bytes = network.request([network.payment(clusters, n)], settings);
      for (const { name } of nodes) network.sendBytes(bytes, name);
      network.settle();
      return () => new Set(network.replies.slice(before).map(({ refusal }) => refusalCode(refusal)));
    };

    const first = pay([1, 2], 0);
    seconds(1);
    expect(first(), "too early to say").toEqual(new Set());
    seconds(6);
    const late = pay([1, 2], 2);
    expect([...late()], "sent when it is known").toEqual(["cluster-unavailable"]);
    const own = pay([3], 3);
    expect([...own()], "of others").toEqual(["executed"]);
    seconds(60);
    for (const { name, replica } of nodes) {
      expect({ name, view: replica.coordinator.engine.view }).toEqual({ name, view: 0 });
    }

    network.drop = () => false;
    seconds(30);
    expect([...first()], "has waited").toContain("executed");
    const again = pay([1, 2], 4);
    expect([...again()], "after it is back").toEqual(["executed"]);
  },
);

test.each([false, true])(
  "no cluster is down after one cross timer, whoever can be reached again: %s",
  async (connects) => {
    const network = await TestNetwork.create({ models: ["crash", "crash"] });
    network.drop = ({ sender, receiver }) =>
      sender !== "client" && receiver !== "client" && sender.startsWith("c2") !== receiver.startsWith("c2");
    const settings = { validUntil: START + 590_000 };
    const pay = (n: number) => {
      const before = network.replies.length;
      const bytes = network.request([network.payment([1, 2], n)], settings);
      for (const { name } of network.nodesOf(1)) network.sendBytes(bytes, name);
      network.settle();
      return () => new Set(network.replies.slice(before).map(({ refusal }) => refusalCode(refusal)));
    };
    pay(0);
    const { crossMs } = network.topology.timers;
    network.advance(crossMs + 100);
    if (connects) for (const node of network.nodesOf(1)) node.inbox.push({ kind: "link", node: C2N0, isUp: true });
    network.advance(100);
    expect([...pay(2)()]).toEqual([]);
  },
);
