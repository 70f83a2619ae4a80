// Reads maps of known fields and lists of them out of a document: each field by its own schema, so that one that fails
// leaves the others standing. Whatever is wrong, missing or unknown is complained of where it stands.

import type { z } from "zod";
import type { Document, Path, Plain } from "./document.js";

/** Says that what stands at a path is wrong; `part` "key" points at the field's name instead of its value. */
export type Complain = (at: Path, what: string, fix: string, part?: "key" | "value") => void;

export type Fields = Readonly<Record<string, z.ZodType>>;

/** What is left of a set of fields when those that failed are left out. */
export type Sound<F extends Fields> = { readonly [K in keyof F]?: z.output<F[K]> | undefined };

export interface FieldReader {
  /** The fields of the map at a path; `others` are known, but read elsewhere. */
  fields<F extends Fields>(at: Path, fields: F, others?: readonly string[]): Sound<F>;
  /** The same for a map that may be left out as a whole. */
  optional<F extends Fields>(at: Path, fields: F): Sound<F>;
  /** Undefined if there is no such list, or one of another length. */
  list<T>(at: Path, bounds: ListBounds, read: (at: Path) => T): readonly T[] | undefined;
  /** A map whose keys are values, too. */
  entries<K extends z.ZodType, V extends z.ZodType>(at: Path, of: { key: K; value: V }): readonly Entry<K, V>[];
}

export interface ListBounds {
  readonly min: number;
  readonly max: number;
  /** What it is a list of. */
  readonly what: string;
}

interface Entry<K extends z.ZodType, V extends z.ZodType> {
  readonly at: Path;
  readonly key: z.output<K> | undefined;
  readonly value: z.output<V> | undefined;
}

export function fieldReader(document: Document, complain: Complain): FieldReader {
  /** The value at a path, or undefined after complaining that it is missing or something else. */
  function expect<T extends Plain>(at: Path, is: (value: Plain) => value is T, fix: string): T | undefined {
    const value = document.get(at);
    if (value !== undefined && is(value)) return value;
    if (value === undefined) complain(at, `${showPath(at)} is missing`, fix);
    else complain(at, `${showPath(at)} is ${showValue(value)}`, fix);
    return undefined;
  }

  function parse<S extends z.ZodType>(schema: S, value: Plain | undefined, at: Path, part: "key" | "value") {
    const result = schema.safeParse(value);
    if (result.success) return result.data;
    const fix = `it ${result.error.issues[0]?.message}`;
    if (value === undefined) complain(at, `${showPath(at)} is missing`, fix);
    else complain(at, `${showPath(at)} is ${showValue(value)}`, fix, part);
    return undefined;
  }

  function fieldsOf<F extends Fields>(at: Path, map: ReadonlyMap<string, Plain>, fields: F, others: readonly string[]) {
    const known = [...Object.keys(fields), ...others];
    for (const key of map.keys()) {
      if (known.includes(key)) continue;
      complain([...at, key], `unknown field ${showPath([...at, key])}`, suggestion(key, known), "key");
    }
    const read = Object.entries(fields).map(([key, schema]) => [
      key,
      parse(schema, map.get(key), [...at, key], "value"),
    ]);
    return Object.fromEntries(read) as Sound<F>;
  }

  function fields<F extends Fields>(at: Path, fields: F, others: readonly string[] = []): Sound<F> {
    const known = [...Object.keys(fields), ...others].join(", ");
    const map = expect(at, isMap, `write a map with the fields ${known}`);
    return map === undefined ? {} : fieldsOf(at, map, fields, others);
  }

  return {
    fields,
    optional: (at, known) => (document.get(at) === undefined ? fieldsOf(at, new Map(), known, []) : fields(at, known)),
    list(at, { min, max, what }, read) {
      const fix = `write a list of ${min}..${max} ${what}`;
      const value = expect(at, isList, fix);
      if (value === undefined) return undefined;
      if (value.length >= min && value.length <= max) return value.map((_, index) => read([...at, index]));
      complain(at, `${showPath(at)} has ${value.length} ${what}`, fix);
      return undefined;
    },
    entries: (at, of) =>
      [...(expect(at, isMap, "write a map from accounts to cluster ids") ?? [])].map(([key, value]) => ({
        at: [...at, key],
        key: parse(of.key, key, [...at, key], "key"),
        value: parse(of.value, value, [...at, key], "value"),
      })),
  };
}

/** For example clusters[0].nodes[2].key. */
export function showPath(path: Path): string {
  if (path.length === 0) return "the file";
  return path
    .map((key, i) => (typeof key === "number" ? `[${key}]` : i === 0 ? short(key) : `.${short(key)}`))
    .join("");
}

function showValue(value: Plain): string {
  if (value instanceof Map) return "a map";
  if (Array.isArray(value)) return "a list";
  return value === "" ? "empty" : JSON.stringify(short(value as string));
}

function short(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`;
}

function isMap(value: Plain): value is ReadonlyMap<string, Plain> {
  return value instanceof Map;
}

function isList(value: Plain): value is readonly Plain[] {
  return Array.isArray(value);
}

function suggestion(key: string, known: readonly string[]): string {
  const lower = short(key).toLowerCase();
  const near = known.find((word) => distance(word.toLowerCase(), lower) <= Math.min(2, Math.floor(word.length / 2)));
  return near === undefined ? `remove it; known here: ${known.join(", ")}` : `did you mean ${near}?`;
}

/** How many letters must be changed, added or left out to make one word of the other. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(changed, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
