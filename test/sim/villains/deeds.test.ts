// Each villain does what its name says, seen in the bytes it sends: over some seeds, as primary and as backup of one
// cluster of two. And the same seed makes it say the same again, byte for byte.

import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { checkCertificate } from "../../../src/cluster/certificate.js";
import { ed25519Verifier, signingBytes } from "../../../src/crypto/signature.js";
import { seal } from "../../../src/node/turn.js";
import { openEnvelope, openMessage } from "../../../src/node/wire.js";
import type { MakeVillain, Outgoing, SimNode } from "../../../src/sim/observer.js";
import { type VillainName, villains } from "../../../src/sim/villains/all.js";
import { counterOf, type Digest, type Entry, type PublicKey, sequenceOf } from "../../../src/types/ids.js";
import { limits } from "../../../src/types/limits.js";
import { carriage, type NodeMessage, type Verified } from "../../../src/types/message.js";
import type { TestNode } from "../../support/network.js";
import { inventions, kindOf, omissions, Stage } from "./stage.js";

const NO_DIGEST = "0".repeat(64) as Digest;
const SEEDS = [1, 2, 3, 4];
/** In which a primary that forges what it says forges its NEW-VIEW, too, each in another way. */
const FORGED_OPENINGS = [16, 24, 40];

async function play(make: MakeVillain, seed: number, rounds = 2): Promise<Stage> {
  const stage = await Stage.create(seed, { models: ["byzantine", "byzantine"] });
  await stage.cast(seed % 2 === 0 ? "c1n3" : "c1n0", make);
  for (let i = 0; i < rounds; i++) {
    stage.pay(6);
    stage.pass(3000);
    await stage.restartVillains();
  }
  return stage;
}

/** All seeds' performances. */
function performances(name: VillainName, seeds = SEEDS): Promise<readonly Stage[]> {
  return Promise.all(seeds.map((seed) => play(villains[name], seed)));
}

function messageOf(stage: Stage, { envelope }: Outgoing): NodeMessage | undefined {
  const opened = openEnvelope(envelope);
  if (typeof opened === "string") return undefined;
  const { topology, members } = stage.network;
  const trusting = { verifier: { verify: () => true }, knownBlock: () => undefined, vouched: true };
  const message = openMessage(opened, { topology, members, ...trusting });
  return typeof message === "string" ? undefined : message;
}

function invented(stage: Stage): readonly { readonly to: PublicKey; readonly message: NodeMessage }[] {
  return inventions(stage.scenes).flatMap((word) => {
    const message = messageOf(stage, word);
    return message === undefined ? [] : [{ to: word.to, message }];
  });
}

/** What the villain said in all. */
function said(stage: Stage): readonly { readonly to: PublicKey; readonly message: NodeMessage }[] {
  return stage.scenes.flatMap(({ bent }) =>
    bent.flatMap((word) => {
      const message = messageOf(stage, word);
      return message === undefined ? [] : [{ to: word.to, message }];
    }),
  );
}

/** Of how many (kind, ballot, slot) it said two things, and of how many one receiver heard both. */
function contradictions(stage: Stage): { readonly toAll: number; readonly toOne: number } {
  const claims = new Map<string, Set<string>>();
  const note = (key: string, claim: string) => claims.set(key, (claims.get(key) ?? new Set()).add(claim));
  for (const { to, message } of said(stage)) {
    const entry = entryOf(message);
    if (entry === undefined) continue;
    const { view, round, slot, sequence, digest } = entry;
    note(`all ${message.kind} ${view} ${round} ${slot}`, `${sequence} ${digest}`);
    note(`one ${message.kind} ${view} ${round} ${slot} ${to}`, `${sequence} ${digest}`);
  }
  const count = (prefix: string) => [...claims].filter(([key, { size }]) => key.startsWith(prefix) && size > 1).length;
  return { toAll: count("all"), toOne: count("one") };
}

