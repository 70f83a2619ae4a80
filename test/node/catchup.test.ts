// A node that slept until its peers had forgotten the slots it lacks (protocol 6): it learns of a stable checkpoint
// with proof, takes the records in between from its peers' ledgers, checks and executes them, and is then as if it had
// never been away. Wherever it dies meanwhile, its store is a whole view, if a shorter one, and it goes on from there.

import { describe, expect, test } from "vitest";
import { verdictKey } from "../../src/ledger/keys.js";
import { openEnvelope } from "../../src/node/wire.js";
import type { ClusterId } from "../../src/types/ids.js";
import { limits } from "../../src/types/limits.js";
import { recordsSchema } from "../../src/types/schema.js";
import type { FailureModel } from "../../src/types/topology.js";
import { sealAs } from "../support/forge.js";
import { expectConsistent } from "../support/inspect.js";
import { TestNetwork, type TestNode } from "../support/network.js";
import { below, randomOf, shuffle, someOf } from "../support/schedule.js";
import { asleep, caughtUp, cutOff, everything, expectAwake, payMixed, putBack, stableSlot } from "../support/sleep.js";
import { VoteWatch } from "../support/votes.js";

// Small pieces, so that a short sleep takes many turns to make up for.
Object.assign(limits, { recordsPerAnswerMax: 24 });

const NETWORKS: readonly (readonly [string, readonly FailureModel[]])[] = [
  ["crash", ["crash", "crash"]],
  ["byzantine", ["byzantine", "byzantine"]],
  ["crash beside byzantine", ["crash", "byzantine"]],
  ["byzantine beside crash", ["byzantine", "crash"]],
];

describe.each(NETWORKS)("%s", (_, models) => {
  test("a node that slept through three checkpoints catches up by records, and votes again", async () => {
    const [network, sleeper] = await asleep(models);
    network.drop = () => false;
    payMixed(network, 2);
    await network.run(20);
    expect(caughtUp(sleeper)).toBeGreaterThan(0);
    await expectAwake(network, sleeper, "awake again");
    // It counts again: another of its cluster may now be away.
    const votes = new VoteWatch(network);
    cutOff(network, network.nodesOf(1).at(-2)?.name as string);
    const { height } = sleeper.replica;
    payMixed(network, 8);
    await network.run(30);
    expect(sleeper.replica.height).toBe(height + 8);
    expect(votes.contradictions).toEqual([]);
  });

  test("in a silent network, after a restart, as well", async () => {
    const [network, sleeper] = await asleep(models, 1);
    network.drop = () => false;
    await network.restart(sleeper);
    await network.run(20);
    expect(caughtUp(sleeper)).toBeGreaterThan(0);
    await expectAwake(network, sleeper, "after a restart");
  });

  test("while the others go on", async () => {
    const [network, sleeper] = await asleep(models);
    network.drop = () => false;
    for (let i = 0; i < 100; i++) {
      payMixed(network, 1);
      network.advance(100);
      await network.reload();
    }
    await network.run(30);
    expect(caughtUp(sleeper)).toBeGreaterThan(0);
    await expectAwake(network, sleeper, "meanwhile");
  });
});

