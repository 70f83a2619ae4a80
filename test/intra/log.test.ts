// The voting rules that both engines share (protocol 2, 2.3, 3.1), asked of one node's log alone.

import { describe, expect, test } from "vitest";
import { Log } from "../../src/intra/log.js";
import {
  type ClusterId,
  counterOf,
  type Digest,
  type Entry,
  NO_SEQUENCE,
  type Sequence,
  sequenceOf,
} from "../../src/types/ids.js";
import { limits } from "../../src/types/limits.js";

const ONE = 1 as ClusterId;
const TWO = 2 as ClusterId;
const NO_OP = "00".repeat(32) as Digest;
const certificate = { cluster: 1, commits: [] };

function stableAt(slot: number, sequence: Sequence) {
  return { slot, sequence, certificate };
}

function digest(name: string): Digest {
  return name.charCodeAt(0).toString(16).repeat(32) as Digest;
}

function entryOf(slot: number, counter: number, name: string, round: 0 | 1 = 1): Entry {
  return {
    cluster: ONE,
    view: 0,
    round,
    slot,
    sequence: sequenceOf(counter, ONE),
    digest: name === "" ? NO_OP : digest(name),
  };
}

/** A log with these entries accepted in round 1. */
function logOf(...accepted: readonly Entry[]): Log {
  const log = new Log({ cluster: ONE, noOp: NO_OP });
  for (const entry of accepted) accept(log, entry);
  return log;
}

function accept(log: Log, entry: Entry): void {
  const state = slotOf(log, entry.slot);
  log.choose(state, entry);
  log.accept(state, entry);
}

function decide(log: Log, entry: Entry): boolean {
  return log.decide(slotOf(log, entry.slot), { entry, certificate });
}

function slotOf(log: Log, slot: number) {
  const state = log.slot(slot);
  if (state === undefined) throw new Error(`no slot ${slot}`);
  return state;
}

describe("sequences (2)", () => {
  test("a new counter is one more than the slot before's and than known finals'", () => {
    const log = logOf();
    expect(log.nextSequence(sequenceOf(5, ONE), NO_SEQUENCE)).toBe(sequenceOf(6, ONE));
    log.learnFinal(sequenceOf(20, TWO));
    expect(log.nextSequence(sequenceOf(5, ONE), NO_SEQUENCE)).toBe(sequenceOf(21, ONE));
    log.learnFinal(sequenceOf(10, TWO));
    expect(log.nextSequence(sequenceOf(5, ONE), NO_SEQUENCE)).toBe(sequenceOf(21, ONE));
  });

  test("a primary chooses above its own choices also after what a later view decided below them", () => {
    const log = logOf(entryOf(1, 7, "a"), entryOf(2, 8, "b"));
    decide(log, { ...entryOf(3, 5, "c"), view: 2 });
    expect(log.lastChoice).toEqual({ slot: 3, sequence: sequenceOf(8, ONE) });
    log.forget(stableAt(4, sequenceOf(6, ONE)));
    expect(log.lastChoice).toEqual({ slot: 4, sequence: sequenceOf(8, ONE) });
    decide(log, { ...entryOf(5, 9, "d"), view: 2 });
    expect(log.lastChoice).toEqual({ slot: 5, sequence: sequenceOf(9, ONE) });
  });

  test("the initiator's counter counts as long as it is within the allowed jump", () => {
    const log = logOf();
    const previous = sequenceOf(5, ONE);
    const allowed = 5 + limits.counterJumpMax;
    expect(log.nextSequence(previous, sequenceOf(allowed, TWO))).toBe(sequenceOf(allowed + 1, ONE));
    expect(log.nextSequence(previous, sequenceOf(allowed + 1, TWO))).toBe(sequenceOf(6, ONE));
  });

  test("backups take a counter up to 1,024 above what it should be, or what a final justifies", () => {
    const log = logOf();
    const largest = 1 + 5 + limits.counterJumpMax;
    const previous = sequenceOf(5, ONE);
    expect(log.isJustified(entryOf(2, largest, "a"), previous)).toBe(true);
    expect(log.isJustified(entryOf(2, largest + 1, "a"), previous)).toBe(false);
    expect(log.isJustified(entryOf(2, 5, "a"), previous)).toBe(false);
    log.learnFinal(sequenceOf(50, TWO));
    expect(log.isJustified(entryOf(2, largest + 45, "a"), previous)).toBe(true);
    expect(log.isJustified(entryOf(2, largest + 46, "a"), previous)).toBe(false);
  });

  test("a counter is never above what a number can hold exactly", () => {
    expect(() => logOf().nextSequence(sequenceOf(limits.counterMax, ONE), NO_SEQUENCE)).toThrow("is beyond");
  });

  test("a clock no-op is due only while a known final lies above the slot before", () => {
    const log = logOf(entryOf(1, 4, "a"));
    expect(log.isNoOpDue(sequenceOf(4, ONE))).toBe(false);
    log.learnFinal(sequenceOf(4, TWO));
    expect(log.isNoOpDue(sequenceOf(4, ONE))).toBe(true);
    expect(log.isNoOpDue(sequenceOf(5, ONE))).toBe(false);
  });

  test("the slot before is known from the primary's choice or its decision, never from one's own round-0 accept", () => {
    const log = logOf();
    expect(log.previous(1)).toBe(NO_SEQUENCE);
    log.selfAssign(digest("a"), NO_SEQUENCE);
    expect(log.previous(2)).toBeUndefined();
    log.choose(slotOf(log, 1), entryOf(1, 3, "b", 0));
    expect(log.previous(2)).toBe(sequenceOf(3, ONE));
    expect(log.previous(3)).toBeUndefined();
    decide(log, entryOf(2, 9, "c"));
    expect(log.previous(3)).toBe(sequenceOf(9, ONE));
  });
});

