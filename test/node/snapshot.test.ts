// A node that lacks more than records close cheaply takes the state itself (protocol 6): pieces under the root that a
// quorum has signed, then the records above, and the older ones in its own time. Wherever it dies meanwhile it goes on,
// and whatever a source gives that is not proven is refused.

import { describe, expect, test } from "vitest";
import { historyKey, prefixRange, snapshotKey } from "../../src/ledger/keys.js";
import { limits } from "../../src/types/limits.js";
import { carriage } from "../../src/types/message.js";
import { envelopeSchema, type StateList, stateSchema } from "../../src/types/schema.js";
import type { FailureModel } from "../../src/types/topology.js";
import { reEnvelope } from "../support/forge.js";
import { expectConsistent } from "../support/inspect.js";
import type { TestNetwork, TestNode } from "../support/network.js";
import { asleep, caughtUp, cutOff, everything, expectAwake, payMixed, putBack, stableSlot } from "../support/sleep.js";
import { VoteWatch } from "../support/votes.js";

// Any gap is worth a question, pieces are small, and old records come in many answers.
Object.assign(limits, {
  catchUpAtOnceMax: 0,
  recordsPerAnswerMax: 24,
  positionsPerChunk: 32,
  stateAnswerBytesMax: 4096,
});

const NETWORKS: readonly (readonly [string, readonly FailureModel[]])[] = [
  ["crash", ["crash", "crash"]],
  ["byzantine beside crash", ["byzantine", "crash"]],
];

/** In a silent network nobody tells a node that it is behind: it asks when it starts. */
async function wake(network: TestNetwork, node: TestNode): Promise<void> {
  network.drop = () => false;
  await network.restart(node);
}

function byState({ notes }: TestNode): number {
  return notes.filter((note) => note.kind === "caught-up" && note.by === "state").length;
}

/** The state way ends at the checkpoint; some seconds later all old records are there, too. */
async function expectWhole(network: TestNetwork, node: TestNode, what: string): Promise<void> {
  for (let i = 0; i < 60 && node.store.get(historyKey()) !== undefined; i++) await network.run(2);
  expect(node.store.get(historyKey()), what).toBeUndefined();
  expect(node.store.get(snapshotKey()), what).toBeUndefined();
  await expectAwake(network, node, what, ["record", "account", "height", "placed", "progress", "position", "chunk"]);
}

describe.each(NETWORKS)("%s", (_, models) => {
  test("a node that slept long takes the state, votes again, and has the old records in the end", async () => {
    const [network, sleeper] = await asleep(models);
    const votes = new VoteWatch(network);
    network.drop = () => false;
    payMixed(network, 2);
    await network.run(20);
    expect(byState(sleeper)).toBeGreaterThan(0);
    await expectConsistent(network, "old records may still be missing");
    await expectWhole(network, sleeper, "awake again");
    cutOff(network, network.nodesOf(1).at(-2)?.name as string);
    const { height } = sleeper.replica;
    payMixed(network, 8);
    await network.run(30);
    expect(sleeper.replica.height).toBe(height + 8);
    expect(votes.contradictions).toEqual([]);
    network.drop = () => false;
    await network.restart(sleeper);
    payMixed(network, 1);
    await network.run(10);
    await expectConsistent(network, "after a restart");
  });

  test("while the others go on", async () => {
    const [network, sleeper] = await asleep(models);
    network.drop = () => false;
    for (let i = 0; i < 120; i++) {
      payMixed(network, 1);
      network.advance(100);
      await network.reload();
    }
    await network.run(30);
    expect(byState(sleeper)).toBeGreaterThan(0);
    await expectWhole(network, sleeper, "meanwhile");
  });

  test("an answer to a request that was executed before is told by a node that has it from the state", async () => {
    const [network, sleeper] = await asleep(models, 1);
    const request = network.request([network.transfer(network.account(1), network.account(1, 1), 1n)]);
    network.sendBytes(request, "c1n0");
    while (stableSlot(network.node("c1n0")) < 2 * limits.checkpointSlots) payMixed(network, 4);
    await wake(network, sleeper);
    await network.run(30);
    expect(byState(sleeper)).toBeGreaterThan(0);
    const told = network.replies.filter(({ nonce }) => nonce > 0).length;
    network.sendBytes(request, sleeper.name);
    network.settle();
    const reply = network.replies[told];
    const first = network.replies.find(({ nonce, node }) => nonce === reply?.nonce && node !== sleeper.ref.node);
    expect({ ...reply, node: 0, view: 0 }).toEqual({ ...first, node: 0, view: 0 });
  });
});

describe.each<[FailureModel]>([["crash"], ["byzantine"]])("a %s node that dies while it takes the state", (model) => {
  test("at any turn, goes on from there", async () => {
    const [network, sleeper] = await asleep([model, model], 2);
    const before = await everything(sleeper);
    let turns = 0;
    let middles = 0;
    for (let deathAt = 1; turns === deathAt - 1; deathAt += 1 + Math.floor(deathAt / 8)) {
      await putBack(network, sleeper, before);
      network.drop = () => false;
      turns = 0;
      network.onTurn = (node, { persist }) => {
        if (node !== sleeper || persist.length === 0) return;
        turns++;
        if (turns !== deathAt) return;
        node.reloading = true;
        network.drop = ({ sender }) => sender === sleeper.name;
      };
      for (let i = 0; i < 60 && !sleeper.reloading; i++) network.advance(500);
      network.onTurn = () => undefined;
      if (sleeper.store.get(snapshotKey()) !== undefined) middles++;
      network.packets.length = 0;
      network.drop = () => false;
      await network.restart(sleeper);
      await network.run(30);
      await expectWhole(network, sleeper, `death in turn ${deathAt}`);
      if (turns < deathAt) break;
      turns = deathAt;
    }
    expect(middles).toBeGreaterThan(2);
  });
});

