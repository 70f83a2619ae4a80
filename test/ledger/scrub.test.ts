// While a node runs its tables are read again (protocol 6): damage is told once, with its file; whole tables, and such
// as are deleted meanwhile, are nothing to tell.

import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { Scrub } from "../../src/ledger/scrub.js";
import { Folders, filesOf, runOf, written } from "../support/folders.js";

const folders = await Folders.make();
const path = await written(await runOf("crash", 20), folders, 4);
const tables = [...(await filesOf(path)).keys()].filter((name) => name.endsWith(".ldb"));

afterAll(() => folders.remove());

test("whole tables are read again and again, and nothing is told", async () => {
  const told: unknown[] = [];
  const scrub = new Scrub({ path, everyMs: 1, againMs: 1, onDamage: (error) => told.push(error) });
  await expect.poll(() => scrub.count).toBeGreaterThan(3 * tables.length);
  await scrub.stop();
  expect(told).toEqual([]);
});

test("a damaged table is told, by its name", async () => {
  const copy = await folders.copy(path);
  const [name] = tables as [string];
  const bytes = await readFile(join(copy, name));
  bytes[9] = (bytes[9] as number) ^ 2;
  await writeFile(join(copy, name), bytes);
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const scrub = new Scrub({ path: copy, everyMs: 1, againMs: 1, onDamage: resolve });
  expect(await promise).toMatchObject({ code: "store-corrupt", message: expect.stringContaining(name) });
  await scrub.stop();
});

test("a damaged table that is deleted meanwhile is not told", async () => {
  const copy = await folders.copy(path);
  const [name] = tables as [string];
  await writeFile(join(copy, name), "half of a table");
  const told: unknown[] = [];
  // It is never looked at for the second time before it is gone.
  const scrub = new Scrub({ path: copy, everyMs: 1, againMs: 200, onDamage: (error) => told.push(error) });
  await rm(join(copy, name));
  await expect.poll(() => scrub.count).toBeGreaterThan(tables.length);
  await scrub.stop();
  expect(told).toEqual([]);
});
