// The tables of a node's store: every key begins with one byte that says its table. The numbers are given once and
// never reused, for old folders must stay readable. Numbers inside keys are big-endian, so that the store's order of
// bytes is the order of heights, slots and times. Builders make keys, `describeKey` reads them back; nobody else cuts
// keys apart.

import { bool, bytes, list, nested, schema, u53 } from "../types/codec.js";
import type { AccountId, Digest, NodeIndex, NodeRef, PublicKey } from "../types/ids.js";
import { fromHex, nodeKey, toHex } from "../types/ids.js";
import { limits } from "../types/limits.js";
import { certificateSchema, signedSchema } from "../types/schema.js";

/** Table -> first byte of its keys. What each holds: key -> value. */
export const TABLES = {
  meta: 1, // name of a fact -> its text: network, node, schema, topology (store.ts)
  view: 2, // (one key) -> the node's view and the opening of it
  slot: 3, // slot -> storedSlotSchema: what the node accepted, said and decided there
  placed: 4, // block digest -> placedSchema: where this cluster's log has it, kept beyond checkpoints (protocol 2)
  block: 5, // block digest -> the block's exact bytes
  record: 6, // height -> recordSchema
  certificates: 7, // height -> committedSchema: the record's block, proven by every cluster of P
  account: 8, // account -> storedAccountSchema
  reply: 9, // (client, nonce) -> storedReplySchema: a consumed id and what its client is told (protocol 4)
  expiry: 10, // (last validUntil, height) -> nothing: a record's replies are forgotten next; or the keys of those meant
  checkpoint: 11, // (one key) -> certificateSchema of signed CHECKPOINTs: the highest stable one (protocol 6)
  early: 12, // block digest -> committedSchema: certificates of a block that has no record yet
  verdict: 13, // block digest -> this cluster's verdicts, one byte per operation, for who asks again (3.4)
  height: 14, // block digest -> heightSchema: the record of a block
  progress: 15, // (one key) -> progressSchema: how far the log is recorded without a gap
  said: 16, // (one key) -> checkpointSchema: the newest CHECKPOINT that the node signed
  catchup: 17, // (one key) -> catchUpSchema: the node is in the middle of taking records from others
  stamp: 18, // (one key) -> stampSchema (stamps.ts): the number of the last batch, and what must be there after it
  sum: 19, // (one key) -> sumSchema: a sum over all accounts after the last record
  boot: 20, // (one key) -> bootSchema: which start of this folder this is, and whether the node may take part
  start: 21, // node -> signedSchema: its highest START; (no node) -> heardSchema
  incarnation: 22, // node -> incarnationSchema: how often the node has rejoined
  position: 23, // height -> positionSchema: where the log has the block of a record, also of records that are not here
  chunk: 24, // number from 0 -> digest of so many positions in a row (execution/positions.ts)
  snapshot: 25, // (one key) -> certificateSchema: the node is in the middle of taking the state at this checkpoint
  evidence: 26, // (node, number of the contradiction, hash of its subject) -> testimonySchema: proof against that node
  superseded: 28, // (client, nonce, validUntil) -> storedReplySchema: of an id that was used again after it expired
  history: 29, // (one key) -> historySchema: which records are not here, since the node took a state instead
} as const;
export type Table = keyof typeof TABLES;

/** Small tables on which votes depend: their rows are counted in every stamp, and read at every start. */
export const WATCHED = [
  "view",
  "slot",
  "checkpoint",
  "progress",
  "said",
  "catchup",
  "sum",
  "boot",
  "start",
  "incarnation",
  "snapshot",
  "history",
] as const;

/** Where a block is in this cluster's log. */
export const placedSchema = schema({ slot: u53(1), sequence: u53(2) });
export const heightSchema = schema({ height: u53(1) });
/** The highest block's slot with all slots up to it recorded or no-ops. */
export const progressSchema = schema({ slot: u53(1) });
export const positionSchema = schema({ digest: bytes(1, 32), slot: u53(2), sequence: u53(3) });
/** The records above `below` and below `from` are not here. */
export const historySchema = schema({ below: u53(1), from: u53(2) });

/** After the record of that height (execution/buckets.ts). */
export const sumSchema = schema({ height: u53(1), accounts: u53(2) });

/** The first height that came from other nodes, and the checkpoint certificate up to which they come. */
export const catchUpSchema = schema({ from: u53(1), certificate: nested(2, certificateSchema) });

