// Who is served first (faults F27 to F30): nodes before clients, clients in turns, what is over its share or its rate
// refused before anything costly was done; and what waits is bounded whoever sends it.

import { describe, expect, test } from "vitest";
import { Reception } from "../../src/node/reception.js";
import type { Event } from "../../src/types/effects.js";
import type { PublicKey } from "../../src/types/ids.js";
import { limits } from "../../src/types/limits.js";
import { carriage } from "../../src/types/message.js";
import { envelopeSchema, proveSchema, readSchema, requestBodySchema } from "../../src/types/schema.js";
import { commitOf, nextEntry, paymentBlock, sealAs } from "../support/forge.js";
import { TestNetwork } from "../support/network.js";

const network = await TestNetwork.create({ models: ["byzantine"] });
const node = network.node("c1n1").info.key;
const [honest, flooder] = network.topology.clients.map(({ key }) => key) as [PublicKey, PublicKey];

interface Opened {
  readonly from: PublicKey;
  readonly message: Uint8Array;
}

function receptionOf(
  options: { readonly clientRate?: number; readonly hasRoom?: (client: PublicKey) => boolean } = {},
) {
  const opened: Opened[] = [];
  const codes: string[] = [];
  const open = (from: PublicKey, message: Uint8Array): Event => {
    opened.push({ from, message });
    return { kind: "read", from, read: { kind: "read", nonce: opened.length, accounts: [] } };
  };
  const reception = new Reception({
    members: network.members,
    ingress: { open },
    hasRoom: () => true,
    onRejected: (code) => codes.push(code),
    clientRate: 1e9,
    ...options,
  });
  reception.next();
  return { reception, opened, codes };
}

function request(client: PublicKey, nonce: number, bytes = 0): Uint8Array {
  const operations = [{ open: "a".repeat(Math.min(bytes, 64)), debits: [], credits: [] }];
  const terms = { nonce, validUntil: 1, operations, rejoin: undefined };
  const body = requestBodySchema.encode({ client: Buffer.from(client, "hex"), ...terms });
  const block = new Uint8Array(bytes);
  return envelopeSchema.encode({ kind: carriage.request.number, body, signature: new Uint8Array(64), block });
}

/** A question for so many accounts, with names as short as they may be. */
function question(kind: "read" | "prove", nonce: number, count: number): Uint8Array {
  const schema = kind === "read" ? readSchema : proveSchema;
  const body = schema.encode({ nonce, accounts: Array.from({ length: count }, () => "a") });
  const [signature, block] = [new Uint8Array(0), new Uint8Array(0)];
  return envelopeSchema.encode({ kind: carriage[kind].number, body, signature, block });
}

const LARGEST = { read: limits.accountsPerReadMax, prove: limits.accountsPerProofMax } as const;
const WEIGHT = { read: 1, prove: limits.proofWeight } as const;
const keyOf = (i: number) => i.toString(16).padStart(64, "0") as PublicKey;

const vote = () => {
  const block = paymentBlock(network, 1);
  return sealAs(network, "c1n1", commitOf(nextEntry(network, 1, block.digest), 1));
};
const by = (opened: readonly Opened[], from: PublicKey) => opened.filter((each) => each.from === from).length;

describe("the order of service", () => {
  test("a vote that comes behind thousands of requests is in the next turn, and so is an honest client", () => {
    const { reception, opened } = receptionOf();
    for (let i = 1; i <= 5000; i++) reception.take(flooder, request(flooder, i), 0);
    reception.take(honest, request(honest, 1), 0);
    reception.take(node, vote(), 0);
    expect(by(opened, node)).toBe(1);
    expect(reception.next().length).toBe(limits.clientEventsMax);
    expect(by(opened, honest)).toBe(1);
    expect(opened.findIndex(({ from }) => from === honest)).toBeLessThanOrEqual(2);
  });

  test("a turn that is full of votes still takes some requests", () => {
    const { reception, opened } = receptionOf();
    const one = vote();
    for (let i = 0; i < 2 * limits.turnEventsMax; i++) reception.take(node, one, 0);
    for (let i = 1; i <= 500; i++) reception.take(honest, request(honest, i), 0);
    expect(reception.next()).toHaveLength(limits.turnEventsMax + limits.clientEventsMin);
    expect(by(opened, honest)).toBe(limits.clientEventsMin);
  });

  test("requests that a node forwards wait as that node's, in turns with the clients'", () => {
    const { reception, opened } = receptionOf();
    for (let i = 1; i <= 1000; i++) reception.take(node, request(flooder, i), 0);
    for (let i = 1; i <= 10; i++) reception.take(honest, request(honest, i), 0);
    expect(opened).toEqual([]);
    reception.next();
    expect(by(opened.slice(0, 20), honest)).toBe(10);
  });

  test("the largest requests do not make a turn endless", () => {
    const { reception, opened } = receptionOf();
    for (let i = 1; i <= 20; i++) reception.take(honest, request(honest, i, 1 << 20), 0);
    reception.next();
    expect(opened.length).toBeLessThanOrEqual(3);
    expect(reception.isEmpty).toBe(false);
  });
});

