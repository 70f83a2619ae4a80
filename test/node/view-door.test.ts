// What the door lets through of a byzantine view change (protocol 5): one liar among its nodes may send what it likes,
// true certificates included, and neither stops a correct node nor has it check certificates in nobody's name.

import { describe, expect, test } from "vitest";
import { quorumOf } from "../../src/cluster/quorum.js";
import { ed25519Verifier } from "../../src/crypto/signature.js";
import { Ingress } from "../../src/node/ingress.js";
import type { Replica } from "../../src/node/replica.js";
import { runTurn } from "../../src/node/turn.js";
import type { Effects } from "../../src/types/effects.js";
import { type ClusterId, type Entry, NO_SEQUENCE, sequenceOf } from "../../src/types/ids.js";
import { limits, viewChangeBytesMax } from "../../src/types/limits.js";
import { carriage, type Message, type NodeMessage, type Prepared, type ViewChange } from "../../src/types/message.js";
import type { Statement } from "../../src/types/schema.js";
import {
  certificateOf,
  changeOf,
  injectAs,
  nextEntry,
  paymentBlock,
  reEnvelope,
  sealAs,
  signedOf,
} from "../support/forge.js";
import { TestNetwork } from "../support/network.js";
import { ZERO } from "../support/refusals.js";

const CLUSTER = 1 as ClusterId;

function said(network: TestNetwork, node: number, message: Message): Statement {
  return { kind: carriage[message.kind].number, ...signedOf(network, `c1n${node}`, message) };
}

function acceptsOf(network: TestNetwork, entry: Entry, nodes: readonly number[]): readonly Statement[] {
  return nodes.map((node) => said(network, node, { kind: "accept", entry, node }));
}

/** Really prepared: the proposal, and a quorum's accepts. */
function preparedAt(network: TestNetwork, slot: number): Prepared {
  const block = paymentBlock(network, 1);
  const entry = nextEntry(network, 1, block.digest, { slot });
  const proposal = said(network, 0, { kind: "propose", entry, node: 0, previous: entry.sequence, block });
  return { entry, proof: [proposal, ...acceptsOf(network, entry, [0, 1, 2])] };
}

/** The door's codes of a VIEW-CHANGE that the old primary sends to the new one. */
async function codesOf(network: TestNetwork, change: Partial<ViewChange>): Promise<readonly string[]> {
  return (await injectAs(network, "c1n0", "c1n1", changeOf(change))).codes;
}

function byzantine(): Promise<TestNetwork> {
  return TestNetwork.create({ models: ["byzantine"] });
}

