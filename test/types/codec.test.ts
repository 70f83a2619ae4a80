// One value, one encoding: that the schema in code is the published one, that a library which knows only wire.proto
// reads and writes the same bytes, and that no bytes but the one encoding of a value are ever accepted.

import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import protobuf from "protobufjs";
import { describe, expect, test } from "vitest";
import type { Fields, Schema } from "../../src/types/codec.js";
import {
  bool,
  bytes,
  bytesList,
  CodecError,
  list,
  nested,
  schema,
  text,
  u32,
  u32List,
  u53,
  u64,
} from "../../src/types/codec.js";
import { limits } from "../../src/types/limits.js";
import { frameSchema, operationSchema, requestBodySchema } from "../../src/types/schema.js";
import { arbitraryValue, schemas } from "./arbitrary.js";

type Value = Readonly<Record<string, unknown>>;

const published = protobuf.parse(readFileSync(new URL("../../src/types/wire.proto", import.meta.url), "utf8"), {
  keepCase: true,
}).root;
const everySchema = [...schemas].map(([name, each]) => ({ name, each }));
const nameOf = new Map([...schemas].map(([name, { fields }]) => [fields, name]));

describe("the published schema", () => {
  test("has exactly the messages declared in code", () => {
    expect(published.nestedArray.map(({ name }) => name).sort()).toEqual([...schemas.keys()].sort());
  });

  test.each(everySchema)("declares the fields of $name as in code", ({ name, each }) => {
    const inCode = Object.entries(each.fields).map(([field, { id, kind }]) => ({
      field,
      id,
      type: typeof kind.type === "object" ? nameOf.get(kind.type.fields) : kind.type,
      repeated: kind.countMax !== undefined,
    }));
    const inProto = published.lookupType(name).fieldsArray.map((field) => ({
      field: field.name,
      id: field.id,
      type: field.type,
      repeated: field.repeated,
    }));
    expect(inCode).toEqual(inProto);
    expect(inCode.map(({ id }) => id)).toEqual(inCode.map(({ id }) => id).toSorted((a, b) => a - b));
  });

  test.each(everySchema)("$name has the same bytes in another implementation", ({ name, each }) => {
    const theirs = published.lookupType(name);
    fc.assert(
      fc.property(arbitraryValue(each.fields), (value) => {
        const encoded = each.encode(value);
        expect(hex(theirs.encode(theirs.fromObject(toTheirs(value, each.fields))).finish())).toBe(hex(encoded));
        expect(fromTheirs(theirs.decode(encoded), each.fields)).toEqual(value);
      }),
      { numRuns: 50 },
    );
  });
});

describe("every schema", () => {
  test.each(everySchema)("$name: decoding what was encoded gives the value", ({ each }) => {
    fc.assert(
      fc.property(arbitraryValue(each.fields), (value) => isDeepStrictEqual(each.decode(each.encode(value)), value)),
      { numRuns: 200 },
    );
  });

  test.each(everySchema)("$name: any bytes are its one encoding or refused with CodecError", ({ each }) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => isCanonicalOrRefused(each, bytes)),
      {
        numRuns: 500,
      },
    );
    fc.assert(
      fc.property(arbitraryValue(each.fields), fc.array(mutation, { minLength: 1, maxLength: 3 }), (value, mutations) =>
        isCanonicalOrRefused(each, mutations.reduce(mutate, each.encode(value))),
      ),
      { numRuns: 1000 },
    );
  });
});

