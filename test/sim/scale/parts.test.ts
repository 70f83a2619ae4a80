// The parts of a scale run by themselves: delays, costs, the order of events, counted signatures, the short memory of
// a simulated server's store.

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { blockKey, heightKey, recordKey } from "../../../src/ledger/keys.js";
import { Agenda } from "../../../src/sim/scale/agenda.js";
import { Core, costsOf, workUs } from "../../../src/sim/scale/cpu.js";
import { RecentStore } from "../../../src/sim/scale/recent-store.js";
import { oneWayUs, regions } from "../../../src/sim/scale/regions.js";
import { CountedSignatures } from "../../../src/sim/scale/signatures.js";
import type { Digest } from "../../../src/types/ids.js";

describe("regions", () => {
  const positions = regions.map((_, i) => i);

  test("every pair has one delay, the same both ways, longest across the globe, shortest within a region", () => {
    const within = oneWayUs(0, 0);
    expect(within).toBeGreaterThan(0);
    for (const from of positions) {
      expect(regions[from]?.roundTrips).toHaveLength(from);
      expect(oneWayUs(from, from)).toBe(within);
      for (const to of positions.filter((each) => each !== from)) {
        const us = oneWayUs(from, to);
        expect(us, `${regions[from]?.name} to ${regions[to]?.name}`).toBe(oneWayUs(to, from));
        expect(us).toBeGreaterThan(within);
        // Light in fibre needs 100 ms for half of the globe; no cable is twice as long.
        expect(us).toBeLessThan(200_000);
      }
    }
  });

  test("a detour over a third region never saves more than measurements differ", () => {
    for (const a of positions) {
      for (const b of positions) {
        for (const via of positions.filter((each) => each !== a && each !== b)) {
          const detour = oneWayUs(a, via) + oneWayUs(via, b);
          expect(detour, `${a} to ${b} by ${via}`).toBeGreaterThan(oneWayUs(a, b) - 10_000);
        }
      }
    }
  });

  test("a region beyond the table has no delay", () => {
    expect(() => oneWayUs(0, regions.length)).toThrow(/no delay/);
  });
});

describe("a core", () => {
  const span = { fromUs: 100, toUs: 200 };

  test("does one thing after the other", () => {
    const core = new Core(span);
    expect(core.work(10, 30)).toBe(40);
    expect(core.freeAt).toBe(40);
    expect(() => core.work(39, 1)).toThrow(/busy until 40/);
    expect(core.work(40, 5)).toBe(45);
  });

  test("counts as busy what it works within the measured span", () => {
    const core = new Core(span);
    core.work(50, 70);
    core.work(130, 10);
    core.work(190, 100);
    expect(core.busy).toBeCloseTo(0.4, 10);
  });

  test("costs grow with the cost of a signature, in proportion, and add up", () => {
    expect(costsOf(50)).toEqual({ receiveUs: 5, verifyUs: 50, signUs: 18, sendUs: 3 });
    expect(costsOf(500)).toEqual({ receiveUs: 50, verifyUs: 500, signUs: 180, sendUs: 30 });
    expect(workUs({ received: 3, verified: 2, signed: 1 }, costsOf(50))).toBe(3 * 5 + 2 * 50 + 18);
  });
});

describe("the agenda", () => {
  test("lets things happen by time, and at equal times in the order of asking", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { maxLength: 60 }), (times) => {
        const agenda = new Agenda<number>();
        const happened: number[] = [];
        const actor = { on: (happening: number) => void happened.push(happening) };
        times.forEach((at, i) => {
          agenda.add(at, actor, i);
        });
        agenda.run(15);
        const order = times.map((at, i) => ({ at, i })).filter(({ at }) => at < 15);
        expect(happened).toEqual(order.sort((a, b) => a.at - b.at || a.i - b.i).map(({ i }) => i));
      }),
    );
  });

  test("refuses what lies in the past, and goes on with what is asked for on the way", () => {
    const agenda = new Agenda<string>();
    const happened: string[] = [];
    const actor = {
      on: (happening: string, nowUs: number) => {
        happened.push(`${happening} at ${nowUs}`);
        if (happening !== "first") return;
        agenda.add(nowUs, actor, "at once");
        expect(() => agenda.add(nowUs - 1, actor, "before")).toThrow(/asked for at 5/);
      },
    };
    agenda.add(5, actor, "first");
    agenda.add(6, actor, "last");
    agenda.run(10);
    expect(happened).toEqual(["first at 5", "at once at 5", "last at 6"]);
  });
});

describe("counted signatures", () => {
  test("hold for their key and bytes only, and are counted", () => {
    const signatures = new CountedSignatures();
    const a = signatures.signer(CountedSignatures.keyOf("a"));
    const b = signatures.signer(CountedSignatures.keyOf("b"));
    const bytes = Buffer.from("pay");
    const signature = a.sign(bytes);
    const { verifier } = signatures;
    expect(verifier.verify({ bytes, signature, publicKey: a.publicKey })).toBe(true);
    expect(verifier.verify({ bytes, signature, publicKey: b.publicKey })).toBe(false);
    expect(verifier.verify({ bytes: Buffer.from("pax"), signature, publicKey: a.publicKey })).toBe(false);
    expect(verifier.verify({ bytes, signature, publicKey: CountedSignatures.keyOf("c") })).toBe(false);
    expect(signatures.take()).toEqual({ signed: 1, verified: 4 });
    expect(signatures.take()).toEqual({ signed: 0, verified: 0 });
  });
});

describe("a simulated server's store", () => {
  const digest = "ab".repeat(32) as Digest;
  const value = Uint8Array.of(1);

  test("keeps what a running node reads for at least one span, and at most two", () => {
    const store = new RecentStore(100);
    store.apply([{ key: heightKey(digest), value }], 50);
    store.apply([], 140);
    expect(store.get(heightKey(digest))).toEqual(value);
    store.apply([{ key: blockKey(digest), value }], 200);
    expect(store.get(heightKey(digest))).toEqual(value);
    store.apply([], 240);
    expect(store.get(heightKey(digest))).toBeUndefined();
    expect(store.get(blockKey(digest))).toEqual(value);
  });

  test("does not keep what nobody reads", () => {
    const store = new RecentStore(100);
    store.apply([{ key: recordKey(1), value }], 0);
    expect(store.get(recordKey(1))).toBeUndefined();
  });
});
