// The setting of the tests of bad input: a network of both models with some blocks behind it, and deliveries that must
// not leave a trace on any disk.

import { expect } from "vitest";
import type { Digest, Entry } from "../../src/types/ids.js";
import type { Message } from "../../src/types/message.js";
import { inject, injectAs } from "./forge.js";
import { TestNetwork } from "./network.js";

export const ZERO = "0".repeat(64) as Digest;

/** Clusters 1 and 3 crash, 2 byzantine, with a few blocks behind them and nothing under way. */
export async function quiet(): Promise<TestNetwork> {
  const network = await TestNetwork.create({ models: ["crash", "byzantine", "crash"] });
  for (const clusters of [[1, 2], [2, 1], [1], [2], [3, 1]]) network.pay(...clusters);
  network.settle();
  return network;
}

/** The same, with a block of cluster 2 for 1 and 2 that all their nodes know and none has voted on yet. */
export async function underWay(): Promise<{ readonly network: TestNetwork; readonly entry: Entry }> {
  const network = await quiet();
  network.pay(2, 1);
  network.deliver({ receiver: "c2n0", kind: "request" });
  for (const { name, ref } of network.nodes) {
    if (ref.cluster < 3 && name !== "c2n0") network.deliver({ sender: "c2n0", receiver: name, kind: "propose" });
  }
  const { engine } = network.node("c2n0").replica.coordinator;
  const slot = engine.frontier.slot + 1;
  const digest = engine.digestAt(slot) as Digest;
  return { network, entry: engine.entryOf(digest) as Entry };
}

/** Codes that the receiver counts; no disk changes. */
export async function refused(
  network: TestNetwork,
  from: string,
  to: string,
  message: Message,
): Promise<readonly string[]> {
  const { codes, changed } = await injectAs(network, from, to, message);
  expect(changed).toBe(false);
  return codes;
}

export async function refusedBytes(network: TestNetwork, from: string, to: string, bytes: Uint8Array) {
  const { codes, changed } = await inject(network, { from: network.node(from).info.key, to, bytes });
  expect(changed).toBe(false);
  return codes;
}
