// Where a node keeps what must survive it: one ordered map of bytes, written in atomic batches, one batch per turn of
// the host (protocol 6). Reads are synchronous, so that the pure core can ask during a step. What the keys mean is in
// keys.ts; level.ts keeps the map on disk and memory.ts in memory, for tests and the simulator.

import type { Reader, Write } from "../types/effects.js";

export interface RangeOptions {
  readonly gte: Uint8Array;
  readonly lt: Uint8Array;
  /** From the largest key downwards. */
  readonly reverse?: boolean;
  readonly limit?: number;
}

export type StoredPair = readonly [key: Uint8Array, value: Uint8Array];

export interface Store extends Reader {
  /** All of the batch or nothing of it. With `sync` it is on disk when the promise resolves. */
  write(batch: readonly Write[], options: { readonly sync: boolean }): Promise<void>;
  /** Pairs in the order of their keys, as of the moment of the call. */
  range(options: RangeOptions): AsyncIterable<StoredPair>;
  /** The same by the thousand, for who reads a whole table. */
  batches(options: RangeOptions): AsyncIterable<readonly StoredPair[]>;
  close(): Promise<void>;
}

/** The version of keys.ts and of the values' schema; another one is another store. */
export const STORE_SCHEMA = "2";
