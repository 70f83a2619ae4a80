// Checks one of LevelDB's table files, byte by byte: LevelDB looks at its checksums neither on reads nor when it
// rewrites tables, and a damaged index or filter lets rows vanish or older ones come back without a word. Blocks lie
// one after the other, and the index, itself a block, says where. Pure: bytes in, findings out.

import { crc32c, unmaskCrc } from "../crypto/crc32c.js";
import { Cursor, fixed32 } from "./level-cursor.js";

interface Handle {
  readonly at: number;
  readonly length: number;
}

const FOOTER = 48;
/** One byte of sort, four of checksum. */
const TRAILER = 5;
const MAGIC = [0x8b80fb57, 0xdb477524] as const;
const SNAPPY = 1;

/** The position of what is damaged; undefined: every block is as it was written, and there is nothing between them. */
export function damageOfTable(bytes: Uint8Array): number | undefined {
  const footer = bytes.length - FOOTER;
  if (footer < 0) return 0;
  if (fixed32(bytes, bytes.length - 8) !== MAGIC[0] || fixed32(bytes, bytes.length - 4) !== MAGIC[1]) return footer;
  const cursor = new Cursor(bytes.subarray(footer));
  const [meta, index] = [readHandle(cursor), readHandle(cursor)];
  if (!cursor.isSound) return footer;
  const handles = [meta, index];
  for (const each of [meta, index]) {
    if (!isSoundBlock(bytes, each)) return each.at;
    const found = handlesIn(bytes, each);
    if (found === undefined) return each.at;
    handles.push(...found);
  }
  let end = 0;
  for (const handle of handles.sort((a, b) => a.at - b.at)) {
    if (handle.at !== end || !isSoundBlock(bytes, handle)) return end;
    end = handle.at + handle.length + TRAILER;
  }
  return end === footer ? undefined : end;
}

function readHandle(cursor: Cursor): Handle {
  return { at: cursor.varint(), length: cursor.varint() };
}

function isSoundBlock(bytes: Uint8Array, { at, length }: Handle): boolean {
  const end = at + length + 1;
  return end + 4 <= bytes.length && crc32c(bytes, at, end) === unmaskCrc(fixed32(bytes, end));
}

/** The values of a block of handles. Undefined: they are none. */
function handlesIn(bytes: Uint8Array, { at, length }: Handle): readonly Handle[] | undefined {
  const stored = bytes.subarray(at, at + length);
  const block = bytes[at + length] === SNAPPY ? unsnappy(stored) : stored;
  if (block === undefined || block.length < 4) return undefined;
  const end = block.length - 4 - 4 * fixed32(block, block.length - 4);
  if (end < 0) return undefined;
  const cursor = new Cursor(block.subarray(0, end));
  const handles: Handle[] = [];
  while (!cursor.isAtEnd && cursor.isSound) {
    cursor.varint(); // length shared with the key before
    const [rest, valueLength] = [cursor.varint(), cursor.varint()];
    cursor.bytes(rest);
    handles.push(readHandle(new Cursor(cursor.bytes(valueLength))));
  }
  return cursor.isSound ? handles : undefined;
}

/** Google's Snappy: literals and copies of what came before. Undefined: it is not. */
export function unsnappy(packed: Uint8Array): Uint8Array | undefined {
  const cursor = new Cursor(packed);
  const length = cursor.varint();
  if (length > UNPACKED_MAX) return undefined;
  const out = new Uint8Array(length);
  let at = 0;
  while (!cursor.isAtEnd && cursor.isSound) {
    const tag = cursor.byte();
    const sort = tag & 3;
    if (sort === 0) {
      const short = tag >>> 2;
      const count = short < 60 ? short + 1 : littleEndian(cursor, short - 59) + 1;
      const literal = cursor.bytes(count);
      if (at + literal.length > length) return undefined;
      out.set(literal, at);
      at += literal.length;
      continue;
    }
    const count = sort === 1 ? 4 + ((tag >>> 2) & 7) : (tag >>> 2) + 1;
    const back = sort === 1 ? ((tag >>> 5) << 8) | cursor.byte() : littleEndian(cursor, sort === 2 ? 2 : 4);
    if (back === 0 || back > at || at + count > length) return undefined;
    // Byte by byte: a copy may overlap itself.
    for (let i = 0; i < count; i++, at++) out[at] = out[at - back] as number;
  }
  return cursor.isSound && at === length ? out : undefined;
}

/** An index names a block of 4 KiB in some 30 bytes; a table has a few MiB. */
const UNPACKED_MAX = 16 << 20;

function littleEndian(cursor: Cursor, count: number): number {
  let value = 0;
  for (let i = 0; i < count; i++) value += cursor.byte() * 256 ** i;
  return value;
}
