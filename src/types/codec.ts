// The one codec: a strict subset of protobuf in which every value has exactly one encoding (fields ascending, defaults
// left out, shortest varints, no unknown fields, no trailing bytes) and every list and byte string has a bound that is
// checked before anything is allocated. Library decoders accept many encodings of one value, which would give one
// message many hashes; hence our own. Shapes are declared in schema.ts, published as wire.proto, and a test compares
// the two. Encoding writes backwards, so that a nested length is known when it is needed.

/** Bytes that are not the one encoding of any value. Thrown by `decode`, caught at the door (ingress). */
export class CodecError extends Error {
  override readonly name = "CodecError";
}

interface Reader {
  readonly bytes: Uint8Array;
  at: number;
  end: number;
}

interface Writer {
  bytes: Uint8Array;
  at: number;
}

/** How one field's value is read, written and recognised as its default (which is never on the wire). */
interface Kind<T> {
  readonly wireType: 0 | 2;
  readonly absent: () => T;
  readonly isAbsent: (value: T) => boolean;
  readonly write: (to: Writer, value: T) => void;
  readonly read: (from: Reader, previous: T) => T;
  /** Repeated fields write their own tags, once for each element. */
  readonly repeated?: (to: Writer, tag: number, value: T) => void;
}

export interface Field<T> {
  readonly id: number;
  readonly kind: Kind<T>;
}

// biome-ignore lint/suspicious/noExplicitAny: a table of fields of unlike types; each field's own type is exact
export type Fields = Readonly<Record<string, Field<any>>>;
export type ValueOf<F extends Fields> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never };

export interface Schema<T> {
  readonly encode: (value: T) => Uint8Array;
  /** The decoded value; its byte strings are views into `bytes`. Throws CodecError. */
  readonly decode: (bytes: Uint8Array) => T;
  readonly writeTo: (to: Writer, value: T) => void;
  readonly readFrom: (from: Reader) => T;
  readonly fields: Fields;
}

/** Declares a message: its fields in ascending id order. */
export function schema<F extends Fields>(fields: F): Schema<ValueOf<F>> {
  type Value = ValueOf<F>;
  const entries = Object.entries(fields).map(([name, { id, kind }]) => ({ name, kind, tag: id * 8 + kind.wireType }));
  const byTag = new Map(entries.map((entry) => [entry.tag, entry]));
  const descending = [...entries].reverse();

  function writeTo(to: Writer, value: Value): void {
    for (const { name, kind, tag } of descending) {
      const field = value[name];
      if (kind.isAbsent(field)) continue;
      if (kind.repeated !== undefined) {
        kind.repeated(to, tag, field);
        continue;
      }
      kind.write(to, field);
      writeVarint(to, tag);
    }
  }

  function readFrom(from: Reader): Value {
    const value: Record<string, unknown> = {};
    for (const { name, kind } of entries) value[name] = kind.absent();
    let last = 0;
    while (from.at < from.end) {
      const tag = readVarint(from);
      const entry = byTag.get(tag);
      if (entry === undefined) throw new CodecError(`unknown field tag ${tag}`);
      if (tag < last || (tag === last && entry.kind.repeated === undefined)) throw new CodecError("fields out of order");
      last = tag;
      const field = entry.kind.read(from, value[entry.name]);
      if (entry.kind.isAbsent(field)) throw new CodecError(`default value of ${entry.name} on the wire`);
      value[entry.name] = field;
    }
    return value as Value;
  }

  return {
    fields,
    writeTo,
    readFrom,
    encode(value) {
      scratch.at = scratch.bytes.length;
      writeTo(scratch, value);
      return scratch.bytes.slice(scratch.at);
    },
    decode(bytes) {
      const from = { bytes, at: 0, end: bytes.length };
      return readFrom(from);
    },
  };
}

/** Unsigned 32 bits. */
export const u32 = (id: number): Field<number> => ({ id, kind: numberKind(0xffff_ffff) });
/** Unsigned, at most 2^53 - 1: exact as a number. */
export const u53 = (id: number): Field<number> => ({ id, kind: numberKind(Number.MAX_SAFE_INTEGER) });
/** Unsigned 64 bits as a bigint: amounts of money. */
export const u64 = (id: number): Field<bigint> => ({ id, kind: bigintKind });
export const bool = (id: number): Field<boolean> => ({ id, kind: boolKind });
export const bytes = (id: number, bytesMax: number): Field<Uint8Array> => ({ id, kind: bytesKind(bytesMax) });
export const text = (id: number, bytesMax: number): Field<string> => ({ id, kind: textKind(bytesMax) });
export const nested = <T>(id: number, of: Schema<T>): Field<T | undefined> => ({ id, kind: nestedKind(of) });
export const list = <T>(id: number, of: Schema<T>, countMax: number): Field<readonly T[]> => ({
  id,
  kind: repeatedKind(required(nestedKind(of)), countMax),
});
export const bytesList = (id: number, bytesMax: number, countMax: number): Field<readonly Uint8Array[]> => ({
  id,
  kind: repeatedKind(bytesKind(bytesMax), countMax),
});
export const textList = (id: number, bytesMax: number, countMax: number): Field<readonly string[]> => ({
  id,
  kind: repeatedKind(textKind(bytesMax), countMax),
});
/** Packed list of numbers, at most 2^53 - 1 each. */
export const numbers = (id: number, countMax: number): Field<readonly number[]> => ({ id, kind: packedKind(countMax) });

