// Compares what a node keeps beside its records with what the records say it must be: accounts exactly as execution
// leaves them, replies as recorded, and every other table free of damage. Runs where a node's view ends, on the state
// that the replay has reached there.

import { requestId } from "../types/block.js";
import { type PublicKey, toHex } from "../types/ids.js";
import { storedAccountSchema, storedReplySchema } from "../types/schema.js";
import {
  type AuditedNode,
  corruption,
  type Fault,
  type Finding,
  type ReplayedAccount,
  type Replayer,
} from "./findings.js";
import { accountOfKey, heightOfKey, idOfReplyKey, incarnationSchema, prefixRange, TABLES, type Table } from "./keys.js";
import { type LedgerRecord, tryDecode } from "./records.js";
import type { ReplyBook } from "./reply-book.js";
import type { StoredPair } from "./store.js";

export interface ReachedState {
  readonly replayer: Replayer;
  readonly replies: ReplyBook;
  /** The last record of the node's view. */
  readonly record: LedgerRecord;
  readonly report: (finding: Finding) => void;
}

/** Read elsewhere; all other tables are read through for their checksums. */
const JUDGED: readonly string[] = [
  "record",
  "certificates",
  "block",
  "account",
  "reply",
  "incarnation",
] satisfies Table[];

export async function auditState(node: AuditedNode, reached: ReachedState): Promise<void> {
  const { record } = reached;
  function report(fault: Fault, height = record.height): void {
    reached.report({ cluster: node.cluster, node: node.name, height, ...fault });
  }
  await auditAccounts(node, reached.replayer, report);
  await auditReplies(node, reached, report);
  await auditIncarnations(node, reached.replayer, report);
  for (const table of Object.keys(TABLES)) {
    if (!JUDGED.includes(table)) await readTable(node, table as Table, report, () => undefined);
  }
}

type Report = (fault: Fault, height?: number) => void;

async function auditAccounts(node: AuditedNode, replayer: Replayer, report: Report): Promise<void> {
  const missing = new Map<string, ReplayedAccount>();
  for (const account of replayer.accounts()) {
    missing.set(account.account, account);
    if (account.balance < 0n) report({ code: "negative-balance", reason: `account ${account.account} is below zero` });
  }
  const complete = await readTable(node, "account", report, ([key, value]) => {
    const account = accountOfKey(key);
    const expected = missing.get(account);
    missing.delete(account);
    const fault = judgeAccount(account, value, expected);
    if (fault !== undefined) report(fault);
  });
  if (!complete) return;
  for (const { account, balance } of missing.values()) {
    report({ code: "missing-account", reason: `account ${account} is not stored; it holds ${balance}` });
  }
}

function judgeAccount(account: string, value: Uint8Array, expected: ReplayedAccount | undefined): Fault | undefined {
  const stored = decodeAccount(value);
  if (stored === undefined)
    return { code: "wrong-account", reason: `account ${account} is not the encoding of an account` };
  if (expected === undefined) {
    return { code: "extra-account", reason: `account ${account} holds ${stored.balance}, yet was never opened` };
  }
  if (stored.balance !== expected.balance) {
    const reason = `balance of ${account} is ${stored.balance}, execution gives ${expected.balance}`;
    return { code: "wrong-account", reason };
  }
  if (stored.owner === expected.owner) return undefined;
  const reason = `owner of ${account} is ${showOwner(stored.owner)}, execution gives ${showOwner(expected.owner)}`;
  return { code: "wrong-account", reason };
}

function decodeAccount(value: Uint8Array): Omit<ReplayedAccount, "account"> | undefined {
  const stored = tryDecode(() => storedAccountSchema.decode(value));
  if (stored === undefined) return undefined;
  const { balance, owner } = stored;
  return { balance, owner: owner.length === 0 ? undefined : toHex<PublicKey>(owner) };
}

function showOwner(owner: PublicKey | undefined): string {
  return owner === undefined ? "nobody" : owner.slice(0, 12);
}

async function auditIncarnations(node: AuditedNode, replayer: Replayer, report: Report): Promise<void> {
  const expected = new Map(replayer.incarnations?.() ?? []);
  const isComplete = await readTable(node, "incarnation", report, ([key, value]) => {
    const index = heightOfKey(key);
    const stored = tryDecode(() => incarnationSchema.decode(value));
    // A row may hold the node's own word before that is recorded.
    const { number, time } = expected.get(index) ?? { number: 0, time: 0 };
    expected.delete(index);
    if (stored?.number === number && stored.time === time) return;
    const reason = `incarnation ${stored?.number} is stored of node ${index}, execution gives ${number}`;
    report({ code: "wrong-incarnation", reason });
  });
  if (!isComplete) return;
  for (const [index, { number }] of expected) {
    report({ code: "wrong-incarnation", reason: `incarnation ${number} of node ${index} is not stored` });
  }
}

async function auditReplies(node: AuditedNode, { replies, record }: ReachedState, report: Report): Promise<void> {
  const stored = new Set<string>();
  const complete = await readTable(node, "reply", report, ([key, value]) => {
    const id = requestId(idOfReplyKey(key));
    stored.add(id);
    const expected = replies.get(id);
    if (expected === undefined) {
      // Expired ones may stay until the node gets round to forgetting them.
      if (!hasExpired(value, record.time)) {
        report({ code: "wrong-reply", reason: `a reply to ${showId(id)} is stored, yet no record has that request` });
      }
      return;
    }
    if (Buffer.compare(value, expected.bytes) === 0) return;
    report(
      { code: "wrong-reply", reason: `the stored reply to ${showId(id)} is not what the record says` },
      expected.height,
    );
  });
  if (!complete) return;
  for (const [id, { height }] of replies.alive(record.time)) {
    if (stored.has(id)) continue;
    report({ code: "missing-reply", reason: `the reply to ${showId(id)} is not stored, yet has not expired` }, height);
  }
}

function hasExpired(value: Uint8Array, time: number): boolean {
  const stored = tryDecode(() => storedReplySchema.decode(value));
  return stored !== undefined && stored.validUntil < time;
}

/** "client:nonce" with the client cut short. */
function showId(id: string): string {
  const [client = "", nonce = ""] = id.split(":");
  return `request ${nonce} of client ${client.slice(0, 12)}`;
}

/** Reads a table to its end or to the first damaged value, which is reported; was it the end? */
async function readTable(
  { store }: AuditedNode,
  table: Table,
  report: Report,
  visit: (pair: StoredPair) => void,
): Promise<boolean> {
  try {
    for await (const pair of store.range(prefixRange(table))) visit(pair);
    return true;
  } catch (error) {
    report(corruption(error));
    return false;
  }
}
