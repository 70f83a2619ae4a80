// Protocol 9, scenario 10: two rounds of one view that decide one block at two slots, one slot at two sequences, or one
// slot for two blocks. Accepts of round 0 are slow, the primary turns to round 1, and then the quorums of both rounds
// complete.

import { describe, expect, test, vi } from "vitest";
import { Log } from "../../../src/intra/log.js";
import { Ordering } from "../../../src/intra/ordering.js";
import type { SlotState } from "../../../src/intra/slot.js";
import { type Entry, NO_SEQUENCE } from "../../../src/types/ids.js";
import { nextEntry, paymentBlock } from "../../support/forge.js";
import type { Packet } from "../../support/network.js";
import { expectViolated, hold, restoreRules, SOUND, scenario, speakAs, timeOut, wait } from "./scenario.js";

/** Round 1 is assigned as if there had been no round 0: in the next free slot, or in the same with the next counter. */
function assignAnew(where: "next slot" | "same slot"): void {
  const { choose, accept } = Log.prototype;
  const { assign } = Ordering.prototype;
  const moved = new Map<SlotState, { readonly state: SlotState; readonly entry: Entry }>();
  vi.spyOn(Log.prototype, "choose").mockImplementation(function (this: Log, state, entry) {
    const before = state.choice;
    const isTurned = entry.round === 1 && before?.round === 0 && before.digest === entry.digest;
    if (!isTurned) return choose.call(this, state, entry);
    const slot = where === "same slot" ? entry.slot : this.lastChoice.slot + 1;
    const sequence = this.nextSequence(this.lastChoice.sequence, entry.sequence);
    const anew = { state: this.slot(slot) as SlotState, entry: { ...entry, slot, sequence } };
    moved.set(state, anew);
    choose.call(this, anew.state, anew.entry);
    // What is sent is read from here.
    state.choice = anew.entry;
  });
  vi.spyOn(Log.prototype, "accept").mockImplementation(function (this: Log, state, entry) {
    const anew = moved.get(state);
    if (anew?.entry.digest === entry.digest) accept.call(this, anew.state, anew.entry);
    else accept.call(this, state, entry);
  });
  vi.spyOn(Ordering.prototype, "assign").mockImplementation(function (this: Ordering, step, slot) {
    assign.call(this, step, slot);
    for (const { state } of moved.values()) step.changed.add(state.slot);
  });
}

/** A round-0 quorum is a quorum, whatever this node accepted in round 1. */
function commitBoth(): void {
  vi.spyOn(Log.prototype, "contradicts").mockImplementation(() => false);
}

restoreRules();

describe("10. two rounds of one view, crash", () => {
  // The accepts of round 0 reach neither primary until cluster 2's has turned to round 1 and decided in it.
  const run = () =>
    scenario({ models: ["crash", "crash"] }, (network) => {
      const slow = hold(network, ({ sender, receiver, kind }) => {
        if (kind === "accept" && sender.startsWith("c2")) return true;
        return kind === "super-accept" && receiver === "c1n0";
      });
      const commits = hold(network, ({ sender, kind }) => kind === "commit" && sender === "c2n0");
      network.pay(1, 2);
      network.settle();
      timeOut(network, "c2n0", 1000);
      network.settle();
      slow.release();
      network.settle();
      commits.release();
      wait(network, 20);
    });

  test("one block at two slots, if round 1 takes the next free slot", async () => {
    assignAnew("next slot");
    expectViolated(await run(), "I1");
  });

  test("one slot at two sequences, if round 1 takes the next counter", async () => {
    assignAnew("same slot");
    expectViolated(await run(), "I1");
  });

  test("round 1 is the same slot and sequence", async () => {
    expect(await run()).toEqual(SOUND);
  });
});

describe("10. two rounds of one view, byzantine", () => {
  // The primary accepts X in round 0, as all others do, and proposes Y for the same slot in round 1.
  const run = () =>
    scenario({ models: ["byzantine", "byzantine"], liar: "c1n0" }, (network) => {
      const ofCluster1 = ({ sender, kind }: Packet) => sender.startsWith("c1") && kind === "accept";
      let round = 0;
      const first = hold(network, (packet) => round === 0 && ofCluster1(packet));
      network.pay(2, 1);
      network.settle();
      round = 1;
      const second = hold(network, ofCluster1);
      const block = paymentBlock(network, 1);
      const entry = nextEntry(network, 1, block.digest, { slot: 1 });
      const lie = { from: "c1n0", to: ["c1n1", "c1n2", "c1n3"] };
      speakAs(network, { ...lie, message: { kind: "propose", entry, node: 0, previous: NO_SEQUENCE, block } });
      speakAs(network, { ...lie, message: { kind: "accept", entry, node: 0 } });
      network.settle();
      const commits = hold(network, ({ receiver, kind }) => receiver.startsWith("c1") && kind === "commit");
      first.release();
      network.settle();
      second.release();
      network.settle();
      // One node hears last what the others hear first.
      network.pick = (packets) =>
        Math.max(
          0,
          packets.findLastIndex(({ receiver }) => receiver === "c1n2"),
        );
      commits.release();
      network.settle();
      network.pick = () => 0;
      wait(network, 60);
    });

  test("one slot for two blocks, if a node commits in round 0 what it contradicted in round 1", async () => {
    commitBoth();
    expectViolated(await run(), "I1");
  });

  test("a node commits nothing that its accept in round 1 contradicts", async () => {
    expect(await run()).toEqual(SOUND);
  });
});
