// Evidence (protocol I13): which two statements of one node contradict each other, and which look so and do not; that a
// proof needs both signatures of a node that signs such messages; and what a node finds in what it hears.

import { describe, expect, test } from "vitest";
import { ed25519Verifier } from "../../src/crypto/signature.js";
import { contradiction, provenBy, type Word, wordOf } from "../../src/node/contradiction.js";
import { bodyOf } from "../../src/node/wire.js";
import { Witness } from "../../src/node/witness.js";
import { type ClusterId, type Digest, type Entry, type Sequence, sequenceOf } from "../../src/types/ids.js";
import { limits } from "../../src/types/limits.js";
import {
  type Checkpoint,
  carriage,
  type NodeMessage,
  type Result,
  type Verified,
  type ViewChange,
} from "../../src/types/message.js";
import type { Statement } from "../../src/types/schema.js";
import { certificateOf, commitOf, paymentBlock, signedOf } from "../support/forge.js";
import { TestNetwork } from "../support/network.js";

const cluster = 1 as ClusterId;
const network = await TestNetwork.create({ models: ["byzantine", "crash"] });
const context = { topology: network.topology, members: network.members, verifier: ed25519Verifier };
const digest = (n: number) => n.toString(16).padStart(64, "0") as Digest;

function entry(change: Partial<Entry> = {}): Entry {
  return { cluster, view: 0, round: 1, slot: 5, sequence: sequenceOf(9, cluster), digest: digest(1), ...change };
}

function statementOf(message: NodeMessage, node = `c${cluster}n1`): Statement {
  return { kind: carriage[message.kind].number, ...signedOf(network, node, message) };
}

function word(message: NodeMessage, node?: string): Word {
  const found = wordOf(statementOf(message, node));
  if (found === undefined) throw new Error(`a ${message.kind} binds nobody`);
  return found;
}

const accept = (change: Partial<Entry> = {}): NodeMessage => ({ kind: "accept", entry: entry(change), node: 1 });
const commit = (change: Partial<Entry> = {}): NodeMessage => commitOf(entry(change), 1);
const superAccept = (change: Partial<Entry> = {}, previous = 0 as Sequence): NodeMessage => ({
  kind: "super-accept",
  entry: entry(change),
  node: 1,
  previous,
  block: undefined,
});
const checkpoint = (change: Partial<Checkpoint> = {}): Checkpoint => ({
  kind: "checkpoint",
  cluster,
  node: 1,
  slot: 64,
  sequence: sequenceOf(70, cluster),
  height: 60,
  record: digest(2),
  finalSequence: sequenceOf(70, cluster),
  state: digest(3),
  ...change,
});
const result = (verdicts: readonly number[], block = digest(4)): Result => ({
  kind: "result",
  cluster,
  node: 1,
  digest: block,
  verdicts: Uint8Array.from(verdicts),
  final: false,
});
const prepared = (change: Partial<Entry> = {}) => {
  const proof = [0, 2, 3].map((node) => statementOf({ kind: "accept", entry: entry(change), node }, `c1n${node}`));
  return { entry: entry(change), proof };
};
const viewChange = (change: Partial<ViewChange> = {}): ViewChange => ({
  kind: "view-change",
  cluster,
  node: 1,
  view: 1,
  stable: undefined,
  incarnation: 0,
  rejoins: [],
  decided: [],
  prepared: [],
  ...change,
});
const decidedAt = (slot: number) => {
  const decided = entry({ slot });
  return { entry: decided, certificate: certificateOf(network, decided, [0, 2, 3]) };
};
const stableAt = (slot: number) => ({
  cluster,
  commits: [0, 2, 3].map((node) => signedOf(network, `c1n${node}`, checkpoint({ node, slot }))),
});

const other = { digest: digest(7) };
const contradictions: readonly (readonly [string, NodeMessage, NodeMessage])[] = [
  ["votes", accept(), accept(other)],
  ["votes", accept(), accept({ sequence: sequenceOf(10, cluster) })],
  ["votes", accept({ round: 0 }), accept({ round: 0, ...other })],
  ["votes", accept(), superAccept(other)],
  ["commits", commit(), commit(other)],
  ["commits", commit({ round: 0 }), commit({ round: 0, ...other })],
  ["vote-and-commit", accept(), commit(other)],
  ["checkpoints", checkpoint(), checkpoint({ state: digest(9) })],
  ["view-changes", viewChange({ prepared: [prepared()] }), viewChange({ prepared: [prepared(other)] })],
  ["hidden-commit", commit(), viewChange()],
  ["hidden-commit", commit(), viewChange({ decided: [decidedAt(6)] })],
  ["hidden-commit", commit(), viewChange({ prepared: [prepared(other)] })],
  ["hidden-commit", commit(), viewChange({ prepared: [prepared({ round: 0, ...other })] })],
  ["verdicts", result([0, 1]), result([1, 1])],
  ["verdicts", { ...result([0, 1]), final: true }, { ...result([1, 1]), final: true }],
];

