// Damaged storage (protocol 6): whatever happens to the files of a node, a start either finds everything that was
// acknowledged or refuses with a code and leaves the files as they are. Real LevelDB files of a real run, damaged one
// way at a time; positions are drawn from a seed.

import { existsSync } from "node:fs";
import { cp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { afterAll, describe, expect, test } from "vitest";
import { openLevelStoreOfAny } from "../../src/ledger/level.js";
import { readLog } from "../../src/ledger/level-log.js";
import { markPath } from "../../src/ledger/mark.js";
import { randomOf } from "../../src/load/random.js";
import type { Write } from "../../src/types/effects.js";
import { contentOf, Folders, filesOf, open, runOf, startOf, written } from "../support/folders.js";

const SEED = 7;
const FLIPS = 160;
/** A disk writes so many bytes as a whole, and several of them in any order. */
const SECTOR_BYTES = 512;
const REFUSED = /^store-(corrupt|rolled-back|lost|unmarked)$/;

const folders = await Folders.make();
const run = await runOf("byzantine", 90);
const path = await written(run, folders, 6);
const content = await contentOfCopy();
const files = await filesOf(path);
const names = [...files.keys()];
const log = names.filter((name) => name.endsWith(".log")).at(-1) as string;

afterAll(() => folders.remove());

async function contentOfCopy(): Promise<string> {
  const copy = await folders.copy(path);
  const store = await open(run, copy);
  const found = await contentOf(store);
  await store.close();
  await folders.drop(copy);
  return found;
}

/** Damages a copy, starts it, and says what came of it. */
async function outcomeOf(damage: (copy: string) => Promise<unknown>): Promise<string> {
  const copy = await folders.copy(path);
  await damage(copy);
  const outcome = await startOf(run, copy, content);
  await folders.drop(copy);
  return outcome;
}

function flip(name: string, bit: number): (copy: string) => Promise<void> {
  return async (copy) => {
    const file = name === "mark" ? markPath(copy) : join(copy, name);
    const bytes = await readFile(file);
    bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
    await writeFile(file, bytes);
  };
}

/** In which of the files a position in all of them lies. */
function fileAt(sizes: readonly number[], at: number): number {
  let end = 0;
  return sizes.findIndex((size) => {
    end += size;
    return at < end;
  });
}

const cut = (name: string, bytes: number) => (copy: string) => truncate(join(copy, name), bytes);

describe("the data folder of a node that was killed", () => {
  test("has tables, a log and a mark, and is whole at the next start", async () => {
    // LevelDB may have merged all that it has written so far into one.
    expect(names.filter((name) => name.endsWith(".ldb")).length).toBeGreaterThan(0);
    expect(files.get(log)?.length).toBeGreaterThan(1000);
    expect(existsSync(markPath(path))).toBe(true);
    expect(await outcomeOf(async () => undefined)).toBe("whole");
  });

  test(`with any one of ${FLIPS} bits flipped is whole or refused`, async () => {
    const random = randomOf(SEED);
    const sizes = names.map((name) => files.get(name)?.length ?? 0);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    const used = sizes.flatMap((size, file) => (size === 0 ? [] : [file]));
    const outcomes = new Map<string, number>();
    for (let i = 0; i < FLIPS; i++) {
      // Half of them anywhere, half in any file, however small.
      const file = i % 2 === 0 ? fileAt(sizes, random.below(total)) : (used[random.below(used.length)] as number);
      const bit = random.below(8 * (sizes[file] as number));
      const outcome = await outcomeOf(flip(names[file] as string, bit));
      expect(outcome, `seed ${SEED}: bit ${bit} of ${names[file]}`).toMatch(
        /^(whole|store-corrupt|store-rolled-back)$/,
      );
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    // A few bits mean nothing: padding.
    expect(outcomes.get("whole") ?? 0, `seed ${SEED}`).toBeLessThan(FLIPS / 10);
  });

  test("with a bit flipped is refused also after a tool has looked at it", async () => {
    const random = randomOf(SEED + 1);
    const size = files.get(log)?.length as number;
    for (let i = 0; i < 12; i++) {
      const bit = random.below(8 * size);
      const outcome = await outcomeOf(async (copy) => {
        await flip(log, bit)(copy);
        await openLevelStoreOfAny(copy).then(
          (store) => store.close(),
          () => undefined,
        );
      });
      expect(outcome, `seed ${SEED}: bit ${bit}`).toMatch(REFUSED);
    }
  });

  test("with its log cut off anywhere has lost what was acknowledged, and says so", async () => {
    const random = randomOf(SEED + 2);
    const size = files.get(log)?.length as number;
    for (let i = 0; i < 60; i++) {
      const bytes = random.below(size);
      expect(await outcomeOf(cut(log, bytes)), `seed ${SEED}: ${bytes} bytes left`).toBe("store-rolled-back");
    }
  });

  test("with any file cut off, emptied or deleted is refused", async () => {
    for (const name of names) {
      const size = files.get(name)?.length as number;
      for (const bytes of [0, size >> 1, size - 1]) {
        if (size > 0) expect(await outcomeOf(cut(name, bytes)), `${name}: ${bytes} bytes left`).toMatch(REFUSED);
      }
      expect(await outcomeOf((copy) => rm(join(copy, name))), `${name} deleted`).toMatch(REFUSED);
    }
  });
});

/** A folder whose log has so many acknowledged writes, and what one more write, of this batch, adds to it. */
async function killedInWrite(batch: readonly Write[], acknowledged = 2) {
  const copy = await folders.copy(path);
  const store = await open(run, copy);
  for (let i = 0; i < acknowledged; i++) await store.write([]);
  const killed = await folders.copy(copy);
  await store.write(batch);
  const [name] = [...(await filesOf(copy)).keys()].filter((each) => each.endsWith(".log")).slice(-1) as [string];
  const whole = await readFile(join(copy, name));
  await store.close();
  const before = (await readFile(join(killed, name))).length;
  expect(before).toBeGreaterThan(0);
  expect(whole.length).toBeGreaterThan(before);
  /** What becomes of the folder with this log, at a start. */
  const outcome = async (bytes: Uint8Array): Promise<string> => {
    const torn = await folders.copy(killed);
    await writeFile(join(torn, name), bytes);
    const became = await startOf(run, torn, content);
    await folders.drop(torn);
    return became;
  };
  return { whole, before, outcome };
}

const bySize = [...run.batches].sort((a, b) => bytesOf(a) - bytesOf(b));

test("a last write that a crash cut off at any byte is dropped, for nobody was told of it", async () => {
  const { whole, before, outcome } = await killedInWrite(bySize[0] ?? []);
  for (let end = before; end < whole.length; end++) {
    expect(await outcome(whole.subarray(0, end)), `${end - before} bytes of the record`).toBe("whole");
  }
});

test("a last write that was acknowledged is missed when it is cut off at any byte", async () => {
  // A small one; in one log with the write before it, so that what is left is a log that ends well.
  const late = run.batches.slice(-30);
  const sizes = late.map(bytesOf);
  const at = run.batches.length - late.length + sizes.lastIndexOf(Math.min(...sizes));
  const [before, last] = run.batches.slice(at - 1, at + 1) as [readonly Write[], readonly Write[]];
  const copy = await written({ ...run, batches: run.batches.slice(0, at - 1) }, folders, 2);
  const store = await open(run, copy);
  await store.write(before);
  const { bytes: begin } = await lastLogOf(copy);
  await store.write(last);
  const { name, bytes: end } = await lastLogOf(copy);
  const killed = await folders.copy(copy);
  const whole = await contentOf(store);
  await store.close();
  expect(begin).toBeGreaterThan(0);
  expect(end).toBeGreaterThan(begin);
  expect(await startOf(run, await folders.copy(killed), whole)).toBe("whole");
  // A refusal changes nothing, so one folder does for all, shorter by a byte each time.
  for (let left = end - 1; left >= begin; left--) {
    await cut(name, left)(killed);
    expect(await startOf(run, killed, whole), `${left - begin} of ${end - begin} bytes`).toBe("store-rolled-back");
  }
});

async function lastLogOf(folder: string): Promise<{ readonly name: string; readonly bytes: number }> {
  const logs = [...(await filesOf(folder))].filter(([name]) => name.endsWith(".log"));
  const [name, { length }] = logs.at(-1) as [string, Buffer];
  return { name, bytes: length };
}

describe("a last write of which the disk kept some sectors and filled others with garbage", () => {
  const random = randomOf(SEED + 4);
  const fillings: readonly (readonly [string, () => number])[] = [
    ["noise", () => random.below(256)],
    ["zeros", () => 0],
  ];

  test.each(fillings)("is dropped when it breaks off within a sector: %s", async (what, fill) => {
    const { whole, before, outcome } = await killedInWrite(bySize.at(-1) ?? []);
    for (let i = 0; i < 40; i++) {
      const end = before + random.below(whole.length - before);
      const sectorEnd = Math.ceil((end + 1) / SECTOR_BYTES) * SECTOR_BYTES;
      const garbage = Buffer.from(Array.from({ length: sectorEnd - end }, fill));
      const bytes = Buffer.concat([whole.subarray(0, end), garbage]);
      expect(readLog(bytes)).toMatchObject({ damagedAt: before, isHole: false });
      expect(await outcome(bytes), `seed ${SEED}: ${end - before} bytes of the record, then ${what}`).toBe("whole");
    }
  });

  test.each(fillings)("is dropped when a later sector is there and an earlier one is not: %s", async (what, fill) => {
    const { whole, before, outcome } = await killedInWrite(bySize.at(-1) ?? []);
    const sectors = Math.floor((whole.length - before) / SECTOR_BYTES);
    expect(sectors, "the write lies in several sectors").toBeGreaterThan(2);
    for (let sector = 0; sector < sectors; sector++) {
      const bytes = Buffer.from(whole);
      const start = before + sector * SECTOR_BYTES;
      for (let at = start; at < start + SECTOR_BYTES; at++) bytes[at] = fill();
      expect(await outcome(bytes), `seed ${SEED}: sector ${sector}, ${what}`).toBe("whole");
    }
  });

  test.each(fillings)("is refused when the garbage reaches back into what was acknowledged: %s", async (what, fill) => {
    const { whole, before, outcome } = await killedInWrite(bySize.at(-1) ?? []);
    for (const back of [1, 7, 30]) {
      const garbage = Buffer.from(Array.from({ length: SECTOR_BYTES }, fill));
      // A byte of the garbage may be what was there.
      garbage[0] = (whole[before - back] as number) ^ 0xff;
      const bytes = Buffer.concat([whole.subarray(0, before - back), garbage]);
      expect(await outcome(bytes), `seed ${SEED}: ${back} bytes back, ${what}`).toBe("store-rolled-back");
    }
  });
});

function bytesOf(batch: readonly Write[]): number {
  return batch.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0);
}

describe("the mark", () => {
  test("refuses an older copy of the folder, and an empty or missing one", async () => {
    const older = await written({ ...run, batches: run.batches.slice(0, -1) }, folders, 2);
    const outcome = await outcomeOf(async (copy) => {
      await rm(copy, { recursive: true });
      await cp(older, copy, { recursive: true });
    });
    expect(outcome).toBe("store-rolled-back");
    expect(await outcomeOf((copy) => rm(copy, { recursive: true }))).toBe("store-lost");
    expect(await outcomeOf(async (copy) => Promise.all(names.map((name) => rm(join(copy, name)))))).toBe("store-lost");
  });

  test("is missed when it is gone, and refused when it is no mark", async () => {
    expect(await outcomeOf((copy) => rm(markPath(copy)))).toBe("store-unmarked");
    expect(await outcomeOf((copy) => writeFile(markPath(copy), "sharper"))).toBe("store-unmarked");
  });

  test("survives the damage of any one of its bits", async () => {
    const random = randomOf(SEED + 3);
    for (let i = 0; i < 24; i++) {
      const bit = random.below(8 * 512) + (i % 2) * 8 * 512;
      // The older of its two places may be all that is left.
      expect(await outcomeOf(flip("mark", bit)), `seed ${SEED}: bit ${bit}`).toBe("whole");
    }
  });

  test("of an older version's folder is made at the first start", async () => {
    const copy = await folders.copy(path);
    const raw = new ClassicLevel<Uint8Array, Uint8Array>(copy, { keyEncoding: "view", valueEncoding: "view" });
    await raw.open();
    await raw.batch(
      [18, 19].map((table) => ({ type: "del", key: Uint8Array.of(table) }) as const),
      { sync: true },
    );
    await raw.close();
    await rm(markPath(copy));
    expect(await startOf(run, copy, content)).toBe("whole");
    expect(existsSync(markPath(copy))).toBe(true);
    await rm(markPath(copy));
    expect(await startOf(run, copy, content)).toBe("store-unmarked");
  });
});
