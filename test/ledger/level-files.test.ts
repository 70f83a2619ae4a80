// LevelDB's files as the check of a folder reads them (protocol 6): what is whole counts as whole, what a crash cut off
// as torn, and anything else is named before LevelDB could drop it.

import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { crc32c, unmaskCrc } from "../../src/crypto/crc32c.js";
import { checkFolder } from "../../src/ledger/level-check.js";
import { readBatch, readLog } from "../../src/ledger/level-log.js";
import { damageOfTable, unsnappy } from "../../src/ledger/level-table.js";
import { Folders, filesOf, runOf, written } from "../support/folders.js";

const folders = await Folders.make();
const run = await runOf("crash", 60);
const path = await written(run, folders, 4);
const files = await filesOf(path);
const [logName, log] = [...files].filter(([name]) => name.endsWith(".log")).at(-1) as [string, Buffer];
const tables = [...files].filter(([name]) => name.endsWith(".ldb"));

afterAll(() => folders.remove());

/** A log with these records, each in one part: what LevelDB writes for short ones. */
function logOf(records: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    records.map((record) => {
      const part = Buffer.alloc(7 + record.length);
      part.writeUInt16LE(record.length, 4);
      part[6] = 1;
      part.set(record, 7);
      const crc = crc32c(part, 6);
      part.writeUInt32LE((((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0, 0);
      return part;
    }),
  );
}

test("the checksum is CRC-32C", () => {
  expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
  expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
  expect(unmaskCrc(0xa282ead8)).toBe(0);
});

describe("a log", () => {
  test("of a node has whole batches whose numbers follow each other, each with a stamp", () => {
    const { records, damagedAt } = readLog(log);
    expect(damagedAt).toBeUndefined();
    expect(records.length).toBeGreaterThan(10);
    const batches = records.map((record) => readBatch(record));
    for (const [i, batch] of batches.entries()) {
      expect(batch?.stamp).toBeDefined();
      const before = batches[i - 1];
      if (before !== undefined) expect(batch?.first).toBe(before.first + before.count);
    }
  });

  test("that is cut off has a torn end, and no hole", () => {
    const { records } = readLog(log);
    for (let end = log.length - 1; end > log.length - 300; end--) {
      const read = readLog(log.subarray(0, end));
      expect(read.isHole, `${end} bytes`).toBe(false);
      expect(read.records.length).toBeLessThan(records.length);
    }
  });

  test("with a damaged record before whole ones has a hole", () => {
    const short = ["a", "b", "c"].map((text) => Buffer.from(text));
    const bytes = logOf(short);
    for (let bit = 0; bit < (bytes.length / 3) * 2 * 8; bit++) {
      const damaged = Buffer.from(bytes);
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
      const { records, damagedAt, isHole } = readLog(damaged);
      expect(damagedAt, `bit ${bit}`).toBe(bit < (bytes.length / 3) * 8 ? 0 : bytes.length / 3);
      // A length that is wrong takes the neighbours with it; that they are missing is seen all the same.
      expect(isHole || records.length < 3, `bit ${bit}`).toBe(true);
    }
  });
});

describe("two logs, as there are while a table is written", () => {
  test.each([
    ["the first is cut between two records", (first: readonly Uint8Array[]) => first.slice(0, -1)],
    ["the first has lost its last record, and its first", (first: readonly Uint8Array[]) => first.slice(1, -1)],
    ["the first is empty", () => []],
  ])("%s: refused", async (_what, keep) => {
    const copy = await folders.copy(path);
    const { records } = readLog(log);
    const half = records.length >> 1;
    const next = join(copy, `${String(Number.parseInt(logName, 10) + 10).padStart(6, "0")}.log`);
    await writeFile(next, logOf(records.slice(half)));
    await writeFile(join(copy, logName), logOf(records.slice(0, half)));
    await expect(checkFolder(copy)).resolves.toMatchObject({ tornBytes: 0 });
    await writeFile(join(copy, logName), logOf(keep(records.slice(0, half))));
    await expect(checkFolder(copy)).rejects.toMatchObject({ code: "store-corrupt" });
    await rm(join(copy, logName));
    await expect(checkFolder(copy)).rejects.toMatchObject({ code: "store-corrupt" });
  });
});

describe("a table", () => {
  test("of a node is whole, byte by byte", async () => {
    expect(tables.length).toBeGreaterThan(0);
    for (const [name, bytes] of tables) expect(damageOfTable(bytes), name).toBeUndefined();
  });

  test("with any byte changed but padding is damaged", () => {
    const [name, bytes] = tables[0] as [string, Buffer];
    const harmless: number[] = [];
    for (let at = 0; at < bytes.length; at += 1 + (at % 7)) {
      bytes[at] = (bytes[at] as number) ^ 0x40;
      if (damageOfTable(bytes) === undefined) harmless.push(at);
      bytes[at] = (bytes[at] as number) ^ 0x40;
    }
    // The footer pads its two handles to 40 bytes.
    expect(
      harmless.filter((at) => at < bytes.length - 48 || at >= bytes.length - 8),
      name,
    ).toEqual([]);
  });

  test("with any other size is damaged", () => {
    const [, bytes] = tables[0] as [string, Buffer];
    for (const length of [0, 1, 47, 48, 49, bytes.length - 1])
      expect(damageOfTable(bytes.subarray(0, length))).toBe(Math.max(0, length - 48));
  });
});

test("Snappy's literals and copies are undone, and what is neither is refused", () => {
  // "abcabcabcabc!": a literal of 3, a copy of 9 from 3 back, a literal of 1.
  const packed = Uint8Array.of(13, 2 << 2, 97, 98, 99, ((9 - 4) << 2) | 1, 3, 0, 33);
  expect(Buffer.from(unsnappy(packed) ?? []).toString()).toBe("abcabcabcabc!");
  expect(unsnappy(packed.subarray(0, -1))).toBeUndefined();
  expect(unsnappy(Uint8Array.of(9, ((9 - 4) << 2) | 1, 3))).toBeUndefined();
  expect(unsnappy(Uint8Array.of(1, 2 << 2, 97, 98, 99))).toBeUndefined();
});

test("a folder without damage is not changed by being looked at", async () => {
  const copy = await folders.copy(path);
  await checkFolder(copy);
  for (const [name, bytes] of files) expect((await readFile(join(copy, name))).equals(bytes), name).toBe(true);
});
