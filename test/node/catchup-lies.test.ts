// Sources and askers that lie (protocol 6): a node that catches up verifies whatever it is given and trusts nobody. A
// wrong, endless, empty or missing answer costs one question and the next node is asked; a node that asks and asks is
// answered in bounds; what nobody asked for is not looked at.

import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { sha256 } from "../../src/crypto/hash.js";
import { encodeRecord, type LedgerRecord, recordHash } from "../../src/ledger/records.js";
import { Chain } from "../../src/node/chain.js";
import { Sources } from "../../src/node/sources.js";
import type { ClusterId, Digest } from "../../src/types/ids.js";
import { toHex } from "../../src/types/ids.js";
import { limits } from "../../src/types/limits.js";
import { carriage } from "../../src/types/message.js";
import { envelopeSchema, type RecordItem, recordsSchema } from "../../src/types/schema.js";
import { injectAs, reEnvelope, sealAs } from "../support/forge.js";
import { TestNetwork, type TestNode } from "../support/network.js";
import { asleep, caughtUp, everything, expectAwake, payMixed, putBack, type Rows } from "../support/sleep.js";

Object.assign(limits, { recordsPerAnswerMax: 24 });

type Answer = { readonly from: number; readonly items: readonly RecordItem[] };

/** The liar's every RECORDS is bent; returns how many there were. */
function bend(network: TestNetwork, liar: string, lie: (answer: Answer) => Answer): () => number {
  const post = network.post.bind(network);
  let lies = 0;
  network.post = (from, to, bytes) => {
    const { kind, body } = envelopeSchema.decode(bytes);
    if (network.nameOf(from) !== liar || kind !== carriage.records.number) return post(from, to, bytes);
    lies++;
    post(from, to, reEnvelope(bytes, { body: recordsSchema.encode(lie(recordsSchema.decode(body))) }));
  };
  return () => lies;
}

function flipped(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  const last = copy.length - 1;
  if (last >= 0) copy[last] = (copy[last] as number) ^ 1;
  return copy;
}

/** Changes one item in the middle. */
function inMiddle(change: (item: RecordItem, items: readonly RecordItem[]) => RecordItem) {
  return ({ from, items }: Answer): Answer => {
    const middle = Math.floor(items.length / 2);
    return { from, items: items.map((item, i) => (i === middle ? change(item, items) : item)) };
  };
}

const LIES: Readonly<Record<string, (answer: Answer) => Answer>> = {
  "a record with another bit": inMiddle((item) => ({ ...item, record: flipped(item.record) })),
  "another record in its place": inMiddle((item, items) => ({ ...item, record: items[0]?.record as Uint8Array })),
  "a block with another bit": inMiddle((item) => ({ ...item, block: flipped(item.block) })),
  "another block in its place": inMiddle((item, items) => ({ ...item, block: items[0]?.block as Uint8Array })),
  "no block": inMiddle((item) => ({ ...item, block: new Uint8Array(0) })),
  "no certificate": inMiddle((item) => ({ ...item, certificates: [] })),
  "a certificate with a commit less": inMiddle((item) => ({
    ...item,
    certificates: item.certificates.map(({ cluster, commits }) => ({ cluster, commits: commits.slice(1) })),
  })),
  "a forged certificate": inMiddle((item) => ({
    ...item,
    certificates: item.certificates.map(({ cluster, commits }) => ({
      cluster,
      commits: commits.map(({ body, signature }) => ({ body, signature: flipped(signature) })),
    })),
  })),
  "another record's certificates": inMiddle((item, items) => ({
    ...item,
    certificates: items[0]?.certificates ?? [],
  })),
  "records that were not asked for": ({ from, items }) => ({ from: from + 1, items }),
  "a gap": ({ from, items }) => ({ from, items: [...items.slice(0, 1), ...items.slice(2)] }),
  "more than was asked for": ({ from, items }) => ({ from, items: [...items, ...items] }),
  nothing: ({ from }) => ({ from, items: [] }),
  noise: ({ from, items }) => ({
    from,
    items: items.map(() => ({ record: Uint8Array.of(9), block: Uint8Array.of(9), certificates: [] })),
  }),
};

