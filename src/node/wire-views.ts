// The messages of a view change to bytes and back. What they prove is checked at the door (view-door.ts); here are
// shape and order only: entries ascend by slot, certificates and prepared entries say of what they are. A VIEW-CHANGE
// names each slot once, and none that its stable checkpoint covers: what repeats itself is long for nothing.

import { decidedOf, decodeCommit } from "../cluster/certificate.js";
import { stableOf } from "../cluster/checkpoint.js";
import { decodeClaim } from "../cluster/rejoin.js";
import type { Decided } from "../types/effects.js";
import { type ClusterId, type Digest, type Entry, fromHex, type Sequence, type Slot, toHex } from "../types/ids.js";
import {
  carriage,
  type NewView,
  type Prepared,
  type RejoinClaim,
  type SignedChange,
  unreachable,
  type ViewChange,
  type ViewMessage,
  type ViewPromise,
} from "../types/message.js";
import {
  type Certificate,
  type LogEntry,
  newViewSchema,
  prepareSchema,
  promiseSchema,
  type Signed,
  type Statement,
  viewChangeSchema,
} from "../types/schema.js";
import { decodeVote } from "./votes.js";

export function encodeViewMessage(message: ViewMessage): Uint8Array {
  switch (message.kind) {
    case "prepare":
      return prepareSchema.encode(message);
    case "promise":
      return promiseSchema.encode({
        ...message,
        decided: message.decided.map(({ certificate }) => certificate),
        candidates: message.candidates.map(encodeEntry),
        rejoins: message.rejoins.map(({ signed }) => signed),
      });
    case "view-change":
      return viewChangeSchema.encode({
        ...message,
        decided: message.decided.map(({ certificate }) => certificate),
        prepared: message.prepared.map(({ proof }) => ({ statements: proof })),
        rejoins: message.rejoins.map(({ signed }) => signed),
      });
    case "new-view":
      return newViewSchema.encode({
        ...message,
        entries: message.entries.map(encodeEntry),
        decided: message.decided.map(({ certificate }) => certificate),
        changes: message.changes.map(({ signed }) => signed),
        rejoins: message.rejoins.map(({ signed }) => signed),
      });
    default:
      return unreachable(message);
  }
}

/** Undefined: malformed. May throw CodecError. */
export function decodeViewMessage(kind: ViewMessage["kind"], body: Uint8Array): ViewMessage | undefined {
  switch (kind) {
    case "prepare": {
      const { cluster, node, view } = prepareSchema.decode(body);
      return { kind, cluster: cluster as ClusterId, node, view };
    }
    case "promise":
      return decodePromise(body);
    case "view-change":
      return decodeViewChange(body);
    case "new-view":
      return decodeNewView(body);
    default:
      return unreachable(kind);
  }
}

function decodePromise(body: Uint8Array): ViewPromise | undefined {
  const { cluster: id, node, view, stable, decided, candidates, ...rest } = promiseSchema.decode(body);
  const cluster = id as ClusterId;
  const rejoins = decodeClaims(rest.rejoins, cluster);
  const proven = decodeDecided(decided, cluster);
  const entries = candidates.map((entry) => decodeEntry(entry, cluster));
  if (proven === undefined || !isComplete(entries) || stableOf(stable) === undefined) return undefined;
  if (rejoins === undefined) return undefined;
  const { incarnation } = rest;
  return {
    kind: "promise",
    cluster,
    node,
    view,
    incarnation,
    rejoins,
    stable,
    decided: proven,
    candidates: entries,
  };
}

export function decodeViewChange(body: Uint8Array): ViewChange | undefined {
  const { cluster: id, node, view, stable, decided, prepared, ...rest } = viewChangeSchema.decode(body);
  const cluster = id as ClusterId;
  const rejoins = decodeClaims(rest.rejoins, cluster);
  const proven = decodeDecided(decided, cluster);
  const certificates = prepared.map(({ statements }) => decodePrepared(statements, cluster));
  const low = stableOf(stable);
  if (proven === undefined || !isComplete(certificates) || low === undefined) return undefined;
  if (!isAscending(proven, low.slot) || !isAscending(certificates, low.slot)) return undefined;
  if (rejoins === undefined) return undefined;
  const { incarnation } = rest;
  const about = { cluster, node, view, incarnation, rejoins };
  return { kind: "view-change", ...about, stable, decided: proven, prepared: certificates };
}

