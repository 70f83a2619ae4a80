// What an operator sees of a node that catches up or waits: a line in a while and not one for each answer, with how much
// is there, from whom it comes and how fast; and what a node waits for that does not take part for long.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { NodeLog } from "../../src/node/log.js";
import { ProgressLog } from "../../src/node/progress-log.js";
import type { Note } from "../../src/types/effects.js";
import type { ClusterId } from "../../src/types/ids.js";

type CatchingUp = Extract<Note, { readonly kind: "catching-up" }>;

/** The fields of each line; their texts are for people. */
function watched() {
  const lines: { readonly level: "info" | "warn"; readonly fields: object }[] = [];
  const log = {
    info: (fields: object) => lines.push({ level: "info", fields }),
    warn: (fields: object) => lines.push({ level: "warn", fields }),
  };
  return { progress: new ProgressLog(log as unknown as NodeLog), lines };
}

const answer = (change: Partial<CatchingUp> = {}): CatchingUp => ({
  kind: "catching-up",
  by: "state",
  from: { cluster: 1 as ClusterId, node: 2 },
  percent: 10,
  bytes: 1000,
  ...change,
});

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
  // Any time but the clock's first.
  vi.advanceTimersByTime(10_000);
});

afterEach(() => {
  vi.useRealTimers();
});

test("the first answer is told at once, with no rate yet", () => {
  const { progress, lines } = watched();
  progress.onNote(answer());
  expect(lines).toEqual([{ level: "info", fields: { by: "state", percent: 10, from: "c1n2", bytes_per_ms: 0 } }]);
});

test("then one in two seconds, with all bytes that came since the last", () => {
  const { progress, lines } = watched();
  progress.onNote(answer());
  for (let i = 1; i <= 40; i++) {
    vi.advanceTimersByTime(50);
    progress.onNote(answer({ percent: 10 + i }));
    expect(lines).toHaveLength(i < 40 ? 1 : 2);
  }
  expect(lines[1]?.fields).toMatchObject({ percent: 50, bytes_per_ms: 20 });
  // Of the third interval alone.
  vi.advanceTimersByTime(4000);
  progress.onNote(answer({ by: "history", from: { cluster: 1 as ClusterId, node: 0 }, percent: 7, bytes: 8000 }));
  expect(lines[2]?.fields).toEqual({ by: "history", percent: 7, from: "c1n0", bytes_per_ms: 2 });
});

test("what a node waits for is told each half minute, and not while it takes part", () => {
  const { progress, lines } = watched();
  for (let second = 0; second < 90; second++) {
    vi.advanceTimersByTime(1000);
    progress.onWaiting("answers to START");
    if (second === 28) expect(lines).toEqual([]);
  }
  const line = { level: "warn", fields: { for: "answers to START" } };
  expect(lines).toEqual([line, line, line]);
  vi.advanceTimersByTime(60_000);
  progress.onWaiting(undefined);
  expect(lines).toHaveLength(3);
});
