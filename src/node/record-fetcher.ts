// Takes records of the own cluster's view from other nodes, up to a checkpoint that a quorum has proven (protocol 6).
// First the bare records, from the checkpoint's downwards, until they meet this node's last one: their hashes say what
// must follow. Then the same upwards with blocks and certificates, each piece checked before it is used. One question
// is under way at a time; a wrong, empty or missing answer leaves the source out for a while and the next one is asked.

import type { BlockContext } from "../cluster/block.js";
import type { StableCheckpoint } from "../intra/checkpoint.js";
import type { Effects, Send } from "../types/effects.js";
import type { NodeRef } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { Records, Verified } from "../types/message.js";
import { Chain } from "./chain.js";
import type { Head } from "./recorder.js";
import { type CheckedRecord, checkRecord } from "./records.js";
import type { Now } from "./replica.js";
import { Sources } from "./sources.js";

export interface RecordFetcherOptions extends BlockContext {
  readonly self: NodeRef;
  /** The end of this node's own view. */
  readonly head: () => Head;
}

interface Asked {
  readonly peer: NodeRef;
  readonly from: number;
  readonly to: number;
  readonly blocks: boolean;
}

export class RecordFetcher {
  readonly #options: RecordFetcherOptions;
  readonly #sources: Sources;
  #target: StableCheckpoint | undefined;
  #chain: Chain | undefined;
  #asked: Asked | undefined;

  constructor(options: RecordFetcherOptions) {
    const { self, members } = options;
    const peers = members.nodesOf([self.cluster]).filter(({ node }) => node !== self.node);
    this.#options = options;
    this.#sources = new Sources(peers, self.node);
  }

  /** What it is working towards; undefined: nothing. */
  get target(): StableCheckpoint | undefined {
    return this.#target;
  }

  get isWaiting(): boolean {
    return this.#asked !== undefined;
  }

  /** False: the checkpoint is not above this node's view, or so far above that records are the wrong way. */
  begin(target: StableCheckpoint): boolean {
    const { height, record } = target.checkpoint;
    const bottom = this.#options.head().height;
    if (height <= bottom || height - bottom > limits.catchUpRecordsMax) return false;
    this.#target = target;
    this.#chain = new Chain({ height, hash: record }, bottom);
    this.#asked = undefined;
    return true;
  }

  stop(): void {
    this.#target = undefined;
    this.#chain = undefined;
    this.#asked = undefined;
  }

  /** No answer in time, or nothing asked yet. */
  onTimer(now: Now, send: Send[]): void {
    if (this.#asked !== undefined) this.#sources.ban(this.#asked.peer, now.tick);
    this.ask(now, send);
  }

  /** The next piece, of the next source. */
  ask({ tick }: Now, send: Send[]): void {
    const peer = this.#sources.next(tick);
    const [target, chain] = [this.#target, this.#chain];
    if (peer === undefined || target === undefined || chain === undefined) return;
    const from = this.#options.head().height + 1;
    const blocks = chain.low < from;
    const range = { from, to: blocks ? target.checkpoint.height : chain.low, blocks };
    this.#asked = { peer, ...range };
    send.push({ to: [peer], message: { kind: "fetch-records", ...range, downwards: false } });
  }

  /** Records that follow this node's last one, checked, in order. The caller writes them and then asks on. */
  onRecords(verified: Verified<Records>, now: Now, out: Effects): readonly CheckedRecord[] {
    const asked = this.#asked;
    if (asked === undefined || verified.from.node !== asked.peer.node) return [];
    this.#asked = undefined;
    const { from, items } = verified.message;
    const last = from + items.length - 1;
    const isInRange = asked.blocks ? from === asked.from && last <= asked.to : from >= asked.from && last === asked.to;
    if (items.length === 0 || !isInRange) {
      this.#fail(asked, now, out);
      return [];
    }
    if (asked.blocks) return this.#check(asked, verified.message, now, out);
    if (this.#chain?.extend(items.map(({ record }) => record)) === true) this.#attach();
    else this.#fail(asked, now, out);
    return [];
  }

  /** The chain has come down to this node's own view, which must be the lower part of it. */
  #attach(): void {
    const [chain, head] = [this.#chain, this.#options.head()];
    if (chain === undefined || chain.low > head.height) return;
    if (chain.hashAt(head.height) === head.hash) return;
    throw new Error(`record ${head.height} of this node is not that of its cluster's stable checkpoint`);
  }

  #check(asked: Asked, { from, items }: Records, now: Now, out: Effects): readonly CheckedRecord[] {
    const { self, head } = this.#options;
    const context = { ...this.#options, cluster: self.cluster };
    const own = head().height;
    const checked: CheckedRecord[] = [];
    for (const [i, item] of items.entries()) {
      const height = from + i;
      // Its own execution was faster.
      if (height <= own) continue;
      const hash = this.#chain?.hashAt(height);
      const record = hash === undefined ? undefined : checkRecord(item, hash, context);
      if (record === undefined) {
        this.#fail(asked, now, out);
        break;
      }
      checked.push(record);
    }
    return checked;
  }

  #fail({ peer }: Asked, now: Now, out: Effects): void {
    this.#sources.ban(peer, now.tick);
    out.notes.push({ kind: "rejected", code: "bad-record", from: peer, message: "records" });
  }

  /** Is there anyone left who has not failed lately? To ask those who have, at once, would go in circles. */
  hasSource({ tick }: Now): boolean {
    return this.#sources.hasFree(tick);
  }
}
