// One node of the protocol as a pure whole: events in, effects out (architecture, rule 1). It routes what passed the
// door to consensus, execution and the record, keeps the timers, and says what must be durable before anything leaves.
// Each rule lives in the folder that owns it; here is only who hands what to whom.

import { type BlockContext, noOpBlock } from "../cluster/block.js";
import { Coordinator } from "../cross/coordinator.js";
import type { Ordered } from "../cross/outlet.js";
import type { Signer } from "../crypto/signature.js";
import type { ExecutionStep } from "../execution/engine.js";
import { Batcher } from "../intra/batch.js";
import { Paxos } from "../intra/paxos.js";
import { Pbft } from "../intra/pbft.js";
import { blockKey, heightKey, placedKey, placedSchema, slotKey, verdictKey } from "../ledger/keys.js";
import type { Block, Request } from "../types/block.js";
import type { Effects, Event, Reader } from "../types/effects.js";
import type { Digest, NodeRef, PublicKey } from "../types/ids.js";
import { limits } from "../types/limits.js";
import { unreachable, type Verified } from "../types/message.js";
import { storedSlotSchema } from "../types/schema.js";
import type { ClusterInfo } from "../types/topology.js";
import { Alarms } from "./alarms.js";
import type { Archive } from "./archive.js";
import { CatchUp } from "./catchup.js";
import { takeCertificates, takeChunk } from "./evidence.js";
import { Fetcher } from "./fetcher.js";
import { Gate } from "./gate.js";
import { IncarnationTable, standingOf } from "./incarnations.js";
import { Intake } from "./intake.js";
import { Proposer } from "./proposer.js";
import { Queries } from "./queries.js";
import { Recorder } from "./recorder.js";
import { type Restored, takeBack } from "./restore.js";
import { ViewWatch, withdrawVotes } from "./view-watch.js";
import { couldMatter } from "./wants.js";

/** Two clocks: `time` in ms since 1970 goes into blocks, `tick` in ms of a monotonic clock drives timers. */
export interface Now {
  readonly time: number;
  readonly tick: number;
}

export interface ReplicaOptions extends BlockContext {
  readonly self: NodeRef;
  readonly reader: Reader;
  /** What the node had on disk; `freshState` for a new one. */
  readonly restored: Restored;
  readonly decodeBlock: (bytes: Uint8Array) => Block;
  /** With it, the node takes part only when its cluster knows of its start; without, at once. */
  readonly signer?: Signer;
  readonly catchUpAtOnceMax?: number | undefined;
}

export class Replica {
  readonly coordinator: Coordinator;
  readonly #options: ReplicaOptions;
  readonly #own: ClusterInfo;
  readonly #alarms: Alarms;
  readonly #viewWatch: ViewWatch;
  readonly #batcher: Batcher;
  readonly #intake: Intake;
  readonly #queries: Queries;
  readonly #recorder: Recorder;
  readonly #catchUp: CatchUp;
  readonly #proposer: Proposer;
  readonly #noOp: Block;
  readonly #changed = new Set<number>();
  /** Decided in this turn, of which the store does not know yet. */
  readonly #placed = new Map<Digest, number>();
  readonly #fetcher: Fetcher;
  readonly #table: IncarnationTable;
  readonly #gate: Gate;
  /** Delivered, not yet taken by execution; bounded by what a log holds above its stable checkpoint. */
  readonly #backlog: Ordered[] = [];