describe("a VIEW-CHANGE", () => {
  test("passes with what it prepared, each slot once", async () => {
    const network = await byzantine();
    const prepared = [1, 2, 5].map((slot) => preparedAt(network, slot));
    expect(await codesOf(network, { prepared })).toEqual([]);
  });

  test("passes with the accept of every node beside the proposal", async () => {
    const network = await byzantine();
    const { entry, proof } = preparedAt(network, 1);
    const all = [...proof, ...acceptsOf(network, entry, [3])];
    expect(await codesOf(network, { prepared: [{ entry, proof: all }] })).toEqual([]);
  });

  test("passes with the primary's SUPER-ACCEPT as its proposal and its vote, and no third time", async () => {
    const network = await byzantine();
    const { entry } = preparedAt(network, 1);
    const both = said(network, 0, { kind: "super-accept", entry, node: 0, previous: entry.sequence, block: undefined });
    const accepts = acceptsOf(network, entry, [1, 2]);
    for (const proof of [
      [both, ...accepts],
      [both, both, ...accepts],
      [...accepts, both],
    ])
      expect(await codesOf(network, { prepared: [{ entry, proof }] })).toEqual([]);
    const thrice = [both, both, both, ...accepts];
    expect(await codesOf(network, { prepared: [{ entry, proof: thrice }] })).toEqual(["bad-certificate"]);
  });

  test("bad-certificate: a true certificate with a statement that says nothing new", async () => {
    const network = await byzantine();
    const { entry, proof } = preparedAt(network, 1);
    for (const repeated of proof) {
      const prepared = [{ entry, proof: [...proof, repeated] }];
      expect(await codesOf(network, { prepared }), `kind ${repeated.kind}`).toEqual(["bad-certificate"]);
    }
    const idle = said(network, 1, {
      kind: "propose",
      entry,
      node: 1,
      previous: NO_SEQUENCE,
      block: paymentBlock(network, 1),
    });
    expect(await codesOf(network, { prepared: [{ entry, proof: [...proof, idle] }] })).toEqual(["bad-certificate"]);
    const selfAssigned = { ...entry, round: 0 } as const;
    const twice = acceptsOf(network, selfAssigned, [0, 1, 2, 2]);
    expect(await codesOf(network, { prepared: [{ entry: selfAssigned, proof: twice }] })).toEqual(["bad-certificate"]);
  });

  test("malformed: prepared or decided slots that repeat, or do not ascend", async () => {
    const network = await byzantine();
    const [first, second] = [preparedAt(network, 1), preparedAt(network, 2)];
    expect(await codesOf(network, { prepared: [first, first] })).toEqual(["malformed"]);
    expect(await codesOf(network, { prepared: [second, first] })).toEqual(["malformed"]);
    const decided = [second, first].map(({ entry }) => ({
      entry,
      certificate: certificateOf(network, entry, [0, 1, 2]),
    }));
    expect(await codesOf(network, { decided })).toEqual(["malformed"]);
    expect(await codesOf(network, { decided: decided.slice(0, 1) })).toEqual([]);
  });

  test("malformed: a slot that its stable checkpoint covers", async () => {
    const network = await byzantine();
    const sequence = sequenceOf(64, CLUSTER);
    const point = { slot: 64, sequence, height: 1, record: ZERO, finalSequence: sequence, state: ZERO };
    const commits = [0, 1, 2].map((node) =>
      signedOf(network, `c1n${node}`, { kind: "checkpoint", cluster: CLUSTER, node, ...point }),
    );
    const stable = { cluster: 1, commits };
    for (const [slot, codes] of [
      [63, ["malformed"]],
      [64, ["malformed"]],
      [65, []],
    ] as const) {
      const { entry, proof } = preparedAt(network, slot);
      expect(await codesOf(network, { stable, prepared: [{ entry, proof }] }), `prepared ${slot}`).toEqual(codes);
      const decided = [{ entry, certificate: certificateOf(network, entry, [0, 1, 2]) }];
      expect(await codesOf(network, { stable, decided }), `decided ${slot}`).toEqual(codes);
    }
  });

  test("oversized: longer than its share of the NEW-VIEW that would hold it", async () => {
    const network = await byzantine();
    const most = viewChangeBytesMax(quorumOf(network.members.clusterOf(CLUSTER)));
    const { entry, proof } = preparedAt(network, 1);
    const one = { entry, proof: [...proof, ...Array<Statement>(60).fill(proof[1] as Statement)] };
    const bytes = sealAs(network, "c1n0", changeOf({ prepared: [one] })).length;
    const prepared = Array<Prepared>(Math.ceil((1.1 * most) / bytes)).fill(one);
    expect(await codesOf(network, { prepared })).toEqual(["oversized"]);
    expect(await codesOf(network, { prepared: prepared.slice(0, prepared.length / 2) })).toEqual(["malformed"]);
  });

  test("however fat, does not keep the next primary from opening its view", async () => {
    const network = await byzantine();
    network.pay(1);
    network.settle();
    const { entry, proof } = preparedAt(network, 1);
    const repeated = (times: number) => ({
      entry,
      proof: [...proof, ...Array<Statement>(times).fill(proof[1] as Statement)],
    });
    const bare = sealAs(network, "c1n0", changeOf()).length;
    const sizeOf = (one: Prepared) => sealAs(network, "c1n0", changeOf({ prepared: [one] })).length - bare;
    // As long as an envelope may be, so that two more of the shortest kind do not fit beside it.
    const prepared: Prepared[] = [];
    let bytesLeft = limits.frameBytesMax - 2 * bare;
    for (const one of [60, 0].map(repeated)) {
      for (; bytesLeft > sizeOf(one); bytesLeft -= sizeOf(one)) prepared.push(one);
    }
    await injectAs(network, "c1n0", "c1n1", changeOf({ prepared }));
    network.drop = ({ sender, receiver }) => sender === "c1n0" || receiver === "c1n0";
    for (const to of ["c1n1", "c1n2", "c1n3"]) network.send([network.payment([1])], { to, nonce: 77 });
    for (let i = 0; i < 60; i++) network.advance(50);
    const { view, isOpen } = network.node("c1n1").replica.coordinator.engine;
    expect({ view, isOpen }).toEqual({ view: 1, isOpen: true });
    expect(network.node("c1n1").replica.height).toBe(2);
  });
});