// ---- kinds ---------------------------------------------------------------------------------------------------------

function numberKind(max: number): Kind<number> {
  return {
    wireType: 0,
    absent: () => 0,
    isAbsent: (value) => value === 0,
    write(to, value) {
      if (!Number.isInteger(value) || value < 0 || value > max) throw new RangeError(`${value} is not within 0..${max}`);
      writeVarint(to, value);
    },
    read(from) {
      const value = readVarint(from);
      if (value > max) throw new CodecError(`number above ${max}`);
      return value;
    },
  };
}

const bigintKind: Kind<bigint> = {
  wireType: 0,
  absent: () => 0n,
  isAbsent: (value) => value === 0n,
  write: writeBigVarint,
  read: readBigVarint,
};

const boolKind: Kind<boolean> = {
  wireType: 0,
  absent: () => false,
  isAbsent: (value) => !value,
  write: (to) => writeVarint(to, 1),
  read(from) {
    const value = readVarint(from);
    if (value > 1) throw new CodecError("boolean above 1");
    return value === 1;
  },
};

function bytesKind(bytesMax: number): Kind<Uint8Array> {
  return {
    wireType: 2,
    absent: () => EMPTY,
    isAbsent: (value) => value.length === 0,
    write(to, value) {
      if (value.length > bytesMax) throw new RangeError(`${value.length} bytes, at most ${bytesMax}`);
      reserve(to, value.length);
      to.at -= value.length;
      to.bytes.set(value, to.at);
      writeVarint(to, value.length);
    },
    read(from) {
      const end = readLength(from, bytesMax);
      const value = from.bytes.subarray(from.at, end);
      from.at = end;
      return value;
    },
  };
}

function textKind(bytesMax: number): Kind<string> {
  return {
    wireType: 2,
    absent: () => "",
    isAbsent: (value) => value === "",
    write(to, value) {
      const encoded = utf8.encode(value);
      if (encoded.length > bytesMax) throw new RangeError(`${encoded.length} bytes of text, at most ${bytesMax}`);
      reserve(to, encoded.length);
      to.at -= encoded.length;
      to.bytes.set(encoded, to.at);
      writeVarint(to, encoded.length);
    },
    read(from) {
      const end = readLength(from, bytesMax);
      const value = readText(from.bytes, from.at, end);
      from.at = end;
      return value;
    },
  };
}

function nestedKind<T>(of: Schema<T>): Kind<T | undefined> {
  return {
    wireType: 2,
    absent: () => undefined,
    isAbsent: (value) => value === undefined,
    write(to, value) {
      const end = to.at;
      const tail = to.bytes.length - end;
      of.writeTo(to, value as T);
      // The buffer may have been replaced by a larger one meanwhile; distances from its end stay true.
      writeVarint(to, to.bytes.length - to.at - tail);
    },
    read(from) {
      const outer = from.end;
      from.end = readLength(from, Number.MAX_SAFE_INTEGER);
      const value = of.readFrom(from);
      from.end = outer;
      return value;
    },
  };
}

function required<T>(kind: Kind<T | undefined>): Kind<T> {
  return kind as Kind<T>;
}

function repeatedKind<T>(kind: Kind<T>, countMax: number): Kind<readonly T[]> {
  return {
    wireType: 2,
    absent: () => [],
    isAbsent: (values) => values.length === 0,
    write: () => undefined,
    repeated(to, tag, values) {
      if (values.length > countMax) throw new RangeError(`${values.length} elements, at most ${countMax}`);
      for (let i = values.length - 1; i >= 0; i--) {
        kind.write(to, values[i] as T);
        writeVarint(to, tag);
      }
    },
    read(from, previous) {
      if (previous.length >= countMax) throw new CodecError(`more than ${countMax} elements`);
      (previous as T[]).push(kind.read(from, kind.absent()));
      return previous;
    },
  };
}

