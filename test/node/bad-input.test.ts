// Whatever a node or client may send that it should not: refused with a named code, counted, and without a trace on any
// disk (protocol 1-3). Most is refused at the door; what the door cannot know, the core refuses.

import { describe, expect, test } from "vitest";
import type { ClusterId, Entry } from "../../src/types/ids.js";
import { sequenceOf } from "../../src/types/ids.js";
import { limits } from "../../src/types/limits.js";
import type { Message } from "../../src/types/message.js";
import { blockSchema, envelopeSchema } from "../../src/types/schema.js";
import {
  blockOf,
  commitOf,
  inject,
  nextEntry,
  paymentBlock,
  proposal,
  reEnvelope,
  requestOf,
  sealAs,
} from "../support/forge.js";
import { TestNetwork } from "../support/network.js";
import { quiet, refused, refusedBytes, underWay, ZERO } from "../support/refusals.js";

/** More than a primary waits before it asks for a block that accepts name. */
const FETCH_MS = 500;

describe("envelopes", () => {
  test.each([
    ["malformed", "nothing but noise", Uint8Array.of(255, 1, 2, 3)],
    ["malformed", "a cut-off message", Uint8Array.of(8, 11, 18, 200)],
    ["malformed", "a field that does not exist", Uint8Array.of(8, 11, 120, 1)],
    ["malformed", "a number with a needless byte", Uint8Array.of(8, 0x8b, 0)],
    [
      "unknown-kind",
      "kind 99",
      envelopeSchema.encode({
        kind: 99,
        body: new Uint8Array(0),
        signature: new Uint8Array(0),
        block: new Uint8Array(0),
      }),
    ],
    ["unknown-kind", "no kind at all", new Uint8Array(0)],
  ])("%s: %s", async (code, _, bytes) => {
    const network = await quiet();
    expect(await refusedBytes(network, "c1n1", "c1n0", bytes)).toEqual([code]);
    expect(await refusedBytes(network, "c1n1", "c2n0", bytes)).toEqual([code]);
  });

  test("malformed: a block larger than any may be", async () => {
    const network = await quiet();
    const bytes = sealAs(network, "c2n0", proposal(network, paymentBlock(network, 2), nextEntry(network, 2, ZERO)));
    const { kind, body, signature } = envelopeSchema.decode(bytes);
    const block = new Uint8Array(limits.blockBytesMax + 1);
    const large = Buffer.concat([
      envelopeSchema.encode({ kind, body, signature, block: new Uint8Array(0) }),
      Uint8Array.of(34),
      // The length of the block, as a varint of four bytes.
      Uint8Array.of(0x81, 0x80, 0x80, 1),
      block,
    ]);
    expect(await refusedBytes(network, "c2n0", "c2n1", large)).toEqual(["malformed"]);
  });

  test("unknown-sender: a key that is neither node nor client", async () => {
    const network = await quiet();
    const bytes = sealAs(network, "c1n1", { kind: "fetch", digest: ZERO });
    const from = "ab".repeat(32) as TestNetwork["nodes"][0]["info"]["key"];
    expect(await inject(network, { from, to: "c1n0", bytes })).toEqual({ codes: ["unknown-sender"], changed: false });
  });
});

