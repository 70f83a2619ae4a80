// A node that takes the state of others instead of the records it lacks (protocol 6): whether that is less, when its
// own execution must rest, and how it ends. What is asked and proven is in state-fetcher.ts, what is written in
// installer.ts.

import type { BlockContext } from "../cluster/block.js";
import type { StateRoot } from "../execution/root.js";
import type { StableCheckpoint } from "../intra/checkpoint.js";
import type { ClusterLog } from "../intra/engine.js";
import type { Effects, Reader, Send } from "../types/effects.js";
import type { NodeRef, Slot } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { Records, Verified } from "../types/message.js";
import type { StateList } from "../types/schema.js";
import type { State } from "../types/state-transfer.js";
import type { IncarnationTable } from "./incarnations.js";
import { Installer } from "./installer.js";
import type { Head } from "./recorder.js";
import type { CheckedRecord } from "./records.js";
import type { Now } from "./replica.js";
import type { History } from "./restore.js";
import { StateFetcher } from "./state-fetcher.js";

export interface StateTakerOptions extends BlockContext {
  readonly self: NodeRef;
  readonly reader: Reader;
  readonly engine: ClusterLog;
  readonly root: StateRoot;
  /** The end of this node's own view. */
  readonly head: () => Head;
  readonly table: IncarnationTable;
  readonly history: History | undefined;
}

/** What follows from an answer: another question, records instead, or nothing for now. */
export type Next = "go on" | "records" | "wait";

export class StateTaker {
  readonly #options: StateTakerOptions;
  readonly #fetcher: StateFetcher;
  readonly #installer: Installer;
  readonly #peers: number;
  /** Pieces are in the store: there is no way back. */
  #isInstalling = false;
  /** Answers in a row that there is no state to be had. */
  #vain = 0;
  /** The record of the checkpoint, which is the last that is taken. */
  #last: CheckedRecord | undefined;

  constructor(options: StateTakerOptions) {
    const { head, members, self } = options;
    this.#options = options;
    this.#fetcher = new StateFetcher({ ...options, height: () => head().height });
    this.#installer = new Installer(options);
    this.#peers = members.clusterOf(self.cluster).nodes.length - 1;
  }

  /** Does it take a state, or ask whether it should? */
  get isOpen(): boolean {
    return this.#fetcher.target !== undefined;
  }

  get isInstalling(): boolean {
    return this.#isInstalling;
  }

  get isWaiting(): boolean {
    return this.#fetcher.isWaiting && !this.#fetcher.wantsRecord;
  }

  get wantsRecord(): boolean {
    return this.#fetcher.wantsRecord;
  }

  begin(target: StableCheckpoint): void {
    this.#vain = 0;
    this.#fetcher.begin(target);
  }

  /** After a restart in the middle. */
  resume(target: StableCheckpoint): void {
    this.#isInstalling = true;
    this.#fetcher.begin(target);
  }

  stop(): void {
    if (!this.#isInstalling) this.#fetcher.stop();
  }

  ask({ tick }: Now, send: Send[]): void {
    this.#fetcher.ask(tick, send);
  }

  /** Nobody has answered in time. */
  onTimer(now: Now, send: Send[]): void {
    this.#fetcher.onTimer(now.tick);
    this.ask(now, send);
  }

  onState(verified: Verified<State>, { tick }: Now, out: Effects): Next {
    const taken = this.#fetcher.onState(verified, tick);
    switch (taken.kind) {
      case "nothing":
        return "wait";
      case "none":
        this.#vain++;
        if (this.#vain < this.#peers) return "go on";
        this.#vain = 0;
        return this.#giveUp();
      case "wrong":
        out.notes.push({ kind: "rejected", code: "bad-state", from: taken.from, message: "state" });
        return this.#fetcher.hasSource(tick) ? "go on" : "wait";
      case "list":
        this.#vain = 0;
        if (this.#isInstalling || !this.#isMore(taken.list)) return "go on";
        this.#fetcher.stop();
        return "records";
      case "pieces":
        this.#install(taken, verified.from, out);
        return "go on";
    }
  }

  onRecords(verified: Verified<Records>, { tick }: Now): void {
    this.#last = this.#fetcher.onRecords(verified, tick) ?? this.#last;
  }

  /** After everything else of the turn was written. `forgotten`: the log on disk begins after this slot. */
  finish(forgotten: Slot, out: Effects): void {
    const { target, rejoined } = this.#fetcher;
    if (this.#last === undefined || target === undefined || rejoined === undefined) return;
    // Without any piece there was nothing to rest for.
    this.#isInstalling = true;
    this.#installer.finish({ target, last: this.#last, rejoined, forgotten }, out.persist);
    const { slot, height } = target.checkpoint;
    out.notes.push({ kind: "caught-up", by: "state", slot, height });
    out.reload = true;
    this.#last = undefined;
    this.#fetcher.stop();
  }

  /** Would the state be more than the records? */
  #isMore({ stateBytes, recordsBytes }: StateList): boolean {
    const missing = (this.#fetcher.target?.checkpoint.height ?? 0) - this.#options.head().height;
    return missing <= limits.catchUpRecordsMax && recordsBytes > 0 && stateBytes >= recordsBytes;
  }

  /** There is no state to be had anywhere: records, if there are not too many. */
  #giveUp(): Next {
    const missing = (this.#fetcher.target?.checkpoint.height ?? 0) - this.#options.head().height;
    if (this.#isInstalling || missing > limits.catchUpRecordsMax) return "wait";
    this.#fetcher.stop();
    return "records";
  }

  #install(
    { part, pieces }: { readonly part: "accounts" | "ids" | "positions"; readonly pieces: State["pieces"] },
    from: NodeRef,
    out: Effects,
  ): void {
    const target = this.#fetcher.target;
    if (target === undefined) return;
    // What it compared with has changed: the same is asked for again, if it is still wanted.
    if (!this.#isInstalling && this.#fetcher.isStale) return this.#fetcher.refresh();
    this.#isInstalling = true;
    // The past is not what it was any more.
    this.#options.root.drop(() => false);
    this.#installer.mark(target, out.persist);
    this.#installer.install(part, pieces, out.persist);
    this.#fetcher.took(part, pieces);
    const bytes = pieces.reduce((sum, piece) => sum + piece.bytes.length, 0);
    out.notes.push({ kind: "catching-up", by: "state", from, percent: this.#fetcher.percent, bytes });
  }
}
