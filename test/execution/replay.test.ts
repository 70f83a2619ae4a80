import { expect, test } from "vitest";
import { replayer } from "../../src/execution/replay.js";
import type { Block } from "../../src/types/block.js";
import { type ResultCode, resultNumber } from "../../src/types/codes.js";
import { type ClusterId, NO_SEQUENCE } from "../../src/types/ids.js";
import { blockOf, codes, NOON, ONE, pay, request, THREE, TWO, worldOf } from "./world.js";

const { topology, members } = worldOf({ clusters: 3 });

function replayOne(cluster: ClusterId, block: Block, recorded: readonly ResultCode[] | Uint8Array) {
  const replay = replayer(topology, members, cluster);
  const results = recorded instanceof Uint8Array ? recorded : Uint8Array.from(recorded, resultNumber);
  const reason = replay.apply(block, { height: 1, time: NOON, finalSequence: NO_SEQUENCE, results });
  return { replay, reason };
}

const intra = blockOf([request([pay({ a0: 10 }, { a1: 10 })])]);
const cross = blockOf([request([pay({ a0: 999, b0: 10 }, { c0: 1009 })])]);

test("a right record is applied, and own verdicts are told", () => {
  const { replay, reason } = replayOne(ONE, cross, ["insufficient-funds"]);
  expect(reason).toBeUndefined();
  expect(codes(replay.verdicts())).toEqual(["insufficient-funds"]);
  expect([...replay.accounts()].map(({ balance }) => balance)).toEqual([100n, 100n]);
});

test("what one cluster alone judges must be recorded as it finds", () => {
  expect(replayOne(ONE, intra, ["insufficient-funds"]).reason).toBe(
    "operation 0: insufficient-funds is recorded, cluster 1 finds ok",
  );
});

test("what one validator refuses cannot be recorded as ok", () => {
  expect(replayOne(ONE, cross, ["ok"]).reason).toBe("operation 0: ok is recorded, cluster 1 finds insufficient-funds");
});

test("the lowest validator's refusal is the result; a higher one's may be covered by a lower one's", () => {
  expect(replayOne(ONE, cross, ["not-owner"]).reason).toContain("not-owner is recorded");
  const both = blockOf([request([pay({ a0: 10, b0: 999 }, { c0: 1009 })])]);
  expect(replayOne(TWO, both, ["not-owner"]).reason).toBeUndefined();
  expect(replayOne(TWO, both, ["ok"]).reason).toContain("ok is recorded");
  expect(replayOne(THREE, both, ["not-owner"]).reason).toBeUndefined();
});

test("a count that is off, an unknown code and a bare 'foreign' are found", () => {
  expect(replayOne(ONE, intra, ["ok", "ok"]).reason).toBe("2 results recorded for 1 operations");
  expect(replayOne(THREE, cross, Uint8Array.of(77)).reason).toContain("the unknown code 77");
  expect(replayOne(THREE, cross, ["foreign"]).reason).toContain("foreign is recorded");
});
