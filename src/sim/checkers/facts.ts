// What one turn of one node made durable and said, decoded: the rows it wrote, table by table, and its words, each
// once however many nodes they went to. Only the codec is shared with the node itself; nothing is judged here.

import { accountOfKey, heightOfKey, tableOf } from "../../ledger/keys.js";
import type { TurnPlan } from "../../node/turn.js";
import type { Write } from "../../types/effects.js";
import { type ClusterId, type Digest, type Entry, type Sequence, type Slot, toHex } from "../../types/ids.js";
import { kindOfNumber, type MessageKind, type NodeMessage, unreachable } from "../../types/message.js";
import {
  type Certificate,
  certificateSchema,
  checkpointSchema,
  commitSchema,
  committedSchema,
  envelopeSchema,
  type LogEntry,
  replySchema,
  resultSchema,
  storedAccountSchema,
  storedSlotSchema,
  voteSchema,
  type WireReply,
} from "../../types/schema.js";

/** A row of the slot table. */
export interface SlotRow {
  readonly slot: Slot;
  readonly selfAssigned: Entry | undefined;
  readonly accepted: Entry | undefined;
  readonly committed: Entry | undefined;
  readonly decided: Entry | undefined;
  readonly certificate: Certificate | undefined;
}

export interface AccountRow {
  readonly balance: bigint;
  /** Empty: owned by nobody. */
  readonly owner: string;
}

/** Slot and height up to which a stable checkpoint speaks. */
export interface Stable {
  readonly slot: Slot;
  readonly height: number;
}

/** Something a node said that binds it. */
export type Statement =
  | { readonly kind: "vote"; readonly message: MessageKind; readonly node: number; readonly entry: Entry }
  | { readonly kind: "commit"; readonly node: number; readonly cluster: number; readonly entries: readonly Entry[] }
  | {
      readonly kind: "checkpoint";
      readonly node: number;
      readonly cluster: number;
      readonly slot: Slot;
      readonly sequence: number;
      readonly height: number;
      readonly record: Digest;
      readonly finalSequence: number;
      readonly state: Digest;
    }
  | {
      readonly kind: "result";
      readonly node: number;
      readonly cluster: number;
      readonly digest: Digest;
      readonly verdicts: Uint8Array;
      readonly final: boolean;
    }
  | { readonly kind: "reply"; readonly reply: WireReply };

export interface Facts {
  /** By slot; undefined: the row was deleted. */
  readonly slots: ReadonlyMap<Slot, SlotRow | undefined>;
  readonly records: readonly { readonly height: number; readonly bytes: Uint8Array }[];
  readonly certificates: ReadonlyMap<number, readonly Certificate[]>;
  readonly accounts: ReadonlyMap<string, AccountRow>;
  readonly stable: Stable | undefined;
  readonly said: readonly Statement[];
}

export function factsOf({ cluster }: { readonly cluster: ClusterId }, plan: TurnPlan): Facts {
  return { ...rowsOf(cluster, plan.persist), said: saidIn(plan) };
}

export function slotRowOf(cluster: ClusterId, bytes: Uint8Array): SlotRow {
  const { slot, selfAssigned, accepted, committed, decided, certificate } = storedSlotSchema.decode(bytes);
  let known: { readonly stored: LogEntry; readonly entry: Entry } | undefined;
  // Mostly all of them are the same.
  const take = (stored: LogEntry | undefined): Entry | undefined => {
    if (stored === undefined) return undefined;
    if (known !== undefined && isSame(known.stored, stored)) return known.entry;
    known = { stored, entry: entryOf(cluster, stored) };
    return known.entry;
  };
  return {
    slot,
    selfAssigned: take(selfAssigned),
    accepted: take(accepted),
    committed: take(committed),
    decided: take(decided),
    certificate,
  };
}

/** The checkpoint table's row: a certificate of signed CHECKPOINTs, all equal but for the node. */
export function stableOf(bytes: Uint8Array | undefined): Stable {
  const first = bytes === undefined ? undefined : certificateSchema.decode(bytes).commits[0];
  if (first === undefined) return { slot: 0, height: 0 };
  const { slot, height } = checkpointSchema.decode(first.body);
  return { slot, height };
}

export function accountRowOf(bytes: Uint8Array): AccountRow {
  const { balance, owner } = storedAccountSchema.decode(bytes);
  return { balance, owner: toHex<string>(owner) };
}

/** Which of these would two different words about it contradict? Same slot, sequence and block. */
export function sameThing(a: Entry, b: Entry): boolean {
  return a.slot === b.slot && a.sequence === b.sequence && a.digest === b.digest;
}

export function showEntry({ view, round, slot, sequence, digest }: Entry): string {
  return `slot ${slot} sequence ${sequence} block ${digest.slice(0, 12)} in ballot ${view}.${round}`;
}