describe("who may say what", () => {
  test("not-allowed: a client speaks as a node, or a node as a client", async () => {
    const network = await quiet();
    const entry = nextEntry(network, 2, ZERO);
    const [client] = network.clients;
    for (const message of [
      { kind: "accept", entry, node: 1 },
      commitOf(entry, 1),
      { kind: "fetch", digest: ZERO },
      { kind: "unknown", digest: ZERO },
    ] as const) {
      const bytes = sealAs(network, "c2n1", message);
      const injected = await inject(network, {
        from: client?.publicKey ?? network.node("c1n0").info.key,
        to: "c2n0",
        bytes,
      });
      expect(injected).toEqual({ codes: ["not-allowed"], changed: false });
    }
    expect(await refused(network, "c2n1", "c2n0", { kind: "read", nonce: 1, accounts: [] })).toEqual(["not-allowed"]);
  });

  test("not-allowed: a node of another cluster forwards requests, or sends checkpoints", async () => {
    const network = await quiet();
    const request = requestOf(network, [network.payment([2])]);
    expect(await refused(network, "c1n1", "c2n0", { kind: "request", request })).toEqual(["not-allowed"]);
    const rest = { slot: 64, sequence: sequenceOf(64, 1 as ClusterId), height: 5, record: ZERO, state: ZERO };
    const checkpoint = {
      kind: "checkpoint",
      cluster: 1 as ClusterId,
      node: 1,
      finalSequence: rest.sequence,
      ...rest,
    } as const;
    expect(await refused(network, "c1n1", "c2n0", checkpoint)).toEqual(["not-allowed"]);
  });

  test("wrong-sender: a vote, RESULT or checkpoint in another's name", async () => {
    const network = await quiet();
    const entry = nextEntry(network, 2, ZERO);
    const rest = {
      slot: 64,
      sequence: entry.sequence,
      height: 5,
      record: ZERO,
      state: ZERO,
      finalSequence: entry.sequence,
    };
    for (const message of [
      { kind: "accept", entry, node: 1 },
      { kind: "super-accept", entry, node: 1, previous: entry.sequence, block: undefined },
      commitOf(entry, 1),
      { kind: "accept", entry: nextEntry(network, 1, ZERO), node: 2 },
      { kind: "result", cluster: 2 as ClusterId, node: 1, digest: ZERO, verdicts: Uint8Array.of(0), final: false },
      { kind: "checkpoint", cluster: 2 as ClusterId, node: 1, ...rest },
    ] as const) {
      expect(await refused(network, "c2n2", "c2n0", message)).toEqual(["wrong-sender"]);
    }
  });

  test("not-primary: a proposal of a node that is not primary of its view", async () => {
    const network = await quiet();
    const block = paymentBlock(network, 2, 1);
    const entry = nextEntry(network, 2, block.digest);
    const superAccept = { kind: "super-accept", entry, node: 1, previous: entry.sequence, block } as const;
    expect(await refused(network, "c2n1", "c2n2", proposal(network, block, entry, 1))).toEqual(["not-primary"]);
    expect(await refused(network, "c2n1", "c1n0", proposal(network, block, entry, 1))).toEqual(["not-primary"]);
    expect(await refused(network, "c2n1", "c1n0", { kind: "super-propose", entry, node: 1, block })).toEqual([
      "not-primary",
    ]);
    expect(await refused(network, "c2n1", "c2n2", superAccept)).toEqual(["not-primary"]);
  });

  // Its own primary may be silent: the others say by their accepts that there is a block to be placed (3.1).
  test("a SUPER-PROPOSE to a node that is not primary is answered by its own accept", async () => {
    const network = await quiet();
    const block = paymentBlock(network, 2, 1);
    const message = { kind: "super-propose", entry: nextEntry(network, 2, block.digest), node: 0, block } as const;
    const { engine } = network.node("c1n1").replica.coordinator;
    const slot = engine.frontier.slot + 1;
    network.post(network.node("c2n0").info.key, network.node("c1n1").info.key, sealAs(network, "c2n0", message));
    network.deliver({ sender: "c2n0", receiver: "c1n1", kind: "super-propose" });
    expect(network.node("c1n1").rejected).toEqual([]);
    expect(engine.entryOf(block.digest)).toMatchObject({ view: 0, round: 0, slot, digest: block.digest });
    // The primaries of both clusters hear of it; that nothing else left shows that nobody else was told.
    const said = network.packets.map(({ sender, receiver, kind }) => `${sender} ${receiver} ${kind}`);
    expect(said.sort()).toEqual(["c1n1 c1n0 accept", "c1n1 c2n0 accept"]);
    // And its own one fetches the block and places it.
    network.settle();
    network.advance(FETCH_MS);
    expect(network.node("c1n0").replica.coordinator.engine.entryOf(block.digest)?.round).toBe(1);
  });
});

