// What takes the place of a node's data (protocol 6): at every moment of it there is a mark that says that the node may
// have voted, so that a node which is started after the process died in the middle is refused and does not begin anew;
// nothing is deleted; and what cannot be replaced is refused before anything was moved.

import { existsSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { clearPlace, takePlace } from "../../src/cli/set-aside.js";
import { MarkFile, markPath, readMark } from "../../src/ledger/mark.js";
import { openNodeStore } from "../../src/ledger/node-store.js";
import { CodedError } from "../../src/types/codes.js";
import { byzantine, topology } from "../client/world.js";

const steps = vi.hoisted(() => ({ left: Number.POSITIVE_INFINITY }));

/** The process dies before the step for which there is none left. */
vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  const counted =
    <A extends readonly unknown[], R>(step: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      if (steps.left-- <= 0) throw new Error("died");
      return step(...args);
    };
  const changing = { rename: real.rename, copyFile: real.copyFile, writeFile: real.writeFile, rmdir: real.rmdir };
  return {
    ...real,
    ...Object.fromEntries(Object.entries(changing).map(([name, step]) => [name, counted(step as never)])),
  };
});

const OLD = { number: 900, chain: 1 };
const NEW = { number: 3, chain: 2 };
const nodeId = topology.clusters.find(({ id }) => id === byzantine)?.nodes[0]?.id as string;

let folder: string;
let path: string;
let fresh: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sharper-aside-"));
  path = join(folder, "data");
  fresh = `${path}.fresh`;
});

afterEach(async () => {
  steps.left = Number.POSITIVE_INFINITY;
  await rm(folder, { recursive: true });
});

async function makeData(at: string, content: string): Promise<void> {
  await mkdir(at);
  await writeFile(join(at, "CURRENT"), content);
}

/** What a start finds: the new data, or the code with which it is refused. */
async function startFinds(): Promise<string> {
  if (existsSync(path)) {
    const content = readFileSync(join(path, "CURRENT"), "utf8");
    const mark = readMark(markPath(path));
    return `${content} with ${typeof mark === "string" ? mark : mark.number}`;
  }
  try {
    await (await openNodeStore({ path, networkId: topology.networkId, nodeId })).close();
    return "a new node";
  } catch (error) {
    if (error instanceof CodedError) return error.code;
    throw error;
  }
}

describe.each([
  ["marked data", true, true],
  ["data without a mark", true, false],
  ["a mark without data", false, true],
])("in the place of %s", (_, isThere, isMarked) => {
  async function prepare(): Promise<void> {
    if (isThere) await makeData(path, "old");
    if (isMarked) new MarkFile(markPath(path), OLD).close();
    await makeData(fresh, "new");
    new MarkFile(markPath(fresh), NEW).close();
  }

  test("comes the new folder with its mark, and what was there is kept", async () => {
    await prepare();
    expect(await takePlace({ fresh, path })).toBe(isThere ? `${path}.damaged-1` : undefined);
    expect(await startFinds()).toBe("new with 3");
    expect(existsSync(fresh) || existsSync(markPath(fresh))).toBe(false);
    if (isThere) expect(readFileSync(join(`${path}.damaged-1`, "CURRENT"), "utf8")).toBe("old");
    if (isMarked) expect(readMark(markPath(`${path}.damaged-1`))).toEqual(OLD);
  });

  test("there is a mark whenever the process dies, and another attempt ends well", async () => {
    for (let survived = 0; ; survived++) {
      await prepare();
      const before = await startFinds();
      steps.left = survived;
      const isDead = await takePlace({ fresh, path }).then(
        () => false,
        () => true,
      );
      steps.left = Number.POSITIVE_INFINITY;
      const allowed = [before, "old with damaged", "store-lost", "new with 3"];
      expect(allowed, `dead after ${survived} steps`).toContain(await startFinds());
      if (!isDead) {
        expect(survived).toBeGreaterThan(2);
        return;
      }
      await rm(fresh, { recursive: true, force: true });
      await rm(markPath(fresh), { force: true });
      await makeData(fresh, "new");
      new MarkFile(markPath(fresh), NEW).close();
      await takePlace({ fresh, path });
      expect(await startFinds(), `again after ${survived} steps`).toBe("new with 3");
      await rm(folder, { recursive: true });
      await mkdir(folder);
    }
  });
});

describe("a place is refused", () => {
  test.each<[string, () => Promise<unknown>]>([
    ["a folder with data", () => makeData(path, "old")],
    ["a file", () => writeFile(path, "old")],
    ["a link to an empty folder", async () => [await mkdir(join(folder, "disk")), await symlink("disk", path)]],
    ["a link to nothing", () => symlink("disk", path)],
  ])("that is %s, and is left as it is", async (_, make) => {
    await make();
    new MarkFile(markPath(path), OLD).close();
    const [names, before] = [readdirSync(folder), lstatSync(path)];
    await expect(clearPlace(path)).rejects.toMatchObject({ code: "data-exists" });
    expect(readdirSync(folder)).toEqual(names);
    expect(lstatSync(path)).toMatchObject({ ino: before.ino, mode: before.mode });
    expect(readMark(markPath(path))).toEqual(OLD);
  });

  test("that cannot be removed, as what a disk is mounted on", async () => {
    await mkdir(path);
    steps.left = 0;
    await expect(clearPlace(path)).rejects.toMatchObject({ code: "data-exists" });
  });
});

test.each([true, false])("an empty folder (%s) makes room, and its mark stays", async (isThere) => {
  if (isThere) await mkdir(path);
  new MarkFile(markPath(path), OLD).close();
  await clearPlace(path);
  expect(existsSync(path)).toBe(false);
  expect(await startFinds()).toBe("store-lost");
});
