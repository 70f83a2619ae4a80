// The store on disk: LevelDB with a checksum of ours behind every value (seal.ts), opened only after all its files were
// looked at (level-check.ts). A folder belongs to one node of one network for ever. Whatever goes wrong has a code:
// damage is "store-corrupt", and a disk that takes no more is "disk-full" or "disk-failed".

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { CodedError } from "../types/codes.js";
import type { Write } from "../types/effects.js";
import type { NetworkId } from "../types/ids.js";
import { describeKey, type MetaName, metaKey } from "./keys.js";
import { checkFolder, type FolderCheck } from "./level-check.js";
import { checkFolderMark, markPath, readMark } from "./mark.js";
import { seal, unseal } from "./seal.js";
import { type RangeOptions, STORE_SCHEMA, type Store, type StoredPair } from "./store.js";
import { RECOVER, storeError } from "./store-errors.js";

export interface NodeStoreOptions {
  readonly path: string;
  readonly networkId: NetworkId;
  /** The operator's name of the node. */
  readonly nodeId: string;
  /** Make the folder when it is not there; else a missing one is an error. */
  readonly create: boolean;
  /** Called with what was found in the files before they are opened; may throw. */
  readonly inspect?: ((check: FolderCheck) => void) | undefined;
}

type Level = ClassicLevel<Uint8Array, Uint8Array>;

/** Pairs that a range holds in memory at a time. */
const RANGE_BYTES = 256 * 1024;
const RANGE_PAIRS = 300; // larger pieces outlive the young generation: a start took a fifth longer, measured

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
export async function openLevelStore(options: NodeStoreOptions): Promise<Store> {
  const { path, networkId, nodeId, create, inspect } = options;
  const isNew = !isStoreFolder(path);
  if (isNew && !create) throw missing(path);
  if (!isNew) {
    const check = await checkUnused(path);
    inspect?.(check);
  }
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
  const check = await checkUnused(path);
  const mark = readMark(markPath(path));
  if (typeof mark !== "string") checkFolderMark(check, mark, path);
  const store = new LevelStore(await openLevel(path, false), path);
  try {
    checkFact(store, path, "schema", STORE_SCHEMA);
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Every LevelDB folder has a file of this name, which points to its current state; throws if only that is missing. */
export function isStoreFolder(path: string): boolean {
  if (existsSync(join(path, "CURRENT"))) return true;
  const data = existsSync(path) ? readdirSync(path).find((name) => /^\d+\.(log|ldb|sst)$/.test(name)) : undefined;
  if (data === undefined) return false;
  throw new CodedError("store-corrupt", `${path} has data, ${data}, and its file CURRENT is missing; ${RECOVER}`);
}

class LevelStore implements Store {
  readonly #level: Level;
  readonly #path: string;

  constructor(level: Level, path: string) {
    this.#level = level;
    this.#path = path;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    let sealed: Uint8Array | undefined;
    try {
      sealed = this.#level.getSync(key);
    } catch (error) {
      throw storeError(error, this.#path);
    }
    return sealed === undefined ? undefined : this.#unseal(key, sealed);
  }

  async write(batch: readonly Write[], { sync }: { readonly sync: boolean }): Promise<void> {
    const operations = batch.map(({ key, value }) =>
      value === undefined ? ({ type: "del", key } as const) : ({ type: "put", key, value: seal(key, value) } as const),
    );
    try {
      await this.#level.batch(operations, { sync });
    } catch (error) {
      throw storeError(error, this.#path);
    }
  }

  async *range(options: RangeOptions): AsyncIterable<StoredPair> {
    for await (const pairs of this.batches(options)) yield* pairs;
  }

  async *batches({ gte, lt, reverse = false, limit = -1 }: RangeOptions): AsyncIterable<readonly StoredPair[]> {
    const iterator = this.#level.iterator({ gte, lt, reverse, limit, highWaterMarkBytes: RANGE_BYTES });
    const next = () =>
      iterator.nextv(RANGE_PAIRS).catch((error: unknown) => {
        throw storeError(error, this.#path);
      });
    // One piece is read while the one before it is used.
    let ahead = next();
    try {
      for (let pairs = await ahead; pairs.length > 0; pairs = await ahead) {
        ahead = next();
        yield pairs.map(([key, sealed]) => [key, this.#unseal(key, sealed)] as const);
      }
    } finally {
      await ahead.catch(() => undefined);
      await iterator.close();
    }
  }

  close(): Promise<void> {
    return this.#level.close();
  }

  #unseal(key: Uint8Array, sealed: Uint8Array): Uint8Array {
    const value = unseal(key, sealed);
    if (value !== undefined) return value;
    throw new CodedError(
      "store-corrupt",
      `${describeKey(key)} in ${this.#path} does not match its checksum; ${RECOVER}`,
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

/** The lock comes first: the files of a running node change while they are looked at. */
async function checkUnused(path: string): Promise<FolderCheck> {
  const probe = new ClassicLevel(path, { createIfMissing: false, errorIfExists: true });
  const refused = await probe.open().catch((error: unknown) => storeError(error, path));
  if (refused instanceof CodedError && refused.code === "store-locked") throw refused;
  return checkFolder(path).catch((error: unknown) => {
    throw storeError(error, path);
  });
}

async function openLevel(path: string, create: boolean): Promise<Level> {
  const level = new ClassicLevel<Uint8Array, Uint8Array>(path, { ...SETTINGS, createIfMissing: create });
  try {
    await level.open();
    return level;
  } catch (error) {
    throw storeError(error, path);
  }
}

function missing(path: string): CodedError {
  return new CodedError(
    "store-missing",
    `${path} is not the data folder of a node; give a folder that a node has made`,
  );
}
