// Where an executed block becomes a record of the view (protocol 4, 6, 7): heights, record time, the hash chain, the
// rows that are written together in one atomic batch, and the points at which a checkpoint is due. It follows the one
// order; it never decides about it.

import type { Ordered } from "../cross/outlet.js";
import { digestOf } from "../crypto/hash.js";
import type { ExecutedBlock, OrderedBlock } from "../execution/engine.js";
import type { StateRoot } from "../execution/root.js";
import {
  accountKey,
  certificatesKey,
  expiryKey,
  heightKey,
  heightSchema,
  progressKey,
  progressSchema,
  recordKey,
  replyKey,
} from "../ledger/keys.js";
import { encodeRecord, type LedgerRecord, recordHash } from "../ledger/records.js";
import type { Write } from "../types/effects.js";
import { type Digest, fromHex, type Sequence, type Slot } from "../types/ids.js";
import { committedSchema, storedAccountSchema, storedReplySchema } from "../types/schema.js";

/** The end of the view as it is on disk. */
export interface Head {
  readonly height: number;
  readonly hash: Digest;
  readonly time: number;
  readonly finalSequence: Sequence;
}

/** How far the log is recorded without a gap, and the running hash over the digests placed up to there (protocol 6). */
export interface Progress {
  readonly slot: Slot;
  readonly placed: Digest;
}

export interface Recorded {
  readonly record: LedgerRecord;
  readonly hash: Digest;
  /** The delivered prefix of the log after this record. */
  readonly progress: Progress;
}

export const NO_PROGRESS: Progress = { slot: 0, placed: "0".repeat(64) as Digest };

export class Recorder {
  readonly #root: StateRoot;
  readonly #isNoOp: (slot: Slot) => boolean;
  /** Ordered, not yet executed: by height. */
  readonly #ordered = new Map<number, Ordered>();
  /** Slots above the gapless prefix whose blocks have records. */
  readonly #recorded = new Map<Slot, Digest>();
  #next: { height: number; time: number };
  #head: Head;
  #progress: Progress;
  /** The gapless prefix may go on over no-ops beyond the last block's slot. */
  #passed: Slot;

  constructor(options: {
    readonly head: Head;
    readonly progress: Progress;
    readonly root: StateRoot;
    /** Is the slot decided, as a no-op? */
    readonly isNoOp: (slot: Slot) => boolean;
    /** Blocks with a record whose slot lies above `progress`. */
    readonly recorded: ReadonlyMap<Slot, Digest>;
  }) {
    this.#head = options.head;
    this.#progress = options.progress;
    this.#passed = options.progress.slot;
    this.#root = options.root;
    this.#isNoOp = options.isNoOp;
    this.#next = { height: options.head.height + 1, time: options.head.time };
    for (const [slot, digest] of options.recorded) this.#recorded.set(slot, digest);
  }

  get head(): Head {
    return this.#head;
  }

  get progress(): Progress {
    return this.#progress;
  }

  /** Gives a delivered block its height and record time: max of its own and the record's before (protocol 4). */
  order(ordered: Ordered): OrderedBlock {
    const { block, final } = ordered;
    const { height } = this.#next;
    const recordTime = Math.max(block.time, this.#next.time);
    this.#next = { height: height + 1, time: recordTime };
    this.#ordered.set(height, ordered);
    return { block, height, finalSequence: final, recordTime };
  }

  /** Writes the record, the accounts it changed and the replies it owes, all in the turn's one batch. */
  record(executed: ExecutedBlock, persist: Write[]): Recorded {
    const { height, recordTime, finalSequence, block } = executed.ordered;
    const ordered = this.#ordered.get(height);
    if (ordered === undefined || height !== this.#head.height + 1) throw new Error(`record ${height} is out of order`);
    this.#ordered.delete(height);
    const record: LedgerRecord = {
      height,
      parent: this.#head.hash,
      finalSequence,
      sequences: ordered.sequences,
      digest: block.digest,
      time: recordTime,
      results: executed.results,
    };
    const encoded = encodeRecord(record);
    const hash = recordHash(encoded);
    const digest = fromHex(block.digest);
    persist.push(
      { key: recordKey(height), value: encoded },
      { key: certificatesKey(height), value: committedSchema.encode({ digest, certificates: ordered.certificates }) },
      { key: heightKey(block.digest), value: heightSchema.encode({ height }) },
    );
    for (const { account, balance, owner } of executed.accounts) {
      const value = storedAccountSchema.encode({ balance, owner: owner === undefined ? NO_BYTES : fromHex(owner) });
      persist.push({ key: accountKey(account), value });
    }
    for (const { request, results } of executed.consumed) {
      const { client, nonce, validUntil } = request;
      const reply = { request: fromHex(request.hash), validUntil, height, sequence: finalSequence, digest, results };
      persist.push({ key: replyKey(client, nonce), value: storedReplySchema.encode(reply) });
    }
    if (executed.consumed.length > 0) {
      const last = executed.consumed.reduce((latest, { request }) => Math.max(latest, request.validUntil), 0);
      persist.push({ key: expiryKey(last, height), value: NO_BYTES });
    }
    this.#root.apply(executed);
    this.#head = { height, hash, time: recordTime, finalSequence };
    this.#recorded.set(ordered.slot, block.digest);
    if (this.#advance()) {
      const { slot, placed } = this.#progress;
      persist.push({ key: progressKey(), value: progressSchema.encode({ slot, placed: fromHex(placed) }) });
    }
    return { record, hash, progress: this.#progress };
  }

  /** The state root after the last record, with what was placed up to the gapless prefix (protocol 6). */
  stateRoot(): Digest {
    return this.#root.root([this.#progress.placed]);
  }

  #advance(): boolean {
    const before = this.#progress.slot;
    for (;;) {
      const slot = this.#passed + 1;
      const digest = this.#recorded.get(slot);
      if (digest !== undefined) {
        const placed = digestOf(Buffer.concat([fromHex(this.#progress.placed), fromHex(digest)]));
        this.#progress = { slot, placed };
        this.#recorded.delete(slot);
      } else if (!this.#isNoOp(slot)) return this.#progress.slot > before;
      this.#passed = slot;
    }
  }
}

const NO_BYTES = new Uint8Array(0);
