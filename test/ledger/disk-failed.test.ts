// A disk that gives errors (fault F10): whoever writes or reads hears "disk-failed", the mark does not count what was
// not written, and what was written before is whole at the next start. The errors are planted where LevelDB and the
// system would report them, in their words.

import type * as Fs from "node:fs";
import { ClassicLevel } from "classic-level";
import { afterAll, afterEach, beforeEach, expect, test, vi } from "vitest";
import { markPath, readMark } from "../../src/ledger/mark.js";
import { type NodeStore, openNodeStore } from "../../src/ledger/node-store.js";
import type { NetworkId } from "../../src/types/ids.js";
import { Folders } from "../support/folders.js";

const sync = vi.hoisted(() => ({ fails: false, called: 0 }));
vi.mock("node:fs", async (importOriginal) => {
  const fs = await importOriginal<typeof Fs>();
  const fdatasync = (file: number, done: (error: NodeJS.ErrnoException | null) => void): void => {
    sync.called++;
    if (!sync.fails) fs.fdatasync(file, done);
    else done(Object.assign(new Error("EIO: i/o error, fdatasync"), { code: "EIO", syscall: "fdatasync" }));
  };
  return { ...fs, fdatasync };
});

const folders = await Folders.make();
const [FIRST, SECOND] = [Uint8Array.of(5, 1), Uint8Array.of(5, 2)];
let path: string;
let store: NodeStore;

beforeEach(async () => {
  path = folders.fresh();
  store = await open();
  await store.write([{ key: FIRST, value: FIRST }]);
});

afterEach(async () => {
  vi.restoreAllMocks();
  sync.fails = false;
  await store.close();
});

afterAll(() => folders.remove());

function open(): Promise<NodeStore> {
  return openNodeStore({ path, networkId: "00".repeat(32) as NetworkId, nodeId: "c1n0" });
}

function ioError(): Error {
  return Object.assign(new Error(`IO error: ${path}/000003.log: Input/output error`), { code: "LEVEL_IO_ERROR" });
}

test("a write that fails is not counted, and the next start has all before it", async () => {
  const before = readMark(markPath(path));
  vi.spyOn(ClassicLevel.prototype, "batch").mockImplementation(() => {
    throw ioError();
  });
  await expect(store.write([{ key: SECOND, value: SECOND }])).rejects.toMatchObject({ code: "disk-failed" });
  expect(readMark(markPath(path))).toEqual(before);
  vi.restoreAllMocks();
  await store.close();
  store = await open();
  expect([store.get(FIRST), store.get(SECOND)].map((value) => value && [...value])).toEqual([[5, 1], undefined]);
});

test("a read that fails is no missing row", () => {
  vi.spyOn(ClassicLevel.prototype, "getSync").mockImplementation(() => {
    throw ioError();
  });
  expect(() => store.get(FIRST)).toThrow(expect.objectContaining({ code: "disk-failed" }));
});

test("a mark that cannot be synced stops the next write", async () => {
  sync.fails = true;
  const { called } = sync;
  const now = performance.now();
  // It is synced once a second.
  vi.spyOn(performance, "now").mockImplementation(() => now + 10_000);
  await store.write([]);
  expect(sync.called).toBe(called + 1);
  await expect(store.write([{ key: SECOND, value: SECOND }])).rejects.toMatchObject({ code: "disk-failed" });
});