describe("the signature of the envelope comes before what it proves", () => {
  const kinds = ["view-change", "new-view"] as const;
  test.each(kinds)("%s: forged, it costs one check", async (kind) => {
    const network = await byzantine();
    const prepared = [1, 2, 3].map((slot) => preparedAt(network, slot));
    const changes = [0, 1, 2].map((node) => {
      const message = changeOf({ node, prepared });
      return { signed: signedOf(network, `c1n${node}`, message), message };
    });
    const none = { stable: undefined, decided: [], rejoins: [], original: undefined };
    const opening = { kind: "new-view", cluster: CLUSTER, node: 1, view: 1, entries: [], changes, ...none } as const;
    const bytes = sealAs(network, "c1n1", kind === "new-view" ? opening : changeOf({ node: 1, prepared }));
    const { codes, checks } = open(network, bytes);
    expect({ codes, isDear: checks > 12 }).toEqual({ codes: [], isDear: true });
    expect(open(network, reEnvelope(bytes, { signature: new Uint8Array(64).fill(1) }))).toEqual({
      codes: ["bad-signature"],
      checks: 1,
    });
  });

  /** At the door of the third node, from the second. */
  function open(network: TestNetwork, bytes: Uint8Array) {
    const codes: string[] = [];
    let checks = 0;
    const ingress = new Ingress({
      topology: network.topology,
      members: network.members,
      verifier: {
        verify(claim) {
          checks++;
          return ed25519Verifier.verify(claim);
        },
      },
      self: network.node("c1n2").ref,
      knownBlock: () => undefined,
      wants: () => true,
      awaits: () => false,
      onRejected: (code) => codes.push(code),
    });
    ingress.open(network.node("c1n1").info.key, bytes);
    return { codes, checks };
  }
});

describe("a message beyond the bounds", () => {
  /** The plan of a turn in which the node says these to all, itself included. */
  function planOf(network: TestNetwork, messages: readonly NodeMessage[]) {
    const to = network.nodesOf(1).map(({ ref }) => ref);
    const replica = {
      step: (_now: unknown, _event: unknown, out: Effects) => {
        for (const message of messages) for (const each of [to, to]) out.send.push({ to: each, message });
      },
      finish: () => undefined,
    };
    const context = network.contextOf(network.node("c1n1"));
    const turn = { now: { time: 0, tick: 0 }, events: [{ kind: "tick" } as const] };
    return runTurn(replica as unknown as Replica, turn, context);
  }

  test.each([
    ["more bytes than a body may have", 4000],
    ["more elements than a list may have", 9000],
    ["a body that fits into its field, and not with the rest into a frame", 0],
  ])("%s: is dropped and counted once, and the others go out", async (_what, count) => {
    const network = await byzantine();
    const { entry, proof } = preparedAt(network, 1);
    const one = { entry, proof: [...proof, ...Array<Statement>(20).fill(proof[1] as Statement)] };
    const large = count === 0 ? filling() : changeOf({ node: 1, prepared: Array<Prepared>(count).fill(one) });
    const { outbound, inbound, notes } = planOf(network, [large, { kind: "view-query", view: 1 }]);
    expect(notes).toEqual([
      { kind: "rejected", code: "over-limit", from: network.node("c1n1").ref, message: large.kind },
    ]);
    expect([...outbound.values()].map((envelopes) => envelopes.length)).toEqual([2, 2, 2]);
    expect(inbound).toHaveLength(2);
  });

  /** RECORDS of four blocks of the largest size, less what the fields around them take. */
  function filling(): NodeMessage {
    const item = (bytes: number) => ({
      record: new Uint8Array(0),
      block: new Uint8Array(bytes).fill(1),
      certificates: [],
    });
    return { kind: "records", from: 1, items: [item(2 << 20), item((2 << 20) - 30)] };
  }
});