function rowsOf(cluster: ClusterId, persist: readonly Write[]): Omit<Facts, "said"> {
  const slots = new Map<Slot, SlotRow | undefined>();
  const records: { readonly height: number; readonly bytes: Uint8Array }[] = [];
  const certificates = new Map<number, readonly Certificate[]>();
  const accounts = new Map<string, AccountRow>();
  let stable: Stable | undefined;
  for (const { key, value } of persist) {
    switch (tableOf(key)) {
      case "slot":
        slots.set(heightOfKey(key), value === undefined ? undefined : slotRowOf(cluster, value));
        break;
      case "record":
        if (value !== undefined) records.push({ height: heightOfKey(key), bytes: value });
        break;
      case "certificates":
        if (value !== undefined) certificates.set(heightOfKey(key), committedSchema.decode(value).certificates);
        break;
      case "account":
        if (value !== undefined) accounts.set(accountOfKey(key), accountRowOf(value));
        break;
      case "checkpoint":
        stable = stableOf(value);
        break;
      default:
    }
  }
  return { slots, records, certificates, accounts, stable };
}

function isSame(a: LogEntry, b: LogEntry): boolean {
  const isAlike = a.view === b.view && a.round === b.round && a.slot === b.slot && a.sequence === b.sequence;
  return isAlike && Buffer.compare(a.digest, b.digest) === 0;
}

function entryOf(cluster: ClusterId, { view, round, slot, sequence, digest }: LogEntry): Entry {
  return { cluster, view, round: round as 0 | 1, slot, sequence: sequence as Sequence, digest: toHex(digest) };
}

/** Everything the node says in the turn, to others and to itself. */
function saidIn({ outbound, inbound }: TurnPlan): readonly Statement[] {
  const said: Statement[] = [];
  const seen = new Set<Uint8Array>();
  for (const envelopes of outbound.values()) {
    for (const envelope of envelopes) {
      if (seen.has(envelope)) continue;
      seen.add(envelope);
      const { kind: number, body } = envelopeSchema.decode(envelope);
      const kind = kindOfNumber(number);
      const statement = kind === undefined ? undefined : statementOf(kind, body);
      if (statement !== undefined) said.push(statement);
    }
  }
  for (const event of inbound) {
    if (event.kind !== "message") continue;
    const statement = statementToSelf(event.verified.message);
    if (statement !== undefined) said.push(statement);
  }
  return said;
}

/** The same of a message that a node sends to itself, which never becomes bytes. */
function statementToSelf(message: NodeMessage): Statement | undefined {
  switch (message.kind) {
    case "propose":
    case "accept":
    case "super-propose":
    case "super-accept":
      return { kind: "vote", message: message.kind, node: message.node, entry: message.entry };
    case "commit":
    case "checkpoint":
    case "result":
      return message;
    case "accept-query":
    case "committed":
    case "unknown":
    case "fetch":
    case "chunk":
    case "stable":
    case "fetch-records":
    case "records":
    case "fetch-state":
    case "state":
    case "prepare":
    case "promise":
    case "view-change":
    case "new-view":
    case "view-query":
    case "start":
    case "started":
      return undefined;
    default:
      return unreachable(message);
  }
}

/** What a message binds its sender to; undefined: to nothing. */
function statementOf(kind: MessageKind, body: Uint8Array): Statement | undefined {
  switch (kind) {
    case "propose":
    case "accept":
    case "super-propose":
    case "super-accept": {
      const { node, cluster, ...vote } = voteSchema.decode(body);
      return { kind: "vote", message: kind, node, entry: entryOf(cluster as ClusterId, vote) };
    }
    case "commit": {
      const { cluster, node, digest, entries } = commitSchema.decode(body);
      const named = entries.map((each) => entryOf(each.cluster as ClusterId, { ...each, digest }));
      return { kind, node, cluster, entries: named };
    }
    case "checkpoint": {
      const { record, state, ...rest } = checkpointSchema.decode(body);
      return { kind, ...rest, record: toHex(record), state: toHex(state) };
    }
    case "result": {
      const { cluster, digest, ...said } = resultSchema.decode(body);
      return { kind, cluster, digest: toHex(digest), ...said };
    }
    case "reply":
      return { kind, reply: replySchema.decode(body) };
    // Questions, what others signed, and readings, which bind nobody.
    case "stable":
    case "fetch-records":
    case "records":
    case "fetch-state":
    case "state":
    case "prepare":
    case "promise":
    case "view-change":
    case "new-view":
    case "view-query":
    case "start":
    case "started":
    case "accept-query":
    case "committed":
    case "unknown":
    case "fetch":
    case "chunk":
    case "request":
    case "read":
    case "read-reply":
    case "prove":
    case "proof":
      return undefined;
    default:
      return unreachable(kind);
  }
}