describe.each<[FailureModel]>([["crash"], ["byzantine"]])("a %s node that dies while it catches up", (model) => {
  // One run for each turn that writes anything, the plan durable and nothing of it sent.
  test("at any turn, comes back to a whole view, and goes on", async () => {
    const [network, sleeper] = await asleep([model, model], 2);
    const asleepStore = await everything(sleeper);
    const heights = new Set<number>();
    let turns = 0;
    for (let deathAt = 1; turns === deathAt - 1; deathAt++) {
      await putBack(network, sleeper, asleepStore);
      network.drop = () => false;
      turns = 0;
      network.onTurn = (node, plan) => {
        if (node !== sleeper || plan.persist.length === 0) return;
        // It takes no further turn, and what this one says is lost.
        if (++turns === deathAt) node.reloading = true;
      };
      network.drop = ({ sender }) => turns >= deathAt && sender === sleeper.name;
      for (let i = 0; i < 40 && turns < deathAt; i++) {
        network.advance(500);
        if (turns < deathAt) await network.reload();
      }
      network.onTurn = () => undefined;
      network.drop = () => false;
      heights.add(sleeper.replica.height);
      await network.restart(sleeper);
      // What is there is sound by itself, before anything else is done.
      await expectSound(network, sleeper, `death at turn ${deathAt}`);
      await network.run(30);
      await expectAwake(network, sleeper, `death at turn ${deathAt}`);
    }
    // It died in front of, within and after the pieces.
    expect(heights.size).toBeGreaterThan(3);
  });

  test("with every piece, gets there all the same", async () => {
    const [network, sleeper] = await asleep([model, model]);
    network.drop = () => false;
    payMixed(network, 1);
    let deaths = 0;
    network.onTurn = (node, { notes, reload }) => {
      if (node !== sleeper || reload || !notes.some(({ kind }) => kind === "recorded")) return;
      node.reloading = true;
      deaths++;
    };
    for (let i = 0; i < 500 && caughtUp(sleeper) === 0; i++) {
      network.advance(500);
      if (sleeper.reloading) await network.restart(sleeper);
    }
    network.onTurn = () => undefined;
    expect(deaths).toBeGreaterThan(3);
    expect(caughtUp(sleeper)).toBe(1);
    await network.run(20);
    await expectAwake(network, sleeper, "restarted again and again");
  });
});

/** The offline audit finds no fault with the node's own view, if it lies behind the others'. */
async function expectSound(network: TestNetwork, node: TestNode, what: string): Promise<void> {
  const others = network.nodes.filter(({ ref }) => ref.cluster !== node.ref.cluster);
  await expectConsistent(network, what, [...others, node], { strict: false });
}

/** A node that is behind a checkpoint for want of two verdicts, with the first records that it asked for still held. */
async function forWantOfVerdicts() {
  const network = await TestNetwork.create({ models: ["crash", "crash"] });
  const slow = network.node("c1n2");
  network.drop = ({ receiver, kind }) => receiver === slow.name && kind === "result";
  for (let i = 0; i < limits.checkpointSlots + 5; i++) {
    network.pay(...(i % 16 === 0 ? [2, 1] : [1]));
    network.settle();
  }
  const held: { readonly from: string; readonly bytes: Uint8Array }[] = [];
  const post = network.post.bind(network);
  network.post = (from, to, bytes) => {
    const opened = openEnvelope(bytes);
    const answer =
      typeof opened === "string" || opened.kind !== "records" ? undefined : recordsSchema.decode(opened.body);
    if (answer?.items[0] === undefined || answer.items[0].block.length === 0) post(from, to, bytes);
    else held.push({ from: network.nameOf(from), bytes });
  };
  for (let i = 0; i < 10 && held.length === 0; i++) network.advance(500);
  const records = held[0] ?? raise("no records");
  const record = network.node("c1n0").notes.find((note) => note.kind === "recorded");
  const { digest } = record?.kind === "recorded" ? record.block : raise("no record");
  const verdicts = network.node("c2n0").store.get(verdictKey(digest)) ?? raise("no verdicts");
  const result = sealAs(network, "c2n0", {
    kind: "result",
    cluster: 2 as ClusterId,
    node: 0,
    digest,
    verdicts,
    final: false,
  });
  const hand = (from: string, bytes: Uint8Array) =>
    slow.inbox.push(slow.ingress.open(network.node(from).info.key, bytes) ?? raise("refused"));
  const release = async () => {
    network.post = post;
    network.drop = () => false;
    await network.run(20);
    await expectAwake(network, slow, "in the end");
  };
  expect(slow.replica.height).toBe(0);
  return {
    network,
    slow,
    records: () => hand(records.from, records.bytes),
    result: () => hand("c2n0", result),
    release,
  };
}

