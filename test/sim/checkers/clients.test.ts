// I9, I10, I12: what the checkers of replies, of liveness and of what clients see report, and what they let pass.

import { describe, expect, test } from "vitest";
import { recordKey, replyKey } from "../../../src/ledger/keys.js";
import { makeLinear } from "../../../src/sim/checkers/linear.js";
import { makeLiveness } from "../../../src/sim/checkers/liveness.js";
import { makeReplies } from "../../../src/sim/checkers/replies.js";
import { makeResults } from "../../../src/sim/checkers/results.js";
import { refusalNumber } from "../../../src/types/codes.js";
import { type ClusterId, fromHex } from "../../../src/types/ids.js";
import { carriage } from "../../../src/types/message.js";
import { envelopeSchema, readSchema, replySchema, storedReplySchema } from "../../../src/types/schema.js";
import { blockOf, paymentBlock, requestOf } from "../../support/forge.js";
import { START, type TestNetwork } from "../../support/network.js";
import { type BentOptions, bendRecords, bendWords, reasonsOf } from "./bent.js";
import { Drawn } from "./drawn.js";

const mixed: BentOptions = { models: ["byzantine", "crash"] };

describe("I9, what a client was told", () => {
  test.each<BentOptions>([{}, mixed])("survives a real run %#", async (options) => {
    expect(await reasonsOf(makeReplies, options)).toEqual([]);
  });

  test.each([
    ["results", { results: Uint8Array.of(8) }, /yet that record says 0/],
    ["height", { height: 1 }, /yet that record is block/],
    ["height of no record", { height: 77 }, /yet no correct node of the cluster has that record/],
    ["sequence", { sequence: 131_073 }, /yet that record has sequence/],
    ["request", { request: new Uint8Array(32).fill(1) }, /yet that block does not hold the request/],
    ["node", { node: 2 }, /in the name of node 2 of cluster 1/],
  ])("a reply with another %s than the node holds", async (_, change, expected) => {
    const bend = bendWords(/c1n0/, "reply", (body) => {
      const reply = replySchema.decode(body);
      return reply.height === 2 ? replySchema.encode({ ...reply, ...change }) : body;
    });
    expect(await reasonsOf(makeReplies, { bend })).toContainEqual(expect.stringMatching(expected));
  });

  const lose =
    (change: (network: TestNetwork) => void) =>
    (network: TestNetwork): void => {
      network.pay(1);
      network.settle();
      change(network);
    };
  const first = (network: TestNetwork) =>
    replyKey((network.clients[0] as (typeof network.clients)[number]).publicKey, 1);

  test("a record that one node has lost in the end", async () => {
    const drive = lose((network) => network.node("c1n2").store.apply([{ key: recordKey(1), value: undefined }]));
    expect(await reasonsOf(makeReplies, { drive })).toEqual([
      expect.stringMatching(/^I9 c1n2 has lost what .*: record 1$/),
    ]);
    expect(await reasonsOf(makeReplies, { drive, isCorrect: (name) => name !== "c1n2" })).toEqual([]);
    expect(await reasonsOf(makeReplies, { drive, healed: false })).toEqual([]);
  });

  test("a reply for repetitions that is lost, or another", async () => {
    const drop = lose((network) => network.node("c1n1").store.apply([{ key: first(network), value: undefined }]));
    expect(await reasonsOf(makeReplies, { drive: drop })).toEqual([
      expect.stringMatching(/c1n1 .*: the reply for repetitions/),
    ]);
    const change = lose((network) => {
      const { store } = network.node("c1n1");
      const row = storedReplySchema.decode(store.get(first(network)) as Uint8Array);
      store.apply([{ key: first(network), value: storedReplySchema.encode({ ...row, results: Uint8Array.of(8) }) }]);
    });
    expect(await reasonsOf(makeReplies, { drive: change })).toEqual([
      expect.stringMatching(/c1n1 .*: it keeps another reply, of record 1/),
    ]);
  });

  test("a reply that is believed and that no record bears out", async () => {
    const drawn = await Drawn.create(makeReplies);
    drawn.reply({ height: 1, sequence: 65_537, digest: new Uint8Array(32), results: Uint8Array.of(0) });
    expect(drawn.reasons()).toEqual([expect.stringMatching(/believes reply 1 .* yet no correct node/)]);
  });
});