describe.each(["crash", "byzantine"] as const)("a %s source", (model) => {
  let world: { readonly network: TestNetwork; readonly sleeper: TestNode; readonly rows: Rows };
  let post: TestNetwork["post"];

  beforeAll(async () => {
    const [network, sleeper] = await asleep([model, model], 2);
    network.drop = () => false;
    world = { network, sleeper, rows: await everything(sleeper) };
    post = network.post;
  });

  beforeEach(async () => {
    world.network.post = post;
    world.network.drop = () => false;
    await putBack(world.network, world.sleeper, world.rows);
  });

  test.each(Object.keys(LIES))("that gives %s is left out", async (name) => {
    const { network, sleeper } = world;
    // The node that it asks first.
    const lies = bend(network, "c1n0", LIES[name] as (answer: Answer) => Answer);
    await network.run(20);
    expect(caughtUp(sleeper)).toBeGreaterThan(0);
    await expectAwake(network, sleeper, name);
    // What is wrong with blocks shows in the second pass only, after some bare records.
    expect(lies()).toBeGreaterThan(0);
    const refused = sleeper.notes.filter((note) => note.kind === "rejected" && note.code === "bad-record");
    expect(refused.map((note) => note.kind === "rejected" && note.from?.node)).toEqual([0]);
  });

  test("that is silent is left out", async () => {
    const { network, sleeper } = world;
    let asked = 0;
    network.drop = ({ receiver, kind }) => {
      if (receiver === "c1n0" && kind === "fetch-records") asked++;
      return receiver === "c1n0" && kind === "fetch-records";
    };
    await network.run(20);
    expect(asked).toBe(1);
    await expectAwake(network, sleeper, "a silent source");
  });

  test("that gives one record at a time is no liar, and holds nobody up: others are asked in turn", async () => {
    const { network, sleeper } = world;
    bend(network, "c1n0", ({ from, items }) => {
      const isBare = items[0]?.block.length === 0;
      return isBare ? { from: from + items.length - 1, items: items.slice(-1) } : { from, items: items.slice(0, 1) };
    });
    const asked: string[] = [];
    network.onDelivered = ({ kind, receiver }) => {
      if (kind === "fetch-records") asked.push(receiver);
    };
    await network.run(20);
    network.onDelivered = () => undefined;
    await expectAwake(network, sleeper, "one at a time");
    // Nobody is asked twice before the others were asked.
    const others = network.nodesOf(1).length - 1;
    expect(asked.filter((name) => name === "c1n0").length).toBeLessThanOrEqual(Math.ceil(asked.length / others));
    expect(asked.length).toBeGreaterThan(others);
    expect(sleeper.notes.filter(({ kind }) => kind === "rejected")).toEqual([]);
  });
});

test("a node whose sources all lie asks on at the pace of its timer, and is whole when one of them stops", async () => {
  const [network, sleeper] = await asleep(["byzantine", "byzantine"], 1);
  const honest = network.post;
  for (const node of [0, 1, 2])
    bend(network, `c1n${node}`, LIES["another record in its place"] as (a: Answer) => Answer);
  network.drop = () => false;
  payMixed(network, 1);
  let asked = 0;
  network.onDelivered = ({ kind }) => {
    if (kind === "fetch-records") asked++;
  };
  await network.run(60);
  expect(asked).toBeGreaterThan(3);
  expect(asked).toBeLessThan(20);
  expect(caughtUp(sleeper)).toBe(0);
  network.post = honest;
  await network.run(60);
  await expectAwake(network, sleeper, "honest again");
});

