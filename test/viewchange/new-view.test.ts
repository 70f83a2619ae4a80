// What a byzantine cluster believes of the primary that opens a view (protocol 5): every node computes the NEW-VIEW again
// from the quorum of VIEW-CHANGEs that must be in it, so the primary can neither leave out nor change nor add anything.

import { describe, expect, test } from "vitest";
import { noOpBlock } from "../../src/cluster/block.js";
import { openEnvelope } from "../../src/node/wire.js";
import { decodeNewView, decodeViewChange } from "../../src/node/wire-views.js";
import { type ClusterId, type Digest, type Entry, type Sequence, sequenceOf, type View } from "../../src/types/ids.js";
import type { NewView, SignedChange, ViewChange } from "../../src/types/message.js";
import type { Certificate } from "../../src/types/schema.js";
import { certificateOf, inject, sealAs, signedOf } from "../support/forge.js";
import { type Packet, TestNetwork } from "../support/network.js";
import { ZERO } from "../support/refusals.js";

const CLUSTER = 1 as ClusterId;
const LIAR = "c1n1";
const BACKUPS = ["c1n0", "c1n2", "c1n3"];

function bodyOf({ bytes }: Packet): Uint8Array {
  const opened = openEnvelope(bytes);
  if (typeof opened === "string") throw new Error(opened);
  return opened.body;
}

function viewOf(network: TestNetwork, name: string) {
  const { view, isOpen } = network.node(name).replica.coordinator.engine;
  return { view, isOpen };
}

/** Slot 1 is decided, 2 and 3 are prepared; all want view 1, and its primary has said to itself alone what it keeps. */
async function beforeOpening(): Promise<{ readonly network: TestNetwork; readonly honest: NewView }> {
  const network = await TestNetwork.create({ models: ["byzantine"] });
  network.pay(1);
  network.settle();
  let honest: NewView | undefined;
  network.drop = (packet) => {
    if (packet.kind === "new-view") honest = decodeNewView(bodyOf(packet));
    return (
      packet.kind === "commit" || (packet.sender === LIAR && packet.kind !== "accept" && packet.kind !== "view-change")
    );
  };
  for (const payer of [2, 3]) {
    network.send([network.payment([1], payer)]);
    network.settle();
  }
  for (const { replica, inbox } of network.nodes) {
    replica.coordinator.suspect();
    inbox.push({ kind: "tick" });
  }
  network.settle();
  if (honest === undefined) throw new Error("no NEW-VIEW");
  expect(honest.entries.map(({ slot }) => slot)).toEqual([1, 2, 3]);
  expect(honest.changes.map(({ message }) => message.prepared.length)).toEqual([2, 2, 2]);
  return { network, honest };
}

/** Codes that each backup counts for these bytes of the liar, of which the others hear nothing. */
async function codesOf(network: TestNetwork, bytes: Uint8Array): Promise<readonly (readonly string[])[]> {
  const { key: from } = network.node(LIAR).info;
  network.drop = ({ kind }) => kind !== "new-view";
  const codes: (readonly string[])[] = [];
  for (const to of BACKUPS) codes.push((await inject(network, { from, to, bytes })).codes);
  return codes;
}

function pass(network: TestNetwork, ms: number): void {
  for (let each = 0; each < ms; each += 50) network.advance(50);
}

function digestAt(network: TestNetwork, name: string, slot: number): Digest | undefined {
  return network.node(name).replica.coordinator.engine.decisionAt(slot)?.entry.digest;
}

/** The liar says no more: the others keep in view 2 what they had decided or prepared. */
function expectKept(network: TestNetwork, { entries }: NewView): void {
  network.drop = ({ sender, receiver }) => sender === LIAR || receiver === LIAR;
  pass(network, 6000);
  for (const name of BACKUPS) {
    expect({ name, ...viewOf(network, name) }).toEqual({ name, view: 2, isOpen: true });
    expect(entries.map(({ slot }) => digestAt(network, name, slot))).toEqual(entries.map(({ digest }) => digest));
  }
}

function changedAt(entries: readonly Entry[], slot: number, change: Partial<Entry>): readonly Entry[] {
  return entries.map((entry) => (entry.slot === slot ? { ...entry, ...change } : entry));
}

function addedTo(entries: readonly Entry[], change: Partial<Entry>): readonly Entry[] {
  const last = entries.at(-1) as Entry;
  return [...entries, { ...last, slot: last.slot + 1, sequence: next(last.sequence), ...change }];
}

function next(sequence: Sequence): Sequence {
  return (sequence + 65_536) as Sequence;
}

const other = "e".repeat(64) as Digest;
const { digest: noOp } = noOpBlock(CLUSTER);

