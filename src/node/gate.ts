// Who may take part after a start (protocol 6). A node says START with the number of its boot, and takes part when
// so many of its cluster have made that durable that no later start of its own can have been forgotten by all of
// them. A node that has lost what it said first has its next incarnation ordered by its cluster, and waits for a
// view that was opened without its old word, and for everything which that view kept.

import { quorumOf, witnessesOf } from "../cluster/quorum.js";
import { compareMarks, decodeStart, follows, sameStart } from "../cluster/start.js";
import type { Signer } from "../crypto/signature.js";
import type { ClusterLog } from "../intra/engine.js";
import { startKey } from "../ledger/keys.js";
import { CodedError } from "../types/codes.js";
import type { Effects, Reader, Send } from "../types/effects.js";
import { type NodeIndex, type NodeRef, showNode, toHex } from "../types/ids.js";
import type { Mark, SignedStart, Start, Started, StartPoint, Verified } from "../types/message.js";
import { signedSchema } from "../types/schema.js";
import type { ClusterInfo, Topology } from "../types/topology.js";
import { rejoinsOf } from "../viewchange/protocol.js";
import { Timers } from "../viewchange/timers.js";
import { type Boot, bootOf, bootWrite } from "./boot.js";
import { Heard } from "./heard.js";
import type { IncarnationTable } from "./incarnations.js";
import { Rejoining } from "./rejoining.js";
import type { Now } from "./replica.js";

export interface GateOptions {
  readonly topology: Topology;
  readonly cluster: ClusterInfo;
  readonly self: NodeRef;
  readonly reader: Reader;
  readonly engine: ClusterLog;
  readonly table: IncarnationTable;
  /** Undefined: the node takes part without asking anybody. */
  readonly signer?: Signer | undefined;
  /** Does the node know that it lacks records? */
  readonly isFarBehind: () => boolean;
}

type TimerName =
  | "start" // START was not answered by all
  | "patience" // a quorum has answered, others may know more
  | "rejoin" // an INCARNATION is to be asked for, or again
  | "opening"; // it is recorded, and the view opened with it is not known

export class Gate {
  readonly #options: GateOptions;
  readonly #timers = new Timers<TimerName>();
  readonly #starts = new Map<NodeIndex, SignedStart>();
  /** Who has made this start durable. Fresh: it does not take part itself yet, and so may have forgotten. */
  readonly #answers = new Map<NodeIndex, { readonly fresh: boolean }>();
  readonly #rejoining: Rejoining;
  readonly #heard: Heard;
  /** Nodes that have heard this one speak further than its folder knows. */
  readonly #contradicting = new Set<NodeIndex>();
  #boot: Boot;
  #isOpen: boolean;
  #isPatient = true;
  #isMarked = false;

