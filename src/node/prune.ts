// Forgets replies that need not be remembered any more (protocol 4): those of requests whose validUntil has passed in
// record time. Which records they belong to is indexed by the last validUntil in each, so that a request costs no row
// of its own; a few records are looked at a time.

import { blockKey, expiredRange, heightOfExpiryKey, recordKey, replyKey } from "../ledger/keys.js";
import { decodeRecord } from "../ledger/records.js";
import type { Store } from "../ledger/store.js";
import type { Block } from "../types/block.js";
import type { Write } from "../types/effects.js";
import { storedReplySchema } from "../types/schema.js";

/** At four passes a second, more than a node can record. */
const RECORDS_MAX = 128;

/** The deletions due at `recordTime`, the time of the last record. */
export async function expiredReplies(
  store: Store,
  decodeBlock: (bytes: Uint8Array) => Block,
  recordTime: number,
): Promise<readonly Write[]> {
  const writes: Write[] = [];
  for await (const [key] of store.range({ ...expiredRange(recordTime), limit: RECORDS_MAX })) {
    writes.push({ key, value: undefined });
    const height = heightOfExpiryKey(key);
    const record = store.get(recordKey(height));
    const bytes = record === undefined ? undefined : store.get(blockKey(decodeRecord(record).digest));
    if (bytes === undefined) continue;
    for (const { client, nonce } of decodeBlock(bytes).requests) {
      const reply = store.get(replyKey(client, nonce));
      // The id may have been used again since it expired: then the reply is another record's.
      if (reply !== undefined && storedReplySchema.decode(reply).height === height) {
        writes.push({ key: replyKey(client, nonce), value: undefined });
      }
    }
  }
  return writes;
}
