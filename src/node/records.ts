// What one record of the view is on disk, and how a record that another node gave is judged (protocol 6, 7). Whoever
// writes a record, after executing its block or while catching up, writes exactly these rows, in one batch.

import { type BlockContext, decodeBlock } from "../cluster/block.js";
import { decidedOf } from "../cluster/certificate.js";
import type { AccountValue, ConsumedRequest } from "../execution/engine.js";
import type { Position } from "../execution/positions.js";
import type { StoredId } from "../execution/slices.js";
import { judgeCertificates } from "../ledger/evidence.js";
import {
  accountKey,
  certificatesKey,
  expiryKey,
  heightKey,
  heightSchema,
  positionKey,
  positionSchema,
  recordKey,
  replyKey,
} from "../ledger/keys.js";
import { decodeRecord, type LedgerRecord, recordHash, tryDecode } from "../ledger/records.js";
import type { Block } from "../types/block.js";
import type { Decided, Write } from "../types/effects.js";
import { type ClusterId, type Digest, fromHex } from "../types/ids.js";
import {
  type Certificate,
  committedSchema,
  type RecordItem,
  storedAccountSchema,
  storedReplySchema,
} from "../types/schema.js";

export interface MadeRecord {
  readonly record: LedgerRecord;
  /** Its exact encoding. */
  readonly encoded: Uint8Array;
  readonly certificates: readonly Certificate[];
  /** Values after it of every account that it changes. */
  readonly accounts: readonly AccountValue[];
  readonly consumed: readonly ConsumedRequest[];
}

/** The ids that a record consumes, with what their clients are told. */
export function idsOf({ record, consumed }: Pick<MadeRecord, "record" | "consumed">): StoredId[] {
  const { height, finalSequence: sequence } = record;
  const digest = fromHex(record.digest);
  return consumed.map(({ request, results }) => {
    const { client, nonce, validUntil, hash } = request;
    const reply = { request: fromHex(hash), validUntil, height, sequence, digest, results };
    return { client, nonce, validUntil, reply: storedReplySchema.encode(reply) };
  });
}

export interface RecordRows extends Omit<MadeRecord, "consumed"> {
  readonly ids: readonly StoredId[];
  readonly position: Position;
}

export function recordRows({ record, encoded, certificates, accounts, ids, position }: RecordRows): Write[] {
  const { height } = record;
  const { slot, sequence } = position;
  const digest = fromHex(record.digest);
  const rows: Write[] = [
    { key: recordKey(height), value: encoded },
    { key: certificatesKey(height), value: committedSchema.encode({ digest, certificates }) },
    { key: heightKey(record.digest), value: heightSchema.encode({ height }) },
    { key: positionKey(height), value: positionSchema.encode({ digest, slot, sequence }) },
  ];
  for (const { account, balance, owner } of accounts) {
    const value = storedAccountSchema.encode({ balance, owner: owner === undefined ? NO_BYTES : fromHex(owner) });
    rows.push({ key: accountKey(account), value });
  }
  for (const { client, nonce, reply } of ids) rows.push({ key: replyKey(client, nonce), value: reply });
  if (ids.length > 0) {
    const last = ids.reduce((latest, { validUntil }) => Math.max(latest, validUntil), 0);
    rows.push({ key: expiryKey(last, height), value: NO_BYTES });
  }
  return rows;
}

/** A record of another node that is what it should be. */
export interface CheckedRecord extends Pick<MadeRecord, "record" | "encoded" | "certificates"> {
  readonly block: Block;
  /** Where this cluster's log has the block. */
  readonly decided: Decided;
}

/**
 * `hash`: what a chain that ends in a checkpoint says. It vouches for everything but the certificates, the requests'
 * signatures included: a quorum has recorded this very block.
 */
export function checkRecord(
  { record: encoded, block: bytes, certificates }: RecordItem,
  hash: Digest,
  context: BlockContext & { readonly cluster: ClusterId },
): CheckedRecord | undefined {
  if (recordHash(encoded) !== hash) return undefined;
  const record = tryDecode(() => decodeRecord(encoded));
  const decoded = decodeBlock(bytes, context, false);
  if (record === undefined || !decoded.ok || decoded.value.digest !== record.digest) return undefined;
  const { cluster, members } = context;
  const holder = members.clusterOf(cluster).model;
  if (judgeCertificates({ certificates, record, block: decoded.value, holder }, context) !== undefined)
    return undefined;
  const decided = ownDecision(record.digest, certificates, cluster);
  return decided === undefined ? undefined : { record, encoded, certificates, block: decoded.value, decided };
}

/** What the certificates of a record prove of the own cluster's log. */
export function ownDecision(
  digest: Digest,
  certificates: readonly Certificate[],
  cluster: ClusterId,
): Decided | undefined {
  const own = certificates.find((certificate) => certificate.cluster === cluster);
  return own === undefined ? undefined : decidedOf(digest, own);
}

const NO_BYTES = new Uint8Array(0);
