// What a node of a byzantine cluster can do with its own key (protocol 2, 2.3, 3.1, 6): say two things, claim counters
// that nothing justifies, vote where there is nothing, flood what others count. None of it stops a correct node, fills
// its memory, or gets two things decided.

import { describe, expect, test } from "vitest";
import { type ClusterId, type Digest, type Entry, sequenceOf } from "../../src/types/ids.js";
import { limits } from "../../src/types/limits.js";
import type { Checkpoint, Propose } from "../../src/types/message.js";
import { commitOf, injectAs, nextEntry, paymentBlock, proposal, sealAs } from "../support/forge.js";
import { expectConsistent } from "../support/inspect.js";
import { type Packet, TestNetwork } from "../support/network.js";

const digestOf = (i: number) => i.toString(16).padStart(64, "0") as Digest;

async function byzantine(clusters = 1): Promise<TestNetwork> {
  const network = await TestNetwork.create({ models: Array(clusters).fill("byzantine") });
  network.pay(1);
  network.settle();
  return network;
}

/** Says it to everyone of cluster 1 but the liar. */
function tell(network: TestNetwork, from: string, message: Parameters<typeof sealAs>[2]): void {
  const bytes = sealAs(network, from, message);
  for (const { info, name } of network.nodesOf(1)) {
    if (name !== from) network.post(network.node(from).info.key, info.key, bytes);
  }
}

function codesOf(network: TestNetwork, name: string): readonly string[] {
  return network.node(name).notes.flatMap((note) => (note.kind === "rejected" ? [note.code] : []));
}

describe("an equivocating primary", () => {
  test.each([
    ["one node against two", ["a", "b", "b"]],
    ["two nodes against one", ["a", "a", "b"]],
    ["both to everyone", ["ab", "ba", "ab"]],
  ])("gets at most one of two proposals for a slot decided: %s", async (_, split) => {
    const network = await byzantine();
    const blocks = { a: paymentBlock(network, 1), b: paymentBlock(network, 1) };
    const { sequence: previous } = network.node("c1n0").replica.coordinator.engine.frontier;
    const entries = { a: nextEntry(network, 1, blocks.a.digest), b: nextEntry(network, 1, blocks.b.digest) };
    split.forEach((names, i) => {
      for (const name of names as Iterable<"a" | "b">) {
        const message: Propose = { kind: "propose", entry: entries[name], node: 0, previous, block: blocks[name] };
        const bytes = sealAs(network, "c1n0", message);
        network.post(network.node("c1n0").info.key, network.node(`c1n${i + 1}`).info.key, bytes);
        // It also votes for both.
        tell(network, "c1n0", { kind: "accept", entry: entries[name], node: 0 });
      }
    });
    network.drop = ({ receiver }) => receiver === "c1n0";
    for (let i = 0; i < 10; i++) network.advance(1000);
    const decisions = ["c1n1", "c1n2", "c1n3"].map((name) => {
      const decided = network.node(name).replica.coordinator.engine.decisionAt(entries.a.slot);
      return decided?.entry.digest;
    });
    expect(new Set(decisions.filter((digest) => digest !== undefined)).size).toBeLessThanOrEqual(1);
    expect(["c1n1", "c1n2", "c1n3"].flatMap((name) => codesOf(network, name))).toContain("conflict");
  });

  test("is refused a second proposal for a slot by a node that accepted the first", async () => {
    const network = await byzantine();
    const [first, second] = [paymentBlock(network, 1), paymentBlock(network, 1)];
    const entry = nextEntry(network, 1, first.digest);
    const before = proposal(network, second, { ...entry, digest: second.digest });
    await injectAs(network, "c1n0", "c1n1", proposal(network, first, entry));
    await injectAs(network, "c1n0", "c1n1", before);
    expect(codesOf(network, "c1n1")).toEqual(["conflict"]);
    expect(network.node("c1n1").replica.coordinator.engine.entryOf(second.digest)).toBeUndefined();
  });
});

describe("double votes", () => {
  test("only a node's first vote in a ballot counts, and the second is counted as a conflict", async () => {
    const network = await byzantine();
    const [first, second] = [nextEntry(network, 1, digestOf(1)), nextEntry(network, 1, digestOf(2))];
    for (const [one, two] of [
      [{ kind: "accept", entry: first, node: 3 } as const, { kind: "accept", entry: second, node: 3 } as const],
      [commitOf(first, 3), commitOf(second, 3)],
    ] as const) {
      const { codes } = await injectAs(network, "c1n3", "c1n1", one);
      const again = await injectAs(network, "c1n3", "c1n1", two);
      expect([codes, again]).toEqual([[], { codes: ["conflict"], changed: false }]);
    }
  });
});