describe.each(["read", "prove"] as const)("a flood of the largest questions (%s)", (kind) => {
  const largest = LARGEST[kind];
  const perTurn = Math.ceil(limits.clientTurnWeightMax / (largest * WEIGHT[kind]));

  test("gets so much of a turn as a weight allows, and the rest waits in its order", () => {
    const { reception, opened } = receptionOf();
    const asked = Array.from({ length: 10 }, (_, i) => question(kind, i + 1, largest));
    for (const message of asked) reception.take(flooder, message, 0);
    reception.next();
    expect(opened).toHaveLength(perTurn);
    expect(reception.waiting.count).toBe(asked.length - perTurn);
    while (!reception.isEmpty) reception.next();
    expect(opened.map(({ message }) => Buffer.from(message))).toEqual(asked.map((message) => Buffer.from(message)));
  });

  test("does not keep others' requests out of the turn", () => {
    const { reception, opened } = receptionOf();
    for (let i = 1; i <= 100; i++) reception.take(flooder, question(kind, i, largest), 0);
    for (let i = 1; i <= 200; i++) reception.take(honest, request(honest, i), 0);
    reception.next();
    expect(by(opened, honest)).toBe(200);
  });

  test("starves nobody, however many take part in it", () => {
    const { reception, opened } = receptionOf();
    const flooders = Array.from({ length: 10 }, (_, i) => keyOf(i + 1));
    const flood = () => {
      for (const from of flooders) reception.take(from, question(kind, 1, largest), 0);
    };
    for (let i = 0; i < 5; i++) flood();
    reception.take(honest, question(kind, 1, largest), 0);
    for (let turn = 0; turn < Math.ceil((flooders.length + 1) / perTurn); turn++) {
      reception.next();
      flood();
    }
    expect(by(opened, honest)).toBe(1);
  });

  test("uses up its sender's rate, which comes back with time", () => {
    const weight = largest * WEIGHT[kind];
    const { reception, opened } = receptionOf({ clientRate: 4 * weight });
    const ask = (tick: number) => {
      for (let i = 1; i <= 20; i++) reception.take(flooder, question(kind, i, largest), tick);
      while (!reception.isEmpty) reception.next();
    };
    ask(0);
    expect(opened).toHaveLength(4);
    ask(500);
    expect(opened).toHaveLength(6);
    for (let tick = 600; tick <= 10_500; tick += 100) ask(tick);
    expect(Math.abs(opened.length - 46)).toBeLessThanOrEqual(1);
  });

  test("is no way to be refused for ever: one question that costs more than a second's rate is taken", () => {
    const { reception, opened } = receptionOf({ clientRate: 10 });
    for (const tick of [0, 2000, 4000]) reception.take(honest, question(kind, 1, largest), tick);
    while (!reception.isEmpty) reception.next();
    expect(opened).toHaveLength(3);
  });
});

test("small readings fill a turn by their number, as requests do", () => {
  const { reception } = receptionOf();
  for (let i = 1; i <= 1000; i++) reception.take(honest, question("read", i, 3), 0);
  expect(reception.next()).toHaveLength(limits.clientEventsMax);
});

describe("what is over a bound", () => {
  test("of share is told to be busy, with its own nonce, and is never opened", () => {
    const { reception, opened } = receptionOf();
    let sent = 0;
    while (reception.waiting.bytes < limits.lanesBytesMax / 2 - 4096) {
      reception.take(flooder, request(flooder, ++sent, 4000), 0);
    }
    for (let i = 1; i <= 10; i++) reception.take(flooder, request(flooder, 1_000_000 + i, 4000), 0);
    reception.take(honest, request(honest, 7), 0);
    const events = reception.next();
    const refused = events.flatMap((event) => (event.kind === "refused" ? [event] : []));
    expect(refused.length).toBeGreaterThan(5);
    for (const { client, nonce, code } of refused) {
      expect({ client, code }).toEqual({ client: flooder, code: "busy" });
      expect(nonce).toBeGreaterThan(1_000_000);
    }
    expect(by(opened, honest)).toBe(1);
    expect(opened.some(({ message }) => Buffer.compare(message, request(flooder, 1_000_010, 4000)) === 0)).toBe(false);
  });

  test("of rate is refused until time has passed", () => {
    const { reception, opened } = receptionOf({ clientRate: 100 });
    for (let i = 1; i <= 300; i++) reception.take(flooder, request(flooder, i), 0);
    for (let i = 1; i <= 50; i++) reception.take(honest, request(honest, i), 0);
    while (reception.next().length > 0);
    expect(by(opened, flooder)).toBe(100);
    expect(by(opened, honest)).toBe(50);
    for (let i = 301; i <= 400; i++) reception.take(flooder, request(flooder, i), 500);
    while (reception.next().length > 0);
    expect(by(opened, flooder)).toBe(150);
  });

  test("of its queue is refused without a look at its signature", () => {
    const { reception, opened } = receptionOf({ hasRoom: (client) => client !== flooder });
    reception.take(flooder, request(flooder, 1), 0);
    reception.take(honest, request(honest, 1), 0);
    reception.next();
    expect(by(opened, flooder)).toBe(0);
    expect(reception.next()).toMatchObject([{ kind: "refused", client: flooder, nonce: 1, code: "busy" }]);
  });

  test("of answers is silence, and is counted", () => {
    const { reception, codes } = receptionOf({ clientRate: 1 });
    const count = limits.refusalsMax + 100;
    for (let i = 0; i <= count; i++) reception.take(flooder, request(flooder, i + 1), 0);
    expect(codes).toEqual(Array(count - limits.refusalsMax).fill("busy"));
    const junk = Uint8Array.of(8, 1, 18, 2, 10, 255);
    reception.take(flooder, junk, 0);
    expect(codes).toHaveLength(count - limits.refusalsMax + 1);
  });

  test("of memory is nobody, however many flood with whatever sizes", () => {
    const { reception } = receptionOf();
    for (let i = 1; i <= 4000; i++) {
      const from = i.toString(16).padStart(64, "0") as PublicKey;
      for (let j = 0; j < 3; j++) reception.take(from, request(honest, i, 20_000), 0);
    }
    expect(reception.waiting.bytes).toBeLessThan(2 * limits.lanesBytesMax + 25_000);
  });
});
