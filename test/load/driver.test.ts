// The load's driver and its meter, in virtual time, against clients that answer as the test wants.

import { beforeEach, describe, expect, test } from "vitest";
import type { Order, Outcome } from "../../src/client/sdk.js";
import { type LoadOptions, type RunningLoad, startLoad } from "../../src/load/driver.js";
import { VirtualTime } from "../client/world.js";

const operation = { kind: "transfer", debits: [], credits: [] } as const;
const place = { cluster: 1, height: 1, sequence: 65_537, digest: "d".repeat(64) };
const ok = { outcome: "committed", results: ["ok"], ...place, latencyMs: 0 } as unknown as Outcome;
const poor = { outcome: "rejected", code: "insufficient-funds", record: place } as unknown as Outcome;
const unknown = { outcome: "unknown" } as unknown as Outcome;

let time: VirtualTime;
/** What clients do with an order. */
let serve: (order: Order, end: (outcome: Outcome) => void) => void;
let started: number[];
let inFlight: number;
let mostInFlight: number;

beforeEach(() => {
  time = new VirtualTime();
  started = [];
  inFlight = 0;
  mostInFlight = 0;
  serve = (_order, end) => later(10, () => end(ok));
});

function later(ms: number, action: () => void): void {
  const cancel = time.every(ms, () => {
    cancel();
    action();
  });
}

function start(options: Partial<LoadOptions> = {}): RunningLoad {
  const client = {
    submitWith(order: Order, onEnd: (outcome: Outcome) => void) {
      started.push(time.elapsed());
      mostInFlight = Math.max(mostInFlight, ++inFlight);
      serve(order, (outcome) => {
        inFlight--;
        onEnd(outcome);
      });
    },
  };
  let drawn = 0;
  const workload = () => ({ operations: [operation], cross: drawn++ % 2 === 1 });
  const mode = { kind: "closed", sessions: 5 } as const;
  return startLoad({
    clients: [{ client, workload }],
    mode,
    warmupMs: 1000,
    durationMs: 2000,
    deadlineMs: 500,
    time,
    ...options,
  });
}

describe("closed loop", () => {
  test("each session has one request in flight", async () => {
    const load = start();
    time.advance(4000);
    await load.result;
    expect(mostInFlight).toBe(5);
  });

  test("every ending is told when it comes, with its own times, those of the warm-up and of the drain included", async () => {
    const heard: [number, number][] = [];
    const load = start({
      onEnding: ({ startedMs, endedMs }) => {
        expect(endedMs).toBe(time.elapsed());
        heard.push([startedMs, endedMs]);
      },
    });
    time.advance(4000);
    await load.result;
    expect(heard).toHaveLength(started.length);
    expect(heard[0]).toEqual([0, 10]);
    expect(heard.at(-1)?.[1]).toBeGreaterThan(3000 - 1);
  });

  test("throughput is of the measured span alone", async () => {
    const load = start();
    time.advance(1000);
    serve = (_order, end) => later(20, () => end(ok));
    time.advance(3000);
    const { transfersPerSecond, requestsPerSecond, measuredMs } = await load.result;
    expect(measuredMs).toBe(2000);
    expect(transfersPerSecond).toBeGreaterThan(245);
    expect(transfersPerSecond).toBeLessThan(256);
    expect(requestsPerSecond).toBe(transfersPerSecond);
  });

  test("latencies leave the warm-up out, intra- and cross-shard apart", async () => {
    serve = (_order, end) => later(400, () => end(ok));
    const load = start();
    time.advance(1000);
    serve = (_order, end) => later(10, () => end(ok));
    time.advance(3000);
    const { intra, cross } = await load.result;
    for (const latency of [intra, cross]) {
      expect(latency.maxMs).toBeCloseTo(10, 1);
      expect(latency.p50Ms).toBeCloseTo(10, 1);
      expect(latency.count).toBe(450);
    }
  });

  test("after the end nothing is started, and what is in flight is waited for and counted", async () => {
    const load = start({ warmupMs: 0 });
    time.advance(1985);
    serve = (_order, end) => later(400, () => end(unknown));
    time.advance(15);
    const count = started.length;
    time.advance(1000);
    const { endings } = await load.result;
    expect(started).toHaveLength(count);
    expect(endings).toMatchObject({ unknown: 5 });
  });

  test("an interruption ends it early with a report of what was measured until then", async () => {
    const controller = new AbortController();
    const load = start({ warmupMs: 0, signal: controller.signal });
    time.advance(500);
    controller.abort();
    time.advance(100);
    const { interrupted, measuredMs, transfersPerSecond } = await load.result;
    expect({ interrupted, measuredMs }).toEqual({ interrupted: true, measuredMs: 500 });
    expect(Math.round(transfersPerSecond)).toBeGreaterThan(480);
    expect(time.timers).toBe(0);
  });

  test("an interruption before the start leaves nothing to wait for", async () => {
    const { interrupted, endings } = await start({ signal: AbortSignal.abort() }).result;
    expect({ interrupted, endings }).toEqual({ interrupted: true, endings: {} });
    expect(time.timers).toBe(0);
  });
});

