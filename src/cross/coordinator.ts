// Getting a block into every involved log, and out of them in one order (protocol 3): the meeting point of a cluster's
// own engine, the decisions of the other clusters, dissemination and delivery. It hands consensus messages to whom they
// concern, and what one of them finds out to the others; each rule itself lives in its own file.

import { initiatorOf } from "../cluster/block.js";
import type { Members } from "../cluster/members.js";
import type { ClusterLog, EngineEvent, EngineStep, Routes } from "../intra/engine.js";
import { type Block, isNoOp } from "../types/block.js";
import type { Rejection } from "../types/codes.js";
import type { ClusterId, Digest, Entry, NodeRef, Sequence, Slot, View } from "../types/ids.js";
import type { Accept, Commit, Propose, SuperAccept, SuperPropose, Verified, ViewMessage } from "../types/message.js";
import type { Topology } from "../types/topology.js";
import { type Complete, type DecisionStep, Decisions, primaryRef } from "./decisions.js";
import { Initiative } from "./initiative.js";
import { Outlet } from "./outlet.js";
import { type CrossOutput, emptyOutput } from "./output.js";
import { ForeignViews } from "./views.js";

export interface CoordinatorOptions {
  readonly topology: Topology;
  readonly members: Members;
  readonly self: NodeRef;
  readonly noOp: Block;
  /** Final sequence of the last record. */
  readonly lastFinal: Sequence;
  /** Has the block a record? Late messages about it are dropped. */
  readonly isRecorded: (digest: Digest) => boolean;
  readonly engine: (routes: Routes) => ClusterLog;
}

export class Coordinator {
  readonly engine: ClusterLog;
  readonly decisions: Decisions;
  readonly #options: CoordinatorOptions;
  readonly #outlet: Outlet;
  readonly #initiative: Initiative;
  /** Undelivered blocks. */
  readonly #bodies = new Map<Digest, Block>();
  readonly #views: ForeignViews;
  /** Blocks that got their record in this turn, of which the store does not know yet. */
  readonly #finished = new Set<Digest>();
  #highestFinal = 0 as Sequence;
  #output: CrossOutput = emptyOutput();

