// `sharper ledger` on data folders on disk, with the real execution: what it prints and how it ends.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { runProgram } from "../../src/cli/program.js";
import { accountKey } from "../../src/ledger/keys.js";
import { openLevelStore, openLevelStoreOfAny } from "../../src/ledger/level.js";
import { storedAccountSchema } from "../../src/types/schema.js";
import { accountOf, drawLedger } from "./drawn.js";

const DRAWING = "p1: a X b! V*\np2: c X d V*\np3: e V* f";

let folder: string;
let written: { out: string; err: string };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sharper-ledger-"));
  await makeNetwork("net", DRAWING);
  await makeNetwork("other", "p1: a");
});

afterAll(() => rm(folder, { recursive: true }));

beforeEach(() => {
  written = { out: "", err: "" };
  vi.spyOn(process.stdout, "write").mockImplementation((text) => collect("out", String(text)));
  vi.spyOn(process.stderr, "write").mockImplementation((text) => collect("err", String(text)));
});

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

function collect(to: "out" | "err", text: string): true {
  written[to] += text;
  return true;
}

async function makeNetwork(name: string, drawing: string): Promise<void> {
  const { nodes } = await drawLedger(drawing, {
    nodesEach: 2,
    makeStore: (nodeId, networkId) =>
      openLevelStore({ path: join(folder, name, nodeId), networkId, nodeId, create: true }),
  });
  for (const { store } of nodes) await store.close();
}

async function ledger(...args: readonly string[]): Promise<number> {
  process.exitCode = undefined;
  const load = () => import("../../src/cli/ledger.js");
  await runProgram(["ledger", ...args], [{ name: "ledger", describe: "", load }]);
  return Number(process.exitCode);
}

const data = (...names: readonly string[]): string => join(folder, ...names);

describe("ledger verify", () => {
  it("needs nothing but the data", async () => {
    expect(await ledger("verify", "--data", data("net"), "--strict")).toBe(0);
    expect(written.out).toBe("6 nodes, 11 records, 2 cross-shard blocks, supply 6000\nCONSISTENT\n");
  });

  it("says as JSON what it found", async () => {
    expect(await ledger("verify", "--data", data("net", "c1n0"), data("net", "c2n1"), "--json")).toBe(0);
    expect(JSON.parse(written.out)).toMatchObject({ verdict: "CONSISTENT", findings: [], absent: [3], records: 8 });
  });

  it("ends with 1 and names cluster, height and reason when a balance was changed", async () => {
    const store = await openLevelStoreOfAny(data("net", "c2n1"));
    const key = accountKey(accountOf(2, 0));
    const value = store.get(key) ?? new Uint8Array(0);
    const { owner } = storedAccountSchema.decode(value);
    await store.write([{ key, value: storedAccountSchema.encode({ balance: 5n, owner }) }], { sync: true });
    await store.close();
    expect(await ledger("verify", "--data", data("net"))).toBe(1);
    expect(written.out).toContain(
      "cluster 2, node c2n1, height 4: wrong-account: balance of c2-0 is 5, execution gives 970\n",
    );
    expect(written.out).toContain("INCONSISTENT: 1 findings\n");
    const again = await openLevelStoreOfAny(data("net", "c2n1"));
    await again.write([{ key, value }], { sync: true });
    await again.close();
  });

  it("ends with 2 on data of another network, of no node, of a running node, or of one node twice", async () => {
    expect(await ledger("verify", "--data", data("net"), data("other"))).toBe(2);
    expect(written.err).toContain("of network");
    expect(await ledger("verify", "--data", data("nowhere"), "--json")).toBe(2);
    expect(written.err).toContain('"code":"store-missing"');
    const running = await openLevelStoreOfAny(data("net", "c1n0"));
    expect(await ledger("verify", "--data", data("net"), "--json")).toBe(2);
    expect(written.err).toContain('"code":"store-locked"');
    await running.close();
  });

  it("checks the data against the topology that is given", async () => {
    const store = await openLevelStoreOfAny(data("net", "c1n0"));
    const text = Buffer.from(store.get(Buffer.concat([Uint8Array.of(1), Buffer.from("topology")])) ?? []).toString();
    await store.close();
    await writeFile(data("richer.yaml"), text.replace("balance: 1000", "balance: 1001"));
    expect(await ledger("verify", "--data", data("net"), "--topology", data("richer.yaml"), "--json")).toBe(2);
    expect(written.err).toContain('"code":"store-foreign"');
  });
});

describe("ledger show", () => {
  it("prints the records of a view", async () => {
    expect(await ledger("show", "--data", data("net", "c1n1"), "--from", "2", "--json")).toBe(0);
    const { records } = JSON.parse(written.out) as {
      records: { height: number; results: string[]; clusters: number[] }[];
    };
    expect(records.map(({ height, results, clusters }) => [height, results, clusters])).toEqual([
      [2, ["ok"], [1, 2]],
      [3, ["insufficient-funds"], [1]],
      [4, ["ok"], [1, 2, 3]],
    ]);
  });

  it("prints one record in full", async () => {
    expect(await ledger("show", "--data", data("net", "c1n1"), "--height", "4")).toBe(0);
    expect(written.out).toMatch(/certificate {2}cluster 3: view 0 round 1 slot 2 sequence .*, signed by c3n0/);
    expect(written.out).toMatch(/c1-0 10 \+ c2-0 10 -> c3-\w+ 20/);
  });

  it("refuses a height that is not there and data of several nodes", async () => {
    expect(await ledger("show", "--data", data("net", "c1n1"), "--height", "99")).toBe(2);
    expect(written.err).toContain("this view has records 0 to 4");
    expect(await ledger("show", "--data", data("net"))).toBe(2);
  });
});

describe("ledger graph", () => {
  it("writes the format that the file's name asks for", async () => {
    for (const [format, begin] of [
      ["svg", "<svg "],
      ["dot", "digraph ledger {"],
      ["json", "{"],
    ] as const) {
      const out = data(`ledger.${format}`);
      expect(await ledger("graph", "--data", data("net"), "--out", out)).toBe(0);
      expect((await readFile(out, "utf8")).startsWith(begin)).toBe(true);
    }
    expect(written.out).toContain("8 blocks of 3 clusters");
  });

  it("shows a part when asked, and counts what it leaves out", async () => {
    expect(await ledger("graph", "--data", data("net"), "--format", "json", "--last", "2")).toBe(0);
    const { lanes, blocks } = JSON.parse(written.out) as { lanes: { earlier: number }[]; blocks: unknown[] };
    expect(blocks).toHaveLength(2);
    expect(lanes.map(({ earlier }) => earlier)).toEqual([3, 3, 1]);
  });

  it("refuses a format that is not known, and no blocks at all", async () => {
    expect(await ledger("graph", "--data", data("net"), "--format", "svg", "--last", "0")).toBe(2);
    expect(await ledger("graph", "--data", data("net"), "--out", data("ledger.png"))).toBe(2);
  });
});
