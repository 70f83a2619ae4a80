// Sources of a state that lie, or keep to the rules and are of no use (protocol 6): whatever is not proven is refused, and
// nobody can hold up a node that catches up for long.

import { describe, expect, test } from "vitest";
import { snapshotKey } from "../../src/ledger/keys.js";
import { limits } from "../../src/types/limits.js";
import { carriage } from "../../src/types/message.js";
import { envelopeSchema, fetchRecordsSchema, fetchStateSchema, stateSchema } from "../../src/types/schema.js";
import { reEnvelope } from "../support/forge.js";
import type { TestNode } from "../support/network.js";
import { asleep, caughtUp, cutOff, expectAwake, payMixed, stableSlot } from "../support/sleep.js";
import { bend, byState, changeLimits, expectWhole, inList, type State, wake, ways } from "../support/snapshots.js";

// Any gap is worth a question, pieces are small, and old records come in many answers.
Object.assign(limits, {
  catchUpAtOnceMax: 0,
  recordsPerAnswerMax: 24,
  positionsPerChunk: 32,
  stateAnswerBytesMax: 4096,
});

function flipped(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  const last = copy.length - 1;
  if (last >= 0) copy[last] = (copy[last] as number) ^ 1;
  return copy;
}

/** Whatever the question, its first list, which is as true as ever. */
function saysItsListAgain(): (state: State) => State {
  let first: State | undefined;
  return (state) => {
    first ??= state;
    return first;
  };
}

const LIES: Readonly<Record<string, (state: State) => State>> = {
  "its list for every piece": saysItsListAgain(),
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

/** Whose answers were refused, at the door or after it. */
function refusals({ notes, rejected, ref }: TestNode): readonly number[] {
  const atDoor = rejected.flatMap(({ kind, sender }) => (kind === "state" ? [Number(sender.slice(-1))] : []));
  const refused = notes.flatMap((note) => (note.kind === "rejected" && note.message === "state" ? [note.from] : []));
  return [...atDoor, ...refused.map((from) => from?.node ?? ref.node)];
}

describe("a source", () => {
  test.each(Object.keys(LIES))("that gives %s is left out, and the next one asked", async (name) => {
    const [network, sleeper] = await asleep(["byzantine", "byzantine"], 1);
    await wake(network, sleeper);
    const lies = bend(network, "c1n0", LIES[name] as (state: State) => State);
    await network.run(40);
    expect(lies()).toBeGreaterThan(0);
    expect(lies()).toBeLessThan(4);
    expect(refusals(sleeper)).toEqual([0]);
    expect(byState(sleeper)).toBe(1);
    await expectWhole(network, sleeper, name);
  });

  test("that gives a piece at a time is left out soon, and what it gave is kept", async () => {
    // All that is asked for has room in one answer.
    changeLimits({ stateAnswerBytesMax: 1 << 18 });
    const [network, sleeper] = await asleep(["byzantine", "byzantine"], 3);
    await wake(network, sleeper);
    const answers = bend(network, "c1n0", (state) => ({ ...state, pieces: state.pieces.slice(0, 1) }));
    const taken: string[] = [];
    network.onDelivered = ({ kind, bytes }) => {
      if (kind !== "state" || byState(sleeper) > 0) return;
      const { part, pieces } = stateSchema.decode(envelopeSchema.decode(bytes).body);
      for (const { number } of pieces) taken.push(`${part}/${number}`);
    };
    await network.run(40);
    // Its list, so many answers that are short, and the last piece of two parts at most.
    expect(answers()).toBeGreaterThan(limits.shortAnswersMax);
    expect(answers()).toBeLessThanOrEqual(1 + limits.shortAnswersMax + 2);
    expect(new Set(taken).size).toBe(taken.length);
    expect(byState(sleeper)).toBe(1);
    await expectWhole(network, sleeper, "a piece at a time");
  });

  test("that has gone on to a later state again and again does not hold up a node for ever", async () => {
    // Each part of the state is one answer.
    changeLimits({ stateAnswerBytesMax: 1 << 18 });
    const [network, sleeper] = await asleep(["byzantine", "byzantine"], 1);
    await wake(network, sleeper);
    const source = network.node("c1n0");
    const post = network.post.bind(network);
    let questions = 0;
    network.post = (from, to, bytes) => {
      const { kind, body } = envelopeSchema.decode(bytes);
      const isQuestion = network.nameOf(to) === source.name && kind === carriage["fetch-state"].number;
      // Every second one reaches it as one for its latest list, as if what is asked for were gone.
      if (!isQuestion || questions++ % 2 === 0) return post(from, to, bytes);
      const changed = { ...fetchStateSchema.decode(body), slot: 0, part: 0, pieces: [] };
      post(from, to, reEnvelope(bytes, { body: fetchStateSchema.encode(changed) }));
    };
    for (let i = 0; i < 100 && questions === 0; i++) network.advance(100);
    // One question, one checkpoint.
    for (let i = 0; i < 12 && byState(sleeper) === 0; i++) {
      const before = stableSlot(source);
      while (stableSlot(source) === before) {
        network.pay(1);
        network.settle();
      }
      network.advance(100);
      await network.reload();
    }
    expect(questions).toBe(2);
    expect(byState(sleeper)).toBe(1);
    await network.run(30);
    await expectWhole(network, sleeper, "later and later");
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

  test("that says nothing to a question for old records keeps no new ones from a node that falls behind", async () => {
    const [network, sleeper] = await asleep(["byzantine", "byzantine"], 2);
    await wake(network, sleeper);
    let silent = "";
    let isCut = false;
    let isOver = false;
    // Nobody answers a question for old records, and whoever got the last one answers none for new ones either.
    network.drop = ({ sender, receiver, kind, bytes }) => {
      if (kind !== "fetch-records" || isOver) return isCut && [sender, receiver].includes(sleeper.name);
      const { downwards } = fetchRecordsSchema.decode(envelopeSchema.decode(bytes).body);
      if (downwards) silent = receiver;
      return isCut || receiver === silent;
    };
    await network.run(10);
    expect(byState(sleeper)).toBe(1);
    expect(silent).not.toBe("");
    isCut = true;
    payMixed(network, 2 * limits.checkpointSlots);
    isCut = false;
    changeLimits({ catchUpAtOnceMax: 1024 });
    payMixed(network, 1);
    await network.run(20);
    expect(ways(sleeper)).toEqual(["state", "records"]);
    isOver = true;
    await expectWhole(network, sleeper, "behind again");
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
