// Inputs that are nearly right, for fuzzing: bytes with small damages, and messages whose fields were changed one by
// one and written again, so that they pass the codec and meet the checks behind it. All of it is a function of the
// draws.

import type { Fields } from "../../types/codec.js";
import type { MessageKind } from "../../types/message.js";
import {
  announcementSchema,
  backupEntrySchema,
  balanceProofSchema,
  certificateSchema,
  checkpointSchema,
  chunkSchema,
  commitSchema,
  committedSchema,
  fetchRecordsSchema,
  fetchSchema,
  fetchStateSchema,
  newViewSchema,
  prepareSchema,
  promiseSchema,
  proofSchema,
  proveSchema,
  querySchema,
  readReplySchema,
  readSchema,
  recordSchema,
  recordsSchema,
  replySchema,
  requestBodySchema,
  resultSchema,
  stableSchema,
  startedSchema,
  startSchema,
  stateSchema,
  testimonySchema,
  unknownSchema,
  viewChangeSchema,
  viewQuerySchema,
  voteSchema,
} from "../../types/schema.js";
import type { Below } from "../observer.js";
import { happens, oneOf } from "../villains/draw.js";

/** A schema of whatever values. */
export interface AnySchema {
  readonly fields: Fields;
  readonly decode: (bytes: Uint8Array) => unknown;
  readonly encode: (value: never) => Uint8Array;
}

/** What a message's body is, by its kind. */
export const bodySchemas: Readonly<Record<MessageKind, AnySchema>> = {
  request: requestBodySchema,
  reply: replySchema,
  read: readSchema,
  "read-reply": readReplySchema,
  propose: voteSchema,
  accept: voteSchema,
  "super-propose": voteSchema,
  "super-accept": voteSchema,
  commit: commitSchema,
  result: resultSchema,
  "accept-query": querySchema,
  committed: committedSchema,
  unknown: unknownSchema,
  fetch: fetchSchema,
  chunk: chunkSchema,
  prepare: prepareSchema,
  promise: promiseSchema,
  "new-view": newViewSchema,
  checkpoint: checkpointSchema,
  "view-change": viewChangeSchema,
  "fetch-records": fetchRecordsSchema,
  records: recordsSchema,
  stable: stableSchema,
  "view-query": viewQuerySchema,
  start: startSchema,
  started: startedSchema,
  "fetch-state": fetchStateSchema,
  state: stateSchema,
  prove: proveSchema,
  proof: proofSchema,
};

/** What is stored or told elsewhere. */
export const otherSchemas = {
  announcement: announcementSchema,
  testimony: testimonySchema,
  certificate: certificateSchema,
  record: recordSchema,
  balanceProof: balanceProofSchema,
  backupEntry: backupEntrySchema,
} as const;

/** Small damages: bytes changed, cut off, added, doubled, or the rest taken from another input. */
export function mutateBytes(bytes: Uint8Array, other: Uint8Array, below: Below): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const at = below(copy.length + 1);
  switch (below(7)) {
    case 0:
      for (let i = 1 + below(4); i > 0 && copy.length > 0; i--) copy[below(copy.length)] = below(256);
      return copy;
    case 1:
      return copy.subarray(0, at);
    case 2:
      return joined(copy, noise(1 + below(8), below));
    case 3:
      return joined(copy.subarray(0, at), other.subarray(Math.min(at, other.length)));
    case 4:
      return joined(copy.subarray(0, at), copy.subarray(Math.max(0, at - below(32))));
    case 5:
      // Numbers that are as large as can be written.
      for (let i = at; i < Math.min(copy.length, at + 8); i++) copy[i] = 0xff;
      return copy;
    default:
      if (at < copy.length) copy[at] = (copy[at] as number) ^ (1 << below(8));
      return copy;
  }
}

export function noise(length: number, below: Below): Uint8Array {
  return Uint8Array.from({ length }, () => below(256));
}

/** The same value with one to three fields changed; undefined when it cannot be read, or written any more. */
export function mutateMessage(body: Uint8Array, schema: AnySchema, below: Below): Uint8Array | undefined {
  try {
    let value: unknown = schema.decode(body);
    for (let i = 1 + below(3); i > 0; i--) value = mutated(schema.fields, value, below);
    return schema.encode(value as never);
  } catch {
    // Beyond a bound: that is nobody's input.
    return undefined;
  }
}

function mutated(fields: Fields, value: unknown, below: Below): unknown {
  const name = oneOf(below, Object.keys(fields));
  const record = value as Readonly<Record<string, unknown>>;
  const field = fields[name];
  return field === undefined ? value : { ...record, [name]: mutatedField(field, record[name], below) };
}

function mutatedField({ kind }: Fields[string], value: unknown, below: Below): unknown {
  if (Array.isArray(value)) return mutatedList(kind.type, value, below);
  if (kind.repeated !== undefined) return value;
  if (typeof kind.type === "object") {
    if (value === undefined || happens(below, 10)) return undefined;
    return mutated(kind.type.fields, value, below);
  }
  return mutatedScalar(value, kind.max, below);
}

function mutatedList(type: Fields[string]["kind"]["type"], list: readonly unknown[], below: Below): unknown[] {
  if (list.length === 0) return [];
  const at = below(list.length);
  const element = list[at];
  switch (below(5)) {
    case 0:
      return list.filter((_, i) => i !== at);
    case 1:
      return [...list.slice(0, at), element, ...list.slice(at)];
    case 2:
      return [...list].reverse();
    case 3:
      return below(10) === 0 ? Array(1000).fill(element) : [];
    default:
      return list.with(
        at,
        typeof type === "object" ? mutated(type.fields, element, below) : mutatedScalar(element, 2 ** 53 - 1, below),
      );
  }
}

function mutatedScalar(value: unknown, max: number, below: Below): unknown {
  switch (typeof value) {
    case "number": {
      const near = value + oneOf(below, [-1, 1, 2, 64, -64, 65_536, -65_536]);
      const chosen = oneOf(below, [near, near, near, 0, 1, max, max - 1, below(100), 2 ** below(53)]);
      return Math.min(max, Math.max(0, chosen));
    }
    case "bigint":
      return oneOf(below, [0n, 1n, value + 1n, 2n ** 63n, 2n ** 64n - 1n, BigInt(below(1000))]);
    case "boolean":
      return !value;
    case "string":
      return oneOf(below, ["", "a", `${value}x`, value.slice(1), "\u0000", "..", "é", "a".repeat(64)]);
    default:
      if (!(value instanceof Uint8Array)) return value;
      return oneOf(below, [mutateBytes(value, value, below), new Uint8Array(value.length), new Uint8Array(0)]);
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  return Uint8Array.from(Buffer.concat([a, b]));
}
