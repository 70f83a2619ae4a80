// A node that changes its own messages anywhere: some field, some list, some byte, of whatever kind, and signs what
// comes of it. It knows of no kind what it means, so it also says what no liar would think of. Mostly it stays itself,
// as words in another's name end at the door.

import { signingBytes } from "../../crypto/signature.js";
import { openEnvelope } from "../../node/wire.js";
import type { Schema } from "../../types/codec.js";
import { carriage, type MessageKind, type NodeMessage } from "../../types/message.js";
import {
  checkpointSchema,
  chunkSchema,
  commitSchema,
  committedSchema,
  envelopeSchema,
  fetchRecordsSchema,
  fetchSchema,
  fetchStateSchema,
  newViewSchema,
  prepareSchema,
  promiseSchema,
  querySchema,
  recordsSchema,
  resultSchema,
  stableSchema,
  startedSchema,
  startSchema,
  stateSchema,
  unknownSchema,
  viewChangeSchema,
  viewQuerySchema,
  voteSchema,
} from "../../types/schema.js";
import type { Below, Villain, VillainContext } from "../observer.js";
import { happens, oneOf, within } from "./draw.js";

type Rewrite = (body: Uint8Array, change: (value: unknown) => unknown) => Uint8Array;

const bodies: Readonly<Record<NodeMessage["kind"], Rewrite>> = {
  propose: through(voteSchema),
  accept: through(voteSchema),
  "super-propose": through(voteSchema),
  "super-accept": through(voteSchema),
  commit: through(commitSchema),
  result: through(resultSchema),
  "accept-query": through(querySchema),
  committed: through(committedSchema),
  unknown: through(unknownSchema),
  fetch: through(fetchSchema),
  chunk: through(chunkSchema),
  checkpoint: through(checkpointSchema),
  stable: through(stableSchema),
  "fetch-records": through(fetchRecordsSchema),
  records: through(recordsSchema),
  "fetch-state": through(fetchStateSchema),
  state: through(stateSchema),
  prepare: through(prepareSchema),
  promise: through(promiseSchema),
  "view-change": through(viewChangeSchema),
  "new-view": through(newViewSchema),
  "view-query": through(viewQuerySchema),
  start: through(startSchema),
  started: through(startedSchema),
};

function through<T>(schema: Schema<T>): Rewrite {
  return (body, change) => schema.encode(change(schema.decode(body)) as T);
}

export function forge(below: Below): Villain {
  const share = within(below, { from: 5, to: 60 });
  return {
    name: "forge",
    bend(outgoing, context) {
      const forged = new Map<Uint8Array, Uint8Array>();
      const same = happens(context.below, 70);
      return outgoing.map((each) => {
        if (!same) return { ...each, envelope: forgedEnvelope(each.envelope, share, context) };
        const known = forged.get(each.envelope) ?? forgedEnvelope(each.envelope, share, context);
        forged.set(each.envelope, known);
        return { ...each, envelope: known };
      });
    },
  };
}

function forgedEnvelope(envelope: Uint8Array, share: number, { below, turn }: VillainContext): Uint8Array {
  const opened = openEnvelope(envelope);
  if (typeof opened === "string" || !isOfNodes(opened.kind) || !happens(below, share)) return envelope;
  const body = forgedBody(opened.kind, opened.body, below);
  if (body === undefined) return envelope;
  const { number } = carriage[opened.kind];
  const signature =
    opened.signature.length === 0 ? opened.signature : turn.signer.sign(signingBytes(turn.networkId, number, body));
  const block = happens(below, 5) ? mutated(opened.block, below) : opened.block;
  return envelopeSchema.encode({ kind: number, body, signature, block: block as Uint8Array });
}

function isOfNodes(kind: MessageKind): kind is NodeMessage["kind"] {
  return kind in bodies;
}

/** Undefined when what came of it cannot be written. */
function forgedBody(kind: NodeMessage["kind"], body: Uint8Array, below: Below): Uint8Array | undefined {
  const staysItself = happens(below, 90);
  try {
    return bodies[kind](body, (value) => {
      let changed = value as object;
      for (let i = 1 + below(2); i > 0; i--) changed = mutated(changed, below) as object;
      if (!staysItself) return changed;
      const { cluster, node } = value as { readonly cluster?: number; readonly node?: number };
      return {
        ...changed,
        ...(cluster === undefined ? {} : { cluster }),
        ...(node === undefined ? {} : { node }),
      };
    });
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function mutated(value: unknown, below: Below): unknown {
  if (typeof value === "number") return mutatedNumber(value, below);
  if (typeof value === "bigint") return value + 1n;
  if (typeof value === "boolean") return !value;
  if (value instanceof Uint8Array) return mutatedBytes(value, below);
  if (Array.isArray(value)) return mutatedList(value, below);
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value);
  if (fields.length === 0) return value;
  const [key, field] = oneOf(below, fields) as [string, unknown];
  return { ...value, [key]: mutated(field, below) };
}

/** By one, by a sequence's counter, by as much as others accept and by more, to the end of what can be written. */
function mutatedNumber(value: number, below: Below): number {
  const near = [value + 1, value - 1, value + 65_536, value - 65_536];
  const far = [0, value + 1024 * 65_536, value + 1025 * 65_536, value * 2, below(16), 0xffff_ffff, 2 ** 53 - 1];
  return Math.min(Math.max(0, oneOf(below, happens(below, 60) ? near : far)), Number.MAX_SAFE_INTEGER);
}

function mutatedBytes(bytes: Uint8Array, below: Below): Uint8Array {
  if (bytes.length === 0) return Uint8Array.of(below(256));
  const copy = Uint8Array.from(bytes);
  const at = below(copy.length);
  copy[at] = (copy[at] as number) ^ (1 << below(8));
  return oneOf(below, [copy, copy, copy, copy.subarray(0, at), new Uint8Array(copy.length)]);
}

function mutatedList(list: readonly unknown[], below: Below): readonly unknown[] {
  if (list.length === 0) return list;
  const at = below(list.length);
  const element = list[at];
  return oneOf(below, [
    () => list.map((each, i) => (i === at ? mutated(each, below) : each)),
    () => list.filter((_, i) => i !== at),
    () => [...list, element],
    () => [...list].reverse(),
    () => [],
  ])();
}
