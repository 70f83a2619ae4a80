// Forgets replies that need not be remembered any more (protocol 4): those of requests whose validUntil had passed in
// record time at the oldest state that the node keeps. Which records they belong to is indexed by the last validUntil
// in each, so that a request costs no row of its own; a few records are looked at a time. Of replies that came with a
// state from another node the index itself has the keys, since their records are not here.

import {
  blockKey,
  expiredRange,
  heightOfExpiryKey,
  prefixRange,
  recordKey,
  replyKey,
  replyKeysIn,
} from "../ledger/keys.js";
import { decodeRecord } from "../ledger/records.js";
import type { Store } from "../ledger/store.js";
import type { Block } from "../types/block.js";
import type { Write } from "../types/effects.js";
import { storedReplySchema } from "../types/schema.js";

/** At four passes a second, more than a node can record. */
const RECORDS_MAX = 128;

/** The deletions due at `recordTime`. */
export async function expiredReplies(
  store: Store,
  decodeBlock: (bytes: Uint8Array) => Block,
  recordTime: number,
): Promise<readonly Write[]> {
  const writes: Write[] = [];
  const forget = (key: Uint8Array, height: number): void => {
    const reply = store.get(key);
    // The id may have been used again since it expired: then the reply is another record's.
    if (reply !== undefined && storedReplySchema.decode(reply).height === height)
      writes.push({ key, value: undefined });
  };
  for await (const [key, listed] of store.range({ ...expiredRange(recordTime), limit: RECORDS_MAX })) {
    writes.push({ key, value: undefined });
    const height = heightOfExpiryKey(key);
    for (const reply of replyKeysIn(listed)) forget(reply, height);
    if (listed.length > 0) continue;
    const record = store.get(recordKey(height));
    const bytes = record === undefined ? undefined : store.get(blockKey(decodeRecord(record).digest));
    if (bytes === undefined) continue;
    for (const { client, nonce } of decodeBlock(bytes).requests) {
      forget(replyKey(client, nonce), height);
    }
  }
  for await (const [key, reply] of store.range({ ...prefixRange("superseded"), limit: RECORDS_MAX })) {
    if (storedReplySchema.decode(reply).validUntil < recordTime) writes.push({ key, value: undefined });
  }
  return writes;
}