function packedKind(countMax: number): Kind<readonly number[]> {
  return {
    wireType: 2,
    absent: () => [],
    isAbsent: (values) => values.length === 0,
    write(to, values) {
      if (values.length > countMax) throw new RangeError(`${values.length} numbers, at most ${countMax}`);
      const tail = to.bytes.length - to.at;
      for (let i = values.length - 1; i >= 0; i--) writeVarint(to, values[i] as number);
      writeVarint(to, to.bytes.length - to.at - tail);
    },
    read(from) {
      const end = readLength(from, Number.MAX_SAFE_INTEGER);
      const outer = from.end;
      from.end = end;
      const values: number[] = [];
      while (from.at < end) {
        if (values.length >= countMax) throw new CodecError(`more than ${countMax} numbers`);
        values.push(readVarint(from));
      }
      from.end = outer;
      return values;
    },
  };
}

// ---- bytes ---------------------------------------------------------------------------------------------------------

const EMPTY = new Uint8Array(0);
const SCRATCH_BYTES = 64 * 1024;
const scratch: Writer = { bytes: new Uint8Array(SCRATCH_BYTES), at: 0 };
const utf8 = new TextEncoder();
const utf8Strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Makes room for `count` more bytes in front, doubling the buffer when it is too small. */
function reserve(to: Writer, count: number): void {
  if (to.at >= count) return;
  const used = to.bytes.length - to.at;
  const larger = new Uint8Array(Math.max(to.bytes.length * 2, used + count));
  larger.set(to.bytes.subarray(to.at), larger.length - used);
  to.bytes = larger;
  to.at = larger.length - used;
}

function writeVarint(to: Writer, value: number): void {
  let length = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) length++;
  reserve(to, length);
  to.at -= length;
  let at = to.at;
  let rest = value;
  while (rest > 0x7fff_ffff) {
    to.bytes[at++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  while (rest > 0x7f) {
    to.bytes[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  to.bytes[at] = rest;
}

function writeBigVarint(to: Writer, value: bigint): void {
  if (value < 0n || value > 0xffff_ffff_ffff_ffffn) throw new RangeError(`${value} does not fit 64 bits`);
  if (value <= 0x1f_ffff_ffff_ffffn) return writeVarint(to, Number(value));
  const groups: number[] = [];
  for (let rest = value; rest > 0n; rest >>= 7n) groups.push(Number(rest & 0x7fn) | 0x80);
  const last = groups.length - 1;
  groups[last] = (groups[last] as number) & 0x7f;
  reserve(to, groups.length);
  to.at -= groups.length;
  to.bytes.set(groups, to.at);
}

function readVarint(from: Reader): number {
  let value = 0;
  let scale = 1;
  for (let count = 0; ; count++) {
    if (from.at >= from.end) throw new CodecError("varint cut off");
    const byte = from.bytes[from.at++] as number;
    value += (byte & 0x7f) * scale;
    if (value > Number.MAX_SAFE_INTEGER || count > 7) throw new CodecError("number above 2^53 - 1");
    if (byte < 0x80) {
      if (byte === 0 && count > 0) throw new CodecError("varint not the shortest");
      return value;
    }
    scale *= 128;
  }
}

function readBigVarint(from: Reader): bigint {
  let low = 0;
  let high = 0n;
  for (let count = 0; ; count++) {
    if (from.at >= from.end) throw new CodecError("varint cut off");
    const byte = from.bytes[from.at++] as number;
    if (count < 7) low += (byte & 0x7f) * 128 ** count;
    else high |= BigInt(byte & 0x7f) << BigInt(7 * (count - 7));
    if (count > 9 || (count === 9 && byte > 1)) throw new CodecError("number above 2^64 - 1");
    if (byte < 0x80) {
      if (byte === 0 && count > 0) throw new CodecError("varint not the shortest");
      return high === 0n ? BigInt(low) : (high << 49n) | BigInt(low);
    }
  }
}

/** Reads a length and returns the position where the counted bytes end. */
function readLength(from: Reader, bytesMax: number): number {
  const length = readVarint(from);
  if (length > bytesMax) throw new CodecError(`${length} bytes, at most ${bytesMax}`);
  if (length > from.end - from.at) throw new CodecError("cut off");
  return from.at + length;
}

/** Short ASCII, the usual case, is read faster by hand than by the platform's decoder. */
function readText(bytes: Uint8Array, start: number, end: number): string {
  let ascii = "";
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte > 0x7f) return decodeUtf8(bytes.subarray(start, end));
    ascii += String.fromCharCode(byte);
  }
  return ascii;
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8Strict.decode(bytes);
  } catch {
    throw new CodecError("text is not UTF-8");
  }
}