describe("a node's own execution and the records of others", () => {
  // What execution has just done is not in the store yet, on which records of others are executed.
  test("do not get in each other's way in one turn", async () => {
    const { network, slow, records, result, release } = await forWantOfVerdicts();
    result();
    records();
    network.turns(slow);
    // Up to the next block that waits for a verdict, and not one record further.
    expect(slow.replica.height).toBe(16);
    await release();
  });

  test("do not both write: execution rests from the first piece on", async () => {
    const { network, slow, records, result, release } = await forWantOfVerdicts();
    records();
    network.turns(slow);
    expect(slow.replica.height).toBe(limits.recordsPerAnswerMax);
    result();
    network.turns(slow);
    expect(slow.replica.height).toBe(limits.recordsPerAnswerMax);
    await release();
  });

  test("do not both write after a restart either", async () => {
    const { network, slow, records, release } = await forWantOfVerdicts();
    records();
    network.turns(slow);
    network.packets.length = 0;
    await network.restart(slow);
    network.turns(slow);
    // The blocks up to the next one that waits for a verdict are decided here, and could be executed.
    expect(slow.replica.height).toBe(limits.recordsPerAnswerMax);
    await release();
  });
});

function raise(what: string): never {
  throw new Error(what);
}

// Two blocks wait for the other cluster, whose clock is ahead; a later one does not and is delivered before them. The
// checkpoint falls on the first of the two, so its records hold a block from above its slot.
test("a block from above the checkpoint's slot that is part of its state is not asked for again", async () => {
  const network = await TestNetwork.create({ models: ["crash", "byzantine"] });
  const sleeper = network.node("c1n2");
  for (let i = 0; i < 2 * limits.checkpointSlots; i++) {
    network.pay(2);
    network.settle();
  }
  network.pay(1);
  await network.run(5);
  cutOff(network, sleeper.name);
  const { engine } = network.node("c1n0").replica.coordinator;
  while (engine.frontier.slot < limits.checkpointSlots - 1) {
    network.pay(1);
    network.settle();
  }
  network.drop = ({ sender, receiver, kind }) =>
    receiver === sleeper.name ||
    sender === sleeper.name ||
    (sender.startsWith("c2") && receiver.startsWith("c1") && kind === "commit");
  for (const clusters of [[1, 2], [1, 2], [1]]) {
    network.pay(...clusters);
    network.settle();
  }
  cutOff(network, sleeper.name);
  await network.run(10);
  expect(stableSlot(network.node("c1n0"))).toBe(limits.checkpointSlots);
  const early = engine.decisionAt(limits.checkpointSlots + 2)?.entry.digest;
  const heights = network.node("c1n0").notes.flatMap((note) => (note.kind === "stable" ? [note.height] : []));
  const recorded = network.node("c1n0").notes.find((note) => note.kind === "recorded" && note.block.digest === early);
  expect(recorded).toMatchObject({ height: (heights.at(-1) as number) - 1 });
  network.drop = () => false;
  await network.restart(sleeper);
  await network.run(20);
  expect(caughtUp(sleeper)).toBe(1);
  await expectAwake(network, sleeper, "a block from above");
});

// Blocks under way in all clusters at once.
describe("busy networks", () => {
  test.each([1, 2])("a sleeper of each cluster, seed %i", async (seed) => {
    const network = await TestNetwork.create({ models: ["crash", "byzantine", "crash"], blockRequestsMax: 1 });
    const random = randomOf(seed);
    shuffle(network, random);
    const sleepers = [1, 2, 3].map((cluster) => network.nodesOf(cluster).at(-1) as TestNode);
    const names = sleepers.map(({ name }) => name);
    network.drop = ({ sender, receiver }) => names.includes(sender) || names.includes(receiver);
    for (let round = 0; sleepers.some(({ ref }) => stableSlot(network.node(`c${ref.cluster}n0`)) < 128); round++) {
      if (round > 100) throw new Error(`seed ${seed}: no checkpoint becomes stable`);
      for (let i = 0; i < 12; i++) network.pay(...someOf(random, { count: 1 + below(random, 3), max: 3 }));
      for (let i = 0; i < 8; i++) network.advance(500);
    }
    network.drop = () => false;
    for (let i = 0; i < 12; i++) network.pay(...someOf(random, { count: 1 + below(random, 3), max: 3 }));
    await network.run(60);
    for (const sleeper of sleepers) {
      expect(caughtUp(sleeper), `seed ${seed}`).toBeGreaterThan(0);
      await expectAwake(network, sleeper, `seed ${seed}, ${sleeper.name}`);
    }
  });
});