describe("counters", () => {
  test("counter-jump: a proposal whose counter nothing justifies gets no vote", async () => {
    const network = await byzantine();
    const block = paymentBlock(network, 1);
    const sequence = sequenceOf(3 + limits.counterJumpMax, 1 as ClusterId);
    const message = proposal(network, block, nextEntry(network, 1, block.digest, { sequence }));
    expect((await injectAs(network, "c1n0", "c1n1", message)).codes).toEqual(["counter-jump"]);
    expect(network.node("c1n1").replica.coordinator.engine.entryOf(block.digest)).toBeUndefined();
  });

  test("the largest allowed jump is accepted", async () => {
    const network = await byzantine();
    const block = paymentBlock(network, 1);
    const sequence = sequenceOf(2 + limits.counterJumpMax, 1 as ClusterId);
    const message = proposal(network, block, nextEntry(network, 1, block.digest, { sequence }));
    expect((await injectAs(network, "c1n0", "c1n1", message)).codes).toEqual([]);
    expect(network.node("c1n1").replica.coordinator.engine.entryOf(block.digest)?.sequence).toBe(sequence);
  });

  // Counters that others take from it would soon be at their end (protocol 9, scenario 7).
  test("a primary's round-0 accept with an unjustified counter moves nobody's counter", async () => {
    const network = await byzantine(2);
    const sequence = sequenceOf(limits.counterMax, 1 as ClusterId);
    for (const slot of [2, 3]) {
      const entry = nextEntry(network, 1, digestOf(slot), { round: 0, sequence, slot });
      tell(network, "c1n0", { kind: "accept", entry, node: 0 });
    }
    network.settle();
    // A block of another cluster: the backups now assign counters of their own.
    network.pay(2, 1);
    network.settle();
    for (const name of ["c1n1", "c1n2", "c1n3"]) {
      const { engine } = network.node(name).replica.coordinator;
      expect(engine.lastSequence).toBeLessThan(sequenceOf(10, 1 as ClusterId));
    }
  });
});

describe("floods", () => {
  test("checkpoints for slots that do not exist keep nobody from a stable one", async () => {
    const network = await byzantine();
    for (let i = 1; i <= 200; i++) {
      const checkpoint: Checkpoint = {
        kind: "checkpoint",
        cluster: 1 as ClusterId,
        node: 3,
        slot: 1_000_000 + i,
        sequence: sequenceOf(i, 1 as ClusterId),
        height: i,
        record: digestOf(i),
        finalSequence: sequenceOf(i, 1 as ClusterId),
        state: digestOf(i),
      };
      tell(network, "c1n3", checkpoint);
    }
    network.settle();
    for (let i = 0; i < limits.checkpointSlots + 5; i++) {
      network.pay(1);
      network.settle();
    }
    for (const { notes } of network.nodesOf(1)) {
      expect(notes.flatMap((note) => (note.kind === "stable" ? [note.slot] : []))).toEqual([limits.checkpointSlots]);
    }
  });

  test("thousands of proposals that wait for one, and then that one, are taken one after the other", async () => {
    const network = await byzantine();
    const count = 4000;
    const block = paymentBlock(network, 1);
    const first = nextEntry(network, 1, block.digest);
    const messages: Propose[] = [];
    let previous = network.node("c1n1").replica.coordinator.engine.frontier.sequence;
    for (let i = 0; i < count; i++) {
      const entry: Entry = { ...first, slot: first.slot + i, sequence: sequenceOf(2 + i, 1 as ClusterId) };
      const own = { ...block, ...(i === 0 ? {} : paymentBlock(network, 1)) };
      messages.push({ kind: "propose", entry: { ...entry, digest: own.digest }, node: 0, previous, block: own });
      previous = entry.sequence;
    }
    const { info } = network.node("c1n1");
    network.drop = ({ sender }) => sender === "c1n1";
    for (const message of [...messages.slice(1), messages[0] as Propose]) {
      network.post(network.node("c1n0").info.key, info.key, sealAs(network, "c1n0", message));
    }
    network.settle();
    expect(
      network.node("c1n1").replica.coordinator.engine.entryOf(messages.at(-1)?.entry.digest as Digest),
    ).toBeDefined();
  });

  test("a node that asks and asks is answered so often in a turn, and others are answered as well", async () => {
    const network = await byzantine();
    const node = network.node("c1n0");
    const digest = node.replica.coordinator.engine.digestAt(1) as Digest;
    for (const [from, times] of [
      ["c1n1", 10 * limits.queriesPerTurnMax],
      ["c1n2", 1],
    ] as const) {
      for (let i = 0; i < times; i++) {
        const event = node.ingress.open(network.node(from).info.key, sealAs(network, from, { kind: "fetch", digest }));
        if (event !== undefined) node.inbox.push(event);
      }
    }
    network.turns(node);
    const answers = network.packets.filter(({ kind }) => kind === "chunk").map(({ receiver }) => receiver);
    expect(answers.filter((receiver) => receiver === "c1n1")).toHaveLength(limits.queriesPerTurnMax);
    expect(answers.filter((receiver) => receiver === "c1n2")).toHaveLength(1);
  });

  test("over-limit: a proposal for a slot that is much too far ahead", async () => {
    const network = await byzantine();
    const block = paymentBlock(network, 1);
    const entry = nextEntry(network, 1, block.digest, { slot: limits.slotsAheadMax + 10 });
    expect((await injectAs(network, "c1n0", "c1n1", proposal(network, block, entry))).codes).toEqual(["over-limit"]);
  });

  test("COMMITs about blocks that nobody knows push out each other, and not what counts", async () => {
    const network = await byzantine(2);
    const { coordinator } = network.node("c1n1").replica;
    const signed = { body: new Uint8Array(1), signature: new Uint8Array(64) };
    for (let i = 0; i < limits.remoteVotesMax + 100; i++) {
      const message = commitOf(nextEntry(network, 2, digestOf(i)), 3);
      coordinator.onCommit({ from: { cluster: 2 as ClusterId, node: 3 }, message, signed });
    }
    expect(coordinator.decisions.strangers).toBe(limits.remoteVotesMax);
    // All COMMITs about the next block come before the block itself.
    network.pick = (packets) => {
      const late = ({ receiver, kind }: Packet) => receiver === "c1n1" && kind === "propose";
      return Math.max(
        0,
        packets.findIndex((packet) => !late(packet)),
      );
    };
    network.pay(2, 1);
    network.settle();
    expect(network.node("c1n1").replica.height).toBe(2);
    await expectConsistent(network, "after the flood");
  });
});