describe("conflicts (2, 2.3)", () => {
  const log = logOf(entryOf(2, 10, "b"), entryOf(4, 20, "d"));
  test.each<[string, Entry, string | undefined]>([
    ["the same again", entryOf(2, 10, "b"), undefined],
    ["the same in another ballot", { ...entryOf(2, 10, "b"), view: 1 }, undefined],
    ["the slot with another sequence", entryOf(2, 11, "b"), "conflict"],
    ["the slot with another digest", entryOf(2, 10, "x"), "conflict"],
    ["the block in another slot", entryOf(3, 15, "b"), "conflict"],
    ["a free slot in between, in order", entryOf(3, 15, "c"), undefined],
    ["a sequence below that of the lower slot", entryOf(3, 9, "c"), "conflict"],
    ["a sequence above that of the higher slot", entryOf(3, 21, "c"), "conflict"],
    ["the sequence of the lower slot", entryOf(3, 10, "c"), "conflict"],
    ["the sequence of the lower slot, for a no-op", entryOf(3, 10, ""), undefined],
    ["the sequence of the higher slot", entryOf(3, 20, "c"), "conflict"],
    ["below everything", entryOf(1, 9, "a"), undefined],
    ["below everything, with too great a sequence", entryOf(1, 10, "a"), "conflict"],
    ["above everything", entryOf(9, 21, "z"), undefined],
    ["above everything, with too small a sequence", entryOf(9, 20, "z"), "conflict"],
    ["far beyond", entryOf(limits.slotsAheadMax + 1, 99, "z"), "over-limit"],
  ])("%s", (_, entry, expected) => {
    expect(log.refusal(entry)).toBe(expected);
    expect(log.contradicts(entry)).toBe(expected !== undefined);
  });

  test("with decided and prepared entries as with accepted ones", () => {
    const decided = logOf();
    decide(decided, entryOf(2, 10, "b"));
    const prepared = logOf();
    prepared.prepare(slotOf(prepared, 2), entryOf(2, 10, "b", 0), []);
    for (const each of [decided, prepared]) {
      expect(each.refusal(entryOf(2, 10, "b"))).toBeUndefined();
      expect(each.refusal(entryOf(2, 10, "x"))).toBe("conflict");
      expect(each.refusal(entryOf(3, 11, "b"))).toBe("conflict");
      expect(each.refusal(entryOf(3, 10, "c"))).toBe("conflict");
      expect(each.refusal(entryOf(1, 11, "a"))).toBe("conflict");
    }
  });

  test("not with a node's own round-0 accept, which a round-1 entry replaces", () => {
    const own = logOf();
    own.selfAssign(digest("a"), NO_SEQUENCE);
    expect(own.refusal(entryOf(1, 5, "b"))).toBeUndefined();
    accept(own, entryOf(1, 5, "b"));
    expect(own.contradicts({ ...entryOf(1, 1, "a"), round: 0 })).toBe(true);
  });

  test("a higher no-op may have the sequence of a lower entry that comes later", () => {
    const log = logOf(entryOf(2, 10, ""));
    expect(log.refusal(entryOf(1, 10, "a"))).toBeUndefined();
  });

  test("no-ops of one log are one block and may be in many slots", () => {
    const log = logOf(entryOf(1, 1, ""), entryOf(2, 2, ""));
    expect(log.refusal(entryOf(3, 3, ""))).toBeUndefined();
  });

  test("a slot is never decided twice differently", () => {
    const log = logOf();
    expect(decide(log, entryOf(1, 1, "a"))).toBe(true);
    expect(decide(log, { ...entryOf(1, 1, "a"), view: 3 })).toBe(false);
    expect(() => decide(log, entryOf(1, 1, "b"))).toThrow("decided twice");
  });
});

