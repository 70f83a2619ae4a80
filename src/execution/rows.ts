// The rows of a bucket of accounts as bytes: where each is, what it says, and what they are with other values. A row is
// the name's length in one byte, the name, the balance, and the owner or zeros, which are nobody's key; rows are in
// ascending order of name.

import { crc32c } from "../crypto/crc32c.js";
import { type AccountId, type PublicKey, toHex } from "../types/ids.js";
import type { AccountValue } from "./engine.js";

export const BALANCE_BYTES = 8;
export const OWNER_BYTES = 32;
/** A row is the name's length in one byte, the name, the balance, and the owner or zeros, which are nobody's key. */
export const VALUE_BYTES = BALANCE_BYTES + OWNER_BYTES;

/** The accounts of a bucket, ascending by name. */
export function* accountsIn(rows: Uint8Array): Generator<AccountValue> {
  for (let at = 0; at < rows.length; ) {
    const length = rows[at] as number;
    const account = Buffer.from(rows.buffer, rows.byteOffset + at + 1, length).toString("latin1") as AccountId;
    yield readValue(rows, at + 1 + length, account);
    at += 1 + length + VALUE_BYTES;
  }
}

/** The rows with other values, or without accounts whose value is undefined. */
export function rowsWith(rows: Uint8Array, values: ReadonlyMap<AccountId, AccountValue | undefined>): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < rows.length; ) {
    const length = rows[at] as number;
    const end = at + 1 + length + VALUE_BYTES;
    const account = Buffer.from(rows.buffer, rows.byteOffset + at + 1, length).toString("latin1") as AccountId;
    const value = values.get(account);
    if (value === undefined && !values.has(account)) parts.push(rows.subarray(at, end));
    else if (value !== undefined) {
      const row = Buffer.from(rows.subarray(at, end));
      writeValue(row, 1 + length, value);
      parts.push(row);
    }
    at = end;
  }
  return Buffer.concat(parts);
}

export function sumOfRows(rows: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < rows.length; ) {
    const end = at + 1 + (rows[at] as number) + VALUE_BYTES;
    sum += crc32c(rows, at, end);
    at = end;
  }
  return sum;
}

export function lastRowOf(rows: Uint8Array): number {
  let last = 0;
  for (let at = 0; at < rows.length; at += 1 + (rows[at] as number) + VALUE_BYTES) last = at;
  return last;
}

export function rowBytesOf(account: AccountId): number {
  return 1 + account.length + VALUE_BYTES;
}

/** Where the row of an account begins, or where it would have to. */
export function find(rows: Uint8Array, account: AccountId): { readonly at: number; readonly found: boolean } {
  let at = 0;
  while (at < rows.length) {
    const order = compareName(rows, at, account);
    if (order >= 0) return { at, found: order === 0 };
    at += 1 + (rows[at] as number) + VALUE_BYTES;
  }
  return { at, found: false };
}

/** The order of strings: character by character, a prefix first. Names are ASCII, one byte each. */
export function compareName(rows: Uint8Array, at: number, account: AccountId): number {
  const length = rows[at] as number;
  const common = Math.min(length, account.length);
  for (let i = 0; i < common; i++) {
    const difference = (rows[at + 1 + i] as number) - account.charCodeAt(i);
    if (difference !== 0) return difference;
  }
  return length - account.length;
}

export function writeValue(rows: Buffer, at: number, { balance, owner }: AccountValue): void {
  rows.writeBigUInt64BE(balance, at);
  if (owner === undefined) rows.fill(0, at + BALANCE_BYTES, at + VALUE_BYTES);
  else rows.write(owner, at + BALANCE_BYTES, OWNER_BYTES, "hex");
}

export function readValue(rows: Uint8Array, at: number, account: AccountId): AccountValue {
  const balance = new DataView(rows.buffer, rows.byteOffset + at).getBigUint64(0);
  const owner = rows.subarray(at + BALANCE_BYTES, at + VALUE_BYTES);
  return { account, balance, owner: owner.every((byte) => byte === 0) ? undefined : toHex<PublicKey>(owner) };
}
