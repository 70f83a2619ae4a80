// The one codec: a strict subset of protobuf in which every value has exactly one encoding (fields ascending, defaults
// left out, shortest varints, no unknown fields, no trailing bytes) and every list and byte string has a bound that is
// checked before anything is allocated. Library decoders accept many encodings of one value, which would give one
// message many hashes; hence our own. Shapes are declared in schema.ts, published as wire.proto, and a test compares
// the two. Numbers, lengths and text as bytes are in bytes.ts.

import {
  CodecError,
  newWriter,
  type Reader,
  readBigVarint,
  readLength,
  readText,
  readVarint,
  type Writer,
  writeBigVarint,
  writeBytes,
  writeText,
  writeVarint,
} from "./bytes.js";

export { CodecError };

/** A field's type in wire.proto; of a nested message, its schema. */
export type WireType = "uint32" | "uint64" | "bool" | "bytes" | "string" | { readonly fields: Fields };

/** How one field's value is read, written and recognised as its default (which is never on the wire). */
interface Kind<T> {
  readonly type: WireType;
  readonly wireType: 0 | 2;
  /** Largest number, or largest length in bytes, of one value. */
  readonly max: number;
  /** Of repeated fields: how many values there may be. */
  readonly countMax?: number;
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
  type Entry = (typeof entries)[number];
  const descending = [...entries].reverse();
  const absent = Object.fromEntries(entries.map(({ name, kind }) => [name, kind.absent()]));

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
    const value: Record<string, unknown> = { ...absent };
    let next = 0;
    while (from.at < from.end) {
      const tag = readVarint(from);
      while (next < entries.length && (entries[next] as Entry).tag < tag) next++;
      const entry = entries[next];
      if (entry?.tag !== tag) throw new CodecError(`field tag ${tag} is unknown, repeated or out of order`);
      const { name, kind } = entry;
      const field = kind.read(from, value[name]);
      if (kind.repeated === undefined) {
        if (kind.isAbsent(field)) throw new CodecError(`default value of ${name} on the wire`);
        next++;
      }
      value[name] = field;
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

const scratch = newWriter();

const U32_MAX = 0xffff_ffff;
const U53_MAX = Number.MAX_SAFE_INTEGER;

/** Unsigned 32 bits. */
export const u32 = (id: number): Field<number> => ({ id, kind: numberKind("uint32", U32_MAX) });
/** Unsigned, at most 2^53 - 1: exact as a number. */
export const u53 = (id: number): Field<number> => ({ id, kind: numberKind("uint64", U53_MAX) });
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
/** Packed list of numbers, unsigned 32 bits each. */
export const u32List = (id: number, countMax: number): Field<readonly number[]> => ({
  id,
  kind: packedKind(numberKind("uint32", U32_MAX), countMax),
});
/** Packed list of numbers, at most 2^53 - 1 each. */
export const u53List = (id: number, countMax: number): Field<readonly number[]> => ({
  id,
  kind: packedKind(numberKind("uint64", U53_MAX), countMax),
});

// ---- kinds ---------------------------------------------------------------------------------------------------------

const NO_BYTES = new Uint8Array(0);
/** Shared by all values that lack a list; the first element read makes a list of their own. */
const NO_ELEMENTS: readonly never[] = Object.freeze([]);

function numberKind(type: "uint32" | "uint64", max: number): Kind<number> {
  return {
    type,
    wireType: 0,
    max,
    absent: () => 0,
    isAbsent: (value) => value === 0,
    write(to, value) {
      if (!Number.isInteger(value) || value < 0 || value > max) {
        throw new RangeError(`${value} is no integer within 0..${max}`);
      }
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
  type: "uint64",
  wireType: 0,
  max: 2 ** 64,
  absent: () => 0n,
  isAbsent: (value) => value === 0n,
  write: writeBigVarint,
  read: readBigVarint,
};

const boolKind: Kind<boolean> = {
  type: "bool",
  wireType: 0,
  max: 1,
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
    type: "bytes",
    wireType: 2,
    max: bytesMax,
    absent: () => NO_BYTES,
    isAbsent: (value) => value.length === 0,
    write(to, value) {
      if (value.length > bytesMax) throw new RangeError(`${value.length} bytes, at most ${bytesMax}`);
      writeBytes(to, value);
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
    type: "string",
    wireType: 2,
    max: bytesMax,
    absent: () => "",
    isAbsent: (value) => value === "",
    write: (to, value) => writeText(to, value, bytesMax),
    read: (from) => readText(from, bytesMax),
  };
}

function nestedKind<T>(of: Schema<T>): Kind<T | undefined> {
  return {
    type: of,
    wireType: 2,
    max: Number.MAX_SAFE_INTEGER,
    absent: () => undefined,
    isAbsent: (value) => value === undefined,
    write(to, value) {
      const tail = to.bytes.length - to.at;
      of.writeTo(to, value as T);
      // The buffer may have been replaced by a larger one meanwhile; distances from its end stay true.
      writeVarint(to, to.bytes.length - to.at - tail);
    },
    read(from) {
      const outer = from.end;
      from.end = readLength(from, outer);
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
  const none = kind.absent();
  return {
    type: kind.type,
    wireType: 2,
    max: kind.max,
    countMax,
    absent: () => NO_ELEMENTS,
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
      const element = kind.read(from, none);
      if (previous.length === 0) return [element];
      (previous as T[]).push(element);
      return previous;
    },
  };
}

function packedKind(kind: Kind<number>, countMax: number): Kind<readonly number[]> {
  return {
    type: kind.type,
    wireType: 2,
    max: kind.max,
    countMax,
    absent: () => NO_ELEMENTS,
    isAbsent: (values) => values.length === 0,
    write(to, values) {
      if (values.length > countMax) throw new RangeError(`${values.length} numbers, at most ${countMax}`);
      const tail = to.bytes.length - to.at;
      for (let i = values.length - 1; i >= 0; i--) kind.write(to, values[i] as number);
      writeVarint(to, to.bytes.length - to.at - tail);
    },
    read(from) {
      const outer = from.end;
      from.end = readLength(from, outer);
      const values: number[] = [];
      while (from.at < from.end) {
        if (values.length >= countMax) throw new CodecError(`more than ${countMax} numbers`);
        values.push(kind.read(from, 0));
      }
      from.end = outer;
      return values;
    },
  };
}
