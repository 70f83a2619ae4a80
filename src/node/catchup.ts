// How a node that missed part of its cluster's log comes back (protocol 6): slots it lacks are asked for, its
// checkpoint is said again until it is stable, and what its peers have forgotten it takes from their ledgers: the
// records in between or, if that is less, the state itself. Here are the timers, and who is told what; each rule is in
// its own file. It asks its own cluster only, and believes certificates, not nodes.

import type { BlockContext } from "../cluster/block.js";
import { checkpointOf } from "../cluster/checkpoint.js";
import type { StableCheckpoint } from "../intra/checkpoint.js";
import type { ClusterLog } from "../intra/engine.js";
import type { Effects, Reader } from "../types/effects.js";
import type { NodeRef, Slot } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { Checkpoint, FetchRecords, Records, Verified } from "../types/message.js";
import type { Certificate } from "../types/schema.js";
import type { FetchState, State } from "../types/state-transfer.js";
import { Timers } from "../viewchange/timers.js";
import { Appender } from "./appender.js";
import { Archive } from "./archive.js";
import { Backfill } from "./backfill.js";
import { Gaps } from "./gaps.js";
import type { IncarnationTable } from "./incarnations.js";
import { RecordFetcher } from "./record-fetcher.js";
import { RecordServer } from "./record-server.js";
import type { Recorder } from "./recorder.js";
import type { Now } from "./replica.js";
import type { Restored } from "./restore.js";
import { StateServer } from "./state-server.js";
import { StateTaker } from "./state-taker.js";
import { type RecordedPoint, Truncation } from "./truncation.js";

export interface CatchUpOptions extends BlockContext {
  readonly self: NodeRef;
  readonly reader: Reader;
  readonly engine: ClusterLog;
  readonly recorder: Recorder;
  readonly table: IncarnationTable;
  readonly restored: Pick<Restored, "checkpoint" | "said" | "catchUp" | "snapshot" | "history" | "root">;
  /** As in the limits, unless it says otherwise. */
  readonly catchUpAtOnceMax?: number | undefined;
}

/** What nodes of a cluster ask of each other, and give, to catch up. */
type Transfer = FetchRecords | Records | FetchState | State;

/** `pace`: the next piece of a state or records are asked for; `history`: the next old records are. */
type TimerName = "gap" | "checkpoint" | "records" | "pace" | "history";

export class CatchUp {
  readonly archive: Archive;
  readonly #options: CatchUpOptions;
  readonly #timers = new Timers<TimerName>();
  readonly #gaps: Gaps;
  readonly #truncation: Truncation;
  readonly #fetcher: RecordFetcher;
  readonly #server: RecordServer;
  readonly #appender: Appender;
  readonly #stateServer: StateServer;
  readonly #taker: StateTaker;
  readonly #backfill: Backfill;
  #isAppending = false;
  /** Did this node's own execution make a record in this turn? Then the store is behind what is appended to. */
  #isRecording = false;
  /** The height when the timer of records was last looked at. */
  #seen = 0;
  /** The height from which records are taken. */
  #begunAt = 0;

