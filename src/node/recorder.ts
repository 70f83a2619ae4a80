// Where an executed block becomes a record of the view (protocol 4, 6, 7): heights, record time, the hash chain, the
// rows that are written together in one atomic batch, and the points at which a checkpoint is due. It follows the one
// order; it never decides about it.

import type { Ordered } from "../cross/outlet.js";
import type { ExecutedBlock, OrderedBlock } from "../execution/engine.js";
import type { StateRoot } from "../execution/root.js";
import type { StoredId } from "../execution/slices.js";
import { chunkKey, progressKey, progressSchema, replyKey, sumKey, sumSchema, supersededKey } from "../ledger/keys.js";
import { encodeRecord, type LedgerRecord, recordHash } from "../ledger/records.js";
import { type Block, requestId } from "../types/block.js";
import type { Reader, Write } from "../types/effects.js";
import { type ClusterId, clusterOf, type Digest, type Sequence, type Slot } from "../types/ids.js";
import { storedReplySchema } from "../types/schema.js";
import type { IncarnationTable } from "./incarnations.js";
import { idsOf, type MadeRecord, recordRows } from "./records.js";

/** The end of the view as it is on disk. */
export interface Head {
  readonly height: number;
  readonly hash: Digest;
  readonly time: number;
  readonly finalSequence: Sequence;
}

/** How far the log is recorded without a gap. */
export interface Progress {
  readonly slot: Slot;
}

export interface Recorded {
  readonly record: LedgerRecord;
  readonly hash: Digest;
  /** The delivered prefix of the log after this record. */
  readonly progress: Progress;
}

/** A record with where it is in the log. */
export interface AppendedRecord extends MadeRecord {
  readonly slot: Slot;
  readonly block: Block;
}

export const NO_PROGRESS: Progress = { slot: 0 };

export class Recorder {
  readonly #cluster: ClusterId;
  readonly #reader: Reader;
  readonly #root: StateRoot;
  readonly #incarnations: IncarnationTable;
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
  /** Ids of this turn, of which the store does not know yet. */
  readonly #fresh = new Map<string, StoredId>();

  constructor(options: {
    readonly cluster: ClusterId;
    readonly reader: Reader;
    readonly head: Head;
    readonly progress: Progress;
    readonly root: StateRoot;
    /** Is the slot decided, as a no-op? */
    readonly isNoOp: (slot: Slot) => boolean;
    /** Blocks with a record whose slot lies above `progress`. */
    readonly recorded: ReadonlyMap<Slot, Digest>;
    readonly incarnations: IncarnationTable;
  }) {
    this.#incarnations = options.incarnations;
    this.#cluster = options.cluster;
    this.#reader = options.reader;
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

  /** How many past states are kept. */
  get states(): number {
    return this.#root.views.length;
  }

  /** Record time of the oldest state that is kept. */
  get oldestTime(): number {
    return this.#root.views[0]?.recordTime ?? this.#head.time;
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
    const { accounts, consumed } = executed;
    const { certificates, slot } = ordered;
    const encoded = encodeRecord(record);
    const hash = this.append({ record, encoded, certificates, slot, block, accounts, consumed }, persist);
    if (this.#advance()) persist.push(this.#progressRow());
    return { record, hash, progress: this.#progress };
  }

  /** Writes the next record of the view, from wherever it comes, and returns its hash. */
  append(made: AppendedRecord, persist: Write[]): Digest {
    const { record, encoded, slot } = made;
    const { height, time, finalSequence, digest } = record;
    if (height !== this.#head.height + 1) throw new Error(`record ${height} follows record ${this.#head.height}`);
    const ids = idsOf(made);
    const position = { digest, slot, sequence: this.#ownSequence(made.record) };
    this.#keepSuperseded(ids, persist);
    persist.push(...recordRows({ ...made, ids, position }));
    const { block, certificates } = made;
    const since = this.#root.views[0]?.height ?? height;
    this.#incarnations.record({ record, block, certificates, since }, persist);
    const incarnations = this.#incarnations.bytes;
    const chunk = this.#root.apply({ accounts: made.accounts, ids, position, incarnations, recordTime: time });
    if (chunk !== undefined) persist.push({ key: chunkKey(chunk.number), value: chunk.digest });
    persist.push(sumRow(height, this.#root));
    const hash = recordHash(encoded);
    this.#head = { height, hash, time, finalSequence };
    this.#recorded.set(slot, digest);
    return hash;
  }

  /** A checkpoint proves that all slots up to this one are recorded or no-ops. Returns what lies above. */
  reach(slot: Slot, persist: Write[]): readonly Slot[] {
    const upTo = [...this.#recorded].filter(([each]) => each <= slot).sort(([a], [b]) => a - b);
    for (const [each] of upTo) this.#place(each);
    if (this.#progress.slot !== slot) throw new Error(`slot ${slot} of a checkpoint has no record`);
    persist.push(this.#progressRow());
    return [...this.#recorded.keys()];
  }

  /** The state root after the last record (protocol 6). */
  stateRoot(): Digest {
    return this.#root.root();
  }

  /** Keeps the present state, that of the CHECKPOINT at this slot, for who may ask for it. */
  freeze(slot: Slot): void {
    this.#root.freeze({ slot, height: this.#head.height });
  }

  /** The store knows of this turn's ids from now on. */
  endTurn(): void {
    this.#fresh.clear();
  }

  /** An id that is used again after it expired takes the place of a reply that a past state may still hold. */
  #keepSuperseded(ids: readonly StoredId[], persist: Write[]): void {
    const oldest = this.#root.views[0];
    for (const id of ids) {
      const name = requestId(id);
      const fresh = this.#fresh.get(name);
      this.#fresh.set(name, id);
      if (oldest === undefined) continue;
      const reply = fresh?.reply ?? this.#reader.get(replyKey(id.client, id.nonce));
      if (reply === undefined) continue;
      const { validUntil } = storedReplySchema.decode(reply);
      if (validUntil < oldest.recordTime) continue;
      persist.push({ key: supersededKey(id.client, id.nonce, validUntil), value: reply });
    }
  }

  #advance(): boolean {
    const before = this.#progress.slot;
    for (;;) {
      const slot = this.#passed + 1;
      if (this.#recorded.has(slot)) this.#place(slot);
      else if (!this.#isNoOp(slot)) return this.#progress.slot > before;
      this.#passed = slot;
    }
  }

  #place(slot: Slot): void {
    this.#progress = { slot };
    this.#recorded.delete(slot);
  }

  #progressRow(): Write {
    return { key: progressKey(), value: progressSchema.encode(this.#progress) };
  }

  #ownSequence({ sequences }: LedgerRecord): Sequence {
    const own = sequences.find((sequence) => clusterOf(sequence) === this.#cluster);
    if (own === undefined) throw new Error("a record without a sequence of its own cluster");
    return own;
  }
}

/** What the accounts add up to after a record. */
export function sumRow(height: number, root: StateRoot): Write {
  return { key: sumKey(), value: sumSchema.encode({ height, accounts: root.accountSum }) };
}