const markSchema = schema({ view: u53(1), slot: u53(2) });
/** The present or last start of a folder. `rejoin`: its node has lost what it said, and is not back yet. */
export const bootSchema = schema({
  incarnation: u53(1),
  boot: u53(2),
  nonce: bytes(3, 8),
  isStarted: bool(4), // this start was acknowledged
  wasStarted: bool(5), // some start of this folder was
  rejoin: bool(6),
  claim: nested(7, signedSchema), // the INCARNATION request that the node waits for
  view: u53(8), // in which that was decided; meaningful once `incarnation` is its number
  mark: nested(9, markSchema), // how far the node had spoken before the first start that was not acknowledged
  since: u53(10), // the first boot after the last that was acknowledged
  nonces: bytes(11, 8 * limits.unheardStartsMax), // from there to the present one
});
/** By node of the cluster: how far this node has heard it speak. */
export const heardSchema = schema({ marks: list(1, markSchema, limits.nodesPerClusterMax) });
/** `number`, `time`: as of the last record. `claim`: the highest that was ever seen, recorded or not. */
const rejoinPointSchema = schema({ height: u53(1), time: u53(2) });
/** `past`: where this number was recorded and, before it, those of which a kept state may know. */
export const incarnationSchema = schema({
  number: u53(1),
  time: u53(2),
  claim: nested(3, signedSchema),
  past: list(4, rejoinPointSchema, limits.incarnationsKeptMax),
});

/** Facts of the meta table that opening a store checks or tools need. */
export type MetaName = "network" | "node" | "schema" | "topology";

export interface KeyRange {
  readonly gte: Uint8Array;
  readonly lt: Uint8Array;
}

export function metaKey(name: MetaName): Uint8Array {
  return key("meta", new TextEncoder().encode(name));
}

export function viewKey(): Uint8Array {
  return key("view");
}

export function slotKey(slot: number): Uint8Array {
  return key("slot", number(slot));
}

export function placedKey(digest: Digest): Uint8Array {
  return key("placed", fromHex(digest));
}

export function blockKey(digest: Digest): Uint8Array {
  return key("block", fromHex(digest));
}

export function recordKey(height: number): Uint8Array {
  return key("record", number(height));
}

export function certificatesKey(height: number): Uint8Array {
  return key("certificates", number(height));
}

export function accountKey(account: AccountId): Uint8Array {
  return key("account", new TextEncoder().encode(account));
}

export function replyKey(client: PublicKey, nonce: number): Uint8Array {
  return key("reply", fromHex(client), number(nonce));
}

export function expiryKey(validUntil: number, height: number): Uint8Array {
  return key("expiry", number(validUntil), number(height));
}

/** Of replies that came with a page of a state: pages may hold ids of the same record that expire at the same time. */
export function expiryOfPageKey(of: {
  readonly validUntil: number;
  readonly height: number;
  readonly page: number;
}): Uint8Array {
  return key("expiry", number(of.validUntil), number(of.height), number(of.page));
}

/** What such an entry lists. */
export function listOfReplyKeys(keys: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(keys));
}

export function checkpointKey(): Uint8Array {
  return key("checkpoint");
}

export function saidKey(): Uint8Array {
  return key("said");
}

export function catchUpKey(): Uint8Array {
  return key("catchup");
}

export function stampKey(): Uint8Array {
  return key("stamp");
}

export function sumKey(): Uint8Array {
  return key("sum");
}

export function bootKey(): Uint8Array {
  return key("boot");
}

/** In the table of starts, since it is asked about at starts. */
export function heardKey(): Uint8Array {
  return key("start");
}

export function startKey(node: NodeIndex): Uint8Array {
  return key("start", number(node));
}

export function incarnationKey(node: NodeIndex): Uint8Array {
  return key("incarnation", number(node));
}

export function positionKey(height: number): Uint8Array {
  return key("position", number(height));
}

export function chunkKey(chunk: number): Uint8Array {
  return key("chunk", number(chunk));
}

export function snapshotKey(): Uint8Array {
  return key("snapshot");
}

export function supersededKey(client: PublicKey, nonce: number, validUntil: number): Uint8Array {
  return key("superseded", fromHex(client), number(nonce), number(validUntil));
}

export function historyKey(): Uint8Array {
  return key("history");
}

export function progressKey(): Uint8Array {
  return key("progress");
}

export function earlyKey(digest: Digest): Uint8Array {
  return key("early", fromHex(digest));
}

export function verdictKey(digest: Digest): Uint8Array {
  return key("verdict", fromHex(digest));
}

