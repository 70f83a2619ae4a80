// Requests that must not move money (protocol 1, 4): refused at the door or before they are ordered, with a code that
// the client gets, or ordered and recorded with a result that says why they were not applied.

import { describe, expect, test } from "vitest";
import { refusalCode, resultCode } from "../../src/types/codes.js";
import { limits } from "../../src/types/limits.js";
import { carriage } from "../../src/types/message.js";
import { envelopeSchema, type Operation, requestBodySchema } from "../../src/types/schema.js";
import { blockOf, certificateOf, inject, injectAs, nextEntry, proposal, requestOf } from "../support/forge.js";
import { balanceOf, expectConsistent } from "../support/inspect.js";
import { type RequestOptions, START, TestNetwork } from "../support/network.js";

type Given = (network: TestNetwork) => { readonly operations: readonly Operation[]; readonly options?: RequestOptions };

function transfer(
  debits: readonly (readonly [string, bigint])[],
  credits: readonly (readonly [string, bigint])[],
): Operation {
  const posting = ([account, amount]: readonly [string, bigint]) => ({ account, amount });
  return { open: "", debits: debits.map(posting), credits: credits.map(posting) };
}

const SUPPLY = limits.supplyMax;

const refusals: readonly (readonly [string, string, Given])[] = [
  ["malformed", "no operations", () => ({ operations: [] })],
  ["malformed", "neither debit nor credit", () => ({ operations: [transfer([], [])] })],
  [
    "malformed",
    "an opening that also moves money",
    (network) => ({ operations: [{ ...network.payment([1]), open: network.account(1) }] }),
  ],
  [
    "bad-signature",
    "signed by another client",
    (network) => ({ operations: [network.payment([1])], options: { signer: network.clients[1] as never } }),
  ],
  [
    "bad-signature",
    "signed for another network",
    (network) => ({ operations: [network.payment([1])], options: { networkId: "ab".repeat(32) } }),
  ],
  [
    "zero-amount",
    "an amount of zero",
    (network) => ({ operations: [transfer([[network.account(1), 0n]], [[network.account(1, 1), 0n]])] }),
  ],
  [
    "amount-overflow",
    "amounts whose sum is above all money there can be",
    (network) => {
      const debits = [0, 1].map((n) => [network.account(1, n), SUPPLY] as const);
      return { operations: [transfer(debits, [[network.account(1, 2), SUPPLY]])] };
    },
  ],
  [
    "unbalanced",
    "more credited than debited",
    (network) => ({ operations: [transfer([[network.account(1), 1n]], [[network.account(1, 1), 2n]])] }),
  ],
  [
    "repeated-account",
    "one account twice on one side",
    (network) => {
      const account = network.account(1);
      return {
        operations: [
          transfer(
            [
              [account, 1n],
              [account, 1n],
            ],
            [[network.account(1, 1), 2n]],
          ),
        ],
      };
    },
  ],
  [
    "bad-account",
    "a name that is none",
    (network) => ({ operations: [transfer([[network.account(1), 1n]], [["no such name!", 1n]])] }),
  ],
  ["bad-account", "opening a name that is none", () => ({ operations: [{ open: ".x", debits: [], credits: [] }] })],
  [
    "mixed-clusters",
    "operations of different sets of clusters",
    (network) => ({ operations: [network.payment([1]), network.payment([1, 2])] }),
  ],
  [
    "wrong-cluster",
    "sent to a cluster that does not initiate it",
    (network) => ({ operations: [network.payment([2, 1])] }),
  ],
  [
    "expired",
    "valid until a moment ago",
    (network) => ({ operations: [network.payment([1])], options: { validUntil: START - 1 } }),
  ],
  [
    "valid-too-long",
    "valid for more than ten minutes",
    (network) => ({
      operations: [network.payment([1])],
      options: { validUntil: START + limits.requestLifetimeMs + 1 },
    }),
  ],
];

