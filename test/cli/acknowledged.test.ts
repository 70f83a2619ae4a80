// What a client was told is looked up in every ledger of the cluster that told it (protocol 10, I9): a record that is
// missing, other, or at another place in one of them is a loss.

import { beforeAll, expect, test } from "vitest";
import { type Acknowledged, acknowledgedBy, lostOf } from "../../src/cli/acknowledged.js";
import type { OpenLedgers } from "../../src/cli/ledger-data.js";
import type { Outcome } from "../../src/client/sdk.js";
import { recordKey } from "../../src/ledger/keys.js";
import type { Digest } from "../../src/types/ids.js";
import { TestNetwork } from "../support/network.js";

let ledgers: OpenLedgers;
let told: Acknowledged;

beforeAll(async () => {
  const network = await TestNetwork.create({ models: ["crash", "crash"] });
  network.pay(1);
  network.pay(1, 2);
  network.settle();
  const reply = network.replies.find(({ nonce }) => nonce === 2);
  if (reply === undefined) throw new Error("no reply");
  const digest = Buffer.from(reply.digest).toString("hex") as Digest;
  const id = `${network.clients[0]?.publicKey}:2`;
  told = { id, cluster: reply.cluster, height: reply.height, digest, results: ["ok"] };
  const { topology, members } = network;
  const nodes = network.nodes.map(({ name, ref, store }) => ({ name, ...ref, store, path: name }));
  ledgers = { topology, members, nodes, close: async () => undefined };
});

test("what is where it was told, in all ledgers, is not lost", () => {
  expect(told.height).toBe(2);
  expect(lostOf([told], ledgers)).toEqual([]);
});

test.each([
  ["id", { id: "nobody:2" }],
  ["height", { height: 1 }],
  ["height that is not there", { height: 3 }],
  ["digest", { digest: "e".repeat(64) as Digest }],
  ["result", { results: ["insufficient-funds"] }],
] as const)("another %s is a loss in every ledger of the cluster", (_what, lie) => {
  expect(lostOf([{ ...told, ...lie }], ledgers)).toHaveLength(3);
});

test("a record that one node of the cluster lacks is a loss", () => {
  const nodes = ledgers.nodes.map((node) => {
    const get = (key: Uint8Array) =>
      Buffer.compare(key, recordKey(told.height)) === 0 ? undefined : node.store.get(key);
    return node.name === "c1n2" ? { ...node, store: { ...node.store, get } as typeof node.store } : node;
  });
  expect(lostOf([told], { ...ledgers, nodes })).toEqual([expect.stringContaining("node c1n2")]);
});

test("a cluster that acknowledged and has no ledger is a loss", () => {
  expect(lostOf([told], { ...ledgers, nodes: [] })).toHaveLength(1);
});

test("refused and unknown requests say nothing of the ledger, failed ones that were recorded do", () => {
  const { id, results: _, ...record } = told;
  const rejected = { outcome: "rejected", code: "insufficient-funds", record, request: { id } } as unknown as Outcome;
  expect(acknowledgedBy({ outcome: rejected })).toEqual({ ...told, results: ["insufficient-funds"] });
  expect(acknowledgedBy({ outcome: { ...rejected, record: undefined } as Outcome })).toBeUndefined();
  expect(acknowledgedBy({ outcome: { outcome: "unknown" } as Outcome })).toBeUndefined();
});