  constructor(options: GateOptions) {
    const { cluster, reader, signer } = options;
    this.#options = options;
    this.#boot = bootOf(reader);
    this.#isOpen = signer === undefined || this.#boot.isStarted;
    this.#rejoining = new Rejoining(options);
    this.#heard = new Heard({ self: options.self, nodes: cluster.nodes.length, reader });
    for (const { index } of cluster.nodes) {
      const row = reader.get(startKey(index));
      const signed = row === undefined ? undefined : signedSchema.decode(row);
      const start = signed === undefined ? undefined : decodeStart(signed.body);
      if (signed !== undefined && start !== undefined) this.#starts.set(index, { start, signed });
    }
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** This node's own number, which its reports for new views carry. */
  get incarnation(): number {
    return this.#boot.incarnation;
  }

  get wakeAt(): number | undefined {
    return this.#timers.wakeAt;
  }

  /** In words, for whoever waits: undefined when the node takes part. */
  get waitsFor(): string | undefined {
    if (this.#isOpen) return undefined;
    if (this.#boot.rejoin && this.#boot.incarnation === 0) return "its cluster to order its next incarnation";
    if (this.#boot.rejoin && !this.#isBack) return "a view that is opened without its old word";
    return "enough nodes of its cluster to answer that it starts";
  }

  /** At a start, when the engine has what the store has and nothing else yet. */
  restored(): void {
    if (this.#boot.mark === undefined) this.#boot = { ...this.#boot, mark: this.#options.engine.mark };
  }

  // ---- what others say

  hear(verified: Verified): void {
    this.#heard.hear(verified, this.#starts.get(verified.from.node)?.start.incarnation ?? 0);
  }

  onStart({ from, message, signed }: Verified<Start>, out: Effects): void {
    const { self, table, cluster } = this.#options;
    if (signed === undefined) return;
    const held = this.#starts.get(message.node);
    // A folder from before the node rejoined is as old as one from before its last start.
    const isOver = message.incarnation < table.claimedBy(message.node) && !this.#isOwn(from);
    if (!isOver && (held === undefined || follows(message, held.start))) {
      this.#hold({ message, signed }, out);
    }
    if (this.#isOwn(from)) {
      if (this.#isMine(message)) this.#answers.set(self.node, { fresh: false });
      return;
    }
    // Who comes back has forgotten others' starts. It is one more that will know of a first one, no more than that.
    if (this.#boot.rejoin && (cluster.model === "byzantine" || message.since > 1)) return;
    const fresh = !this.#isOpen;
    const starts = [...this.#starts.values()].sort((a, b) => a.start.node - b.start.node);
    const { boot, nonce } = message;
    const mark = this.#heard.of(from.node);
    const known = { starts, rejoins: table.claims };
    const answer: Started = { kind: "started", cluster: self.cluster, boot, nonce, fresh, mark, ...known };
    out.send.push({ to: [from], message: answer });
  }

  onStarted({ from, message }: Verified<Started>, out: Effects): void {
    const { self, table, signer } = this.#options;
    if (signer === undefined || message.boot !== this.#boot.boot || message.nonce !== toHex(this.#boot.nonce)) return;
    let isHeld = false;
    for (const each of message.starts) {
      if (each.start.node === self.node) isHeld = this.#compareOwn(each.start) || isHeld;
      else this.#learn(each, out);
    }
    table.learn(message.rejoins, out.persist);
    if (compareMarks(message.mark, this.#point.mark) > 0) this.#onContradicted(from.node, message.mark);
    else if (isHeld) this.#answers.set(from.node, { fresh: message.fresh });
  }

  /** So many nodes that one of them is correct have heard what this folder does not know of. */
  #onContradicted(node: NodeIndex, { view, slot }: Mark): void {
    const { cluster, self } = this.#options;
    this.#contradicting.add(node);
    if (this.#isOpen || this.#contradicting.size < witnessesOf(cluster)) return;
    const { mark } = this.#point;
    const why = `others have heard it vote in view ${view} up to slot ${slot}, and this data folder ends in view `;
    throw staleStorage(showNode(self), `${why}${mark.view} at slot ${mark.slot}`);
  }

  /** Its own word, as somebody else has it: true if that is this very start. */
  #compareOwn(start: StartPoint): boolean {
    if (this.#isMine(start)) return true;
    if (follows(this.#point, start)) return false;
    const name = showNode(this.#options.self);
    const isSameBoot = start.incarnation === this.#boot.incarnation && start.boot === this.#boot.boot;
    // An empty folder begins to count anew, and so comes upon the same number.
    if ((isSameBoot && this.#boot.wasStarted) || this.#isOpen) {
      throw new CodedError(
        "duplicate-identity",
        `another process runs as ${name}, with its key and a copy of its data folder; stop one of them, and let the ` +
          "other come back with `sharper node recover`",
      );
    }
    throw staleStorage(
      name,
      `others know of start ${start.boot} of incarnation ${start.incarnation}, and this data folder is at start ` +
        `${this.#boot.boot} of incarnation ${this.#boot.incarnation}`,
    );
  }

  #learn({ start, signed }: SignedStart, out: Effects): void {
    const held = this.#starts.get(start.node);
    if (held === undefined || follows(start, held.start)) this.#hold({ message: start, signed }, out);
  }

  #hold({ message, signed }: { message: StartPoint; signed: SignedStart["signed"] }, out: Effects): void {
    const { cluster, node, incarnation, boot, nonce, since, nonces, mark } = message;
    // From itself or through others: what the node said before does not bind its new incarnation.
    if (incarnation > (this.#starts.get(node)?.start.incarnation ?? 0)) this.#heard.forget(node);
    this.#starts.set(node, { start: { cluster, node, incarnation, boot, nonce, since, nonces, mark }, signed });
    out.persist.push({ key: startKey(node), value: signedSchema.encode(signed) });
  }

  // ---- time

  onTick(now: Now, out: Effects): void {
    this.#takeRecorded(out);
    for (const name of this.#timers.due(now.tick)) {
      if (name === "start") this.#say(out.send);
      else if (name === "rejoin") this.#askToRejoin(now, out);
      else if (name === "opening") this.#askForOpening(out.send);
      else this.#isPatient = false;
    }
  }

  /** At the end of every turn. True: from now on the node takes part. */
  finish(now: Now, out: Effects): boolean {
    const { signer, table, self } = this.#options;
    this.#takeRecorded(out);
    this.#heard.persist(out.persist);
    if (signer === undefined) return false;
    this.#keepMark(out);
    if (!this.#boot.rejoin && table.claimedBy(self.node) > this.#boot.incarnation) {
      throw staleStorage(showNode(self), "the node has rejoined its cluster since");
    }
    const isNumbered = this.#isNumbered;
    this.#watch("rejoin", !isNumbered, now);
    this.#watch("opening", isNumbered && !this.#isOpen && !this.#isBack, now);
    // Crash nodes go on until all have heard: only then is any single answer enough to know of it.
    const isComplete = this.#answers.size === this.#options.cluster.nodes.length;
    const isUnheard = !isComplete && (!this.#isOpen || this.#options.cluster.model === "crash");
    if (isNumbered && isUnheard && !this.#timers.isRunning("start")) this.#say(out.send);
    this.#watch("start", isNumbered && isUnheard, now);
    this.#watch("patience", !this.#isOpen && this.#hasQuorum && this.#isPatient, now);
    if (this.#isOpen || !isNumbered || !this.#isAnswered || !this.#isBack) return false;
    this.#isOpen = true;
    out.notes.push({ kind: "takes-part" });
    this.#setBoot({ ...this.#boot, isStarted: true, wasStarted: true, rejoin: false }, out);
    return true;
  }

  /** What the node says is withheld until it takes part; the engine has said nothing, so this only makes sure. */
  withhold(send: Send[]): void {
    if (this.#isOpen) return;
    const kept = send.filter(({ message }) => !BINDING.has(message.kind));
    send.splice(0, send.length, ...kept);
  }

  /** A node's next incarnation is recorded, and the view was opened by who did not know of it: on to the next. */
  get isViewOutdated(): boolean {
    const { engine, table } = this.#options;
    if (!this.#isOpen || !engine.isOpen || table.recorded.length === 0) return false;
    const known = this.#knownToView;
    return table.recorded.some(([node, { number }]) => (known.get(node) ?? 0) < number);
  }

  // ---- inside

  get #point(): StartPoint {
    const { boot, incarnation, nonce, since, nonces, mark = NO_MARK } = this.#boot;
    return { ...this.#options.self, incarnation, boot, nonce: toHex(nonce), since, nonces: toHex(nonces), mark };
  }

  get #hasQuorum(): boolean {
    return this.#answers.has(this.#options.self.node) && this.#answers.size >= quorumOf(this.#options.cluster);
  }

  /**
   * Two quorums of a byzantine cluster meet in more than f nodes, so in a correct one beside this. Those of a crash
   * cluster may meet in this node alone, which is the one that may have forgotten. So the first start of a folder that
   * takes part is known to n-q+1 others, and q-1 others that take part are asked before: one of any such two is the
   * same. Or all answer. A folder that has taken part gives all others some time, but does
   * not wait for who is down.
   */
  get #isAnswered(): boolean {
    const { cluster, self } = this.#options;
    if (!this.#hasQuorum) return false;
    const count = cluster.nodes.length;
    if (cluster.model === "byzantine" || this.#answers.size === count) return true;
    if (this.#boot.wasStarted) return !this.#isPatient;
    const others = [...this.#answers].filter(([node]) => node !== self.node);
    const quorum = quorumOf(cluster);
    return others.length > count - quorum && others.filter(([, { fresh }]) => !fresh).length >= quorum - 1;
  }

  /** Does the cluster know of this node what it must? */
  get #isNumbered(): boolean {
    return !this.#boot.rejoin || this.#boot.incarnation > 0;
  }

  /** Did the node not lose anything, or is nothing of what it lost needed any more? */
  get #isBack(): boolean {
    const { engine, self } = this.#options;
    if (!this.#boot.rejoin) return true;
    const known = this.#knownToView.get(self.node) ?? 0;
    return engine.isSettled && engine.view >= this.#boot.view && known >= this.#boot.incarnation;
  }

  get #knownToView(): ReadonlyMap<NodeIndex, number> {
    const { opening } = this.#options.engine;
    const claims = opening === undefined ? [] : rejoinsOf(opening.message);
    return new Map(claims.map(({ node, incarnation }) => [node, incarnation]));
  }

  #isOwn(from: NodeRef): boolean {
    return from.cluster === this.#options.self.cluster && from.node === this.#options.self.node;
  }

  #isMine(start: StartPoint): boolean {
    return sameStart(start, this.#point);
  }

  #say(send: Send[]): void {
    const { cluster, self } = this.#options;
    // Who did not take part when it answered may do so since, and then counts for more.
    const isAsked = (node: NodeIndex) => this.#answers.get(node)?.fresh ?? true;
    const missing = cluster.nodes.filter(({ index }) => isAsked(index));
    const to = missing.map(({ index }) => ({ cluster: self.cluster, node: index }));
    send.push({ to, message: { kind: "start", ...this.#point } });
  }

  /** Durable before it is said, so that a later start says the same. */
  #keepMark(out: Effects): void {
    if (this.#isMarked) return;
    this.#isMarked = true;
    out.persist.push(bootWrite(this.#boot));
  }

  #takeRecorded(out: Effects): void {
    const { signer, table, self } = this.#options;
    for (const each of table.takeRecorded()) {
      const isOwn = signer !== undefined && each.node === self.node;
      if (isOwn) this.#setBoot(this.#rejoining.onRecorded(this.#boot, each), out);
    }
  }

  #askToRejoin(now: Now, out: Effects): void {
    // Recorded in this very turn.
    if (this.#isNumbered) return;
    this.#setBoot(this.#rejoining.ask(this.#boot, now, out), out);
  }

  /** The others may have opened it while this node caught up, and where nothing is ordered nobody says so again. */
  #askForOpening(send: Send[]): void {
    const { cluster, self, engine } = this.#options;
    const others = cluster.nodes.filter(({ index }) => index !== self.node);
    const to = others.map(({ index }) => ({ cluster: self.cluster, node: index }));
    send.push({
      to,
      message: { kind: "view-query", view: engine.isOpen ? engine.view : Math.max(0, engine.view - 1) },
    });
  }

  #setBoot(boot: Boot, out: Effects): void {
    if (boot === this.#boot) return;
    this.#boot = boot;
    out.persist.push(bootWrite(boot));
  }

  #watch(name: TimerName, isNeeded: boolean, now: Now): void {
    if (!isNeeded) this.#timers.stop(name);
    else if (!this.#timers.isRunning(name)) {
      this.#timers.start(name, { now: now.tick, delay: this.#options.topology.timers.intraMs });
    }
  }
}

const NO_MARK: Mark = { view: 0, slot: 0 };

/** What binds a node that says it. */
const BINDING: ReadonlySet<Send["message"]["kind"]> = new Set<Send["message"]["kind"]>([
  "propose",
  "accept",
  "super-propose",
  "super-accept",
  "commit",
  "checkpoint",
  "prepare",
  "promise",
  "view-change",
]);

function staleStorage(name: string, why: string): CodedError {
  return new CodedError(
    "stale-storage",
    `the data folder of ${name} is an old copy, or empty: ${why}. What the node has said since is not in it, so it ` +
      "may not take part with it; `sharper node recover` lets it come back",
  );
}