describe("I10, liveness", () => {
  const silent = (network: TestNetwork) => {
    network.drop = ({ kind }) => kind === "reply";
    network.pay(1, 2);
    network.settle();
  };

  test.each<BentOptions>([{}, mixed])("everything is answered in a real run %#", async (options) => {
    expect(await reasonsOf(makeLiveness, options)).toEqual([]);
  });

  test("a request that has no reply is reported with what became of it", async () => {
    const reasons = await reasonsOf(makeLiveness, { drive: silent });
    expect(reasons).toEqual([
      expect.stringMatching(/^I10 request 1 .* over clusters 1,2 has no reply, it has records in clusters 1,2; 1/),
    ]);
    expect(await reasonsOf(makeLiveness, { drive: silent, healed: false })).toEqual([]);
  });

  test("one that has expired may stay without", async () => {
    const drive: BentOptions["drive"] = (network) => {
      silent(network);
      network.advance(60_001);
    };
    expect(await reasonsOf(makeLiveness, { drive })).toEqual([]);
  });

  test("a correct node that stays behind its cluster", async () => {
    const behind = async (options: BentOptions) => {
      const drive = (network: TestNetwork) => {
        network.drop = ({ receiver }) => receiver === "c1n2";
        network.pay(1);
        network.settle();
      };
      return reasonsOf(makeLiveness, { drive, ...options });
    };
    expect(await behind({})).toEqual(["I10 c1n2 lacks record 1, which others of its cluster have"]);
    expect(await behind({ isCorrect: (name) => name !== "c1n2" })).toEqual([]);
    expect(await behind({ healed: false })).toEqual([]);
  });

  test("busy is no answer, a refusal for good is one", async () => {
    for (const [code, waiting] of [
      ["busy", 1],
      ["cluster-unavailable", 1],
      ["bad-account", 0],
    ] as const) {
      const drawn = await Drawn.create(makeLiveness);
      const request = requestOf(drawn.network, [drawn.network.payment([1])]);
      for (const checker of drawn.watched.checkers) checker.onRequest?.(request);
      drawn.reply({ refusal: refusalNumber(code), request: fromHex(request.hash) });
      expect(drawn.reasons(), code).toHaveLength(waiting);
    }
  });
});

describe("I12, one history", () => {
  const read = (network: TestNetwork, accounts: readonly string[]) => {
    const body = readSchema.encode({ nonce: 1, accounts });
    const empty = new Uint8Array(0);
    for (const { name } of network.nodesOf(1))
      network.sendBytes(
        envelopeSchema.encode({ kind: carriage.read.number, body, signature: empty, block: empty }),
        name,
      );
    network.settle();
  };
  const readAfter =
    (...clusters: readonly number[]): BentOptions["drive"] =>
    (network) => {
      network.pay(...clusters);
      network.settle();
      read(network, [network.account(1), network.account(1, 1), "nobody"]);
    };

  test.each<BentOptions>([{}, mixed])("in a real run, readings included %#", async (options) => {
    for (const drive of [undefined, readAfter(1), readAfter(1, 2), readAfter(2, 1)]) {
      const driven = drive === undefined ? options : { ...options, drive };
      expect(await reasonsOf([makeLinear, makeResults], driven)).toEqual([]);
    }
  });

  test("a reading that no record from there on leaves so", async () => {
    const drive: BentOptions["drive"] = (network, watched) => {
      network.pay(1);
      network.settle();
      const account = network.account(1);
      const owner = fromHex((network.clients[0] as (typeof network.clients)[number]).publicKey);
      for (const [height, balance] of [
        [0, 1000n],
        [0, 999n],
        [1, 999n],
        [1, 1000n],
        [5, 999n],
      ] as const) {
        const accounts = [{ account, exists: true, balance, owner }];
        const reply = { kind: "read-reply", cluster: 1 as ClusterId, node: 0, nonce: 1, height, accounts } as const;
        for (const checker of watched.checkers) checker.onRead?.("a" as never, reply);
      }
    };
    expect(await reasonsOf(makeLinear, { drive })).toEqual([
      "I12 a reads accounts of cluster 1 at record 1, and no record from there to 1 leaves them so",
      "I12 a reads accounts of cluster 1 at record 5, and no record from there to 1 leaves them so",
    ]);
  });

  test("a request that is ordered before one that was answered before it began", async () => {
    const order = async (sequences: readonly number[]) => {
      const drawn = await Drawn.create(makeLinear, { models: ["crash", "crash"] });
      for (const sequence of sequences) {
        const request = requestOf(drawn.network, [drawn.network.payment([1, 2])]);
        for (const checker of drawn.watched.checkers) checker.onRequest?.(request);
        drawn.reply({ request: fromHex(request.hash), sequence });
      }
      return drawn.reasons();
    };
    expect(await order([65_537, 131_073])).toEqual([]);
    expect(await order([131_073, 65_537])).toEqual([
      expect.stringMatching(/^I12 request 1 .* has sequence 65537, but began after .* 131073/),
    ]);
  });

  test("a snapshot that does not sum to the supply", async () => {
    const drawn = await Drawn.create(makeLinear, { models: ["crash", "crash"] });
    drawn.deliver(paymentBlock(drawn.network, 1, 2), { clusters: [2] });
    expect(drawn.reasons()).toContainEqual(
      expect.stringMatching(/the snapshot at sequence 65538 sums to 400001, the supply is/),
    );
  });
});

