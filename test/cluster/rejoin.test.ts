// INCARNATION apart from the log (protocol 6): only the node itself can say that it has lost what it said, and once
// anybody shows that word, what it reported before counts no more in any set of reports.

import { describe, expect, test } from "vitest";
import { decodeRequest } from "../../src/cluster/block.js";
import { countedReports, decodeClaim, encodeRejoin, isClaimSigned, newestClaims } from "../../src/cluster/rejoin.js";
import { ed25519Verifier, signingBytes } from "../../src/crypto/signature.js";
import { carriage, type RejoinClaim } from "../../src/types/message.js";
import { requestBodySchema, type Signed } from "../../src/types/schema.js";
import { START, TestNetwork, type TestNode } from "../support/network.js";

const network = await TestNetwork.create({ models: ["crash", "byzantine"] });
const { topology, members } = network;
const context = { topology, members, verifier: ed25519Verifier };

function signed(by: TestNode, body: Uint8Array): Signed {
  return { body, signature: by.signer.sign(signingBytes(topology.networkId, carriage.request.number, body)) };
}

function rejoin(
  by: TestNode,
  change: { readonly node?: number; readonly cluster?: number; readonly number?: number } = {},
) {
  const { node = by.ref.node, cluster = by.ref.cluster, number = 1 } = change;
  const key = by.signer.publicKey;
  const body = encodeRejoin({ key, nonce: 1, validUntil: START, cluster: cluster as never, node, incarnation: number });
  return signed(by, body);
}

describe("an INCARNATION is statically valid", () => {
  const node = network.node("c2n1");

  test("of the node whose key has signed it, in its own cluster alone", () => {
    const decoded = decodeRequest(rejoin(node), context);
    expect(decoded).toMatchObject({ ok: true, value: { clusters: [2] } });
    if (decoded.ok) {
      expect(decoded.value.operations).toEqual([{ kind: "rejoin", cluster: 2, node: 1, incarnation: 1 }]);
    }
  });

  test.each([
    ["in another's name", { node: 2 }],
    ["in another cluster", { cluster: 1 }],
    ["with the number of the first", { number: 0 }],
  ])("not %s", (_, change) => {
    expect(decodeRequest(rejoin(node, change), context)).toMatchObject({ ok: false, code: "malformed" });
  });

  test("not beside a transfer", () => {
    const body = requestBodySchema.decode(rejoin(node).body);
    const operations = [network.payment([2])];
    const both = signed(node, requestBodySchema.encode({ ...body, operations }));
    expect(decodeRequest(both, context)).toMatchObject({ ok: false, code: "malformed" });
  });

  test("not signed by anybody else", () => {
    const forged = { ...rejoin(node), signature: rejoin(network.node("c2n2"), { node: 1 }).signature };
    expect(decodeRequest(forged, context)).toMatchObject({ ok: false, code: "bad-signature" });
    const claim = decodeClaim(forged, 2 as never) as RejoinClaim;
    expect(isClaimSigned(claim, 2 as never, context)).toBe(false);
    expect(isClaimSigned({ ...claim, signed: rejoin(node) }, 2 as never, context)).toBe(true);
  });
});

describe("reports for a new view", () => {
  const claim = (node: number, incarnation: number): RejoinClaim => ({
    node,
    incarnation,
    signed: { body: new Uint8Array(0), signature: new Uint8Array(0) },
  });
  const report = (node: number, incarnation: number, ...rejoins: RejoinClaim[]) => ({ node, incarnation, rejoins });

  test("count while nobody in the set knows that their node has rejoined since", () => {
    const reports = [report(0, 0), report(1, 0), report(2, 0)];
    expect(countedReports(reports)).toEqual(reports);
  });

  test("do not count once any of the set does", () => {
    const set = [report(0, 0, claim(2, 1)), report(1, 0), report(2, 0)];
    expect(countedReports(set).map(({ node }) => node)).toEqual([0, 1]);
  });

  test("count again as the incarnation that is known", () => {
    const set = [report(0, 0, claim(2, 1)), report(1, 0), report(2, 1)];
    expect(countedReports(set)).toHaveLength(3);
  });

  test("know of each node its newest incarnation", () => {
    expect(newestClaims([claim(2, 1), claim(0, 3), claim(2, 4), claim(0, 1)])).toEqual([claim(0, 3), claim(2, 4)]);
  });
});
