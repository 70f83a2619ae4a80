// Bytes under the codec: varints, lengths and text, each with exactly one encoding. Reading is strict and never leaves
// the bounds it was given; writing goes backwards, so that a nested length is known when it is needed.

/** Bytes that are not the one encoding of any value. Thrown by `decode`, caught at the door (ingress). */
export class CodecError extends Error {
  override readonly name = "CodecError";
}

export interface Reader {
  readonly bytes: Uint8Array;
  at: number;
  end: number;
}

/** What is written lies from `at` to the end of `bytes`. */
export interface Writer {
  bytes: Uint8Array;
  at: number;
}

const WRITER_BYTES = 64 * 1024;
/** Up to this length a loop over characters or bytes is faster than a call of the platform. */
const LOOP_BYTES_MAX = 64;
const utf8 = new TextEncoder();
const utf8Strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function newWriter(): Writer {
  return { bytes: new Uint8Array(WRITER_BYTES), at: WRITER_BYTES };
}

/** Makes room for `count` more bytes in front, doubling the buffer when it is too small. */
function reserve(to: Writer, count: number): void {
  if (to.at >= count) return;
  const used = to.bytes.length - to.at;
  const larger = new Uint8Array(Math.max(to.bytes.length * 2, used + count));
  larger.set(to.bytes.subarray(to.at), larger.length - used);
  to.bytes = larger;
  to.at = larger.length - used;
}

export function writeVarint(to: Writer, value: number): void {
  let length = 1;
  for (let rest = value; rest > 0x7f; rest = rest > 0x7fff_ffff ? Math.floor(rest / 128) : rest >>> 7) length++;
  reserve(to, length);
  to.at -= length;
  const { bytes } = to;
  let at = to.at;
  let rest = value;
  while (rest > 0x7fff_ffff) {
    bytes[at++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  while (rest > 0x7f) {
    bytes[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[at] = rest;
}

export function writeBigVarint(to: Writer, value: bigint): void {
  if (value < 0n || value > 0xffff_ffff_ffff_ffffn) throw new RangeError(`${value} does not fit 64 bits`);
  if (value <= Number.MAX_SAFE_INTEGER) {
    writeVarint(to, Number(value));
    return;
  }
  const groups: number[] = [];
  for (let rest = value; rest > 0n; rest >>= 7n) groups.push(Number(rest & 0x7fn) | 0x80);
  const last = groups.length - 1;
  groups[last] = (groups[last] as number) & 0x7f;
  reserve(to, groups.length);
  to.at -= groups.length;
  to.bytes.set(groups, to.at);
}

/** The bytes, and in front of them their length. */
export function writeBytes(to: Writer, value: Uint8Array): void {
  const { length } = value;
  reserve(to, length);
  to.at -= length;
  to.bytes.set(value, to.at);
  writeVarint(to, length);
}

/** The text as UTF-8, and in front of it its length in bytes, which is at most `bytesMax`. */
export function writeText(to: Writer, value: string, bytesMax: number): void {
  if (value.length <= LOOP_BYTES_MAX && value.length <= bytesMax && writeAscii(to, value)) return;
  if (!value.isWellFormed()) throw new RangeError("text has half of a surrogate pair");
  const encoded = utf8.encode(value);
  if (encoded.length > bytesMax) throw new RangeError(`${encoded.length} bytes of text, at most ${bytesMax}`);
  writeBytes(to, encoded);
}

/** False, with nothing written, when the text is not ASCII. */
function writeAscii(to: Writer, value: string): boolean {
  reserve(to, value.length);
  const start = to.at - value.length;
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code > 0x7f) return false;
    to.bytes[start + i] = code;
  }
  to.at = start;
  writeVarint(to, value.length);
  return true;
}

export function readVarint(from: Reader): number {
  const { bytes, end } = from;
  let value = 0;
  let scale = 1;
  for (let count = 0; ; count++) {
    if (from.at >= end) throw new CodecError("varint cut off");
    const byte = bytes[from.at++] as number;
    value += (byte & 0x7f) * scale;
    if (value > Number.MAX_SAFE_INTEGER || count > 7) throw new CodecError("number above 2^53 - 1");
    if (byte < 0x80) {
      if (byte === 0 && count > 0) throw new CodecError("varint not the shortest");
      return value;
    }
    scale *= 128;
  }
}

export function readBigVarint(from: Reader): bigint {
  let low = 0;
  let high = 0n;
  for (let count = 0; ; count++) {
    if (from.at >= from.end) throw new CodecError("varint cut off");
    const byte = from.bytes[from.at++] as number;
    if (count < 7) low += (byte & 0x7f) * 128 ** count;
    else high |= BigInt(byte & 0x7f) << BigInt(7 * (count - 7));
    if (count === 9 && byte > 1) throw new CodecError("number above 2^64 - 1");
    if (byte < 0x80) {
      if (byte === 0 && count > 0) throw new CodecError("varint not the shortest");
      return high === 0n ? BigInt(low) : (high << 49n) | BigInt(low);
    }
  }
}

/** Reads a length and returns the position where the counted bytes end. */
export function readLength(from: Reader, bytesMax: number): number {
  const length = readVarint(from);
  if (length > bytesMax) throw new CodecError(`${length} bytes, at most ${bytesMax}`);
  if (length > from.end - from.at) throw new CodecError("cut off");
  return from.at + length;
}

export function readText(from: Reader, bytesMax: number): string {
  const end = readLength(from, bytesMax);
  const start = from.at;
  from.at = end;
  if (end - start > LOOP_BYTES_MAX) return readUtf8(from.bytes.subarray(start, end));
  let ascii = "";
  for (let at = start; at < end; at++) {
    const byte = from.bytes[at] as number;
    if (byte > 0x7f) return readUtf8(from.bytes.subarray(start, end));
    ascii += String.fromCharCode(byte);
  }
  return ascii;
}

function readUtf8(bytes: Uint8Array): string {
  try {
    return utf8Strict.decode(bytes);
  } catch {
    throw new CodecError("text is not UTF-8");
  }
}