describe("I12, results", () => {
  const overdraw: BentOptions["drive"] = (network) => {
    const [first, second] = [network.account(1), network.account(2)];
    const both = (amount: bigint) => [
      {
        open: "",
        debits: [
          { account: first, amount },
          { account: second, amount: 1n },
        ],
        credits: [{ account: network.account(1, 1), amount: amount + 1n }],
      },
    ];
    for (const operations of [
      both(600n),
      both(600n),
      [network.transfer(first, second, 400n)],
      [network.transfer(first, second, 1n)],
    ]) {
      network.send(operations);
      network.settle();
    }
  };

  test.each<BentOptions>([{}, mixed])(
    "with funds that do not suffice on one side, in a real run %#",
    async (options) => {
      expect(await reasonsOf(makeResults, { ...options, drive: overdraw })).toEqual([]);
    },
  );

  test.each([
    ["an ok without funds", 8, 0, /the result is ok, by the views of clusters 1,2 it is insufficient-funds/],
    ["a refusal without a reason", 0, 8, /the result is insufficient-funds, by the views of clusters \S+ it is ok/],
    [
      "a refusal for another reason",
      8,
      7,
      /the result is not-owner, by the views of clusters 1,2 it is insufficient-funds/,
    ],
  ])("%s", async (_, was, is, expected) => {
    const bend = bendRecords(/./, ({ results }) => ({
      results: results.map((result) => (result === was ? is : result)),
    }));
    expect(await reasonsOf(makeResults, { drive: overdraw, bend })).toContainEqual(expect.stringMatching(expected));
  });

  test("what cannot be spent within a block, and what expired, was used up, or is not the signer's", async () => {
    const drawn = await Drawn.create(makeResults, { models: ["crash", "crash"] });
    const { network } = drawn;
    const [a, b, c] = [network.account(1), network.account(2), network.account(2, 1)];
    const all = requestOf(network, [
      network.transfer(a, b, 1000n),
      network.transfer(b, a, 1500n),
      network.transfer(c, a, 1000n),
      network.transfer(a, c, 1000n),
    ]);
    drawn.deliver(blockOf([all]), { results: [0, 8, 0, 8] });
    const late = requestOf(network, [network.transfer(a, b)], { validUntil: START });
    drawn.deliver(blockOf([late], { time: START + 1 }), { results: [3] });
    drawn.deliver(blockOf([all], { time: START + 2 }), { results: [5, 5, 5, 5] });
    drawn.deliver(blockOf([requestOf(network, [network.transfer(a, b)], { client: 1 })], { time: START + 2 }), {
      results: [7],
    });
    const claim = { open: a, debits: [], credits: [] };
    drawn.deliver(blockOf([requestOf(network, [claim])], { time: START + 2 }), { results: [9] });
    expect(drawn.reasons()).toEqual([]);
  });
});
