// A node that slept takes the state of others: how it wakes, which way it went, and sources whose answers are bent.

import { expect, onTestFinished } from "vitest";
import { historyKey, snapshotKey } from "../../src/ledger/keys.js";
import { limits } from "../../src/types/limits.js";
import { carriage } from "../../src/types/message.js";
import { envelopeSchema, type StateList, stateSchema } from "../../src/types/schema.js";
import { reEnvelope } from "./forge.js";
import type { TestNetwork, TestNode } from "./network.js";
import { expectAwake } from "./sleep.js";

export type State = ReturnType<typeof stateSchema.decode>;

/** For the rest of one test. */
export function changeLimits(change: Partial<Record<keyof typeof limits, number>>): void {
  const before = { ...limits };
  Object.assign(limits, change);
  onTestFinished(() => void Object.assign(limits, before));
}

/** In a silent network nobody tells a node that it is behind: it asks when it starts. */
export async function wake(network: TestNetwork, node: TestNode): Promise<void> {
  network.drop = () => false;
  await network.restart(node);
}

/** By which way it has caught up, each time. */
export function ways({ notes }: TestNode): readonly string[] {
  return notes.flatMap((note) => (note.kind === "caught-up" ? [note.by] : []));
}

export function byState(node: TestNode): number {
  return ways(node).filter((way) => way === "state").length;
}

/** The state way ends at the checkpoint; some seconds later all old records are there, too. */
export async function expectWhole(network: TestNetwork, node: TestNode, what: string): Promise<void> {
  for (let i = 0; i < 60 && node.store.get(historyKey()) !== undefined; i++) await network.run(2);
  expect(node.store.get(historyKey()), what).toBeUndefined();
  expect(node.store.get(snapshotKey()), what).toBeUndefined();
  await expectAwake(network, node, what, ["record", "account", "height", "placed", "progress", "position", "chunk"]);
}

export function inList(change: (list: StateList) => StateList) {
  return (state: State): State => ({ ...state, list: state.list && change(state.list) });
}

/** The liar's every STATE is bent; returns how many there were. */
export function bend(network: TestNetwork, liar: string, lie: (state: State) => State): () => number {
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