describe("self-assignment (3, 3.1)", () => {
  test("takes the slot after all that is known, and no gap", () => {
    const log = logOf(entryOf(1, 1, "a"));
    expect(log.selfAssign(digest("b"), NO_SEQUENCE)?.entry).toMatchObject({ slot: 2, round: 0 });
    expect(log.selfAssign(digest("c"), NO_SEQUENCE)?.entry.slot).toBe(3);
    accept(log, entryOf(7, 50, "d"));
    expect(log.selfAssign(digest("e"), NO_SEQUENCE)?.entry.slot).toBe(8);
  });

  test("exceeds the counters of all its own round-0 accepts, displaced ones counted [M]", () => {
    const log = logOf();
    const first = log.selfAssign(digest("a"), sequenceOf(500, TWO))?.entry as Entry;
    expect(counterOf(first.sequence)).toBe(501);
    // The primary has given the slot to another block, with a small sequence.
    accept(log, entryOf(1, 3, "b"));
    const second = log.selfAssign(digest("c"), NO_SEQUENCE)?.entry as Entry;
    expect(second).toMatchObject({ slot: 2 });
    expect(second.sequence).toBeGreaterThan(first.sequence);
  });

  test("is remembered by block, and is what may be said again", () => {
    const log = logOf();
    const { entry } = log.selfAssign(digest("a"), NO_SEQUENCE) as { entry: Entry };
    expect(log.selfPlaced(digest("a"))).toEqual(entry);
    expect(log.acceptOf(digest("a"))).toEqual(entry);
    expect(log.placed(digest("a"))).toBeUndefined();
  });

  test("others' decisions are not a node's own accepts", () => {
    const log = logOf();
    const { entry } = log.selfAssign(digest("a"), NO_SEQUENCE) as { entry: Entry };
    log.prepare(slotOf(log, 5), entryOf(5, 90, "a", 0), []);
    decide(log, entryOf(6, 91, "b"));
    expect(log.acceptOf(digest("a"))).toEqual(entry);
    expect(log.acceptOf(digest("b"))).toBeUndefined();
    expect(log.isDecided(digest("b"))).toBe(true);
    expect(log.isDecided(digest("a"))).toBe(false);
    accept(log, entryOf(7, 92, "c"));
    expect(log.acceptOf(digest("c"))).toEqual(entryOf(7, 92, "c"));
  });

  test("ends where the log may not reach", () => {
    const log = logOf(entryOf(limits.slotsAheadMax, 9, "a"));
    expect(log.selfAssign(digest("b"), NO_SEQUENCE)).toBeUndefined();
  });
});

