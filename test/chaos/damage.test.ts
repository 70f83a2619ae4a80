// What damage does to a data folder: one file changed in place, shortened or gone, or the whole folder as it was once.

import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { copyFolder, damageFolder } from "../../src/chaos/damage.js";
import type { Damage } from "../../src/chaos/schedule.js";
import { randomOf } from "../../src/load/random.js";

let root: string;
let folder: string;
let copy: string;
const whole = new Uint8Array(500).fill(7);

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "sharper-damage-"));
  folder = join(root, "data");
  copy = join(root, "copy");
  await mkdir(folder);
  for (const name of ["000005.ldb", "000007.log", "MANIFEST-000004", "CURRENT", "LOCK", "LOG"]) {
    await writeFile(join(folder, name), whole);
  }
});

afterEach(() => rm(root, { recursive: true, force: true }));

async function damage(kind: Damage, seed: number): Promise<string | undefined> {
  return damageFolder({ damage: kind, folder, copy, random: randomOf(seed) });
}

/** The files that are no longer as they were. */
async function changed(): Promise<readonly (readonly [string, number])[]> {
  const names = (await readdir(folder)).sort();
  const sizes = await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name))] as const));
  return sizes.filter(([, bytes]) => Buffer.compare(bytes, whole) !== 0).map(([name, { length }]) => [name, length]);
}

test.each([1, 2, 3, 4, 5])("bits are flipped in one file of LevelDB, seed %i", async (seed) => {
  await damage("flip", seed);
  const files = await changed();
  expect(files.length, `seed ${seed}`).toBe(1);
  expect(files[0]?.[0], `seed ${seed}`).toMatch(/ldb$|log$|^MANIFEST|^CURRENT/);
  expect(files[0]?.[1], `seed ${seed}`).toBe(500);
});

test("one file loses its end", async () => {
  await damage("truncate", 3);
  const files = await changed();
  expect(files.length).toBe(1);
  expect(files[0]?.[1]).toBeLessThan(500);
});

test("one file vanishes", async () => {
  await damage("delete", 4);
  expect((await readdir(folder)).length).toBe(5);
  expect(await changed()).toEqual([]);
});

test("the folder is what it was when it was copied", async () => {
  expect(await damage("old-copy", 1)).toBeUndefined();
  await copyFolder({ folder, copy });
  await writeFile(join(folder, "000007.log"), "more");
  await writeFile(join(folder, "000009.ldb"), "new");
  await damage("old-copy", 1);
  expect(await changed()).toEqual([]);
  expect((await readdir(folder)).length).toBe(6);
});