describe("signatures", () => {
  test("bad-signature: of votes of byzantine clusters, and of every COMMIT, RESULT and checkpoint", async () => {
    const { network, entry } = await underWay();
    const mine = nextEntry(network, 1, entry.digest);
    const rest = {
      slot: 64,
      sequence: mine.sequence,
      height: 5,
      record: ZERO,
      state: ZERO,
      finalSequence: mine.sequence,
    };
    const cases: readonly (readonly [string, string, Message])[] = [
      ["c2n1", "c2n0", { kind: "accept", entry, node: 1 }],
      ["c2n1", "c2n0", commitOf(entry, 1)],
      ["c1n1", "c1n0", commitOf(mine, 1)],
      [
        "c2n1",
        "c1n0",
        {
          kind: "result",
          cluster: 2 as ClusterId,
          node: 1,
          digest: entry.digest,
          verdicts: Uint8Array.of(0),
          final: false,
        },
      ],
      ["c1n1", "c1n0", { kind: "checkpoint", cluster: 1 as ClusterId, node: 1, ...rest }],
    ];
    for (const [from, to, message] of cases) {
      const bytes = sealAs(network, from, message);
      const { signature } = envelopeSchema.decode(bytes);
      const flipped = signature.map((byte, i) => (i === 5 ? byte ^ 1 : byte));
      for (const forged of [flipped, signature.subarray(1), new Uint8Array(0)]) {
        expect(await refusedBytes(network, from, to, reEnvelope(bytes, { signature: forged }))).toEqual([
          "bad-signature",
        ]);
      }
    }
  });

  test("bad-signature: a COMMIT that was signed for another network", async () => {
    const { network, entry } = await underWay();
    const other = await TestNetwork.create({ models: ["crash", "byzantine", "crash", "crash"] });
    expect(other.node("c2n1").info.key).toBe(network.node("c2n1").info.key);
    expect(await refusedBytes(network, "c2n1", "c2n0", sealAs(other, "c2n1", commitOf(entry, 1)))).toEqual([
      "bad-signature",
    ]);
  });

  test("bad-signature: a signature of one kind does not serve for another", async () => {
    const { network, entry } = await underWay();
    const accept = envelopeSchema.decode(sealAs(network, "c2n1", { kind: "accept", entry, node: 1 }));
    const superAccept = sealAs(network, "c2n1", {
      kind: "super-accept",
      entry,
      node: 1,
      previous: 0 as never,
      block: undefined,
    });
    const bytes = reEnvelope(superAccept, { signature: accept.signature });
    expect(await refusedBytes(network, "c2n1", "c2n0", bytes)).toEqual(["bad-signature"]);
  });

  test("bad-signature: one forged request makes a block void", async () => {
    const network = await quiet();
    const [, otherClient] = network.clients;
    const options = otherClient === undefined ? {} : { signer: otherClient };
    const block = blockOf([
      requestOf(network, [network.payment([2])]),
      requestOf(network, [network.payment([2])], options),
    ]);
    const message = proposal(network, block, nextEntry(network, 2, block.digest));
    expect(await refused(network, "c2n0", "c2n1", message)).toEqual(["bad-signature"]);
  });
});