export function decodeNewView(body: Uint8Array): NewView | undefined {
  const { cluster: id, node, view, entries, stable, decided, changes, ...rest } = newViewSchema.decode(body);
  const cluster = id as ClusterId;
  const kept = entries.map((entry) => decodeEntry(entry, cluster));
  const proven = decodeDecided(decided, cluster);
  const low = stableOf(stable);
  const signed = changes.map(decodeChange);
  if (proven === undefined || low === undefined || !isComplete(kept) || !isComplete(signed)) return undefined;
  const isInPlace = ({ slot, view: of, round }: Entry, at: number) => {
    return of === view && round === 1 && slot === (kept[0] as Entry).slot + at;
  };
  if (!kept.every(isInPlace)) return undefined;
  // A crash cluster's says itself where it begins.
  if (signed.length === 0 && kept.length > 0 && kept[0]?.slot !== low.slot + 1) return undefined;
  const rejoins = decodeClaims(rest.rejoins, cluster);
  if (rejoins === undefined) return undefined;
  const change = { rejoins, changes: signed, original: undefined };
  return { kind: "new-view", cluster, node, view, entries: kept, stable, decided: proven, ...change };
}

/** Each node once. */
export function decodeClaims(signed: readonly Signed[], cluster: ClusterId): readonly RejoinClaim[] | undefined {
  const claims = signed.map((each) => decodeClaim(each, cluster)).filter((each) => each !== undefined);
  const nodes = claims.map(({ node }) => node);
  const isAscending = nodes.every((node, at) => node > (nodes[at - 1] ?? -1));
  return isAscending && claims.length === signed.length ? claims : undefined;
}

function decodeChange(signed: Signed): SignedChange | undefined {
  const message = decodeViewChange(signed.body);
  return message === undefined ? undefined : { signed, message };
}

function decodePrepared(proof: readonly Statement[], cluster: ClusterId): Prepared | undefined {
  const [first] = proof;
  const entry = first === undefined ? undefined : decodeVote(first.body)?.entry;
  return entry === undefined || entry.cluster !== cluster ? undefined : { entry, proof };
}

/** The entries of one cluster that certificates are about, ascending by slot. */
function decodeDecided(certificates: readonly Certificate[], cluster: ClusterId): Decided[] | undefined {
  const decided: Decided[] = [];
  for (const certificate of certificates) {
    const [first] = certificate.commits;
    const digest = first === undefined ? undefined : decodeCommit(first.body)?.digest;
    const each = digest === undefined ? undefined : decidedOf(digest, certificate);
    if (each === undefined || each.entry.cluster !== cluster) return undefined;
    decided.push(each);
  }
  return isAscending(decided, 0) ? decided : undefined;
}

/** Every slot once, and all of them above `low`. */
function isAscending(items: readonly { readonly entry: Entry }[], low: Slot): boolean {
  return items.every(({ entry }, at) => entry.slot > (items[at - 1]?.entry.slot ?? low));
}

function encodeEntry({ view, round, slot, sequence, digest }: Entry): LogEntry {
  return { view, round, slot, sequence, digest: fromHex(digest) };
}

function decodeEntry({ view, round, slot, sequence, digest }: LogEntry, cluster: ClusterId): Entry | undefined {
  if (round > 1 || digest.length !== 32 || slot === 0 || sequence % 65_536 !== cluster) return undefined;
  const ballot = { view, round: round as 0 | 1 };
  return { cluster, ...ballot, slot, sequence: sequence as Sequence, digest: toHex<Digest>(digest) };
}

function isComplete<T>(items: readonly (T | undefined)[]): items is readonly T[] {
  return items.every((item) => item !== undefined);
}

/** The kinds of message that are an accept, and those that are a primary's proposal. */
export const acceptKinds: readonly number[] = [carriage.accept.number, carriage["super-accept"].number];
export const proposalKinds: readonly number[] = [carriage.propose.number, carriage["super-accept"].number];
