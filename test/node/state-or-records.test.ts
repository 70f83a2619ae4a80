// Blocks or state: a node that lacks more than records close cheaply asks a source how many bytes each would be, and takes
// the smaller (protocol 6).

import { describe, expect, test } from "vitest";
import { limits } from "../../src/types/limits.js";
import { envelopeSchema, type StateList, stateSchema } from "../../src/types/schema.js";
import { asleep } from "../support/sleep.js";
import { bend, changeLimits, expectWhole, inList, wake, ways } from "../support/snapshots.js";

// Any gap is worth a question.
Object.assign(limits, { catchUpAtOnceMax: 0 });

describe("of state and records the smaller is taken", () => {
  test.each([
    ["state", 400],
    ["records", 20_000],
  ] as const)("%s, where there are %d accounts", async (by, accounts) => {
    const [network, sleeper] = await asleep(["byzantine", "byzantine"], 1, accounts);
    const lists: StateList[] = [];
    network.onDelivered = ({ kind, bytes }) => {
      const list = kind === "state" ? stateSchema.decode(envelopeSchema.decode(bytes).body).list : undefined;
      if (list !== undefined) lists.push(list);
    };
    await wake(network, sleeper);
    await network.run(30);
    // The sizes are true, as far as they go: accounts have some 50 bytes, and a record with its block and certificate hundreds.
    const { stateBytes, recordsBytes } = lists[0] as StateList;
    expect(stateBytes).toBeGreaterThan(40 * (accounts / 2));
    expect(recordsBytes).toBeGreaterThan(400 * limits.checkpointSlots);
    expect(stateBytes >= recordsBytes ? "records" : "state").toBe(by);
    expect(ways(sleeper)).toEqual([by]);
    await expectWhole(network, sleeper, by);
  });

  test.each([
    ["state", { stateBytes: 1, recordsBytes: 2 }],
    ["records", { stateBytes: 2, recordsBytes: 2 }],
    ["records", { stateBytes: 2, recordsBytes: 1 }],
    // It has no records to give.
    ["state", { stateBytes: 2, recordsBytes: 0 }],
  ])("%s, as the source says %o", async (by, sizes) => {
    const [network, sleeper] = await asleep(["crash", "crash"], 1);
    await wake(network, sleeper);
    for (const { name } of network.nodesOf(1))
      bend(
        network,
        name,
        inList((list) => ({ ...list, ...sizes })),
      );
    await network.run(30);
    expect(ways(sleeper)).toEqual([by]);
    await expectWhole(network, sleeper, by);
  });

  test("unless there are more records than a node takes", async () => {
    const [network, sleeper] = await asleep(["crash", "crash"], 1);
    await wake(network, sleeper);
    for (const { name } of network.nodesOf(1)) {
      bend(
        network,
        name,
        inList((list) => ({ ...list, stateBytes: 2, recordsBytes: 1 })),
      );
    }
    changeLimits({ catchUpRecordsMax: 10 });
    await network.run(30);
    expect(ways(sleeper)).toEqual(["state"]);
  });
});
