// A checksum of ours behind every stored value, since LevelDB's own are not looked at on reads and do not bind a value
// to its key. CRC-32 finds every change of up to four neighbouring bytes and costs 0.3 µs, a third of a hash; against
// people who recompute it there is the audit.

import { crc32 } from "node:zlib";

const CHECKSUM_BYTES = 4;

export function seal(key: Uint8Array, value: Uint8Array): Uint8Array {
  const sealed = Buffer.allocUnsafe(value.length + CHECKSUM_BYTES);
  sealed.set(value);
  sealed.writeUInt32BE(checksum(key, value), value.length);
  return sealed;
}

/** The value; undefined: it is not what was stored under this key. */
export function unseal(key: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
  const value = sealed.subarray(0, Math.max(0, sealed.length - CHECKSUM_BYTES));
  return sealed.length >= CHECKSUM_BYTES && readChecksum(sealed) === checksum(key, value) ? value : undefined;
}

/** Over the key's length, the key and the value, so that no value passes for one of another key. */
export function checksum(key: Uint8Array, value: Uint8Array): number {
  return crc32(value, crc32(key, key.length));
}

function readChecksum(sealed: Uint8Array): number {
  const at = sealed.length - CHECKSUM_BYTES;
  const [a = 0, b = 0, c = 0, d = 0] = [sealed[at], sealed[at + 1], sealed[at + 2], sealed[at + 3]];
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}