function entryOf(message: NodeMessage): Entry | undefined {
  return "entry" in message ? message.entry : message.kind === "commit" ? message.entries[0] : undefined;
}

function sum(list: readonly number[]): number {
  return list.reduce((a, b) => a + b, 0);
}

describe("each villain does what its name says", () => {
  test("silent: leaves out, and adds nothing", async () => {
    const stages = await performances("silent");
    expect(sum(stages.map(({ scenes }) => omissions(scenes).length))).toBeGreaterThan(0);
    expect(stages.flatMap(({ scenes }) => inventions(scenes))).toEqual([]);
  });

  test("deaf: does not hear, and says what it honestly thinks", async () => {
    const stages = await performances("deaf");
    expect(sum(stages.map(({ unheard }) => unheard))).toBeGreaterThan(0);
    expect(stages.flatMap(({ scenes }) => [...inventions(scenes), ...omissions(scenes)])).toEqual([]);
    // What an honest replica says never contradicts itself, or what follows below would show nothing.
    expect(stages.map(contradictions)).toEqual(stages.map(() => ({ toAll: 0, toOne: 0 })));
  });

  test("slow: says all, 70 to 95 % of a timer later", async () => {
    for (const { network, scenes } of await performances("slow")) {
      const { intraMs, crossMs } = network.topology.timers;
      expect([...inventions(scenes), ...omissions(scenes)]).toEqual([]);
      const delays = scenes.flatMap(({ bent }) => bent.map(({ delay }) => delay ?? 0)).filter((delay) => delay > 0);
      expect(delays.length).toBeGreaterThan(0);
      for (const delay of delays) {
        const isOf = (timer: number) => delay >= Math.floor(timer * 0.7) && delay <= timer * 0.95;
        expect(isOf(intraMs) || isOf(crossMs), `${delay} ms`).toBe(true);
      }
    }
  });

  test("equivocate: says two things in one ballot about one slot, to different nodes or to one", async () => {
    const found = (await performances("equivocate")).map(contradictions);
    expect(sum(found.map(({ toAll }) => toAll))).toBeGreaterThan(10);
    expect(sum(found.map(({ toOne }) => toOne))).toBeGreaterThan(0);
  });

  test("two-faced: shows other clusters another block than its own", async () => {
    const shown = (await performances("two-faced")).flatMap((stage) =>
      invented(stage).filter(({ message }) => message.kind === "propose" || message.kind === "super-propose"),
    );
    expect(shown.length).toBeGreaterThan(0);
    for (const { message } of shown) expect("block" in message && message.block?.clusters).toEqual([1, 2]);
  });

  test("vote-all: votes and COMMITs that its replica did not cast, also against each other", async () => {
    const stages = await performances("vote-all");
    const kinds = stages.flatMap((stage) => invented(stage).map(({ message }) => message.kind));
    expect(new Set(kinds)).toEqual(new Set(["accept", "super-accept", "commit"]));
    expect(sum(stages.map((stage) => contradictions(stage).toOne))).toBeGreaterThan(0);
  });

  test("yes-man: votes in one ballot for what each of two sides proposes or votes", async () => {
    const found: number[] = [];
    for (const seed of SEEDS) {
      const stage = await Stage.create(seed, { models: ["byzantine", "byzantine"] });
      await stage.cast("c1n0", villains.equivocate);
      await stage.cast("c1n1", villains["yes-man"]);
      stage.pay(6);
      try {
        stage.pass(1000);
      } catch {
        // Two are one too many: what they said before that counts.
      }
      const own = stage.scenes.filter(({ node }) => node.name === "c1n1");
      found.push(contradictions({ ...stage, network: stage.network, scenes: own } as Stage).toAll);
    }
    expect(sum(found)).toBeGreaterThan(0);
  });

  test("liar: other slots, sequences, rounds, views, heights or roots, under its own name", async () => {
    const stages = await performances("liar");
    const words = stages.flatMap(invented);
    expect(words.length).toBeGreaterThan(100);
    for (const { message } of words) {
      const speaker = message.kind === "commit" ? message : "entry" in message ? message.entry : undefined;
      expect(speaker?.cluster).toBe(1);
    }
    expect(new Set(words.map(({ message }) => entryOf(message)?.view)).size).toBeGreaterThan(1);
  });

  test("pump: counters far up, within and beyond what others accept", async () => {
    const jumps = (await performances("pump")).flatMap((stage) => {
      const counters = (words: readonly NodeMessage[]) =>
        words.map(entryOf).flatMap((entry) => (entry === undefined ? [] : [counterOf(entry.sequence)]));
      const honest = stage.scenes.flatMap(({ honest }) => honest.flatMap((word) => messageOf(stage, word) ?? []));
      const highest = Math.max(0, ...counters(honest));
      return counters(invented(stage).map(({ message }) => message)).map((counter) => counter - highest);
    });
    expect(jumps.some((jump) => jump > 0 && jump <= limits.counterJumpMax)).toBe(true);
    expect(jumps.some((jump) => jump > limits.counterJumpMax)).toBe(true);
  });

  test("replay: nothing but what was said before, in the same bytes", async () => {
    let count = 0;
    for (const stage of await performances("replay")) {
      const text = (word: Outgoing) => Buffer.from(word.envelope).toString("latin1");
      const words = inventions(stage.scenes);
      count += words.length;
      const heard = new Set(stage.delivered.map((bytes) => Buffer.from(bytes).toString("latin1")));
      const own = new Set(stage.scenes.flatMap(({ honest }) => honest.map(text)));
      for (const word of words) expect(heard.has(text(word)) || own.has(text(word)), `seed ${stage.seed}`).toBe(true);
    }
    expect(count).toBeGreaterThan(0);
  });

  test("forge: changed anywhere, and signed with its own key", async () => {
    const kinds = new Set<string>();
    for (const stage of await performances("forge")) {
      for (const { envelope } of inventions(stage.scenes)) {
        const opened = openEnvelope(envelope);
        if (typeof opened === "string") continue;
        const { kind, body, signature } = opened;
        kinds.add(kind);
        if (signature.length === 0) continue;
        const bytes = signingBytes(stage.network.topology.networkId, carriage[kind].number, body);
        const publicKey = stage.scenes[0]?.node.info.key as PublicKey;
        expect(ed25519Verifier.verify({ bytes, signature, publicKey }), kind).toBe(true);
      }
    }
    expect(kinds.size).toBeGreaterThanOrEqual(5);
  });

  test("forge: as the primary of a new view NEW-VIEWs, which others refuse at the door and after it", async () => {
    const codes = new Set<string>();
    for (const seed of FORGED_OPENINGS) {
      const stage = await Stage.create(seed, { models: ["byzantine", "byzantine"] });
      await stage.cast("c1n1", villains.forge);
      stage.pay(6);
      stage.pass(300);
      const [first, , ...others] = stage.network.nodesOf(1);
      for (const { replica, inbox } of [first as TestNode, ...others]) {
        replica.coordinator.suspect();
        inbox.push({ kind: "tick" });
      }
      stage.pass(3000);
      const kinds = inventions(stage.scenes).map(({ envelope }) => kindOf(envelope));
      expect(kinds, `seed ${seed}`).toContain("new-view");
      for (const { rejected, notes } of stage.network.nodesOf(1)) {
        for (const { code, kind } of rejected) if (kind === "new-view") codes.add(code);
        for (const note of notes) if (note.kind === "rejected" && note.message === "new-view") codes.add(note.code);
      }
      await stage.expectAgreement();
    }
    expect([...codes].sort()).toEqual(["bad-certificate", "bad-new-view", "malformed"]);
  });

  test("misinform: RESULTs, COMMITTEDs and REPLYs that its replica did not give", async () => {
    const stages = await performances("misinform");
    const kinds = stages.flatMap(({ scenes }) => inventions(scenes).map(({ envelope }) => kindOf(envelope)));
    expect(kinds).toEqual(expect.arrayContaining(["result", "committed", "reply"]));
  });

  test("nag: questions with evidence that proves nothing", async () => {
    let unproven = 0;
    for (const stage of await performances("nag")) {
      const { topology, members } = stage.network;
      for (const { message } of invented(stage)) {
        expect(["accept-query", "fetch", "unknown"]).toContain(message.kind);
        if (message.kind !== "accept-query" || message.evidence === undefined) continue;
        const expected = { digest: message.digest, clusters: topology.clusters.map(({ id }) => id) };
        const context = { topology, members, verifier: ed25519Verifier };
        const { ok } = checkCertificate(message.evidence, context, { ...expected, holder: "byzantine" });
        if (!ok) unproven++;
      }
    }
    expect(unproven).toBeGreaterThan(20);
  });

  test("amnesia: forgets what it had made durable", async () => {
    expect(sum((await performances("amnesia")).map(({ forgotten }) => forgotten))).toBeGreaterThan(0);
  });

  test("twins: two that speak as one, and contradict each other", async () => {
    const stages = await performances("twins", [1, 2, 3, 4, 5, 6, 7, 8]);
    for (const { deeds } of stages) expect(deeds).toBeGreaterThan(0);
    expect(sum(stages.map((stage) => contradictions(stage).toAll))).toBeGreaterThan(0);
  });

  test("composite: one to three others, which change over time", () => {
    const names = SEEDS.map((seed) => villains.composite((count) => seed % count).name);
    expect(new Set(names).size).toBeGreaterThan(2);
    for (const name of names) expect(name).toMatch(/^composite \([a-z-]+(, [a-z-]+){0,2}\)$/);
  });
});