describe("open loop", () => {
  const open = { mode: { kind: "open", requestsPerSecond: 100 }, warmupMs: 0 } as const;

  test("requests start at the rate, whatever the answers do", async () => {
    serve = (_order, end) => later(450, () => end(ok));
    const load = start(open);
    time.advance(3000);
    const { neverStarted } = await load.result;
    expect(started.length + neverStarted).toBe(200);
    expect(started.length).toBeGreaterThanOrEqual(199);
    expect(mostInFlight).toBeGreaterThan(40);
  });

  test("latency counts from the intended start", async () => {
    const load = start(open);
    time.advance(100);
    // The process is held up: what was due meanwhile starts late, and says so.
    const before = started.length;
    time.stall(300);
    time.advance(2000);
    const { intra } = await load.result;
    expect(started.length - before).toBeGreaterThan(150);
    expect(intra.maxMs).toBeGreaterThan(290);
  });
});

describe("endings", () => {
  test("transfers are counted by code, over the whole run; only lack of funds is no failure", async () => {
    let turn = 0;
    serve = (_order, end) => later(10, () => end([ok, poor, unknown][turn++ % 3] as Outcome));
    const load = start();
    time.advance(4000);
    const { endings, failedOtherThanByFunds, series } = await load.result;
    expect(Object.keys(endings)).toEqual(["insufficient-funds", "ok", "unknown"]);
    expect(failedOtherThanByFunds).toBe(endings["unknown"]);
    expect(series.reduce((sum, { failed }) => sum + failed, 0)).toBe(endings["unknown"]);
  });

  test("of a batch every operation counts by itself", async () => {
    const mixed = { ...ok, results: ["ok", "insufficient-funds", "ok"] } as Outcome;
    serve = (_order, end) => later(10, () => end(mixed));
    const load = start();
    time.advance(4000);
    const { endings, transfersPerSecond, requestsPerSecond } = await load.result;
    expect(endings["ok"]).toBe(2 * (endings["insufficient-funds"] ?? 0));
    expect(transfersPerSecond).toBe(2 * requestsPerSecond);
  });

  test("the series has a point for every second until the last ending", async () => {
    const load = start();
    time.advance(4000);
    const { series } = await load.result;
    expect(series.map(({ second }) => second)).toEqual([0, 1, 2, 3]);
    for (const { transfers, p50Ms } of series.slice(0, 3)) {
      expect(transfers).toBeGreaterThan(480);
      expect(p50Ms).toBeCloseTo(10, 1);
    }
  });

  test("progress shows the last full second", () => {
    const load = start();
    time.advance(1500);
    const { transfersPerSecond, inFlight: now, failed, elapsedMs } = load.progress();
    expect(transfersPerSecond).toBeGreaterThan(480);
    expect({ now, failed, elapsedMs }).toEqual({ now: 5, failed: 0, elapsedMs: 1500 });
  });
});
