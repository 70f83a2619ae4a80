// Two processes with one node's key (docs/protocol.md, decision 57): who takes part says its START again to whoever is
// connected anew, and stops when it is told of a later one that its own key has signed. Its own old words, and words
// that others have put into its mouth, do not stop it.

import { describe, expect, test } from "vitest";
import { decodeStart } from "../../src/cluster/start.js";
import { ownStart } from "../../src/node/boot.js";
import type { SignedStart, Started } from "../../src/types/message.js";
import { envelopeSchema } from "../../src/types/schema.js";
import type { FailureModel } from "../../src/types/topology.js";
import { injectAs, signedOf } from "../support/forge.js";
import { TestNetwork, type TestNode } from "../support/network.js";

const NAME = "c1n1";

async function started(model: FailureModel): Promise<{ readonly network: TestNetwork; readonly node: TestNode }> {
  const network = await TestNetwork.create({ models: [model], starts: true });
  await network.run(1);
  return { network, node: network.node(NAME) };
}

/** As its host does when the others are connected anew. */
function sayAgain(network: TestNetwork, node: TestNode): void {
  const start = ownStart(node.store, node.ref) as Uint8Array;
  for (const { info, name } of network.nodes) if (name !== NAME) network.post(node.info.key, info.key, start);
}

/** The START that the node said last, with its signature. */
function saidBy(node: TestNode): SignedStart {
  const { body, signature } = envelopeSchema.decode(ownStart(node.store, node.ref) as Uint8Array);
  const start = decodeStart(body);
  if (start === undefined) throw new Error("no START");
  return { start, signed: { body, signature } };
}

/** An answer to the node's last START that shows this START as the node's. */
function answer(node: TestNode, shown: SignedStart): Started {
  const { cluster, boot, nonce } = saidBy(node).start;
  const mark = { view: 0, slot: 0 };
  return { kind: "started", cluster, boot, nonce, fresh: false, mark, starts: [shown], rejoins: [] };
}

describe.each(["crash", "byzantine"] as const)("a node of a %s cluster that takes part", (model) => {
  test("stops when a copy of its folder has started after it", async () => {
    const { network, node } = await started(model);
    const { replica, ingress } = node;
    const rows = node.store.rows();
    // The second process, which those hear that are connected with it.
    await network.start(node);
    await network.run(2);
    expect(node.replica.waitsFor).toBeUndefined();
    // The first is still there.
    node.store.apply(node.store.rows().map(([key]) => ({ key, value: undefined })));
    node.store.apply(rows.map(([key, value]) => ({ key, value })));
    Object.assign(node, { replica, ingress });
    node.inbox.length = 0;
    sayAgain(network, node);
    expect(() => network.settle()).toThrow(expect.objectContaining({ code: "duplicate-identity" }));
  });

  test("says START again and again, and nothing comes of it", async () => {
    const { network, node } = await started(model);
    for (let i = 0; i < 3; i++) {
      network.pay(1);
      await network.run(1);
      sayAgain(network, node);
      await network.run(1);
    }
    expect(network.nodes.map(({ replica }) => replica.waitsFor)).toEqual(network.nodes.map(() => undefined));
    expect(new Set(network.nodes.map(({ replica }) => replica.height))).toEqual(new Set([3]));
    expect(network.nodes.flatMap(({ rejected }) => rejected)).toEqual([]);
  });
});

test("a lying node cannot stop another with its own old words, or with words that it has not signed", async () => {
  const { network, node } = await started("byzantine");
  const old = saidBy(node);
  await network.restart(node);
  await network.run(2);
  const { start } = saidBy(node);
  expect(start.boot).toBeGreaterThan(old.start.boot);
  expect((await injectAs(network, "c1n2", NAME, answer(node, old))).codes).toEqual([]);

  const later = {
    ...start,
    boot: start.boot + 1,
    since: start.boot + 1,
    nonce: "ab".repeat(8),
    nonces: "ab".repeat(8),
  };
  const forged = { start: later, signed: signedOf(network, "c1n2", { kind: "start", ...later }) };
  expect((await injectAs(network, "c1n2", NAME, answer(node, forged))).codes).toEqual(["bad-signature"]);
  expect(node.replica.waitsFor).toBeUndefined();

  // Signed by its own key it would be believed.
  const own = { start: later, signed: signedOf(network, NAME, { kind: "start", ...later }) };
  await expect(injectAs(network, "c1n2", NAME, answer(node, own))).rejects.toMatchObject({
    code: "duplicate-identity",
  });
});