type State = ReturnType<typeof stateSchema.decode>;

function flipped(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  const last = copy.length - 1;
  if (last >= 0) copy[last] = (copy[last] as number) ^ 1;
  return copy;
}

function inList(change: (list: StateList) => StateList) {
  return (state: State): State => ({ ...state, list: state.list && change(state.list) });
}

const LIES: Readonly<Record<string, (state: State) => State>> = {
  "a list with another bit": inList((list) => ({ ...list, accounts: flipped(list.accounts) })),
  "a list with another place": inList((list) => ({ ...list, positions: flipped(list.positions) })),
  "a list without ids": inList((list) => ({ ...list, ids: [] })),
  "a list without proof": inList(({ certificate, ...list }) => ({
    ...list,
    certificate: certificate && { ...certificate, commits: certificate.commits.slice(1) },
  })),
  "a piece with another bit": (state) => ({
    ...state,
    pieces: state.pieces.map(({ number, bytes }) => ({ number, bytes: flipped(bytes) })),
  }),
  "another piece in its place": (state) => ({
    ...state,
    pieces: state.pieces.map(({ number, bytes }) => ({ number: number + 1, bytes })),
  }),
  "no pieces": (state) => ({ ...state, pieces: [] }),
  noise: (state) => ({ ...state, pieces: state.pieces.map(({ number }) => ({ number, bytes: Uint8Array.of(9, 9) })) }),
};

function bend(network: TestNetwork, liar: string, lie: (state: State) => State): () => number {
  const post = network.post.bind(network);
  let lies = 0;
  network.post = (from, to, bytes) => {
    const { kind, body } = envelopeSchema.decode(bytes);
    if (network.nameOf(from) !== liar || kind !== carriage.state.number) return post(from, to, bytes);
    lies++;
    post(from, to, reEnvelope(bytes, { body: stateSchema.encode(lie(stateSchema.decode(body))) }));
  };
  return () => lies;
}

describe("a source", () => {
  test.each(Object.keys(LIES))("that gives %s is left out, and the next one asked", async (name) => {
    const [network, sleeper] = await asleep(["byzantine", "byzantine"], 1);
    await wake(network, sleeper);
    const lies = bend(network, "c1n0", LIES[name] as (state: State) => State);
    await network.run(40);
    expect(lies()).toBeGreaterThan(0);
    expect(lies()).toBeLessThan(4);
    expect(byState(sleeper)).toBe(1);
    await expectWhole(network, sleeper, name);
  });

  test("that has no state to give is no reason to wait: records close the gap if they are not too many", async () => {
    const [network, sleeper] = await asleep(["crash", "crash"], 1);
    await wake(network, sleeper);
    for (const { name } of network.nodesOf(1)) {
      bend(network, name, () => ({ slot: 0, part: 0, list: undefined, pieces: [] }));
    }
    await network.run(40);
    expect(byState(sleeper)).toBe(0);
    expect(caughtUp(sleeper)).toBe(1);
    await expectAwake(network, sleeper, "by records");
  });

  test("holds the state of a node in the middle, and lets go of it when nobody asks", async () => {
    const [network, sleeper] = await asleep(["byzantine", "byzantine"], 2);
    await wake(network, sleeper);
    let source = "";
    let lists = 0;
    network.onDelivered = ({ kind, bytes, sender }) => {
      if (kind !== "state" || byState(sleeper) > 0) return;
      source = sender;
      if (stateSchema.decode(envelopeSchema.decode(bytes).body).list !== undefined) lists++;
    };
    for (let i = 0; i < 1000 && sleeper.store.get(snapshotKey()) === undefined; i++) network.advance(20);
    expect(sleeper.store.get(snapshotKey())).toBeDefined();
    expect(lists).toBe(1);
    // The others go two checkpoints further, so quickly that the source is not yet left out for its silence.
    const begun = stableSlot(network.node(source));
    cutOff(network, sleeper.name);
    while (stableSlot(network.node(source)) < begun + 2 * limits.checkpointSlots) {
      network.pay(1);
      network.settle();
    }
    network.drop = () => false;
    await network.run(30);
    expect(lists).toBe(1);
    expect(byState(sleeper)).toBeGreaterThan(0);
    await expectWhole(network, sleeper, "in the middle");
    const views = () => network.node(source).replica.gauges["states"];
    await network.run(40);
    payMixed(network, 1);
    await network.run(5);
    expect(views()).toBeLessThan(4);
  });
});

test("whoever asks for a state is answered once in a turn, and from another cluster not at all", async () => {
  const [network, sleeper] = await asleep(["byzantine", "crash"], 1);
  expect((await sleepersRows(sleeper)).length).toBeGreaterThan(0);
  const source = network.node("c1n0");
  const question = { kind: "fetch-state", slot: 0, part: "list", height: 0, pieces: [] } as const;
  const { sealAs } = await import("../support/forge.js");
  for (let i = 0; i < 100; i++) {
    const event = source.ingress.open(network.node("c1n1").info.key, sealAs(network, "c1n1", question));
    if (event !== undefined) source.inbox.push(event);
  }
  network.turns(source);
  expect(network.packets.filter(({ kind }) => kind === "state")).toHaveLength(1);
  network.packets.length = 0;
  source.ingress.open(network.node("c2n1").info.key, sealAs(network, "c2n1", question));
  expect(source.rejected.at(-1)?.code).toBe("not-allowed");
});

async function sleepersRows({ store }: TestNode): Promise<readonly unknown[]> {
  const rows: unknown[] = [];
  for await (const row of store.range(prefixRange("account"))) rows.push(row);
  return rows;
}