describe.each(["crash", "byzantine"] as const)("requests that are not ordered (%s)", (model) => {
  test.each(refusals)("%s: %s", async (code, _, given) => {
    const network = await TestNetwork.create({ models: [model, model] });
    network.settle();
    const { operations, options } = given(network);
    const bytes = network.request(operations, options);
    const from = network.clients[0]?.publicKey as never;
    const { codes, changed } = await inject(network, { from, to: "c1n0", bytes });
    expect(codes).toEqual([code]);
    expect(changed).toBe(false);
    expect(network.replies.map(({ refusal }) => refusalCode(refusal))).toEqual([code]);
  });

  test("wrong-sender: a client's request on another client's channel, which is told nothing", async () => {
    const network = await TestNetwork.create({ models: [model] });
    network.settle();
    const from = network.clients[1]?.publicKey as never;
    const bytes = network.request([network.payment([1])]);
    expect(await inject(network, { from, to: "c1n0", bytes })).toEqual({ codes: ["wrong-sender"], changed: false });
    expect(network.replies).toEqual([]);
  });

  test("oversized: a request above its bound", async () => {
    const network = await TestNetwork.create({ models: [model] });
    network.settle();
    const none = new Uint8Array(0);
    const body = new Uint8Array(limits.requestBytesMax + 1);
    const bytes = envelopeSchema.encode({ kind: carriage.request.number, body, signature: none, block: none });
    const from = network.clients[0]?.publicKey as never;
    expect(await inject(network, { from, to: "c1n0", bytes })).toEqual({ codes: ["oversized"], changed: false });
  });

  test("malformed and unknown-client: a body that is none, and one in the name of a stranger", async () => {
    const network = await TestNetwork.create({ models: [model] });
    network.settle();
    const from = network.clients[0]?.publicKey as never;
    const none = new Uint8Array(0);
    const noise = envelopeSchema.encode({ kind: 1, body: Uint8Array.of(9, 9, 9), signature: none, block: none });
    expect(await inject(network, { from, to: "c1n0", bytes: noise })).toEqual({ codes: ["malformed"], changed: false });
    const operations = [network.payment([1])];
    const body = requestBodySchema.encode({
      client: new Uint8Array(32).fill(7),
      nonce: 1,
      validUntil: START,
      operations,
      rejoin: undefined,
    });
    const bytes = envelopeSchema.encode({ kind: 1, body, signature: new Uint8Array(64), block: none });
    expect((await inject(network, { from, to: "c1n0", bytes })).codes).toEqual(["wrong-sender"]);
  });

  test("a repeated request gets its stored reply, and moves nothing again", async () => {
    const network = await TestNetwork.create({ models: [model, model] });
    const bytes = network.request([network.payment([1, 2])]);
    network.sendBytes(bytes, "c1n0");
    network.settle();
    const first = network.replies.splice(0);
    for (const { name } of network.nodesOf(1)) {
      const { codes, changed } = await inject(network, {
        from: network.clients[0]?.publicKey as never,
        to: name,
        bytes,
      });
      expect({ codes, changed }).toEqual({ codes: [], changed: false });
    }
    expect(network.replies).toHaveLength(network.nodesOf(1).length);
    for (const { results, height } of network.replies) {
      expect({ results: [...results], height }).toEqual({ results: [0], height: first[0]?.height });
    }
  });

  test("sent again while it waits, a request is no event: not even its signature is looked at (2.4)", async () => {
    const network = await TestNetwork.create({ models: [model] });
    network.settle();
    const from = network.clients[0]?.publicKey as never;
    for (const name of ["c1n0", "c1n1"]) {
      const bytes = network.request([network.payment([1])]);
      const forged = envelopeSchema.encode({ ...envelopeSchema.decode(bytes), signature: new Uint8Array(64) });
      const node = network.node(name);
      expect(node.ingress.open(from, forged), name).toMatchObject({ kind: "refused", code: "bad-signature" });
      network.sendBytes(bytes, name);
      network.deliverOne();
      expect(node.ingress.open(from, bytes), name).toBeUndefined();
      expect(node.ingress.open(from, forged), name).toBeUndefined();
      network.settle();
      expect(node.ingress.open(from, bytes), name).toMatchObject({ kind: "request" });
    }
    expect(network.nodes.flatMap(({ rejected }) => rejected)).toEqual([]);
  });

  test("id-reused: another request under an id that is queued, or was executed", async () => {
    const network = await TestNetwork.create({ models: [model] });
    network.settle();
    network.send([network.payment([1], 0)], { nonce: 7 });
    network.send([network.payment([1], 3)], { nonce: 7 });
    network.settle();
    const refusalsOf = () => network.replies.splice(0).flatMap(({ refusal }) => refusalCode(refusal) ?? []);
    expect(refusalsOf().filter((code) => code !== "executed")).toEqual(["id-reused"]);
    const bytes = network.request([network.payment([1], 3)], { nonce: 7 });
    const again = await inject(network, { from: network.clients[0]?.publicKey as never, to: "c1n0", bytes });
    expect(again).toEqual({ codes: ["id-reused"], changed: false });
    expect(refusalsOf()).toEqual(["id-reused"]);
  });
});