describe("entries and blocks", () => {
  test.each<[string, Partial<Entry>]>([
    ["a slot 0", { slot: 0 }],
    ["a sequence of another cluster", { sequence: sequenceOf(50, 3 as ClusterId) }],
    ["round 0 in a PROPOSE", { round: 0 }],
    ["round 2", { round: 2 as never }],
  ])("malformed: %s", async (_, change) => {
    const network = await quiet();
    const block = paymentBlock(network, 2);
    const message = proposal(network, block, nextEntry(network, 2, block.digest, change));
    expect(await refused(network, "c2n0", "c2n1", message)).toEqual(["malformed"]);
  });

  test("bad-block: clusters that are not its requests', a request twice, another digest, no cluster, one that does not exist", async () => {
    const network = await quiet();
    const request = requestOf(network, [network.payment([2])]);
    const blocks = [
      blockOf([request], { clusters: [2, 3] as ClusterId[] }),
      blockOf([request, request]),
      blockOf([request, requestOf(network, [network.payment([2, 1])])]),
      blockOf([request], { clusters: [] }),
      blockOf([request], { clusters: [2, 77] as ClusterId[] }),
    ];
    for (const block of blocks) {
      const message = proposal(network, block, nextEntry(network, 2, block.digest));
      expect(await refused(network, "c2n0", "c2n1", message)).toEqual(["bad-block"]);
    }
    const good = blockOf([request]);
    const message = proposal(network, good, nextEntry(network, 2, ZERO));
    expect(await refused(network, "c2n0", "c2n1", message)).toEqual(["bad-block"]);
  });

  test("bad-block: clusters out of order", async () => {
    const network = await quiet();
    const { requests } = paymentBlock(network, 1, 2);
    const bytes = blockSchema.encode({ clusters: [2, 1], time: 1, requests: requests.map(({ signed }) => signed) });
    const block = { ...blockOf(requests, { clusters: [2, 1] as ClusterId[] }), bytes };
    const message = proposal(network, block, nextEntry(network, 2, block.digest));
    expect(await refused(network, "c2n0", "c2n1", message)).toEqual(["bad-block"]);
  });

  test("not-involved: a block that is none of the receiver's business, or none of the proposer's", async () => {
    const network = await quiet();
    const block = paymentBlock(network, 2, 1);
    expect(
      await refused(network, "c2n0", "c3n0", proposal(network, block, nextEntry(network, 2, block.digest))),
    ).toEqual(["not-involved"]);
    const foreign = { kind: "super-propose", entry: nextEntry(network, 3, block.digest), node: 0, block } as const;
    expect(await refused(network, "c3n0", "c1n0", foreign)).toEqual(["not-involved"]);
  });

  test("stale-view: a proposal of another view than the present one", async () => {
    const network = await quiet();
    const block = paymentBlock(network, 2, 1);
    const entry = nextEntry(network, 2, block.digest, { view: 1 });
    const message = { ...proposal(network, block, entry, 1) } as Message;
    expect(await refused(network, "c2n1", "c2n2", message)).toEqual(["stale-view"]);
    const superAccept = { kind: "super-accept", entry, node: 1, previous: entry.sequence, block } as const;
    expect(await refused(network, "c2n1", "c2n2", superAccept)).toEqual(["stale-view"]);
  });

  test("malformed: a COMMIT that names clusters out of order or unknown ones, or of a byzantine cluster more than itself", async () => {
    const network = await quiet();
    const one = nextEntry(network, 1, ZERO);
    const two = nextEntry(network, 2, ZERO);
    const nowhere = { ...one, cluster: 9 as ClusterId, sequence: sequenceOf(5, 9 as ClusterId) };
    expect(await refused(network, "c1n0", "c2n0", commitOf(one, 0, [nowhere]))).toEqual(["malformed"]);
    expect(await refused(network, "c1n0", "c2n0", { ...commitOf(one, 0), entries: [two, one] })).toEqual(["malformed"]);
    expect(await refused(network, "c1n0", "c2n0", { ...commitOf(one, 0), entries: [] })).toEqual(["malformed"]);
    expect(await refused(network, "c2n1", "c1n0", { ...commitOf(two, 1), entries: [one, two] })).toEqual(["malformed"]);
    expect(await refused(network, "c2n1", "c1n0", { ...commitOf(two, 1), entries: [one] })).toEqual(["malformed"]);
  });
});
