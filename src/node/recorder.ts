// Where an executed block becomes a record of the view (protocol 4, 6, 7): heights, record time, the hash chain, the
// rows that are written together in one atomic batch, and the points at which a checkpoint is due. It follows the one
// order; it never decides about it.

import type { Ordered } from "../cross/outlet.js";
import { digestOf } from "../crypto/hash.js";
import type { ExecutedBlock, OrderedBlock } from "../execution/engine.js";
import type { StateRoot } from "../execution/root.js";
import { progressKey, progressSchema, sumKey, sumSchema } from "../ledger/keys.js";
import { encodeRecord, type LedgerRecord, recordHash } from "../ledger/records.js";
import type { Write } from "../types/effects.js";
import { type Digest, fromHex, type Sequence, type Slot } from "../types/ids.js";
import type { IncarnationTable } from "./incarnations.js";
import { type MadeRecord, recordRows } from "./records.js";

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

/** A record with where it is in the log, and with what the state root needs of it. */
export interface AppendedRecord extends MadeRecord, Pick<ExecutedBlock, "ordered"> {
  readonly slot: Slot;
}

export const NO_PROGRESS: Progress = { slot: 0, placed: "0".repeat(64) as Digest };

export class Recorder {
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

  constructor(options: {
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
    const { results: _, ...changes } = executed;
    const { certificates, slot } = ordered;
    const hash = this.append({ record, encoded: encodeRecord(record), certificates, slot, ...changes }, persist);
    if (this.#advance()) persist.push(this.#progressRow());
    return { record, hash, progress: this.#progress };
  }

  /** Writes the next record of the view, from wherever it comes, and returns its hash. */
  append(made: AppendedRecord, persist: Write[]): Digest {
    const { record, encoded, slot } = made;
    const { height, time, finalSequence, digest } = record;
    if (height !== this.#head.height + 1) throw new Error(`record ${height} follows record ${this.#head.height}`);
    persist.push(...recordRows(made));
    this.#root.apply(made);
    persist.push(sumRow(height, this.#root));
    this.#incarnations.record({ record, block: made.ordered.block, certificates: made.certificates }, persist);
    const hash = recordHash(encoded);
    this.#head = { height, hash, time, finalSequence };
    this.#recorded.set(slot, digest);
    return hash;
  }

  /** A checkpoint proves that all slots up to this one are recorded or no-ops. Returns what lies above. */
  reach(slot: Slot, persist: Write[]): readonly Slot[] {
    const upTo = [...this.#recorded].filter(([each]) => each <= slot).sort(([a], [b]) => a - b);
    for (const [each, digest] of upTo) this.#place(each, digest);
    if (this.#progress.slot !== slot) throw new Error(`slot ${slot} of a checkpoint has no record`);
    persist.push(this.#progressRow());
    return [...this.#recorded.keys()];
  }

  /** The state root after the last record, with what was placed up to the gapless prefix (protocol 6). */
  stateRoot(): Digest {
    const incarnations = this.#incarnations.digest();
    return this.#root.root([this.#progress.placed, ...(incarnations === undefined ? [] : [incarnations])]);
  }

  #advance(): boolean {
    const before = this.#progress.slot;
    for (;;) {
      const slot = this.#passed + 1;
      const digest = this.#recorded.get(slot);
      if (digest !== undefined) {
        this.#place(slot, digest);
      } else if (!this.#isNoOp(slot)) return this.#progress.slot > before;
      this.#passed = slot;
    }
  }

  #place(slot: Slot, digest: Digest): void {
    const placed = digestOf(Buffer.concat([fromHex(this.#progress.placed), fromHex(digest)]));
    this.#progress = { slot, placed };
    this.#recorded.delete(slot);
  }

  #progressRow(): Write {
    const { slot, placed } = this.#progress;
    return { key: progressKey(), value: progressSchema.encode({ slot, placed: fromHex(placed) }) };
  }
}

/** What the accounts add up to after a record. */
export function sumRow(height: number, root: StateRoot): Write {
  return { key: sumKey(), value: sumSchema.encode({ height, accounts: root.accountSum }) };
}