export function heightKey(digest: Digest): Uint8Array {
  return key("height", fromHex(digest));
}

/** One for each contradiction of a node, whoever found it. */
export function evidenceKey({ cluster, node }: NodeRef, contradiction: number, subject: Digest): Uint8Array {
  return key("evidence", number(nodeKey({ cluster, node })), Uint8Array.of(contradiction), fromHex(subject));
}

/** All keys of a table. */
export function prefixRange(table: Table): KeyRange {
  return { gte: Uint8Array.of(TABLES[table]), lt: Uint8Array.of(TABLES[table] + 1) };
}

/** Heights from..to, both included, of a table that goes by them. */
export function heightRange(
  table: "record" | "certificates" | "slot" | "position",
  from: number,
  to: number,
): KeyRange {
  return { gte: key(table, number(from)), lt: key(table, number(to + 1)) };
}

/** Records all of whose replies expired before `time` (protocol 4: remembered until then in record time). */
export function expiredRange(time: number): KeyRange {
  return { gte: prefixRange("expiry").gte, lt: key("expiry", number(time)) };
}

/** The height of a key of the record or certificates table, the slot of one of the slot table. */
export function heightOfKey(key: Uint8Array): number {
  return readNumber(key, 1);
}

export function accountOfKey(key: Uint8Array): AccountId {
  return new TextDecoder().decode(key.subarray(1)) as AccountId;
}

/** A view: a table of accounts is read by the million. */
export function nameOfAccountKey(key: Uint8Array): Uint8Array {
  return key.subarray(1);
}

export function idOfReplyKey(key: Uint8Array): { readonly client: PublicKey; readonly nonce: number } {
  return { client: toHex(key.subarray(1, 33)), nonce: readNumber(key, 33) };
}

/** What an entry of the expiry table lists: none, if it speaks of a whole record. */
export function replyKeysIn(listed: Uint8Array): readonly Uint8Array[] {
  const count = Math.floor(listed.length / REPLY_KEY_BYTES);
  return Array.from({ length: count }, (_, i) => listed.slice(i * REPLY_KEY_BYTES, (i + 1) * REPLY_KEY_BYTES));
}

export function heightOfExpiryKey(key: Uint8Array): number {
  return readNumber(key, 9);
}

/** A key in words, for messages about damage: "record 17", "account alice". Understands any bytes. */
export function describeKey(key: Uint8Array): string {
  const table = tableOf(key);
  const rest = key.subarray(1);
  switch (table) {
    case undefined:
      return `key ${toHex(key)} of no table`;
    case "meta":
    case "account":
      return `${table} ${accountOfKey(key)}`;
    case "slot":
    case "record":
    case "certificates":
    case "start":
    case "incarnation":
    case "position":
    case "chunk":
      return rest.length === NUMBER_BYTES ? `${table} ${heightOfKey(key)}` : `${table} ${toHex(rest)}`;
    case "reply":
    case "expiry":
    case "placed":
    case "block":
    case "early":
    case "verdict":
    case "height":
    case "evidence":
    case "superseded":
      return `${table} ${toHex(rest)}`;
    case "view":
    case "checkpoint":
    case "progress":
    case "said":
    case "catchup":
    case "stamp":
    case "sum":
    case "boot":
    case "snapshot":
    case "history":
      return table;
  }
}

/** Does the key belong to what is kept for others and for the audit? No vote and no balance depends on it. */
export function isHistory(key: Uint8Array): boolean {
  const table = tableOf(key);
  return table === "block" || table === "record" || table === "certificates";
}

export function tableOf(key: Uint8Array): Table | undefined {
  return byNumber.get(key[0] ?? 0);
}

const byNumber: ReadonlyMap<number, Table> = new Map(
  Object.entries(TABLES).map(([table, first]) => [first, table as Table]),
);

const NUMBER_BYTES = 8;
const REPLY_KEY_BYTES = 1 + 32 + NUMBER_BYTES;

function key(table: Table, ...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(1 + parts.reduce((sum, part) => sum + part.length, 0));
  bytes[0] = TABLES[table];
  let at = 1;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function number(value: number): Uint8Array {
  const bytes = new Uint8Array(NUMBER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, Math.floor(value / 0x1_0000_0000));
  view.setUint32(4, value % 0x1_0000_0000);
  return bytes;
}

function readNumber(key: Uint8Array, at: number): number {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  return view.getUint32(at) * 0x1_0000_0000 + view.getUint32(at + 4);
}
