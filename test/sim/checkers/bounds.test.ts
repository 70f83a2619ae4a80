// I11: what the checker of bounds reports, and what it lets pass.

import { describe, expect, test } from "vitest";
import { checkpointKey } from "../../../src/ledger/keys.js";
import { makeBounds } from "../../../src/sim/checkers/bounds.js";
import type { ClusterId } from "../../../src/types/ids.js";
import { limits } from "../../../src/types/limits.js";
import { certificateSchema } from "../../../src/types/schema.js";
import { signedOf } from "../../support/forge.js";
import { type BentOptions, reasonsOf } from "./bent.js";
import { Drawn, digestOf, entryOf, slotRow } from "./drawn.js";

describe("I11, bounds", () => {
  test.each<BentOptions>([{}, { models: ["byzantine", "crash"] }])("are kept in a real run %#", async (options) => {
    expect(await reasonsOf(makeBounds, options)).toEqual([]);
  });

  test("more messages to one node in a turn than a frame holds", async () => {
    const drawn = await Drawn.create(makeBounds);
    const accept = { kind: "accept", entry: entryOf(1), node: 0 } as const;
    drawn.turn("c1n0", { says: [accept], times: limits.frameMessagesMax });
    expect(drawn.watched.violations).toEqual([]);
    drawn.turn("c1n0", { says: [accept], times: limits.frameMessagesMax + 1 });
    expect(drawn.reasons()).toEqual([expect.stringMatching(/^I11 c1n0 sends 4097 messages to \w+ in one turn/)]);
  });

  test("slots beyond what the stable checkpoint allows", async () => {
    const drawn = await Drawn.create(makeBounds);
    drawn.turn("c1n0", { persist: [slotRow(limits.slotsAheadMax, { accepted: entryOf(limits.slotsAheadMax) })] });
    expect(drawn.watched.violations).toEqual([]);
    const beyond = limits.slotsAheadMax + 1;
    drawn.turn("c1n0", { persist: [slotRow(beyond, { accepted: entryOf(beyond) })] });
    expect(drawn.reasons()).toEqual(["I11 c1n0 keeps slot 4097, its stable checkpoint is at 0"]);
  });

  test("more slots than may ever be kept, counted over restarts", async () => {
    const drawn = await Drawn.create(makeBounds);
    const { sequence } = entryOf(1);
    const facts = { height: 1, record: digestOf(1), finalSequence: sequence, state: digestOf(2) };
    const checkpoint = {
      kind: "checkpoint",
      cluster: 1 as ClusterId,
      node: 0,
      slot: 9000,
      sequence,
      ...facts,
    } as const;
    const commits = [signedOf(drawn.network, "c1n0", checkpoint)];
    drawn.turn("c1n0", {
      persist: [{ key: checkpointKey(), value: certificateSchema.encode({ cluster: 1, commits }) }],
    });
    const rows = (from: number, count: number) =>
      Array.from({ length: count }, (_, i) => slotRow(from + i, { accepted: entryOf(from + i) }));
    const max = limits.slotsAheadMax + limits.windowSlots;
    drawn.turn("c1n0", { persist: rows(1, 1000) });
    drawn.restart("c1n0");
    drawn.turn("c1n0", { persist: [...rows(500, max - 499), { ...slotRow(1, {}), value: undefined }] });
    drawn.turn("c1n0", { persist: rows(max + 1, 1) });
    expect(drawn.watched.violations).toEqual([]);
    drawn.turn("c1n0", { persist: rows(max + 2, 1) });
    expect(drawn.reasons()).toEqual(["I11 c1n0 keeps 4353 slots"]);
  });

  const unfinished: BentOptions["drive"] = (network) => {
    network.drop = ({ receiver, kind }) => receiver === "c1n2" && kind === "commit";
    network.pay(1, 2);
    network.settle();
  };

  test("work that is never finished, where nobody lies", async () => {
    const reasons = await reasonsOf(makeBounds, { drive: unfinished });
    expect(reasons).toContainEqual("I11 c1n2: cross is 1 in the end");
    const lied = await reasonsOf(makeBounds, { drive: unfinished, isCorrect: (name) => name !== "c1n1" });
    expect(lied).toEqual([]);
    expect(await reasonsOf(makeBounds, { drive: unfinished, healed: false })).toEqual([]);
  });
});
