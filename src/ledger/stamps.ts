// Every durable batch carries a stamp, one row that it replaces: the number of the batch, a running checksum, and what
// the store must hold after it. Checksums of values find a row that changed; the stamp finds rows that vanished or came
// back from the past, of those that a vote or a balance depends on, and batches that are missing at the end, as soon as
// somebody else knows the number (mark.ts). Pure over any store: the simulated node is stamped by the same code.

import { crc32 } from "node:zlib";
import { schema, u53 } from "../types/codec.js";
import { CodedError } from "../types/codes.js";
import type { Write } from "../types/effects.js";
import { heightOfKey, prefixRange, stampKey, type Table, tableOf, WATCHED } from "./keys.js";
import { checksum } from "./seal.js";
import type { Store } from "./store.js";
import { RECOVER } from "./store-errors.js";

/** What another place knows of a store: that it had so many batches, and the running checksum then. */
export interface Marked {
  readonly number: number;
  readonly chain: number;
}

export interface Stamp extends Marked {
  /** Sum over the rows of the watched tables, which does not depend on their order. */
  readonly watched: number;
  /** The last record's height and the checksum of its row; 0 before there is one. */
  readonly height: number;
  readonly head: number;
}

export const NO_STAMP: Stamp = { number: 0, chain: 0, watched: 0, height: 0, head: 0 };

const stampSchema = schema({ number: u53(1), chain: u53(2), watched: u53(3), height: u53(4), head: u53(5) });

export function decodeStamp(value: Uint8Array): Stamp {
  return stampSchema.decode(value);
}

/** Stamps one store's batches, in their order. */
export class Stamper {
  #stamp: Stamp;
  /** Watched rows: key -> checksum. Bounded as what the log holds above its stable checkpoint. */
  readonly #rows: Map<string, number>;

  private constructor(stamp: Stamp, rows: Map<string, number>) {
    this.#stamp = stamp;
    this.#rows = rows;
  }

  /** Of a store in which there is nothing yet. */
  static empty(): Stamper {
    return new Stamper(NO_STAMP, new Map());
  }

  /** Throws CodedError "store-corrupt" if the store is not what its stamp says. One without stamp begins with 0. */
  static async open(store: Store): Promise<Stamper> {
    const rows = new Map<string, number>();
    let watched = 0;
    for (const table of WATCHED) {
      for await (const [key, value] of store.range(prefixRange(table))) {
        const sum = checksum(key, value);
        rows.set(textOf(key), sum);
        watched = add(watched, sum);
      }
    }
    const found = { watched, ...(await headOf(store)) };
    const value = store.get(stampKey());
    const stamp = value === undefined ? { ...NO_STAMP, ...found } : decodeStamp(value);
    if (stamp.watched !== watched) throw corrupt("what the node said and knows of its log is not all there");
    if (stamp.height !== found.height || stamp.head !== found.head) {
      throw corrupt(`the last record is ${found.height}, and not the one that was written, ${stamp.height}`);
    }
    return new Stamper(stamp, rows);
  }

  get stamp(): Stamp {
    return this.#stamp;
  }

  /** The batch with its stamp. It counts as written. */
  stamped(batch: readonly Write[]): readonly Write[] {
    let { watched, height, head, chain } = this.#stamp;
    for (const { key, value } of batch) {
      chain = crc32(key, chain);
      const table = tableOf(key);
      if (table === undefined) continue;
      if (watchedTables.has(table)) watched = this.#note(key, value, watched);
      else if (table === "record" && value !== undefined && heightOfKey(key) >= height) {
        height = heightOfKey(key);
        head = checksum(key, value);
      }
    }
    const number = this.#stamp.number + 1;
    this.#stamp = { number, chain: (chain ^ watched) >>> 0, watched, height, head };
    return [...batch, { key: stampKey(), value: stampSchema.encode(this.#stamp) }];
  }

  #note(key: Uint8Array, value: Uint8Array | undefined, watched: number): number {
    const text = textOf(key);
    const before = this.#rows.get(text) ?? 0;
    const after = value === undefined ? 0 : checksum(key, value);
    if (value === undefined) this.#rows.delete(text);
    else this.#rows.set(text, after);
    return add(watched, after - before);
  }
}

/** Throws CodedError: the store has lost batches of which the mark knows, or is a copy that went another way. */
export function checkMark({ number, chain }: Marked, mark: Marked, name: string): void {
  if (number > mark.number || (number === mark.number && chain === mark.chain)) return;
  const what =
    number < mark.number
      ? `has ${number} batches, and ${mark.number} were durable: the last ones are lost, or this is an older copy`
      : `is not the one that was used last, though it has as many batches (${number})`;
  throw new CodedError(
    "store-rolled-back",
    `${name} ${what}; the node may have voted since, and does not start. ${RECOVER}`,
  );
}

const watchedTables: ReadonlySet<Table> = new Set(WATCHED);

async function headOf(store: Store): Promise<Pick<Stamp, "height" | "head">> {
  for await (const [key, value] of store.range({ ...prefixRange("record"), reverse: true, limit: 1 })) {
    return { height: heightOfKey(key), head: checksum(key, value) };
  }
  return { height: 0, head: 0 };
}

function add(sum: number, change: number): number {
  return (sum + change) >>> 0;
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
}

function corrupt(what: string): CodedError {
  return new CodedError("store-corrupt", `${what}; ${RECOVER}`);
}
