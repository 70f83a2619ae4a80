// Which replies a node must remember after a view (protocol 4, exactly once): the id (client, nonce) of an enrolled
// client's request is consumed where it is first evaluated in time, whatever the verdict, by every cluster of P, and
// stays so until its validUntil has passed in record time. Derived from the records and blocks alone, to be compared
// with what the node stores.

import type { Members } from "../cluster/members.js";
import { type Block, type Request, rejoinOf, requestId } from "../types/block.js";
import { fromHex } from "../types/ids.js";
import { storedReplySchema } from "../types/schema.js";
import type { LedgerRecord } from "./records.js";

export interface ExpectedReply {
  readonly validUntil: number;
  readonly height: number;
  /** storedReplySchema. */
  readonly bytes: Uint8Array;
}

/** Entries are dropped in bulk once the book has doubled, so that its size follows the ids alive. */
const BOOK_ENTRIES_MIN = 10_000;

export class ReplyBook {
  readonly #members: Members;
  readonly #replies = new Map<string, ExpectedReply>();
  #pruneAt = BOOK_ENTRIES_MIN;

  constructor(members: Members) {
    this.#members = members;
  }

  note(record: LedgerRecord, block: Block): void {
    let at = 0;
    for (const request of block.requests) {
      const results = record.results.subarray(at, at + request.operations.length);
      at += request.operations.length;
      if (this.#consumes(request, record.time)) this.#replies.set(requestId(request), expect(request, record, results));
    }
    if (this.#replies.size > this.#pruneAt) this.#prune(record.time);
  }

  get(id: string): ExpectedReply | undefined {
    return this.#replies.get(id);
  }

  /** Ids and replies that must be stored while `time` is the last record's time. */
  *alive(time: number): Iterable<readonly [string, ExpectedReply]> {
    for (const entry of this.#replies) if (entry[1].validUntil >= time) yield entry;
  }

  #consumes(request: Request, time: number): boolean {
    const isKnown = rejoinOf(request) !== undefined || this.#members.isClient(request.client);
    if (request.validUntil < time || !isKnown) return false;
    const known = this.#replies.get(requestId(request));
    return known === undefined || known.validUntil < time;
  }

  #prune(time: number): void {
    for (const [id, { validUntil }] of this.#replies) if (validUntil < time) this.#replies.delete(id);
    this.#pruneAt = Math.max(BOOK_ENTRIES_MIN, 2 * this.#replies.size);
  }
}

function expect({ hash, validUntil }: Request, record: LedgerRecord, results: Uint8Array): ExpectedReply {
  const { height, finalSequence, digest } = record;
  const reply = {
    request: fromHex(hash),
    validUntil,
    height,
    sequence: finalSequence,
    digest: fromHex(digest),
    results,
  };
  return { validUntil, height, bytes: storedReplySchema.encode(reply) };
}