/** Each of these a correct node may come to sign. */
const innocent: readonly (readonly [string, NodeMessage, NodeMessage])[] = [
  ["the same said again", accept(), accept()],
  ["ACCEPT, and SUPER-ACCEPT once the initiator is known", accept(), superAccept()],
  ["said again when the choice before is known", superAccept(), superAccept({}, sequenceOf(8, cluster))],
  ["round 0, and the primary's choice in round 1", accept({ round: 0, ...other }), accept()],
  ["a slot kept otherwise by the next view", accept(), accept({ view: 1, ...other })],
  ["other slots", accept(), accept({ slot: 6, ...other })],
  ["one block in two slots, as a checkpoint forgot the first", accept(), accept({ slot: 90 })],
  ["round 0 prepared by the others against its own accept", accept({ round: 0, ...other }), commit({ round: 0 })],
  ["prepared in round 0 and otherwise in round 1", commit({ round: 0, ...other }), commit()],
  ["prepared again in the next view", commit(), commit({ view: 1 })],
  ["checkpoints of two slots", checkpoint(), checkpoint({ slot: 128, state: digest(9) })],
  ["told as prepared", commit(), viewChange({ prepared: [prepared()] })],
  ["prepared in a later round", commit({ round: 0, ...other }), viewChange({ prepared: [prepared()] })],
  ["told as decided", commit(), viewChange({ decided: [decidedAt(5)] })],
  ["below the stable checkpoint", commit(), viewChange({ stable: stableAt(64) })],
  ["dropped by a view in between", commit(), viewChange({ view: 2 })],
  ["a COMMIT of the view that was wanted", commit({ view: 1 }), viewChange()],
  ["decided since it last wanted the view", viewChange({ prepared: [prepared()] }), viewChange()],
  ["a verdict, and the result after others refused", result([0, 1]), { ...result([1, 1]), final: true }],
  ["two blocks' verdicts", result([0, 1]), result([1, 1], digest(5))],
];

describe("contradiction", () => {
  test.each(contradictions)("%s, in either order, and proven to anyone", (kind, a, b) => {
    expect(contradiction(word(a), word(b))).toMatchObject({ kind });
    expect(contradiction(word(b), word(a))).toMatchObject({ kind });
    expect(provenBy([statementOf(a), statementOf(b)], context)).toMatchObject({ kind, by: { cluster: 1, node: 1 } });
  });

  test.each(innocent)("none: %s", (_, a, b) => {
    expect(contradiction(word(a), word(b))).toBeUndefined();
    expect(contradiction(word(b), word(a))).toBeUndefined();
  });

  test("none between two nodes", () => {
    const second = word({ ...accept(other), node: 2 } as NodeMessage, "c1n2");
    expect(contradiction(word(accept()), second)).toBeUndefined();
  });
});

describe("a proof", () => {
  test("is not made of what somebody else signed in a node's name", () => {
    const forged = statementOf(accept(other), "c1n2");
    expect(provenBy([statementOf(accept()), forged], context)).toMatch(/not signed by c1n1/);
  });

  test("is not made of another network's statements, nor of one kind's signature under another", () => {
    const elsewhere = { ...context, topology: { ...network.topology, networkId: digest(8) as never } };
    expect(provenBy([statementOf(accept()), statementOf(accept(other))], elsewhere)).toMatch(/not signed/);
    const renamed = { ...statementOf(accept(other)), kind: carriage.propose.number };
    expect(provenBy([statementOf(accept()), renamed], context)).toMatch(/not signed/);
  });

  test("is not made of votes of a crash cluster, which nobody signs; of its COMMITs it is", () => {
    const id = 2 as ClusterId;
    const of = (n: number): Entry => entry({ cluster: id, sequence: sequenceOf(9, id), digest: digest(n) });
    const votes = [1, 2].map((n) => statementOf({ kind: "accept", entry: of(n), node: 1 }, "c2n1"));
    expect(provenBy(votes, context)).toMatch(/not signed/);
    const commits = [1, 2].map((n) => statementOf(commitOf(of(n), 1), "c2n1"));
    expect(provenBy(commits, context)).toMatchObject({ kind: "commits", by: { cluster: 2, node: 1 } });
  });

  test("is two statements that bind their speaker", () => {
    const [a, b] = [statementOf(accept()), statementOf(accept(other))];
    expect(provenBy([a], context)).toMatch(/two statements/);
    expect(provenBy([a, b, a], context)).toMatch(/two statements/);
    expect(provenBy([a, { ...b, kind: carriage.unknown.number }], context)).toMatch(/binds/);
    expect(provenBy([a, { ...b, body: b.body.subarray(1) }], context)).toMatch(/binds/);
    expect(provenBy([a, a], context)).toMatch(/do not contradict/);
  });
});

