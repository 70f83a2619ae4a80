// Reads LevelDB's log files, of which there are two sorts in one format: the batches that are not in a table yet, and
// the MANIFEST, which says what tables there are. LevelDB itself drops what it cannot read in a log of batches and goes
// on, so that acknowledged writes may vanish without a word; this reader says where that would happen. Pure: bytes in,
// findings out.

import { crc32c, unmaskCrc } from "../crypto/crc32c.js";
import { tableOf } from "./keys.js";
import { Cursor, fixed32 } from "./level-cursor.js";

export interface LogRecords {
  /** Whole records in their order. */
  readonly records: readonly Uint8Array[];
  /** Position of the first bytes that are no part of a whole record. */
  readonly damagedAt: number | undefined;
  /** Whole records follow the damage: it is not the end of a write that a crash cut off. */
  readonly isHole: boolean;
}

/** The batch of one write: LevelDB numbers every operation, so numbers show whether a batch is missing between two. */
export interface LoggedBatch {
  readonly first: number;
  readonly count: number;
  /** The value that it puts under the stamp's key (stamps.ts), with its checksum. */
  readonly stamp: Uint8Array | undefined;
}

/** What a MANIFEST says of the files. */
export interface Manifest {
  /** Number of the oldest log that is still needed; 0 before there was any. */
  readonly log: number;
  /** The highest number of an operation when it was written. */
  readonly last: number;
  readonly tables: readonly TableFile[];
}

export interface TableFile {
  readonly number: number;
  readonly bytes: number;
  /** First and last key. */
  readonly first: Uint8Array;
  readonly end: Uint8Array;
}

const BLOCK = 32_768;
const HEADER = 7;
/** What a part is of its record; 3 is neither its first nor its last. */
const [FULL, FIRST, LAST] = [1, 2, 4];

export function readLog(bytes: Uint8Array): LogRecords {
  const records: Uint8Array[] = [];
  let parts: Uint8Array[] = [];
  let startedAt = 0;
  let damagedAt: number | undefined;
  let isHole = false;
  const damage = (at: number): void => {
    damagedAt ??= parts.length > 0 ? startedAt : at;
    parts = [];
  };
  for (let at = 0; at < bytes.length; ) {
    const nextBlock = at + BLOCK - (at % BLOCK);
    if (nextBlock - at < HEADER) {
      at = nextBlock;
      continue;
    }
    const { type, end } = readPart(bytes, at, Math.min(nextBlock, bytes.length));
    const isFirst = type === FULL || type === FIRST;
    if (type === undefined || isFirst === parts.length > 0) damage(at);
    if (isFirst) startedAt = at;
    if (isFirst || parts.length > 0) parts.push(bytes.subarray(at + HEADER, end));
    if (parts.length > 0 && (type === FULL || type === LAST)) {
      if (damagedAt === undefined) records.push(Buffer.concat(parts));
      else isHole = true;
      parts = [];
    }
    at = end;
  }
  if (parts.length > 0) damage(startedAt);
  return { records, damagedAt, isHole };
}

/** A record lies in one block, or in parts in several. Of an unsound part only the length can be tried. */
function readPart(bytes: Uint8Array, at: number, limit: number): { readonly type?: number; readonly end: number } {
  const data = at + HEADER;
  const length = data <= limit ? (bytes[at + 4] as number) | ((bytes[at + 5] as number) << 8) : 0;
  const end = data + length;
  if (data > limit || end > limit) return { end: limit };
  const type = bytes[at + 6] as number;
  const isSound = type >= FULL && type <= LAST && unmaskCrc(fixed32(bytes, at)) === crc32c(bytes, at + 6, end);
  return isSound ? { type, end } : { end: length === 0 ? limit : end };
}

/** Undefined: not a batch. */
export function readBatch(record: Uint8Array): LoggedBatch | undefined {
  const cursor = new Cursor(record);
  const first = cursor.fixed64();
  const count = cursor.fixed32();
  let stamp: Uint8Array | undefined;
  for (let i = 0; i < count && cursor.isSound; i++) {
    const isPut = cursor.byte() === 1;
    const key = cursor.slice();
    const value = isPut ? cursor.slice() : undefined;
    if (tableOf(key) === "stamp") stamp = value;
  }
  return cursor.isSound && cursor.isAtEnd ? { first, count, stamp } : undefined;
}

/** Undefined: not the edits of a MANIFEST. */
export function readManifest(edits: readonly Uint8Array[]): Manifest | undefined {
  const tables = new Map<number, TableFile>();
  let [log, last] = [0, 0];
  for (const edit of edits) {
    const cursor = new Cursor(edit);
    while (!cursor.isAtEnd && cursor.isSound) {
      const tag = cursor.varint();
      if (tag === 1) cursor.slice();
      else if (tag === 2) log = cursor.varint();
      else if (tag === 4) last = cursor.varint();
      else if (tag === 3 || tag === 9) cursor.varint();
      else if (tag === 5) {
        cursor.varint();
        cursor.slice();
      } else if (tag === 6) {
        cursor.varint();
        tables.delete(cursor.varint());
      } else if (tag === 7) {
        cursor.varint();
        const number = cursor.varint();
        const bytes = cursor.varint();
        const [first, end] = [userKey(cursor.slice()), userKey(cursor.slice())];
        tables.set(number, { number, bytes, first, end });
      } else return undefined;
    }
    if (!cursor.isSound) return undefined;
  }
  return { log, last, tables: [...tables.values()] };
}

/** LevelDB puts eight bytes of its own behind every key. */
function userKey(internal: Uint8Array): Uint8Array {
  return internal.subarray(0, Math.max(0, internal.length - 8));
}