describe("decoding refuses", () => {
  const inner = schema({ a: u32(1), b: u32(2) });
  const outer = schema({
    number: u32(1),
    big: u53(2),
    amount: u64(3),
    flag: bool(4),
    data: bytes(5, 4),
    name: text(6, 4),
    inner: nested(7, inner),
    inners: list(8, inner, 2),
    blobs: bytesList(9, 4, 2),
    ids: u32List(10, 3),
  });

  test.each([
    ["a varint that is not the shortest", "088100", /shortest/],
    ["a zero in two bytes", "088000", /shortest/],
    ["a varint cut off", "0881", /cut off/],
    ["a tag cut off", "88", /cut off/],
    ["a missing value", "08", /cut off/],
    ["a tag that is not the shortest", "888100", /shortest/],
    ["an unknown field", "5801", /unknown/],
    ["field number 0", "0001", /unknown/],
    ["a known field with another wire type", "0d01000000", /unknown/],
    ["a group", "0b0c", /unknown/],
    ["a scalar field twice", "08010801", /repeated/],
    ["a nested message twice", "3a0208013a020802", /repeated/],
    ["fields out of order", "10010801", /out of order/],
    ["a list in two places", "42004a004200", /out of order/],
    ["a packed list in two pieces", "520101520102", /repeated/],
    ["a zero", "0800", /default/],
    ["a zero amount", "1800", /default/],
    ["a false", "2000", /default/],
    ["empty bytes", "2a00", /default/],
    ["an empty text", "3200", /default/],
    ["an empty packed list", "5200", /default/],
    ["a default inside a nested message", "3a020800", /default/],
    ["a packed number that is not the shortest", "52028100", /shortest/],
    ["a packed number that reaches over its list", "520181", /cut off/],
    ["a nested field that reaches over its message", "3a01082001", /cut off/],
    ["trailing bytes", "080100", /unknown/],
    ["a number above 32 bits", "088080808010", /above 4294967295/],
    ["a packed number above 32 bits", "52058080808010", /above 4294967295/],
    ["2^53", "108080808080808010", /above 2\^53 - 1/],
    ["2^53 where rounding would hide it", "108180808080808010", /above 2\^53 - 1/],
    ["a varint of nine bytes", "10808080808080808001", /above 2\^53 - 1/],
    ["2^64", "1880808080808080808002", /above 2\^64 - 1/],
    ["a 64-bit varint of eleven bytes", "188080808080808080808001", /above 2\^64 - 1/],
    ["a boolean above 1", "2002", /boolean/],
    ["bytes above their bound", "2a050000000000", /5 bytes, at most 4/],
    ["text above its bound", "32056161616161", /5 bytes, at most 4/],
    ["more elements than its bound", "420042004200", /more than 2/],
    ["more byte strings than its bound", "4a004a004a00", /more than 2/],
    ["more packed numbers than its bound", "520401010101", /more than 3/],
    ["a length beyond the end", "2a0400", /cut off/],
    ["a huge length, before anything is allocated", "3affffffffffffff0f", /at most/],
    ["text that is not UTF-8", "3201ff", /UTF-8/],
    ["text with an overlong form", "3202c080", /UTF-8/],
    ["text with half a surrogate pair", "3203eda080", /UTF-8/],
  ])("%s", (_rule, encoded, expected) => {
    expect(() => outer.decode(Buffer.from(encoded, "hex"))).toThrow(CodecError);
    expect(() => outer.decode(Buffer.from(encoded, "hex"))).toThrow(expected);
  });

  test("nothing that is at its bound", () => {
    const value = {
      number: 2 ** 32 - 1,
      big: Number.MAX_SAFE_INTEGER,
      amount: 2n ** 64n - 1n,
      flag: true,
      data: Uint8Array.of(0, 0, 0, 0),
      name: "\ufeffa",
      inner: { a: 0, b: 0 },
      inners: [
        { a: 0, b: 2 ** 31 },
        { a: 1, b: 0 },
      ],
      blobs: [new Uint8Array(0), Uint8Array.of(255)],
      ids: [0, 2 ** 32 - 1, 5],
    };
    expect(outer.decode(outer.encode(value))).toEqual(value);
  });

  test.each([2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n])(
    "no 64-bit %d",
    (n) => {
      const amount = schema({ amount: u64(1) });
      expect(amount.decode(amount.encode({ amount: n }))).toEqual({ amount: n });
    },
  );

  test("views of foreign memory: bytes outside of the given ones are never read", () => {
    const memory = Buffer.from("0801080208030804", "hex");
    expect(outer.decode(memory.subarray(2, 4)).number).toBe(2);
    expect(() => outer.decode(memory.subarray(2, 3))).toThrow(CodecError);
  });
});

