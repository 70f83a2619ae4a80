// Both stores are one ordered map with atomic batches; the one on disk finds every damaged value, belongs to one node
// of one network, and has one user at a time.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { ed25519Verifier } from "../../src/crypto/signature.js";
import { auditLedgers } from "../../src/ledger/audit.js";
import { accountKey, blockKey, certificatesKey, metaKey, prefixRange, recordKey } from "../../src/ledger/keys.js";
import { openLevelStore, openLevelStoreOfAny } from "../../src/ledger/level.js";
import { MemoryStore } from "../../src/ledger/memory.js";
import type { RangeOptions, Store } from "../../src/ledger/store.js";
import type { Write } from "../../src/types/effects.js";
import type { AccountId, NetworkId } from "../../src/types/ids.js";
import { accountOf, drawLedger } from "./drawn.js";
import { NaiveShard } from "./naive.js";

const networkId = "ab".repeat(32) as NetworkId;
const folder = await mkdtemp(join(tmpdir(), "sharper-store-"));
let folders = 0;

afterAll(() => rm(folder, { recursive: true }));

function newPath(): string {
  return join(folder, `store${folders++}`);
}

function openNew(path = newPath(), nodeId = "c1n0"): Promise<Store> {
  return openLevelStore({ path, networkId, nodeId, create: true });
}

async function pairsOf(store: Store, options: RangeOptions): Promise<readonly string[]> {
  const pairs: string[] = [];
  for await (const [key, value] of store.range(options)) {
    pairs.push(`${Buffer.from(key).toString("hex")}=${Buffer.from(value).toString("hex")}`);
  }
  return pairs;
}

/** Changes the bytes on disk behind the checksum's back. */
async function damage(path: string, key: Uint8Array, change: (sealed: Uint8Array) => Uint8Array): Promise<void> {
  const raw = new ClassicLevel<Uint8Array, Uint8Array>(path, { keyEncoding: "view", valueEncoding: "view" });
  await raw.open();
  const sealed = raw.getSync(key) as Uint8Array;
  await raw.put(key, change(Uint8Array.from(sealed)), { sync: true });
  await raw.close();
}

describe("a store", () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 3, max: 3 });
  const write = fc.record({ key: bytes, value: fc.option(bytes, { nil: undefined }) });
  const range = fc.record({ gte: bytes, lt: bytes, reverse: fc.boolean(), limit: fc.integer({ min: 1, max: 5 }) });

  it("answers the same in memory and on disk, whatever was written", async () => {
    const level = await openNew();
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(write, { maxLength: 8 }), { maxLength: 4 }),
        range,
        bytes,
        async (batches, where, key) => {
          const memory = new MemoryStore();
          const all = { gte: Uint8Array.of(0), lt: Uint8Array.of(255) };
          const old: Write[] = [];
          for await (const [used] of level.range(all)) old.push({ key: used, value: undefined });
          await level.write(old, { sync: false });
          for (const batch of batches) {
            await level.write(batch, { sync: false });
            await memory.write(batch);
          }
          expect(await pairsOf(memory, all)).toEqual(await pairsOf(level, all));
          expect(await pairsOf(memory, where)).toEqual(await pairsOf(level, where));
          expect(memory.get(key) ?? "none").toEqual(
            level.get(key) === undefined ? "none" : Uint8Array.from(level.get(key) ?? []),
          );
        },
      ),
      { numRuns: 60 },
    );
    await level.close();
  });

  it("keeps what was written when the writer changes its bytes", async () => {
    const store = new MemoryStore();
    const value = Uint8Array.of(1);
    await store.write([{ key: Uint8Array.of(9), value }]);
    value[0] = 2;
    expect(store.get(Uint8Array.of(9))).toEqual(Uint8Array.of(1));
  });
});