  constructor(options: ReplicaOptions) {
    const { topology, members, self, reader, restored } = options;
    this.#options = options;
    this.#own = members.clusterOf(self.cluster);
    this.#noOp = noOpBlock(self.cluster);
    const Engine = this.#own.model === "crash" ? Paxos : Pbft;
    this.#table = new IncarnationTable({ members, self, reader });
    const standing = standingOf(this.#table, () => this.#gate.incarnation);
    this.coordinator = new Coordinator({
      topology,
      members,
      self,
      noOp: this.#noOp,
      lastFinal: restored.head.finalSequence,
      isRecorded: (digest) => this.#isRecorded(digest),
      engine: (routes) => {
        const placedAt = (digest: Digest) => this.#placedAt(digest);
        return new Engine({ self, cluster: this.#own, routes, noOp: this.#noOp, placedAt, standing });
      },
    });
    this.#batcher = new Batcher({ requestsMax: topology.blockRequestsMax });
    this.#recorder = new Recorder({
      cluster: self.cluster,
      reader,
      head: restored.head,
      progress: restored.progress,
      root: restored.root,
      recorded: restored.recorded,
      incarnations: this.#table,
      isNoOp: (slot) => this.coordinator.engine.decisionAt(slot)?.entry.digest === this.#noOp.digest,
    });
    const { engine } = this.coordinator;
    this.#catchUp = new CatchUp({ ...options, engine, recorder: this.#recorder, table: this.#table });
    const isFarBehind = () => this.#catchUp.isFarBehind;
    this.#gate = new Gate({ ...options, cluster: this.#own, engine, table: this.#table, isFarBehind });
    if (!this.#gate.isOpen) this.coordinator.engine.step({ kind: "gate" });
    this.#proposer = new Proposer({ coordinator: this.coordinator, batcher: this.#batcher, noOp: this.#noOp });
    this.#intake = new Intake({
      ...options,
      batcher: this.#batcher,
      isPrimary: () => this.coordinator.engine.isPrimary,
      view: () => this.coordinator.engine.view,
      primary: () => this.coordinator.primaryOf(self.cluster),
      height: () => this.#recorder.head.height,
      recordTime: () => this.#recorder.head.time,
      account: (id) => restored.execution.account(id),
      catchUp: this.#catchUp,
      isDown: (cluster) => this.coordinator.decisions.availability.isDown(cluster),
    });
    this.#queries = new Queries({ ...options, coordinator: this.coordinator, execution: restored.execution });
    this.#fetcher = new Fetcher({
      ...options,
      isKnown: (digest) => this.coordinator.body(digest) !== undefined || this.#isRecorded(digest),
    });
    takeBack(this.coordinator, restored);
    this.#gate.restored();
    this.#viewWatch = new ViewWatch({ ...topology.timers, self, members, coordinator: this.coordinator });
    this.#alarms = new Alarms({
      topology,
      self,
      coordinator: this.coordinator,
      queries: this.#queries,
      fetcher: this.#fetcher,
      intake: this.#intake,
      viewWatch: this.#viewWatch,
      noOp: this.#noOp.digest,
      isRecorded: (digest) => this.#isRecorded(digest),
      isViewOutdated: () => this.#gate.isViewOutdated,
    });
  }

  get height(): number {
    return this.#recorder.head.height;
  }

  /** Whatever had expired before this is of no use any more. */
  get forgetTime(): number {
    return this.#recorder.oldestTime;
  }

  /** Size of everything that can grow. */
  get gauges(): Readonly<Record<string, number>> {
    return {
      height: this.#recorder.head.height,
      view: this.coordinator.engine.view,
      queued: this.#batcher.queued,
      undelivered: this.coordinator.undelivered,
      unexecuted: this.#options.restored.execution.pending,
      cross: this.coordinator.decisions.size,
      states: this.#recorder.states,
    };
  }

  /** Monotonic time of the next tick; undefined: no need. */
  get wakeAt(): number | undefined {
    return [this.#alarms, this.#catchUp, this.#gate].flatMap(({ wakeAt }) => wakeAt ?? []).sort((a, b) => a - b)[0];
  }

  get archive(): Archive {
    return this.#catchUp.archive;
  }

  get waitsFor(): string | undefined {
    return this.#gate.waitsFor;
  }

  knownBlock(digest: Digest): Block | undefined {
    return this.coordinator.body(digest);
  }

  /** Could this message still change anything? False lets the door skip its signature. */
  wants(message: Verified["message"]): boolean {
    const { self, restored } = this.#options;
    return couldMatter(message, { ...restored, self, coordinator: this.coordinator, catchUp: this.#catchUp });
  }

  /** Is the request queued or watched here, so that the same once more would change nothing? */
  readonly awaits = (request: Request): boolean => this.#intake.awaits(request);

  readonly hasRoom = (client: PublicKey): boolean => this.#intake.hasRoom(client);

  step(now: Now, event: Event, out: Effects): void {
    switch (event.kind) {
      case "message":
        this.#onMessage(now, event.verified, out);
        break;
      case "request":
      case "refused":
      case "read":
      case "prove":
        this.#intake.onClient(now, event, out);
        break;
      case "link":
      case "tick":
        if (event.kind === "link") this.#alarms.onLink(now, event);
        for (const verified of this.#alarms.onTick(now, out)) this.#onMessage(now, verified, out);
        this.#catchUp.onTick(now, out);
        this.#gate.onTick(now, out);
        break;
      default:
        unreachable(event);
    }
    this.#collect(now, out);
    for (const hash of this.#intake.takeArmed(out)) this.#alarms.onWatched(now, hash);
    this.#catchUp.review(now, out);
  }

  /** The end of a turn: new blocks, and every slot that changed, once. */
  finish(now: Now, out: Effects): void {
    // What a proposal leads to at once may make room for the next.
    this.coordinator.retryView();
    const stable = this.coordinator.engine.behind?.certificate;
    if (stable !== undefined) this.#catchUp.learn(stable, out);
    this.#collect(now, out);
    while (this.#proposer.proposeNext(now)) this.#collect(now, out);
    this.#flushChanged(out);
    this.#catchUp.finish(now, out);
    if (this.#gate.finish(now, out)) {
      this.coordinator.begin();
      this.#collect(now, out);
      this.#flushChanged(out);
    }
    if (this.#gate.isViewOutdated) this.#alarms.onOutdated(now, out);
    this.#gate.withhold(out.send);
    this.coordinator.endTurn();
    this.#placed.clear();
    this.#queries.endTurn();
    this.#intake.endTurn();
    this.#recorder.endTurn();
  }

  #flushChanged(out: Effects): void {
    for (const slot of [...this.#changed].sort((a, b) => a - b)) {
      const stored = this.coordinator.engine.stored(slot);
      if (stored !== undefined) out.persist.push({ key: slotKey(slot), value: storedSlotSchema.encode(stored) });
    }
    this.#changed.clear();
  }

  #onMessage(now: Now, verified: Verified, out: Effects): void {
    const { message } = verified;
    if (this.#alarms.hold(now, verified)) return;
    this.#gate.hear(verified);
    this.#catchUp.heard(verified);
    this.#viewWatch.heard(verified, now.tick, out.send);
    switch (message.kind) {
      case "propose":
        return this.coordinator.onPropose({ ...verified, message });
      case "accept":
      case "super-accept":
        return this.coordinator.onAccept({ ...verified, message });
      case "super-propose":
        return this.coordinator.onSuperPropose({ ...verified, message });
      case "commit":
        return this.coordinator.onCommit({ ...verified, message });
      case "result":
        if (this.#catchUp.isResting) return;
        this.#absorbExecution(this.#options.restored.execution.onResult(message), out);
        return this.#execute(out);
      case "accept-query":
        // The door leaves only evidence that it could check; others' decisions oblige this cluster, too (3.4).
        if (message.evidence !== undefined) takeCertificates(this.coordinator, message.digest, [message.evidence]);
        return this.#queries.onAcceptQuery({ ...verified, message }, out.send);
      case "unknown":
        return this.#queries.onUnknown({ ...verified, message }, out.send);
      case "fetch":
        if (message.slot !== undefined && this.#catchUp.showBelow(message.slot, verified.from, out)) return;
        return this.#queries.onFetch({ ...verified, message }, out.send);
      case "committed":
        return takeCertificates(this.coordinator, message.digest, message.certificates);
      case "chunk":
        if (message.certificates.length === 0 && !this.#fetcher.wants(message.digest)) return;
        return takeChunk(this.coordinator, this.#options.self.cluster, message);
      case "checkpoint":
        this.#catchUp.onCheckpoint({ ...verified, message }, out);
        return this.#forgetStable(out);
      case "stable":
        this.#catchUp.learn(message.certificate, out);
        return this.#forgetStable(out);
      case "view-query":
        return this.#viewWatch.onQuery({ ...verified, message }, now.tick, out.send);
      case "start":
        return this.#gate.onStart({ ...verified, message }, out);
      case "started":
        return this.#gate.onStarted({ ...verified, message }, out);
      case "prepare":
      case "promise":
      case "view-change":
      case "new-view":
        this.#table.hear(message, out.persist);
        return this.coordinator.onViewMessage({ ...verified, message });
      case "fetch-records":
      case "records":
      case "fetch-state":
      case "state":
        return this.#catchUp.onTransfer({ ...verified, message }, now, out);
      default:
        unreachable(message);
    }
  }

  #placedAt(digest: Digest): number | undefined {
    const fresh = this.#placed.get(digest);
    if (fresh !== undefined) return fresh;
    const stored = this.#options.reader.get(placedKey(digest));
    return stored === undefined ? undefined : placedSchema.decode(stored).slot;
  }

  #isRecorded(digest: Digest): boolean {
    return this.#options.reader.get(heightKey(digest)) !== undefined;
  }

  /** Takes what the coordinator found out: what to send and keep, what was decided and delivered. */
  #collect(now: Now, out: Effects): void {
    const output = this.coordinator.takeOutput();
    out.send.push(...output.send);
    out.notes.push(...output.notes);
    if (output.view !== undefined) {
      withdrawVotes(out.send, this.#own, this.coordinator.engine.view);
      this.#alarms.onView(now, out);
    }
    this.#viewWatch.show(output.lagging, now.tick, out.send);
    for (const block of output.learned) {
      out.persist.push({ key: blockKey(block.digest), value: block.bytes });
      this.#table.learnBlock(block, out.persist);
      this.#alarms.onLearned(now, block);
    }
    for (const digest of output.dropped) {
      out.persist.push({ key: blockKey(digest), value: undefined });
      this.#alarms.onDropped(digest);
    }
    for (const slot of output.changed) {
      this.#changed.add(slot);
      if (this.coordinator.engine.decisionAt(slot) === undefined) this.#alarms.onUndecided(now, slot);
    }
    for (const { slot, sequence, digest } of output.decided) {
      this.#alarms.onDecided(now, slot);
      this.#catchUp.decided(slot);
      this.#batcher.decided(digest);
      if (digest === this.#noOp.digest) continue;
      this.#placed.set(digest, slot);
      out.persist.push({ key: placedKey(digest), value: placedSchema.encode({ slot, sequence }) });
    }
    for (const { digest, from } of output.wanted) {
      this.#fetcher.want(digest, from);
      this.#alarms.onWanted(now, digest);
    }
    this.#alarms.onClock(now);
    this.#backlog.push(...output.delivered);
    this.#execute(out);
  }

  /** Gives execution what was delivered, as far as it takes blocks: it may wait for other clusters' verdicts. */
  #execute(out: Effects): void {
    const { execution } = this.#options.restored;
    if (this.#catchUp.isResting) return;
    while (this.#backlog.length > 0 && execution.pending < limits.undeliveredMax) {
      this.#absorbExecution(execution.deliver(this.#recorder.order(this.#backlog.shift() as Ordered)), out);
    }
  }

  #absorbExecution(step: ExecutionStep, out: Effects): void {
    const { members, self } = this.#options;
    for (const { block, verdicts } of step.verdicts) {
      out.persist.push({ key: verdictKey(block.digest), value: verdicts });
      // One signed RESULT of a crash cluster is enough (protocol 4): its primary's.
      if (this.#own.model === "crash" && !this.coordinator.engine.isPrimary) continue;
      const to = members.nodesOf(block.clusters.filter((cluster) => cluster !== self.cluster));
      out.send.push({ to, message: { kind: "result", ...self, digest: block.digest, verdicts, final: false } });
    }
    for (const executed of step.executed) {
      const { block, height, finalSequence } = executed.ordered;
      const { hash, progress } = this.#recorder.record(executed, out.persist);
      this.coordinator.finish(block.digest);
      this.#alarms.onRecorded(block);
      this.#intake.answer(executed, this.#own.model === "byzantine" || this.coordinator.engine.isPrimary, out);
      out.notes.push({ kind: "recorded", height, finalSequence, block });
      this.#catchUp.onRecord({ slot: progress.slot, height, hash, finalSequence }, out);
    }
    this.#forgetStable(out);
  }

  #forgetStable(out: Effects): void {
    for (const slot of this.#catchUp.forget(out)) this.#changed.delete(slot);
  }
}