const results: readonly (readonly [string, string, Given])[] = [
  [
    "insufficient-funds",
    "more than the account holds",
    (network) => ({ operations: [network.transfer(network.account(1), network.account(1, 1), 1001n)] }),
  ],
  [
    "insufficient-funds",
    "more than the account holds, across shards",
    (network) => ({ operations: [network.transfer(network.account(1), network.account(2, 1), 1001n)] }),
  ],
  [
    "not-owner",
    "someone else's account",
    (network) => ({
      operations: [network.transfer(network.account(1), network.account(1, 1))],
      options: { client: 1 },
    }),
  ],
  [
    "unknown-account",
    "an account that does not exist",
    (network) => ({ operations: [network.transfer(unusedAccount(network), network.account(1, 1))] }),
  ],
  [
    "account-exists",
    "opening an account that someone owns",
    (network) => ({ operations: [{ open: network.account(1), debits: [], credits: [] }] }),
  ],
];

function unusedAccount(network: TestNetwork): Parameters<TestNetwork["transfer"]>[0] {
  for (let i = 0; ; i++) {
    const account = `nobody-${i}` as Parameters<TestNetwork["transfer"]>[0];
    const involved = requestOf(network, [{ open: account, debits: [], credits: [] }]).clusters;
    if (involved[0] === 1) return account;
  }
}

describe.each(["crash", "byzantine"] as const)("requests that are ordered and not applied (%s)", (model) => {
  test.each(results)("%s: %s", async (code, _, given) => {
    const network = await TestNetwork.create({ models: [model, model] });
    const { operations, options } = given(network);
    network.send(operations, { ...options, to: "c1n0" });
    network.settle();
    expect(network.replies[0]?.refusal).toBe(0);
    expect([...(network.replies[0]?.results ?? [])].map(resultCode)).toEqual([code]);
    for (const cluster of [1, 2]) {
      for (const node of network.nodesOf(cluster)) {
        for (const n of [0, 1]) expect(balanceOf(node, network.account(cluster, n))).toBe(1000n);
      }
    }
    await expectConsistent(network, code);
  });

  test("expired by record time, in a block that its cluster decided", async () => {
    const network = await TestNetwork.create({ models: [model] });
    network.settle();
    const block = blockOf([requestOf(network, [network.payment([1])], { validUntil: START - 1 })]);
    const entry = nextEntry(network, 1, block.digest);
    const certificate = certificateOf(network, entry, model === "crash" ? [0] : [0, 1, 2]);
    const chunk = { kind: "chunk", digest: block.digest, certificates: [certificate], block } as const;
    for (const { name } of network.nodesOf(1)) {
      await injectAs(network, "c1n0", name, chunk);
      expect(network.node(name).replica.height).toBe(1);
      expect(balanceOf(network.node(name), network.account(1))).toBe(1000n);
    }
    expect([...(network.replies[0]?.results ?? [])].map(resultCode)).toEqual(["expired"]);
    await expectConsistent(network, "expired");
  });

  test("bad-block: valid for more than ten minutes by the block's own time", async () => {
    const network = await TestNetwork.create({ models: [model] });
    network.settle();
    const validUntil = START + limits.requestLifetimeMs + 1;
    const block = blockOf([requestOf(network, [network.payment([1])], { validUntil })]);
    const message = proposal(network, block, nextEntry(network, 1, block.digest));
    expect(await injectAs(network, "c1n0", "c1n1", message)).toEqual({ codes: ["bad-block"], changed: false });
  });
});
