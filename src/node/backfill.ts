// Fills in the records that a node lacks because it took a state instead (protocol 6, 7): downwards from the lowest one
// it has, each of which names the hash of the one below, with blocks and certificates. Nobody waits for them, so it
// asks seldom; a wrong, empty or missing answer leaves the source out for a while. What is checked is durable at once.

import type { BlockContext } from "../cluster/block.js";
import { blockKey, certificatesKey, historyKey, historySchema, recordKey } from "../ledger/keys.js";
import { decodeRecord, recordHash } from "../ledger/records.js";
import type { Effects, Reader, Send } from "../types/effects.js";
import { type Digest, fromHex, type NodeRef } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { Records, Verified } from "../types/message.js";
import { committedSchema } from "../types/schema.js";
import { type CheckedRecord, checkRecord } from "./records.js";
import type { History } from "./restore.js";
import { Sources } from "./sources.js";

export interface BackfillOptions extends BlockContext {
  readonly self: NodeRef;
  readonly reader: Reader;
  readonly history: History | undefined;
}

export class Backfill {
  readonly #options: BackfillOptions;
  readonly #sources: Sources;
  readonly #all: number;
  #missing: History | undefined;
  #asked: NodeRef | undefined;

  constructor(options: BackfillOptions) {
    const { self, members, history } = options;
    const peers = members.nodesOf([self.cluster]).filter(({ node }) => node !== self.node);
    this.#options = options;
    this.#sources = new Sources(peers, self.node);
    this.#missing = history;
    this.#all = history === undefined ? 1 : history.from - history.below - 1;
  }

  get isOpen(): boolean {
    return this.#missing !== undefined;
  }

  get isWaiting(): boolean {
    return this.#asked !== undefined;
  }

  /** Others may be asked for new records meanwhile, and one that says nothing must not keep those away. */
  awaits({ node }: NodeRef): boolean {
    return this.#asked?.node === node;
  }

  /** The next piece. Whoever has not answered the last one is left out. */
  ask(tick: number, send: Send[]): void {
    if (this.#missing === undefined) return;
    if (this.#asked !== undefined) this.#sources.ban(this.#asked, tick);
    const peer = this.#sources.next(tick);
    this.#asked = peer;
    if (peer === undefined) return;
    const to = this.#missing.from - 1;
    const from = Math.max(this.#missing.below + 1, to - limits.recordsPerAnswerMax + 1);
    send.push({ to: [peer], message: { kind: "fetch-records", from, to, blocks: true, downwards: true } });
  }

  onRecords({ from: sender, message }: Verified<Records>, tick: number, out: Effects): void {
    if (this.#missing === undefined || sender.node !== this.#asked?.node) return;
    this.#asked = undefined;
    const { from, items } = message;
    const isInRange = from > this.#missing.below && from + items.length === this.#missing.from;
    const checked = items.length > 0 && isInRange ? this.#check(message) : undefined;
    if (checked === undefined) {
      this.#sources.ban(sender, tick);
      out.notes.push({ kind: "rejected", code: "bad-record", from: sender, message: "records" });
      return;
    }
    let bytes = 0;
    for (const { record, encoded, certificates, block } of checked) {
      const digest = fromHex(record.digest);
      bytes += encoded.length + block.bytes.length;
      out.persist.push(
        { key: recordKey(record.height), value: encoded },
        { key: certificatesKey(record.height), value: committedSchema.encode({ digest, certificates }) },
        { key: blockKey(block.digest), value: block.bytes },
      );
    }
    this.#advance(from, checked[0] as CheckedRecord, out);
    const left = this.#missing === undefined ? 0 : this.#missing.from - this.#missing.below - 1;
    const percent = Math.floor((100 * (this.#all - left)) / this.#all);
    out.notes.push({ kind: "catching-up", by: "history", from: sender, percent, bytes });
  }

  /** All of them, or undefined: each must be what the one above it says. */
  #check({ items }: Records): readonly CheckedRecord[] | undefined {
    const { self, reader } = this.#options;
    const context = { ...this.#options, cluster: self.cluster };
    const above = reader.get(recordKey((this.#missing as History).from));
    if (above === undefined) throw new Error(`record ${this.#missing?.from} is not in the store`);
    let expected: Digest = decodeRecord(above).parent;
    const checked: CheckedRecord[] = [];
    for (const item of [...items].reverse()) {
      const record = checkRecord(item, expected, context);
      if (record === undefined) return undefined;
      checked.push(record);
      expected = record.record.parent;
    }
    return checked.reverse();
  }

  #advance(from: number, { record }: CheckedRecord, out: Effects): void {
    const { below } = this.#missing as History;
    const isDone = from === below + 1;
    if (isDone) this.#attach(below, record.parent);
    this.#missing = isDone ? undefined : { below, from };
    const value = this.#missing === undefined ? undefined : historySchema.encode(this.#missing);
    out.persist.push({ key: historyKey(), value });
  }

  /** What this node had before must be the lower part of the view. */
  #attach(height: number, hash: Digest): void {
    const own = this.#options.reader.get(recordKey(height));
    if (own !== undefined && recordHash(own) === hash) return;
    throw new Error(`record ${height} of this node is not that of its cluster's stable checkpoint`);
  }
}