const lies: readonly (readonly [what: string, lie: (entries: readonly Entry[]) => readonly Entry[]])[] = [
  ["nothing at all", () => []],
  ["all but the last prepared entry", (entries) => entries.slice(0, -1)],
  ["all but the first entries", (entries) => entries.slice(1)],
  ["another block for one that is decided", (entries) => changedAt(entries, 1, { digest: other })],
  ["another block for one that is prepared", (entries) => changedAt(entries, 3, { digest: other })],
  ["a no-op for a block that is prepared", (entries) => changedAt(entries, 2, { digest: noOp })],
  [
    "a prepared block with another sequence",
    (entries) => changedAt(entries, 3, { sequence: next(next(entries[2]?.sequence as Sequence)) }),
  ],
  [
    "a sequence that does not follow",
    (entries) => changedAt(entries, 3, { sequence: entries[1]?.sequence as Sequence }),
  ],
  [
    "two prepared blocks that change places",
    (entries) => entries.map((entry, at) => ({ ...entry, digest: (entries[at === 0 ? 0 : 3 - at] as Entry).digest })),
  ],
  ["a block that nobody reported", (entries) => addedTo(entries, { digest: other })],
  ["a block once more", (entries) => addedTo(entries, {})],
  [
    "a no-op that nobody needs",
    (entries) => addedTo(entries, { digest: noOp, sequence: entries.at(-1)?.sequence as Sequence }),
  ],
];

type Forge = (network: TestNetwork, honest: NewView) => Partial<NewView>;

const changesOf = (pick: (changes: readonly SignedChange[]) => readonly SignedChange[]): Forge => {
  return (_, { changes }) => ({ changes: pick(changes) });
};

/** The last VIEW-CHANGE of the quorum, otherwise, signed by whom? */
function rewritten(by: (change: ViewChange) => string, change: Partial<ViewChange>): Forge {
  return (network, { changes }) => {
    const { message } = changes.at(-1) as SignedChange;
    const signed = signedOf(network, by(message), { ...message, ...change });
    return { changes: [...changes.slice(0, -1), { signed, message: decodeViewChange(signed.body) as ViewChange }] };
  };
}

/** What the liar alone says of a state that nobody has reached. */
function checkpointOf(network: TestNetwork, slot: number): Certificate {
  const sequence = sequenceOf(slot, CLUSTER);
  const point = { slot, sequence, height: 1, record: ZERO, finalSequence: sequence, state: ZERO };
  const commit = signedOf(network, LIAR, { kind: "checkpoint", cluster: CLUSTER, node: 1, ...point });
  return { cluster: CLUSTER, commits: [commit] };
}

const own = ({ node }: ViewChange) => `c1n${node}`;
const [first, second] = [0, 1];

const unproven: readonly (readonly [what: string, code: string, forge: Forge])[] = [
  ["too few VIEW-CHANGEs", "bad-certificate", changesOf((changes) => changes.slice(0, -1))],
  [
    "one VIEW-CHANGE twice",
    "bad-certificate",
    changesOf((changes) => [first, second, second].map((at) => changes[at] as SignedChange)),
  ],
  [
    "a quorum, and one of it twice",
    "bad-certificate",
    changesOf((changes) => [...changes, changes.at(-1) as SignedChange]),
  ],
  ["VIEW-CHANGEs out of order", "bad-certificate", changesOf((changes) => changes.toReversed())],
  ["no VIEW-CHANGE", "malformed", changesOf(() => [])],
  ["a checkpoint beside them", "bad-certificate", (network) => ({ stable: checkpointOf(network, 64) })],
  [
    "a decision beside them",
    "bad-certificate",
    (network, { entries }) => {
      const entry = entries.at(-1) as Entry;
      return { decided: [{ entry, certificate: certificateOf(network, entry, [1]) }] };
    },
  ],
  ["a VIEW-CHANGE of its own making", "bad-certificate", rewritten(() => LIAR, { prepared: [] })],
  ["a VIEW-CHANGE of another view", "bad-certificate", rewritten(own, { view: 2 as View })],
  ["a slot left out", "malformed", (_, { entries }) => ({ entries: entries.filter(({ slot }) => slot !== 2) })],
  [
    "entries of the view before",
    "malformed",
    (_, { entries }) => ({ entries: entries.map((entry) => ({ ...entry, view: 0 })) }),
  ],
  [
    "a view whose primary it is not",
    "not-primary",
    (_, { entries }) => ({ view: 2 as View, entries: entries.map((entry) => ({ ...entry, view: 2 })) }),
  ],
  ["another's name", "not-primary", () => ({ node: 2 })],
];

describe("a NEW-VIEW", () => {
  test("that keeps what a quorum reported opens the view at every backup", async () => {
    const { network, honest } = await beforeOpening();
    expect(await codesOf(network, sealAs(network, LIAR, honest))).toEqual([[], [], []]);
    for (const name of BACKUPS) expect(viewOf(network, name), name).toEqual({ view: 1, isOpen: true });
  });

  test.each(lies)("with %s is refused by every backup, which goes on to the next view", async (_, lie) => {
    const { network, honest } = await beforeOpening();
    const bytes = sealAs(network, LIAR, { ...honest, entries: lie(honest.entries) });
    expect(await codesOf(network, bytes)).toEqual(BACKUPS.map(() => ["bad-new-view"]));
    for (const name of BACKUPS) expect(viewOf(network, name), name).toEqual({ view: 2, isOpen: false });
    expectKept(network, honest);
  });

  test.each(unproven)("with %s ends at every backup's door (%s)", async (_, code, forge) => {
    const { network, honest } = await beforeOpening();
    const bytes = sealAs(network, LIAR, { ...honest, ...forge(network, honest) });
    expect(await codesOf(network, bytes)).toEqual(BACKUPS.map(() => [code]));
    for (const name of BACKUPS) expect(viewOf(network, name), name).toEqual({ view: 1, isOpen: false });
    expectKept(network, honest);
  });
});
