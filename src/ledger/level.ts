// The store on disk: LevelDB with a checksum of ours behind every value, since LevelDB's own are not looked at on reads
// and do not bind a value to its key. CRC-32 finds every change of up to four neighbouring bytes and costs 0.3 µs, a
// third of a hash; against people who recompute it there is the audit. A folder belongs to one node of one network for
// ever.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { ClassicLevel } from "classic-level";
import { CodedError } from "../types/codes.js";
import type { Write } from "../types/effects.js";
import type { NetworkId } from "../types/ids.js";
import { describeKey, type MetaName, metaKey } from "./keys.js";
import { type RangeOptions, STORE_SCHEMA, type Store, type StoredPair } from "./store.js";

export interface NodeStoreOptions {
  readonly path: string;
  readonly networkId: NetworkId;
  /** The operator's name of the node. */
  readonly nodeId: string;
  /** Make the folder when it is not there; else a missing one is an error. */
  readonly create: boolean;
}

type Level = ClassicLevel<Uint8Array, Uint8Array>;

const CHECKSUM_BYTES = 4;
/** Pairs that a range holds in memory at a time. */
const RANGE_BYTES = 256 * 1024;
const RANGE_PAIRS = 1000;

/** Many nodes share a machine, so LevelDB's part of each one's memory is kept near 12 MiB plus mapped tables. */
const SETTINGS = {
  keyEncoding: "view",
  valueEncoding: "view",
  writeBufferSize: 4 << 20, // two of them: smaller ones rewrite the same tables more often, measured
  cacheSize: 2 << 20, // accounts in use are cached by execution; a node hardly reads old blocks
  maxFileSize: 1 << 20, // with the next line: at most 64 MiB of tables are mapped at once
  maxOpenFiles: 74, // LevelDB's least: 64 tables and 10 files of its own
} as const;

/** Opens a node's store, or makes it; refuses the folder of another node, network or version. */
export async function openLevelStore({ path, networkId, nodeId, create }: NodeStoreOptions): Promise<Store> {
  const isNew = !isStoreFolder(path);
  if (isNew && !create) throw missing(path);
  const store = new LevelStore(await openLevel(path, isNew), path);
  const expected: readonly (readonly [MetaName, string])[] = [
    ["schema", STORE_SCHEMA],
    ["network", networkId],
    ["node", nodeId],
  ];
  try {
    // A crash between the making of the folder and the first write leaves a store without facts: still nobody's.
    const isEmpty = store.get(metaKey("schema")) === undefined;
    if (isEmpty) {
      await store.write(
        expected.map(([name, value]) => ({ key: metaKey(name), value: Buffer.from(value) })),
        { sync: true },
      );
      return store;
    }
    for (const [name, value] of expected) checkFact(store, path, name, value);
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Opens an existing store for reading by a tool, whoever's it is. Works while no node runs on it. */
export async function openLevelStoreOfAny(path: string): Promise<Store> {
  if (!isStoreFolder(path)) throw missing(path);
  const store = new LevelStore(await openLevel(path, false), path);
  try {
    checkFact(store, path, "schema", STORE_SCHEMA);
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Every LevelDB folder has a file of this name, which points to its current state. */
export function isStoreFolder(path: string): boolean {
  return existsSync(join(path, "CURRENT"));
}

class LevelStore implements Store {
  readonly #level: Level;
  readonly #path: string;

  constructor(level: Level, path: string) {
    this.#level = level;
    this.#path = path;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const sealed = this.#level.getSync(key);
    return sealed === undefined ? undefined : this.#unseal(key, sealed);
  }

  async write(batch: readonly Write[], { sync }: { readonly sync: boolean }): Promise<void> {
    const operations = batch.map(({ key, value }) =>
      value === undefined ? ({ type: "del", key } as const) : ({ type: "put", key, value: seal(key, value) } as const),
    );
    await this.#level.batch(operations, { sync });
  }

  async *range(options: RangeOptions): AsyncIterable<StoredPair> {
    for await (const pairs of this.batches(options)) yield* pairs;
  }

  async *batches({ gte, lt, reverse = false, limit = -1 }: RangeOptions): AsyncIterable<readonly StoredPair[]> {
    const iterator = this.#level.iterator({ gte, lt, reverse, limit, highWaterMarkBytes: RANGE_BYTES });
    try {
      for (let pairs = await iterator.nextv(RANGE_PAIRS); pairs.length > 0; pairs = await iterator.nextv(RANGE_PAIRS)) {
        yield pairs.map(([key, sealed]) => [key, this.#unseal(key, sealed)] as const);
      }
    } finally {
      await iterator.close();
    }
  }

  close(): Promise<void> {
    return this.#level.close();
  }

  #unseal(key: Uint8Array, sealed: Uint8Array): Uint8Array {
    const value = sealed.subarray(0, Math.max(0, sealed.length - CHECKSUM_BYTES));
    if (sealed.length >= CHECKSUM_BYTES && readChecksum(sealed) === checksum(key, value)) return value;
    throw new CodedError(
      "store-corrupt",
      `${describeKey(key)} in ${this.#path} does not match its checksum; keep the folder aside and start with ` +
        "an empty one",
    );
  }
}

function checkFact(store: Store, path: string, name: MetaName, value: string): void {
  const found = store.get(metaKey(name));
  const foundText = found === undefined ? "none" : Buffer.from(found).toString();
  if (foundText === value) return;
  throw new CodedError(
    "store-foreign",
    `${path} is the store of ${name} ${foundText}, not of ${name} ${value}; give its own folder, or an empty one`,
  );
}

async function openLevel(path: string, create: boolean): Promise<Level> {
  const level = new ClassicLevel<Uint8Array, Uint8Array>(path, { ...SETTINGS, createIfMissing: create });
  try {
    await level.open();
    return level;
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : undefined;
    const code = cause !== undefined && "code" in cause ? cause.code : undefined;
    if (code === "LEVEL_LOCKED") {
      throw new CodedError("store-locked", `${path} is in use by a running node or tool; stop it first`);
    }
    if (code === "LEVEL_CORRUPTION") {
      throw new CodedError("store-corrupt", `${path} is damaged: ${cause?.message}; keep it aside and start anew`);
    }
    throw error;
  }
}

function missing(path: string): CodedError {
  return new CodedError(
    "store-missing",
    `${path} is not the data folder of a node; give a folder that a node has made`,
  );
}

function seal(key: Uint8Array, value: Uint8Array): Uint8Array {
  const sealed = Buffer.allocUnsafe(value.length + CHECKSUM_BYTES);
  sealed.set(value);
  sealed.writeUInt32BE(checksum(key, value), value.length);
  return sealed;
}

/** Over the key's length, the key and the value, so that no value passes for one of another key. */
function checksum(key: Uint8Array, value: Uint8Array): number {
  return crc32(value, crc32(key, key.length));
}

function readChecksum(sealed: Uint8Array): number {
  const at = sealed.length - CHECKSUM_BYTES;
  const [a = 0, b = 0, c = 0, d = 0] = [sealed[at], sealed[at + 1], sealed[at + 2], sealed[at + 3]];
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}
