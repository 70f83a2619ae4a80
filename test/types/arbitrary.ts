// Values of any schema for property tests, drawn from its declared fields with a liking for the edges of their ranges.

import fc from "fast-check";
import type { Fields, Schema } from "../../src/types/codec.js";
import * as declared from "../../src/types/schema.js";

type Value = Readonly<Record<string, unknown>>;

/** Every schema of schema.ts under the name of its message in wire.proto. */
export const schemas: ReadonlyMap<string, Schema<Value>> = new Map(
  Object.entries(declared).map(([name, schema]) => [
    name.charAt(0).toUpperCase() + name.slice(1).replace(/Schema$/, ""),
    schema as unknown as Schema<Value>,
  ]),
);

export function arbitraryValue(fields: Fields): fc.Arbitrary<Value> {
  return fc.record(Object.fromEntries(Object.entries(fields).map(([name, { kind }]) => [name, arbitraryField(kind)])), {
    noNullPrototype: true,
  });
}

type Kind = Fields[string]["kind"];

const ELEMENTS_MAX = 4;
const LENGTH_MAX = 200;

function arbitraryField(kind: Kind): fc.Arbitrary<unknown> {
  const one = arbitraryOne(kind);
  if (kind.countMax !== undefined) return fc.array(one, { maxLength: Math.min(kind.countMax, ELEMENTS_MAX) });
  return typeof kind.type === "object" ? fc.option(one, { nil: undefined }) : one;
}

function arbitraryOne({ type, max, absent }: Kind): fc.Arbitrary<unknown> {
  const lengthMax = Math.min(max, LENGTH_MAX);
  if (typeof type === "object") return arbitraryValue(type.fields);
  switch (type) {
    case "bool":
      return fc.boolean();
    case "bytes":
      return fc.uint8Array({ maxLength: lengthMax });
    case "string":
      return fc
        .oneof(fc.string({ maxLength: lengthMax }), fc.string({ unit: "grapheme", maxLength: lengthMax }))
        .filter((text) => Buffer.byteLength(text) <= lengthMax);
    default:
      return typeof absent() === "bigint" ? arbitraryBigint() : arbitraryNumber(max);
  }
}

function arbitraryNumber(max: number): fc.Arbitrary<number> {
  const edge = fc
    .tuple(fc.nat({ max: 53 }), fc.integer({ min: -1, max: 1 }))
    .map(([bits, by]) => Math.min(Math.max(2 ** bits + by, 0), max));
  return fc.oneof(fc.constantFrom(0, 1, max), edge, fc.integer({ min: 0, max }));
}

function arbitraryBigint(): fc.Arbitrary<bigint> {
  const max = 2n ** 64n - 1n;
  const edge = fc
    .tuple(fc.nat({ max: 63 }), fc.integer({ min: -1, max: 1 }))
    .map(([bits, by]) => 2n ** BigInt(bits) + BigInt(by));
  return fc.oneof(fc.constantFrom(0n, 1n, max), edge, fc.bigInt({ min: 0n, max }));
}