  constructor(options: CoordinatorOptions) {
    this.#options = options;
    this.#views = new ForeignViews(options.members);
    this.decisions = new Decisions({ members: options.members, own: options.self.cluster });
    this.#initiative = new Initiative({
      ...options,
      decisions: this.decisions,
      holds: (entry) => this.engine.isPrimary && entry.view === this.engine.view,
      primaryOf: this.primaryOf.bind(this),
    });
    this.#bodies.set(options.noOp.digest, options.noOp);
    this.engine = options.engine({
      initiatorOf: (digest) => this.#foreignInitiator(digest),
      block: this.body.bind(this),
      involved: (clusters) => options.members.nodesOf(clusters),
    });
    this.#outlet = new Outlet({
      engine: this.engine,
      decisions: this.decisions,
      lastFinal: options.lastFinal,
      body: this.body.bind(this),
      isDone: this.#isDone.bind(this),
    });
  }

  takeOutput(): CrossOutput {
    const output = this.#output;
    this.#output = emptyOutput();
    return output;
  }

  /** Is the log's clock behind a known final? Then the primary proposes the next block or a no-op at once (3.3). */
  get isClockBehind(): boolean {
    return this.#highestFinal > this.engine.lastSequence;
  }

  get undelivered(): number {
    return this.#outlet.waiting;
  }

  body(digest: Digest): Block | undefined {
    return this.#bodies.get(digest);
  }

  /** Is the request in a block of the decided prefix? What it still waits for is not the primary's doing. */
  isOrdered(request: Digest): boolean {
    const blocks = [...this.#bodies.values()].filter(({ requests }) => requests.some(({ hash }) => hash === request));
    return blocks.some(({ digest }) => {
      const entry = this.engine.entryOf(digest);
      const isPrefix = entry !== undefined && entry.slot <= this.engine.frontier.slot;
      return isPrefix && this.engine.decisionAt(entry.slot)?.entry.digest === digest;
    });
  }

  /** Hashes of the requests in blocks that have no record yet. */
  requestsUnderWay(): ReadonlySet<Digest> {
    return new Set([...this.#bodies.values()].flatMap(({ requests }) => requests.map(({ hash }) => hash)));
  }

  viewOf(cluster: ClusterId): View {
    return cluster === this.#options.self.cluster ? this.engine.view : this.#views.of(cluster);
  }

  primaryOf(cluster: ClusterId): NodeRef {
    return primaryRef(this.#options.members.clusterOf(cluster), this.viewOf(cluster));
  }

  /** Whose primary brings the block to the others: known from the block alone (3.2). */
  initiatorClusterOf(block: Block): ClusterId {
    const request = block.requests[0];
    return request === undefined ? this.#options.self.cluster : initiatorOf(request, this.#options.topology);
  }

  /** Proposes a block of this cluster's own initiative; the engine has room. */
  propose(block: Block): void {
    this.#learn(block);
    const step = this.engine.propose(block);
    const proposal = step.send.find(({ message }) => message.kind === "propose");
    if (proposal?.message.kind === "propose" && block.clusters.length > 1) {
      this.#initiative.disseminate(proposal.message, block, this.#output);
    }
    this.#absorb(step);
  }

  // ---- messages

  onPropose(verified: Verified<Propose>): void {
    const { message } = verified;
    const { block, entry } = message;
    if (this.#isLate(block.digest) || this.#isRefused(message, verified.from)) return;
    if (this.#isOfStranger(verified)) return;
    this.#learn(block);
    if (entry.cluster === this.#options.self.cluster)
      this.#absorb(this.engine.step({ kind: "propose", verified: verified }));
    else this.#absorb(this.engine.acceptDirect(block, entry.sequence));
  }

  onSuperPropose(verified: Verified<SuperPropose>): void {
    const { block, entry } = verified.message;
    if (this.#isLate(block.digest) || this.#isOfStranger(verified)) return;
    this.#learn(block);
    // A node that is not primary says by its own accept that there is a block to be placed (3.1).
    const step = this.engine.isPrimary
      ? this.engine.place(block, entry.sequence)
      : this.engine.acceptDirect(block, entry.sequence);
    this.#absorb(step);
  }

  onAccept(verified: Verified<Accept | SuperAccept>): void {
    const { message } = verified;
    if (message.entry.cluster !== this.#options.self.cluster) {
      this.#views.hear(message.entry, verified.from);
      this.#absorbDecisions(this.decisions.onForeignAccept(message));
      return;
    }
    if (message.kind === "accept") {
      this.#absorb(this.engine.step({ kind: "accept", verified: { ...verified, message } }));
      return;
    }
    if (message.block !== undefined) {
      if (this.#isLate(message.block.digest) || this.#isRefused(message, verified.from)) return;
      this.#learn(message.block);
    }
    this.#absorb(this.engine.step({ kind: "super-accept", verified: { ...verified, message } }));
  }

  onCommit(verified: Verified<Commit>): void {
    const { message, signed } = verified;
    const { self, members } = this.#options;
    if (this.#isLate(message.digest)) return;
    const isOwn = message.cluster === self.cluster;
    for (const entry of message.entries) this.#views.hear(entry, verified.from);
    if (!isOwn || message.entries.length > 1) {
      this.#absorbDecisions(this.decisions.onCommit(verified));
      return;
    }
    if (members.clusterOf(self.cluster).model === "byzantine") {
      this.#absorb(this.engine.step({ kind: "commit", verified }));
      return;
    }
    const entry = message.entries[0] as Entry;
    if (signed === undefined || entry.cluster !== self.cluster) return;
    const certificate = { cluster: self.cluster, commits: [signed] };
    this.#absorb(this.engine.step({ kind: "decision", decided: { entry, certificate } }));
  }

  onCertificate(decided: { readonly entry: Entry; readonly certificate: Complete["certificates"][number] }): void {
    const { entry } = decided;
    if (this.#isLate(entry.digest)) return;
    if (entry.cluster === this.#options.self.cluster) this.#absorb(this.engine.step({ kind: "decision", decided }));
    else this.#absorbDecisions(this.decisions.onCertificate(decided));
  }

  /** A block that came on its own: the primary gives it a slot if it has none (3.1, 3.4). */
  onBody(block: Block): void {
    if (this.#isLate(block.digest)) return;
    this.#learn(block);
    this.#absorb(this.engine.step({ kind: "body", block }));
    if (this.engine.isPrimary && this.engine.entryOf(block.digest) === undefined) {
      this.#absorb(this.engine.place(block, 0 as Sequence));
    }
  }

  onViewMessage(verified: Verified<ViewMessage>): void {
    this.#absorb(this.engine.step({ kind: "view", verified }));
  }

  /** The present primary is not trusted any more (protocol 2.4). */
  suspect(): void {
    this.#absorb(this.engine.step({ kind: "suspect" }));
  }

  onViewTimer(): void {
    this.#absorb(this.engine.step({ kind: "view-timer" }));
  }

  /** The opening of the view may have waited for what this turn brought. */
  retryView(): void {
    if (this.engine.isWaiting) this.#absorb(this.engine.step({ kind: "view-retry" }));
  }

  /** Is this block's place in the own log owed to others, who have decided it (3.4)? */
  isOwed(digest: Digest): boolean {
    const known = this.decisions.get(digest);
    if (known?.block === undefined) return false;
    return known.decided.size > 0 && !known.decided.has(this.#options.self.cluster);
  }

  onSlotTimer(slot: Slot): void {
    this.#absorb(this.engine.step({ kind: "timer", slot }));
  }

  /** No decision in time: SUPER-PROPOSE to the primaries of the clusters that are silent (3.1), each time again. */
  onCrossTimer(digest: Digest): void {
    this.#initiative.repeat(digest, this.#output);
  }

  // ---- start

  restore(event: Extract<EngineEvent, { kind: "restored" | "restored-view" }>): void {
    this.#absorb(this.engine.step(event));
  }

  /** A block of the store whose entry is not delivered yet. */
  restoreBody(block: Block): void {
    this.#learn(block);
    this.#absorb(this.engine.step({ kind: "body", block }));
  }

  /** The node may take part from now on (protocol 6). */
  begin(): void {
    this.#absorb(this.engine.step({ kind: "begin" }));
  }

  startAfter(slot: Slot): void {
    this.#outlet.startAfter(slot);
  }

  // ---- inside

  #isLate(digest: Digest): boolean {
    if (this.#finished.has(digest)) return true;
    return !this.#bodies.has(digest) && this.decisions.get(digest) === undefined && this.#options.isRecorded(digest);
  }

  /** Only π(i) of the block's initiator may bring it: else anyone could have any mixture of signed requests placed. */
  #isOfStranger({ message, from }: Verified<Propose | SuperPropose>): boolean {
    const { block, entry } = message;
    if (entry.cluster !== this.initiatorClusterOf(block)) return this.#refuse("not-allowed", from, message.kind);
    if (entry.cluster !== this.#options.self.cluster) this.#views.hear(entry, from);
    if (from.node === this.primaryOf(entry.cluster).node) return false;
    return this.#refuse("not-primary", from, message.kind);
  }

  #refuse(code: Rejection, from: NodeRef, message: string): true {
    this.#output.notes.push({ kind: "rejected", code, from, message });
    return true;
  }

  /** A proposal of this cluster's own, which nobody may answer in the present view: not even its block is kept. */
  #isRefused({ entry, kind }: Propose | SuperAccept, from: NodeRef): boolean {
    if (entry.cluster !== this.#options.self.cluster) return false;
    if (entry.view === this.engine.view) {
      // A liar could propose one block after another for one slot.
      const refusal = this.engine.refusal(entry);
      return refusal !== undefined && this.#refuse(refusal, from, kind);
    }
    if (entry.view < this.engine.view) this.#output.lagging.push(from);
    return this.#refuse("stale-view", from, kind);
  }

  #learn(block: Block): void {
    if (this.#bodies.has(block.digest)) return;
    this.#bodies.set(block.digest, block);
    this.#output.learned.push(block);
    if (block.clusters.length > 1) this.#absorbDecisions(this.decisions.learn(block));
    // Its slot may have been decided before.
    this.#deliver();
  }

  /** π(i) of a block that another cluster initiates; undefined for this cluster's own. */
  #foreignInitiator(digest: Digest): NodeRef | undefined {
    const block = this.#bodies.get(digest);
    if (block === undefined || block.clusters.length === 1) return undefined;
    const cluster = this.initiatorClusterOf(block);
    return cluster === this.#options.self.cluster ? undefined : this.primaryOf(cluster);
  }

  #absorb(step: EngineStep): void {
    const output = this.#output;
    output.send.push(...step.send);
    output.notes.push(...step.notes);
    output.wanted.push(...step.wanted);
    output.lagging.push(...step.lagging);
    output.view = step.view ?? output.view;
    for (const slot of step.changed) output.changed.add(slot);
    for (const entry of step.agreed) {
      if (!this.#isDone(entry.digest)) this.#absorbDecisions(this.decisions.onAgreed(entry));
    }
    for (const decided of step.decided) {
      const { entry } = decided;
      const block = this.#bodies.get(entry.digest);
      output.decided.push(entry);
      output.notes.push({ kind: "decided", entry, noOp: entry.digest === this.#options.noOp.digest });
      // At start: a block of the log that has its record.
      if (block === undefined && this.#options.isRecorded(entry.digest)) continue;
      if (block === undefined) output.wanted.push({ digest: entry.digest, from: this.#options.self });
      if (block === undefined || block.clusters.length > 1) {
        this.#absorbDecisions(this.decisions.onCertificate(decided));
      }
    }
    if (step.decided.length > 0) this.#deliver();
    if (step.view !== undefined) this.#absorbDecisions(this.decisions.endInitiatives());
    if (step.view === "opened") this.#settleLost();
  }

  /** Blocks without a slot in the new view: its primary places them anew (5), others drop what nobody needs. */
  #settleLost(): void {
    for (const block of [...this.#bodies.values()]) {
      const isPlaced = isNoOp(block) || this.engine.entryOf(block.digest) !== undefined;
      if (isPlaced || this.#isDone(block.digest)) continue;
      if (this.engine.isPrimary) this.#absorb(this.engine.place(block, 0 as Sequence));
      else this.dropMoot(block.digest);
    }
  }

  /** Forgets a block that no slot holds and nobody has decided. Who has will ask for it, and bring it. */
  dropMoot(digest: Digest): void {
    const isDecided = (this.decisions.get(digest)?.decided.size ?? 0) > 0;
    if (isDecided || this.engine.holds(digest) || !this.#bodies.delete(digest)) return;
    this.decisions.finish(digest);
    this.engine.dropBlock(digest);
    this.#output.dropped.push(digest);
  }

  #absorbDecisions(step: DecisionStep): void {
    const { self, members } = this.#options;
    this.#output.wanted.push(...step.bodiless);
    for (const decided of step.own) this.#absorb(this.engine.step({ kind: "decision", decided }));
    for (const { digest, entries } of step.vectors) {
      const block = this.#bodies.get(digest);
      if (block === undefined) continue;
      const message: Commit = { kind: "commit", cluster: self.cluster, node: self.node, digest, entries };
      this.#output.send.push({ to: members.nodesOf(block.clusters), message });
    }
    for (const { digest, cluster } of step.collided) this.#initiative.superPropose(digest, cluster, this.#output);
    for (const { cluster, way, round } of step.outcomes) {
      if (way === "flattened") this.#initiative.observe(cluster, round === 1);
    }
    for (const { digest, final } of step.complete) {
      if (final > this.#highestFinal) this.#highestFinal = final;
      this.#outlet.finalize(digest, final);
      this.#absorb(this.engine.step({ kind: "final", sequence: final }));
    }
    if (step.complete.length > 0) this.#deliver();
  }

  #deliver(): void {
    this.#output.delivered.push(...this.#outlet.next());
  }

  #isDone(digest: Digest): boolean {
    return this.#finished.has(digest) || this.#options.isRecorded(digest);
  }

  finish(digest: Digest): void {
    this.#bodies.delete(digest);
    this.decisions.finish(digest);
    this.#finished.add(digest);
  }

  /** The store knows of this turn's records from now on. */
  endTurn(): void {
    this.#finished.clear();
  }
}