function heard(message: NodeMessage, node = "c1n1"): Verified {
  const from = { cluster, node: Number(node.at(-1)) };
  return { from, message, signed: signedOf(network, node, message) } as Verified;
}

describe("a witness", () => {
  test.each(contradictions)("finds %s in what it hears, once, in either order", (kind, a, b) => {
    for (const [first, second] of [[a, b] as const, [b, a] as const]) {
      const witness = new Witness(context);
      witness.hear(heard(first));
      expect(witness.takeFound()).toEqual([]);
      for (let i = 0; i < 3; i++) for (const each of [second, first]) witness.hear(heard(each));
      // Others' votes that a VIEW-CHANGE quotes are evidence of their own.
      const found = witness.takeFound().filter(({ by }) => by.node === 1);
      expect(found.map((each) => each.kind)).toEqual([kind]);
      expect(witness.takeFound()).toEqual([]);
    }
  });

  test.each(innocent)("finds nothing: %s", (_, a, b) => {
    const witness = new Witness(context);
    for (const each of [a, b, a]) witness.hear(heard(each));
    expect(witness.takeFound()).toEqual([]);
  });

  test("finds it in what others quote: the proofs of a view change, certificates", () => {
    const witness = new Witness(context);
    witness.hear(heard({ kind: "accept", entry: entry(other), node: 2 }, "c1n2"));
    witness.hear(heard(viewChange({ prepared: [prepared()] })));
    expect(witness.takeFound()).toMatchObject([{ kind: "votes", by: { cluster: 1, node: 2 } }]);
    witness.hear(heard(commitOf(entry({ slot: 6, ...other }), 3), "c1n3"));
    const { certificate } = decidedAt(6);
    const message: NodeMessage = { kind: "committed", digest: digest(1), certificates: [certificate] };
    witness.hear({ from: { cluster, node: 0 }, message, signed: undefined } as Verified);
    expect(witness.takeFound()).toMatchObject([{ kind: "commits", by: { cluster: 1, node: 3 } }]);
  });

  test("shows what contradicts the primary, and whoever holds the other half names the liar", () => {
    const block = paymentBlock(network, 1);
    const chosen = entry({ digest: block.digest });
    const lie = entry(other);
    const propose: NodeMessage = { kind: "propose", entry: chosen, node: 0, previous: 0 as Sequence, block };
    const lied = { ...propose, entry: lie } as NodeMessage;
    const [a, b] = [new Witness(context), new Witness(context)];
    a.hear(heard(propose, "c1n0"));
    b.hear(heard(lied, "c1n0"));
    // Backups vote for what each was shown; a hears of the other's vote.
    a.hear(heard({ kind: "accept", entry: lie, node: 2 }, "c1n2"));
    const odd = a.takeOdd();
    expect(odd).toHaveLength(1);
    for (const statements of odd) b.compare(statements);
    expect(b.takeFound()).toMatchObject([{ kind: "votes", by: { cluster: 1, node: 0 } }]);
    expect(a.takeFound()).toEqual([]);
    // The same when the primary is heard last.
    const late = new Witness(context);
    late.hear(heard({ kind: "accept", entry: lie, node: 2 }, "c1n2"));
    late.hear(heard(propose, "c1n0"));
    expect(late.takeOdd()).toHaveLength(1);
  });

  test("does not grow with what it hears", () => {
    const witness = new Witness(context);
    const signature = new Uint8Array(64);
    for (let slot = 1; slot <= 30_000; slot++) {
      const message = { kind: "accept", entry: entry({ slot }), node: 1 } as const;
      witness.hear({ from: { cluster, node: 1 }, message, signed: { body: bodyOf(message), signature } });
    }
    expect(witness.bytes).toBeGreaterThan(limits.heardBytesOfNodeMin);
    expect(witness.bytes).toBeLessThanOrEqual(limits.heardBytesMax);
  });

  test("remembers the newest checkpoints of a node, so that its memory has its size soon", () => {
    const witness = new Witness(context);
    const said = Array.from({ length: limits.heardCheckpointsMax + 10 }, (_, i) => checkpoint({ slot: 64 * (i + 1) }));
    for (const message of said) witness.hear(heard(message));
    const bytesOfOne = 1000;
    expect(witness.bytes).toBeLessThan(limits.heardCheckpointsMax * bytesOfOne);
    for (const i of [0, said.length - 1]) witness.hear(heard({ ...(said[i] as Checkpoint), state: digest(9) }));
    expect(witness.takeFound().map(({ kind }) => kind)).toEqual(["checkpoints"]);
  });
});