describe("whoever asks", () => {
  const ask = { kind: "fetch-records", from: 1, to: 1000, blocks: true, downwards: false } as const;

  function deliver(network: TestNetwork, node: TestNode, from: string, times: number): void {
    for (let i = 0; i < times; i++) {
      const event = node.ingress.open(network.node(from).info.key, sealAs(network, from, ask));
      if (event !== undefined) node.inbox.push(event);
    }
  }

  test("is answered once in a turn, within bounds, and others are answered as well", async () => {
    const network = await TestNetwork.create({ models: ["byzantine"] });
    payMixedAlone(network, 40);
    const node = network.node("c1n0");
    deliver(network, node, "c1n1", 300);
    deliver(network, node, "c1n2", 1);
    network.turns(node);
    const answers = network.packets.filter(({ kind }) => kind === "records");
    expect(answers.map(({ receiver }) => receiver)).toEqual(["c1n1", "c1n2"]);
    for (const { bytes } of answers) {
      expect(recordsSchema.decode(envelopeSchema.decode(bytes).body).items).toHaveLength(limits.recordsPerAnswerMax);
    }
  });

  test("gets no more bytes than one answer may have", async () => {
    const network = await TestNetwork.create({ models: ["crash"] });
    payMixedAlone(network, 20);
    const bound = limits.recordsAnswerBytesMax;
    Object.assign(limits, { recordsAnswerBytesMax: 2000 });
    const node = network.node("c1n0");
    deliver(network, node, "c1n1", 1);
    network.turns(node);
    Object.assign(limits, { recordsAnswerBytesMax: bound });
    const [answer] = network.packets.filter(({ kind }) => kind === "records");
    expect(answer?.bytes.length).toBeLessThan(2200);
  });

  test("is refused from another cluster, and with a range that is none", async () => {
    const network = await TestNetwork.create({ models: ["crash", "crash"] });
    const foreign = await injectAs(network, "c2n0", "c1n0", ask);
    expect(foreign).toEqual({ codes: ["not-allowed"], changed: false });
    for (const range of [
      { from: 0, to: 1 },
      { from: 2, to: 1 },
    ]) {
      const { codes } = await injectAs(network, "c1n1", "c1n0", { ...ask, ...range });
      expect(codes).toEqual(["malformed"]);
    }
    const unasked = await injectAs(network, "c1n1", "c1n0", { kind: "records", from: 1, items: [] });
    expect(unasked).toEqual({ codes: [], changed: false });
  });
});

function payMixedAlone(network: TestNetwork, blocks: number): void {
  for (let i = 0; i < blocks; i++) {
    network.pay(1);
    network.settle();
  }
}

describe("a chain of records", () => {
  const encoded: Uint8Array[] = [];
  for (let height = 0; height < 10; height++) {
    const parent = height === 0 ? ("0".repeat(64) as Digest) : recordHash(encoded[height - 1] as Uint8Array);
    const record: LedgerRecord = {
      height,
      parent,
      finalSequence: (height * 65_536 + 1) as LedgerRecord["finalSequence"],
      sequences: [(height * 65_536 + 1) as LedgerRecord["finalSequence"]],
      digest: toHex<Digest>(sha256(Uint8Array.of(height))),
      time: height,
      results: Uint8Array.of(0),
    };
    encoded.push(encodeRecord(record));
  }
  const top = { height: 9, hash: recordHash(encoded[9] as Uint8Array) };

  test("grows downwards by what its hashes name, whole pieces or nothing", () => {
    const chain = new Chain(top, 2);
    expect(chain.extend(encoded.slice(7))).toBe(true);
    expect(chain.low).toBe(6);
    // One that is out of place spoils its piece.
    expect(chain.extend([encoded[4], encoded[4], encoded[6]] as Uint8Array[])).toBe(false);
    expect(chain.extend([encoded[3], encoded[4], encoded[5]] as Uint8Array[])).toBe(false);
    expect(chain.low).toBe(6);
    expect(chain.extend(encoded.slice(3, 7))).toBe(true);
    expect(chain.low).toBe(2);
    for (let height = 2; height <= 9; height++) {
      expect(chain.hashAt(height)).toBe(recordHash(encoded[height] as Uint8Array));
    }
  });
});

describe("sources", () => {
  const peers = [0, 1, 2].map((node) => ({ cluster: 1 as ClusterId, node }));
  const take = (sources: Sources, tick: number, times: number) =>
    Array.from({ length: times }, () => sources.next(tick)?.node);

  test("are asked in turn, those that failed not for a while, and if all have, the first of them", () => {
    const sources = new Sources(peers, 1);
    expect(take(sources, 0, 4)).toEqual([1, 2, 0, 1]);
    sources.ban(peers[2] as (typeof peers)[number], 0);
    expect(take(sources, 0, 4)).toEqual([0, 1, 0, 1]);
    expect(take(sources, limits.sourceBanMs, 3)).toEqual([2, 0, 1]);
    for (const [i, peer] of peers.entries()) sources.ban(peer, 10 - i);
    expect(sources.hasFree(11)).toBe(false);
    expect(take(sources, 11, 2)).toEqual([2, 2]);
    expect(new Sources([], 0).next(0)).toBeUndefined();
  });
});