test.each(Object.entries(villains))(
  "%s bends whatever another villain has bent, and does not throw",
  async (_, make) => {
    const stage = await Stage.create(1, { models: ["byzantine"] });
    const node = stage.network.node("c1n0");
    const turn = stage.network.contextOf(node);
    const numbers = [0, 1, Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER];
    const cluster = node.ref.cluster;
    const words = numbers.flatMap((slot) =>
      numbers.flatMap((view) => {
        const sequence = sequenceOf(limits.counterMax, cluster);
        const entry: Entry = {
          cluster,
          view,
          round: 0,
          slot: slot + (slot === 0 ? 1 : 0),
          sequence,
          digest: NO_DIGEST,
        };
        const point = { slot: entry.slot, height: view, sequence, finalSequence: sequence };
        const messages: readonly NodeMessage[] = [
          { kind: "accept", entry, node: 0 },
          { kind: "super-accept", entry: { ...entry, round: 1 }, node: 0, previous: sequence, block: undefined },
          { kind: "commit", cluster, node: 0, digest: NO_DIGEST, entries: [entry] },
          { kind: "checkpoint", cluster, node: 0, ...point, record: NO_DIGEST, state: NO_DIGEST },
        ];
        return messages.map((message) => ({ message, envelope: seal(message, turn).envelope }));
      }),
    );
    const villain = make(stage.draw);
    const [world, to] = [stage.world(), stage.network.node("c1n1").info.key];
    const context = { world, node: world.nodes[0] as SimNode, turn, below: stage.draw };
    for (const { message, envelope } of words) {
      villain.hear?.(
        { kind: "message", verified: { from: node.ref, message, signed: undefined } as Verified },
        context,
      );
      for (const each of villain.bend?.([{ to, envelope }], context) ?? []) {
        expect(typeof openEnvelope(each.envelope)).toBe("object");
      }
    }
  },
);

test.each(Object.entries(villains))("the same seed makes %s say the same again", async (_, make) => {
  const digest = async () => {
    const hash = createHash("sha256");
    for (const { bent } of (await play(make, 7, 1)).scenes) {
      for (const { to, envelope, delay } of bent) hash.update(`${to} ${delay} `).update(envelope);
    }
    return hash.digest("hex");
  };
  expect(await digest()).toBe(await digest());
});
