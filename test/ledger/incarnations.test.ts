// How often nodes have rejoined is state like balances (protocol 6): execution judges each number, a node that reads its
// store again knows the same, and the audit finds a store that says something else than the records.

import { expect, test } from "vitest";
import { ed25519Verifier } from "../../src/crypto/signature.js";
import { Incarnations } from "../../src/execution/incarnations.js";
import { replayer } from "../../src/execution/replay.js";
import { auditLedgers } from "../../src/ledger/audit.js";
import { incarnationKey, incarnationSchema } from "../../src/ledger/keys.js";
import { rejoinWrite } from "../../src/node/boot.js";
import { recordedIncarnations } from "../../src/node/incarnations.js";
import { genesisWrites } from "../../src/node/restore.js";
import { resultNumber } from "../../src/types/codes.js";
import { limits } from "../../src/types/limits.js";
import { TestNetwork } from "../support/network.js";

test("incarnations are numbered without a gap, and none follows another at once", () => {
  const state = new Incarnations();
  const judge = (incarnation: number, time: number) => state.rejoin({ node: 2, incarnation }, time);
  const verdicts = [judge(2, 0), judge(1, 100), judge(1, 200), judge(2, 200), judge(2, 100 + limits.rejoinEveryMs)];
  const codes = ["stale-incarnation", "ok", "stale-incarnation", "rejoin-too-soon", "ok"] as const;
  expect(verdicts).toEqual(codes.map(resultNumber));
  expect(state.all).toEqual([[2, { number: 2, time: 100 + limits.rejoinEveryMs }]]);
});

test("the state root says nothing of them while there are none, and tells any two tables apart", () => {
  const digest = (...rows: readonly (readonly [number, number, number])[]) =>
    new Incarnations(rows.map(([node, number, time]) => [node, { number, time }] as const)).bytes.toString();
  expect(digest()).toBe("");
  const tables = [
    digest([0, 1, 5]),
    digest([1, 1, 5]),
    digest([0, 2, 5]),
    digest([0, 1, 6]),
    digest([0, 1, 5], [1, 1, 5]),
  ];
  expect(new Set(tables).size).toBe(tables.length);
  expect(digest([1, 1, 5], [0, 1, 5])).toBe(digest([0, 1, 5], [1, 1, 5]));
});

test("an audit comes to the same incarnations, and finds a store that has others", async () => {
  const network = await TestNetwork.create({ models: ["byzantine"], starts: true });
  await network.run(1);
  const { topology, members, text } = network;
  const node = network.node("c1n1");
  node.store.apply(node.store.rows().map(([key]) => ({ key, value: undefined })));
  node.store.apply([...genesisWrites(topology, node.ref.cluster, text), rejoinWrite()]);
  await network.start(node);
  await network.run(20);
  for (const { store, ref } of network.nodes) {
    expect(recordedIncarnations(members, ref.cluster, { reader: store })).toMatchObject([[1, { number: 1 }]]);
  }
  const audit = async () => {
    const nodes = network.nodes.map(({ name, ref, store }) => ({ ...ref, name, store }));
    const replay = (cluster: typeof node.ref.cluster) => replayer(topology, members, cluster);
    return auditLedgers({ topology, verifier: ed25519Verifier, nodes, replayer: replay, strict: true });
  };
  expect((await audit()).findings).toEqual([]);
  const row = incarnationSchema.decode(node.store.get(incarnationKey(1)) as Uint8Array);
  node.store.apply([{ key: incarnationKey(1), value: incarnationSchema.encode({ ...row, number: 2 }) }]);
  expect((await audit()).findings).toMatchObject([{ code: "wrong-incarnation", node: "c1n1" }]);
  node.store.apply([{ key: incarnationKey(1), value: undefined }]);
  expect((await audit()).findings).toMatchObject([{ code: "wrong-incarnation", node: "c1n1" }]);
});