describe("frontier, window and forgetting (2, 6)", () => {
  test("the frontier is the end of the decided prefix", () => {
    const log = logOf();
    decide(log, entryOf(2, 2, "b"));
    expect(log.frontier).toEqual({ slot: 0, sequence: NO_SEQUENCE });
    decide(log, entryOf(1, 1, "a"));
    expect(log.frontier).toEqual({ slot: 2, sequence: sequenceOf(2, ONE) });
  });

  test("the window bounds the primary's own blocks above the stable checkpoint", () => {
    const log = logOf(entryOf(limits.windowSlots - 1, 1, "a"));
    expect(log.hasRoom).toBe(true);
    accept(log, entryOf(limits.windowSlots, 2, "b"));
    expect(log.hasRoom).toBe(false);
    log.forget(stableAt(10, sequenceOf(1, ONE)));
    expect(log.hasRoom).toBe(true);
  });

  test("what is below a stable checkpoint is gone, and what is above stands on it", () => {
    const log = logOf();
    for (let slot = 1; slot <= 5; slot++) decide(log, entryOf(slot, slot * 10, String.fromCharCode(96 + slot)));
    expect(log.forget(stableAt(3, sequenceOf(30, ONE)))).toEqual([1, 2, 3]);
    expect(log.slot(3)).toBeUndefined();
    expect(log.placed(digest("c"))).toBeUndefined();
    expect(log.placed(digest("d"))?.slot).toBe(4);
    expect(log.previous(4)).toBe(sequenceOf(30, ONE));
    expect(log.frontier.slot).toBe(5);
    expect(log.forget(stableAt(2, sequenceOf(20, ONE)))).toEqual([]);
    expect(log.refusal(entryOf(6, 51, "f"))).toBeUndefined();
    expect(log.refusal(entryOf(6, 50, "f"))).toBe("conflict");
  });

  test("a checkpoint above all that is known moves everything behind it", () => {
    const log = logOf(entryOf(1, 1, "a"));
    log.forget(stableAt(64, sequenceOf(100, ONE)));
    expect(log.frontier).toEqual({ slot: 64, sequence: sequenceOf(100, ONE) });
    expect(log.lastChoice).toEqual({ slot: 64, sequence: sequenceOf(100, ONE) });
    expect(log.selfAssign(digest("b"), NO_SEQUENCE)?.entry).toMatchObject({ slot: 65, sequence: sequenceOf(101, ONE) });
  });

  // A slot that still waits for its quorum may hold it.
  test("the no-op is never forgotten", () => {
    const log = logOf(entryOf(1, 1, ""), entryOf(2, 2, ""));
    decide(log, entryOf(1, 1, ""));
    log.forget(stableAt(1, sequenceOf(1, ONE)));
    expect(log.body(NO_OP)).toEqual({ clusters: [ONE], noOp: true });
  });

  test("P of a forgotten block is gone, that of a block in a later slot stays", () => {
    const log = logOf(entryOf(1, 1, "a"), entryOf(2, 2, "b"));
    for (const name of ["a", "b"]) log.learnBody(digest(name), { clusters: [ONE, TWO], noOp: false });
    log.forget(stableAt(1, sequenceOf(1, ONE)));
    expect(log.body(digest("a"))).toBeUndefined();
    expect(log.body(digest("b"))?.clusters).toEqual([ONE, TWO]);
  });
});
