// I5, I6, I7: what the checkers of the supply, of debts and of requests report, and what they let pass.

import { describe, expect, test } from "vitest";
import { decodeRequest } from "../../../src/cluster/block.js";
import { ed25519Verifier, signingBytes } from "../../../src/crypto/signature.js";
import { accountKey } from "../../../src/ledger/keys.js";
import { makeRequests } from "../../../src/sim/checkers/requests.js";
import { makeNoDebt, makeSupply } from "../../../src/sim/checkers/supply.js";
import { fromHex } from "../../../src/types/ids.js";
import { requestBodySchema, storedAccountSchema } from "../../../src/types/schema.js";
import { blockOf, paymentBlock, requestOf } from "../../support/forge.js";
import { START } from "../../support/network.js";
import { type BentOptions, bendRecords, bendRows, reasonsOf } from "./bent.js";
import { Drawn } from "./drawn.js";

const richer = (value: Uint8Array) => {
  const row = storedAccountSchema.decode(value);
  return storedAccountSchema.encode({ ...row, balance: row.balance + 1n });
};

describe("I5, supply", () => {
  test.each<BentOptions>([{}, { models: ["byzantine", "crash", "byzantine"] }])(
    "is conserved in a real run %#",
    async (options) => {
      expect(await reasonsOf(makeSupply, options)).toEqual([]);
    },
  );

  test("half a transfer: one view records it as applied, the other as refused", async () => {
    const bend = bendRecords(/c2/, ({ sequences }) =>
      sequences.length > 1 ? { results: Uint8Array.of(8) } : undefined,
    );
    const reasons = await reasonsOf(makeSupply, { bend });
    expect(reasons).toContainEqual(
      expect.stringMatching(/^I5 after sequence \d+ all balances are 399999, the supply is 400000/),
    );
  });

  test("half a transfer that the other view never records, once everything has healed", async () => {
    const half = async (healed: boolean) => {
      const drawn = await Drawn.create(makeSupply, { models: ["crash", "crash"] });
      drawn.deliver(paymentBlock(drawn.network, 1, 2), { clusters: [1], nodes: (name) => name === "c1n0" });
      return drawn.reasons({ healed }).filter((reason) => /supply/.test(reason));
    };
    expect(await half(true)).toEqual([expect.stringMatching(/all balances are 399999/)]);
    expect(await half(false)).toEqual([]);
  });

  test("a row that its records do not give, at once", async () => {
    const bend = bendRows(/c1n2/, "account", richer);
    expect(await reasonsOf(makeSupply, { bend })).toContainEqual(
      expect.stringMatching(/c1n2 has 1000 of "\w+" for [\w-]+ after record 1, the records give 999/),
    );
  });

  test("a row that its records do not give, in the end", async () => {
    const drive: BentOptions["drive"] = (network) => {
      network.pay(1);
      network.settle();
      const key = accountKey(network.account(1));
      const { store } = network.node("c1n2");
      store.apply([{ key, value: richer(store.get(key) as Uint8Array) }]);
    };
    expect(await reasonsOf(makeSupply, { drive })).toEqual([
      expect.stringMatching(/c1n2 has 1000 of .* the records give 999/),
    ]);
  });

  test("an account that another owns after it was opened", async () => {
    const bend = bendRows(/c1n2/, "account", (value) =>
      storedAccountSchema.encode({ ...storedAccountSchema.decode(value), owner: new Uint8Array(32).fill(7) }),
    );
    const drive: BentOptions["drive"] = (network) => {
      const fresh = Array.from({ length: 50 }, (_, i) => `fresh${i}`);
      for (const account of fresh) network.send([{ open: account, debits: [], credits: [] }]);
    };
    expect(await reasonsOf(makeSupply, { drive })).toEqual([]);
    expect(await reasonsOf(makeSupply, { drive, bend })).toContainEqual(expect.stringMatching(/c1n2 has 0 of "070707/));
  });
});

describe("I6, no debts", () => {
  const spend: BentOptions["drive"] = (network) => {
    const [from, to] = [network.account(1), network.account(1, 1)];
    for (const amount of [600n, 600n]) network.send([network.transfer(from, to, amount)]);
  };

  test("in a real run in which funds do not suffice", async () => {
    expect(await reasonsOf(makeNoDebt, { drive: spend })).toEqual([]);
  });

  test("a balance below zero by the records", async () => {
    const bend = bendRecords(/c1/, ({ results }) => ({ results: results.map(() => 0) }));
    expect(await reasonsOf(makeNoDebt, { drive: spend, bend })).toEqual([
      expect.stringMatching(/^I6 [\w-]+ of cluster 1 has -200 after record \d/),
    ]);
  });

  test("a balance that wrapped around in a row", async () => {
    const bend = bendRows(/c1n1/, "account", (value) =>
      storedAccountSchema.encode({ ...storedAccountSchema.decode(value), balance: (1n << 64n) - 200n }),
    );
    expect(await reasonsOf(makeNoDebt, { bend })).toContainEqual(
      expect.stringMatching(/c1n1 has 18446744073709551416 for/),
    );
  });
});

describe("I7, requests", () => {
  const draw = async () => {
    const drawn = await Drawn.create(makeRequests, { models: ["crash", "crash"] });
    const { network } = drawn;
    const pay = (...clusters: readonly number[]) => [network.payment(clusters)];
    return { drawn, network, pay };
  };

  test.each<BentOptions>([{}, { models: ["byzantine", "crash", "byzantine"] }])(
    "of a real run are fine %#",
    async (options) => {
      expect(await reasonsOf(makeRequests, options)).toEqual([]);
    },
  );

  test("one that is not signed by its client", async () => {
    const { drawn, network, pay } = await draw();
    const signer = network.clients[1] as (typeof network.clients)[number];
    drawn.deliver(blockOf([requestOf(network, pay(1, 2), { signer })]));
    expect(drawn.reasons()).toEqual([
      expect.stringMatching(/^I7 request 1 of \w+ in block \w+ is not signed by its client/),
    ]);
  });

  test.each([
    ["owns the debited account", { client: 1 }, /is not the signer's/],
    ["was in time", { validUntil: START - 1 }, /it had expired/],
  ])("an effect of one that never %s", async (_, options, expected) => {
    for (const result of [7, 0]) {
      const { drawn, network, pay } = await draw();
      drawn.deliver(blockOf([requestOf(network, pay(1, 2), options)]), { results: [result] });
      expect(drawn.reasons()).toEqual(result === 0 ? expect.arrayContaining([expect.stringMatching(expected)]) : []);
    }
  });

  test("one that is executed in two blocks, of whatever clusters", async () => {
    const { drawn, network, pay } = await draw();
    const request = requestOf(network, pay(1, 2));
    drawn.deliver(blockOf([request]));
    drawn.deliver(blockOf([request], { time: START + 1 }), { results: [5] });
    expect(drawn.watched.violations).toEqual([]);
    drawn.deliver(blockOf([request], { time: START + 2 }));
    expect(drawn.reasons()).toContainEqual(expect.stringMatching(/it was executed in block \w+, too/));
  });

  test("an id that is used for another request while it is remembered, and not longer", async () => {
    const { drawn, network, pay } = await draw();
    const first = requestOf(network, pay(1), { nonce: 7, validUntil: START + 1000 });
    const later = requestOf(network, pay(1, 2), { nonce: 7, validUntil: START + 9000 });
    drawn.deliver(blockOf([first]), { results: [8] });
    drawn.deliver(blockOf([later], { time: START + 1001 }));
    expect(drawn.watched.violations).toEqual([]);
    drawn.deliver(blockOf([requestOf(network, pay(1), { nonce: 7 })], { time: START + 1002 }));
    expect(drawn.reasons()).toEqual([expect.stringMatching(/its id was used in block/)]);
  });

  test("an effect of one whose client is not enrolled", async () => {
    const { drawn, network, pay } = await draw();
    const { signer } = network.node("c1n0");
    const client = fromHex(signer.publicKey);
    const body = requestBodySchema.encode({
      client,
      nonce: 1,
      validUntil: START + 1000,
      operations: pay(1, 2),
      rejoin: undefined,
    });
    const signed = { body, signature: signer.sign(signingBytes(network.topology.networkId, 1, body)) };
    const context = { topology: network.topology, members: network.members, verifier: ed25519Verifier };
    const decoded = decodeRequest(signed, context);
    if (!decoded.ok) throw new Error(decoded.code);
    drawn.deliver(blockOf([decoded.value]));
    expect(drawn.reasons()).toContainEqual(expect.stringMatching(/record 1 of cluster 1: the client is not enrolled/));
  });

  test("results that are too few", async () => {
    const { drawn, network } = await draw();
    drawn.deliver(paymentBlock(network, 1, 2), { results: [] });
    expect(drawn.reasons()).toContainEqual(
      expect.stringMatching(/record 1 of cluster 1 has 0 results for 1 operations/),
    );
  });
});