describe("a store on disk", () => {
  it("finds every change of one byte of a value, and names the table and the key", async () => {
    const path = newPath();
    const key = accountKey("alice" as AccountId);
    const store = await openNew(path);
    await store.write([{ key, value: Uint8Array.of(1, 2, 3) }], { sync: true });
    await store.close();
    for (let at = 0; at < 3 + 4; at++) {
      const flip = (sealed: Uint8Array): Uint8Array => sealed.map((byte, i) => (i === at ? byte ^ 0x10 : byte));
      await damage(path, key, flip);
      const damaged = await openLevelStoreOfAny(path);
      expect(() => damaged.get(key)).toThrow(expect.objectContaining({ code: "store-corrupt" }));
      expect(() => damaged.get(key)).toThrow(/^account alice in /);
      await expect(pairsOf(damaged, prefixRange("account"))).rejects.toMatchObject({ code: "store-corrupt" });
      await damaged.close();
      await damage(path, key, flip);
    }
  });

  it("finds a value that was cut short or put under another key", async () => {
    const path = newPath();
    const store = await openNew(path);
    const writes = [1, 2].map((height) => ({ key: recordKey(height), value: Uint8Array.of(height) }));
    await store.write(writes, { sync: true });
    await store.close();
    let other = new Uint8Array(0);
    await damage(path, recordKey(1), (sealed) => {
      other = Uint8Array.from(sealed);
      return sealed.subarray(0, 2);
    });
    await damage(path, recordKey(2), () => other);
    const damaged = await openLevelStoreOfAny(path);
    expect(() => damaged.get(recordKey(1))).toThrow(/^record 1 in /);
    expect(() => damaged.get(recordKey(2))).toThrow(/^record 2 in /);
    await damaged.close();
  });

  it("has one user at a time", async () => {
    const path = newPath();
    const store = await openNew(path);
    await expect(openNew(path)).rejects.toMatchObject({ code: "store-locked" });
    await expect(openLevelStoreOfAny(path)).rejects.toMatchObject({ code: "store-locked" });
    await store.close();
    await (await openLevelStoreOfAny(path)).close();
  });

  it("refuses another node's, another network's and another version's folder", async () => {
    const path = newPath();
    await (await openNew(path)).close();
    const open = { path, networkId, nodeId: "c1n0", create: false };
    await (await openLevelStore(open)).close();
    const foreign = { code: "store-foreign" };
    await expect(openLevelStore({ ...open, nodeId: "c1n1" })).rejects.toMatchObject(foreign);
    await expect(openLevelStore({ ...open, networkId: "cd".repeat(32) as NetworkId })).rejects.toMatchObject(foreign);
    const store = await openLevelStore(open);
    await store.write([{ key: metaKey("schema"), value: Buffer.from("0") }], { sync: true });
    await store.close();
    await expect(openLevelStore(open)).rejects.toMatchObject(foreign);
    await expect(openLevelStoreOfAny(path)).rejects.toMatchObject(foreign);
  });

  it("is not made where it is only looked for", async () => {
    const path = newPath();
    const open = { path, networkId, nodeId: "c1n0", create: false };
    await expect(openLevelStore(open)).rejects.toMatchObject({ code: "store-missing" });
    await expect(openLevelStoreOfAny(path)).rejects.toMatchObject({ code: "store-missing" });
  });
});

it("damage behind the checksum's back is found by an audit, with cluster and height", async () => {
  const paths = new Map<string, string>();
  const makeStore = (name: string): Promise<Store> => {
    const path = newPath();
    paths.set(name, path);
    return openNew(path, name);
  };
  const { topology, nodes, blocks } = await drawLedger("p1: a X b\np2: X c", { nodesEach: 1, makeStore });
  for (const { store } of nodes) await store.close();
  const path = paths.get("c1n0") as string;
  const block = blocks.get("b")?.digest;
  if (block === undefined) throw new Error("b was drawn");
  const cases = [
    [recordKey(2), 2],
    [recordKey(3), 3],
    [blockKey(block), 3],
    [certificatesKey(1), 1],
    [accountKey(accountOf(1, 0)), 3],
  ] as const;
  for (const [key, height] of cases) {
    const flip = (sealed: Uint8Array): Uint8Array => sealed.map((byte, i) => (i === 1 ? byte ^ 1 : byte));
    await damage(path, key, flip);
    const opened = await Promise.all(
      nodes.map(async (node) => ({ ...node, store: await openLevelStoreOfAny(paths.get(node.name) as string) })),
    );
    const replayer = (cluster: ConstructorParameters<typeof NaiveShard>[1]) => new NaiveShard(topology, cluster);
    const { findings } = await auditLedgers({
      topology,
      verifier: ed25519Verifier,
      nodes: opened,
      replayer,
      strict: false,
    });
    for (const { store } of opened) await store.close();
    expect(findings).toContainEqual(
      expect.objectContaining({ cluster: 1, node: "c1n0", height, code: "store-corrupt" }),
    );
    await damage(path, key, flip);
  }
});