describe("encoding refuses, with RangeError since the caller is wrong,", () => {
  test.each([
    ["negative numbers", () => schema({ a: u32(1) }).encode({ a: -1 })],
    ["fractions", () => schema({ a: u53(1) }).encode({ a: 0.5 })],
    ["NaN", () => schema({ a: u53(1) }).encode({ a: Number.NaN })],
    ["numbers above 32 bits", () => schema({ a: u32(1) }).encode({ a: 2 ** 32 })],
    ["numbers above 2^53 - 1", () => schema({ a: u53(1) }).encode({ a: 2 ** 53 })],
    ["packed numbers above 32 bits", () => schema({ a: u32List(1, 2) }).encode({ a: [2 ** 32] })],
    ["negative amounts", () => schema({ a: u64(1) }).encode({ a: -1n })],
    ["amounts above 64 bits", () => schema({ a: u64(1) }).encode({ a: 2n ** 64n })],
    ["long bytes", () => schema({ a: bytes(1, 2) }).encode({ a: new Uint8Array(3) })],
    ["long text", () => schema({ a: text(1, 3) }).encode({ a: "abcd" })],
    ["text that is long in bytes", () => schema({ a: text(1, 3) }).encode({ a: "éé" })],
    ["half a surrogate pair", () => schema({ a: text(1, 9) }).encode({ a: "a\ud800" })],
    ["long lists", () => schema({ a: u32List(1, 1) }).encode({ a: [1, 2] })],
    [
      "long lists of messages",
      () => frameSchema.encode({ messages: new Array(limits.frameMessagesMax + 1).fill(new Uint8Array(0)) }),
    ],
  ])("%s", (_rule, encode) => {
    expect(encode).toThrow(RangeError);
  });

  test("and is as good as new afterwards", () => {
    const operation = { open: "alice", debits: [], credits: [] };
    const before = hex(operationSchema.encode(operation));
    expect(() => operationSchema.encode({ ...operation, open: "x".repeat(limits.accountBytesMax + 1) })).toThrow(
      RangeError,
    );
    expect(hex(operationSchema.encode(operation))).toBe(before);
  });
});

test("a message larger than the writer's first buffer is written whole", () => {
  const posting = { account: "account-of-some-length", amount: 7n };
  const operation = { open: "", debits: [posting], credits: [posting] };
  const body = {
    client: new Uint8Array(32).fill(1),
    nonce: 1,
    validUntil: 2,
    operations: new Array(limits.operationsMax).fill(operation),
    rejoin: undefined,
  };
  const encoded = requestBodySchema.encode(body);
  expect(encoded.length).toBeGreaterThan(500_000);
  expect(isDeepStrictEqual(requestBodySchema.decode(encoded), body)).toBe(true);
});

/** A change to bytes at a position given as a fraction of their length. */
const mutation = fc.record({
  how: fc.constantFrom("flip", "set", "insert", "remove", "repeat", "cut", "swap"),
  at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  byte: fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), fc.nat({ max: 255 })),
});

type Mutation = typeof mutation extends fc.Arbitrary<infer T> ? T : never;

function mutate(encoded: Uint8Array, { how, at, byte }: Mutation): Uint8Array {
  const index = Math.floor(at * encoded.length);
  const before = [...encoded.subarray(0, index)];
  const [here = 0, ...after] = encoded.subarray(index);
  const length = 1 + (byte % 8);
  switch (how) {
    case "flip":
      return Uint8Array.from([...before, here ^ (1 << (byte % 8)), ...after]);
    case "set":
      return Uint8Array.from([...before, byte, ...after]);
    case "insert":
      return Uint8Array.from([...before, byte, here, ...after]);
    case "remove":
      return Uint8Array.from([...before, ...after]);
    case "repeat":
      return Uint8Array.from([...before, ...encoded.subarray(index, index + length), here, ...after]);
    case "cut":
      return encoded.subarray(0, index);
    default:
      return Uint8Array.from([...after, here, ...before]);
  }
}

function isCanonicalOrRefused(each: Schema<Value>, bytes: Uint8Array): boolean {
  try {
    return hex(each.encode(each.decode(bytes))) === hex(bytes);
  } catch (error) {
    if (error instanceof CodecError) return true;
    throw error;
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** A value as the library wants it: defaults left out, since it would write them; 64-bit numbers as texts. */
function toTheirs(value: Value, fields: Fields): Value {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, { kind }]) => {
      const field = value[name];
      if (kind.isAbsent(field)) return [];
      const one = (element: unknown) => {
        if (typeof kind.type === "object") return toTheirs(element as Value, kind.type.fields);
        return kind.type === "uint64" ? String(element) : element;
      };
      return [[name, Array.isArray(field) ? field.map(one) : one(field)]];
    }),
  );
}

function fromTheirs(message: protobuf.Message | Value, fields: Fields): Value {
  const theirs = message as Value;
  return Object.fromEntries(
    Object.entries(fields).map(([name, { kind }]) => {
      const field = Object.hasOwn(theirs, name) ? theirs[name] : kind.absent();
      const one = (element: unknown) => {
        if (element === undefined) return undefined;
        if (typeof kind.type === "object") return fromTheirs(element as Value, kind.type.fields);
        if (kind.type === "uint64")
          return typeof kind.absent() === "bigint" ? BigInt(String(element)) : Number(element);
        return kind.type === "bytes" ? Uint8Array.from(element as Uint8Array) : element;
      };
      return [name, Array.isArray(field) ? field.map(one) : one(field)];
    }),
  );
}