  constructor(options: CatchUpOptions) {
    const { restored, recorder, reader, self, table } = options;
    this.#options = options;
    this.#gaps = new Gaps(options);
    this.#truncation = new Truncation({ ...options, stable: restored.checkpoint, said: restored.said });
    this.#fetcher = new RecordFetcher({ ...options, head: () => recorder.head });
    this.#server = new RecordServer(reader);
    this.#appender = new Appender({ ...options, cluster: self.cluster }, restored.catchUp?.decided ?? []);
    const { root, history } = restored;
    this.#stateServer = new StateServer({ reader, root, table, stable: () => this.#truncation.reached });
    this.archive = new Archive({ states: this.#stateServer, records: this.#server });
    this.#taker = new StateTaker({ ...options, root, history, head: () => recorder.head });
    this.#backfill = new Backfill({ ...options, history });
    if (restored.catchUp !== undefined) this.#isAppending = this.#fetcher.begin(restored.catchUp.target);
    if (restored.snapshot !== undefined) this.#taker.resume(restored.snapshot);
  }

  /** Monotonic time at which a tick is due; undefined: no need. */
  get wakeAt(): number | undefined {
    return this.#timers.wakeAt;
  }

  /** Is a checkpoint stable that this node's own records have not reached? */
  get isBehind(): boolean {
    return this.isResting || this.#truncation.waiting !== undefined;
  }

  /** Does the node know that it lacks more than what its log can give it? */
  get isFarBehind(): boolean {
    return this.isBehind || this.#gaps.isFar;
  }

  /**
   * The view grows by records of others, or its state becomes that of others. Execution, which knows nothing of that,
   * rests until the node is made anew.
   */
  get isResting(): boolean {
    return this.#isAppending || this.#taker.isInstalling;
  }

  // ---- what is stable

  /** Proof of the highest stable checkpoint that is known, reached or not: what a view change reports. */
  get certificate(): Certificate | undefined {
    return this.#truncation.certificate;
  }

  /** Could this proof still be news? */
  wants(certificate: Certificate): boolean {
    return (checkpointOf(certificate)?.slot ?? 0) > this.#truncation.stable;
  }

  /** A checkpoint certificate that passed `provenCheckpoint`, from whatever message. */
  learn(certificate: Certificate, out: Effects): void {
    const checkpoint = checkpointOf(certificate);
    if (checkpoint !== undefined) this.#truncation.learn({ checkpoint, certificate }, out);
  }

  /** Takes records at once instead of waiting whether the node comes by itself. */
  urge(now: Now, out: Effects): void {
    if (this.#begin()) this.#ask(now, out);
  }

  onCheckpoint(verified: Verified<Checkpoint>, out: Effects): void {
    this.#truncation.onCheckpoint(verified, out);
  }

  /** A slot that is asked for and forgotten here: the asker is shown the certificate. False: it is not forgotten. */
  showBelow(slot: Slot, to: NodeRef, out: Effects): boolean {
    return this.#truncation.showBelow(slot, to, out.send);
  }

  onRecord(point: RecordedPoint, out: Effects): void {
    this.#isRecording = true;
    this.#truncation.onRecord(point, out);
  }

  /** The slots that were forgotten now. */
  forget(out: Effects): readonly Slot[] {
    return this.isResting ? [] : this.#truncation.forget(out);
  }

  // ---- slots

  heard(verified: Verified): void {
    this.#gaps.heard(verified);
  }

  decided(slot: Slot): void {
    this.#gaps.decided(slot);
  }

  // ---- records and states

  onTransfer({ message, ...rest }: Verified<Transfer>, now: Now, out: Effects): void {
    switch (message.kind) {
      case "fetch-records":
        return this.#server.onFetchRecords({ ...rest, message }, out.send);
      case "records":
        return this.#onRecords({ ...rest, message }, now, out);
      case "fetch-state":
        return this.#stateServer.onFetchState({ ...rest, message }, now.tick, out.send);
      case "state":
        return this.#onState({ ...rest, message }, now, out);
    }
  }

  /** Is there a question under way that such a message could answer? */
  isAsking(kind: "records" | "state"): boolean {
    if (kind === "state") return this.#taker.isWaiting;
    return this.#fetcher.isWaiting || this.#taker.wantsRecord || this.#backfill.isWaiting;
  }

  #onRecords(verified: Verified<Records>, now: Now, out: Effects): void {
    if (this.#taker.wantsRecord) return this.#taker.onRecords(verified, now);
    if (this.#backfill.awaits(verified.from)) return this.#backfill.onRecords(verified, now.tick, out);
    const target = this.#fetcher.target;
    const records = this.#fetcher.onRecords(verified, now, out);
    if (target === undefined || this.#fetcher.isWaiting) return;
    // What its own execution did in this turn is not in the store yet; the same is asked for again.
    if (!this.#isRecording) {
      if (records.length > 0) this.#startAppending(target, out);
      for (const record of records) this.#appender.append(record, out);
      if (records.length > 0) this.#noteRecords(verified, target, out);
    }
    if (this.#options.recorder.head.height >= target.checkpoint.height) return;
    if (this.#fetcher.hasSource(now)) this.#pace(now);
  }

  #noteRecords({ from, message: { items } }: Verified<Records>, { checkpoint }: StableCheckpoint, out: Effects): void {
    const { height } = this.#options.recorder.head;
    const all = Math.max(1, checkpoint.height - this.#begunAt);
    const percent = Math.floor((100 * (height - this.#begunAt)) / all);
    const bytes = items.reduce((sum, { record, block }) => sum + record.length + block.length, 0);
    out.notes.push({ kind: "catching-up", by: "records", from, percent, bytes });
  }

  #onState(verified: Verified<State>, now: Now, out: Effects): void {
    if (this.#isAppending) return;
    const next = this.#taker.onState(verified, now, out);
    if (next === "records" && this.#beginRecords()) this.#ask(now, out);
    if (next === "go on") this.#pace(now);
  }

  /** The next question comes later than it could, so that its source keeps its time for votes. */
  #pace({ tick }: Now): void {
    this.#timers.stop("records");
    this.#timers.start("pace", { now: tick, delay: limits.pieceEveryMs });
  }

  #startAppending(target: StableCheckpoint, out: Effects): void {
    if (this.#isAppending) return;
    this.#isAppending = true;
    this.#appender.begin(target, this.#options.recorder.head.height + 1, out);
  }

  // ---- time

  onTick(now: Now, out: Effects): void {
    for (const name of this.#timers.due(now.tick)) {
      if (name === "checkpoint") this.#truncation.repeat(out.send);
      else if (name === "records") this.#onRecordsTimer(now, out);
      else if (name === "pace") this.#onPace(now, out);
      else if (name === "history") this.#onHistoryTimer(now, out);
      else if (!this.#gaps.hasMoved()) this.#gaps.ask(out.send);
      else this.#timers.stop(name);
    }
  }

  /** Nobody has answered in time; or nothing was asked, since the node may come by itself: has it moved? */
  #onRecordsTimer(now: Now, out: Effects): void {
    if (this.#taker.isOpen) return this.#taker.onTimer(now, out.send);
    if (this.#fetcher.target !== undefined) return this.#fetcher.onTimer(now, out.send);
    if (this.#options.recorder.head.height > this.#seen) this.#timers.stop("records");
    else if (this.#begin()) this.#ask(now, out);
  }

  #onPace(now: Now, out: Effects): void {
    this.#timers.stop("pace");
    const isAsked = this.#taker.isOpen ? this.#taker.isWaiting : this.#fetcher.isWaiting;
    if (!isAsked && (this.#taker.isOpen || this.#fetcher.target !== undefined)) this.#ask(now, out);
  }

  /** Old records are for nobody's vote: what is new comes first. */
  #onHistoryTimer(now: Now, out: Effects): void {
    this.#timers.stop("history");
    if (!this.isBehind) this.#backfill.ask(now.tick, out.send);
  }

  #begin(): boolean {
    const target = this.#truncation.waiting;
    if (target === undefined || this.#fetcher.target !== undefined || this.#taker.isOpen) return false;
    const missing = target.checkpoint.height - this.#options.recorder.head.height;
    // Few records need no question for what is less.
    if (missing <= (this.#options.catchUpAtOnceMax ?? limits.catchUpAtOnceMax)) return this.#beginRecords();
    this.#taker.begin(target);
    return true;
  }

  #beginRecords(): boolean {
    const target = this.#truncation.waiting;
    this.#begunAt = this.#options.recorder.head.height;
    return target !== undefined && this.#fetcher.begin(target);
  }

  #ask(now: Now, out: Effects): void {
    // Its delay begins anew with each question.
    this.#timers.stop("records");
    if (this.#taker.isOpen) this.#taker.ask(now, out.send);
    else this.#fetcher.ask(now, out.send);
  }

  /** After each event: what must be watched from now on, and what need not any more. */
  review(now: Now, out: Effects): void {
    // By itself after all.
    if (!this.isResting && this.#truncation.waiting === undefined) {
      this.#fetcher.stop();
      this.#taker.stop();
    }
    this.#gaps.goOn(out.send);
    this.#watch("gap", this.#gaps.isOpen, now);
    this.#watch("checkpoint", this.#truncation.isUnstable, now);
    this.#watch("records", this.isBehind && !this.#timers.isRunning("pace"), now);
    this.#watch("history", this.#backfill.isOpen, now);
  }

  /** After everything else of the turn was written. */
  finish(now: Now, out: Effects): void {
    const { recorder } = this.#options;
    const target = this.#fetcher.target;
    if (this.#isAppending && target !== undefined && recorder.head.height >= target.checkpoint.height) {
      this.#appender.finish(target, this.#truncation.forgotten, out);
      const { slot, height } = target.checkpoint;
      out.notes.push({ kind: "caught-up", by: "records", slot, height });
      out.reload = true;
    }
    this.#taker.finish(this.#truncation.forgotten, out);
    this.#isRecording = false;
    this.#truncation.endTurn();
    this.#server.endTurn();
    this.#stateServer.endTurn(now.tick);
    this.#appender.endTurn();
  }

  #watch(name: TimerName, isNeeded: boolean, now: Now): void {
    if (!isNeeded) this.#timers.stop(name);
    else if (!this.#timers.isRunning(name)) {
      if (name === "records") this.#seen = this.#options.recorder.head.height;
      const delay = name === "history" ? limits.historyEveryMs : this.#options.topology.timers.intraMs;
      this.#timers.start(name, { now: now.tick, delay });
    }
  }
}
