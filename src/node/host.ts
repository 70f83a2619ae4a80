// The only loop of a node, and the only place where effects are performed: a bounded batch of events goes through a
// turn, its writes become durable in one batch, and only then do messages and replies leave (architecture, rule 2).
// Messages that arrive meanwhile are opened at the door and wait. A broken invariant ends the node at once: half-alive
// is worse.

import { randomBytes } from "node:crypto";
import { setImmediate as nextRound } from "node:timers/promises";
import type { BlockContext } from "../cluster/block.js";
import { Members } from "../cluster/members.js";
import { remembering } from "../crypto/remembering.js";
import { ed25519Signer, ed25519Verifier, type Signer } from "../crypto/signature.js";
import { type NodeStore, openNodeStore } from "../ledger/node-store.js";
import { Scrub } from "../ledger/scrub.js";
import { knockAtHome } from "../net/knock.js";
import { libp2pTransport } from "../net/libp2p.js";
import type { Transport } from "../net/transport.js";
import type { Block } from "../types/block.js";
import type { Event, Note, Write } from "../types/effects.js";
import { type NodeRef, type PublicKey, showNode } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { NodeInfo, Topology } from "../types/topology.js";
import { Announcements, announceEveryMs } from "./announcements.js";
import { ownStart, startWrite } from "./boot.js";
import { DiskWatch } from "./disk-watch.js";
import { Ingress } from "./ingress.js";
import { LocalEntrance } from "./local-entrance.js";
import type { NodeLog } from "./log.js";
import { Metrics } from "./metrics.js";
import { ProgressLog } from "./progress-log.js";
import { expiredReplies } from "./prune.js";
import { Reception } from "./reception.js";
import { type Now, Replica } from "./replica.js";
import { decodeStored, genesisWrites, type Restored, restore, storedEvidence } from "./restore.js";
import type { NodeStatus } from "./status.js";
import { Testimony } from "./testimony.js";
import { TimerClock } from "./timer-clock.js";
import { runTurn, type TurnContext, type TurnPlan } from "./turn.js";
import type { Evidence } from "./witness.js";

export interface HostOptions {
  readonly topology: Topology;
  /** The file's text: kept in the store, so that a data folder explains itself. */
  readonly topologyText: string;
  readonly node: NodeInfo;
  /** The node's 32 secret bytes. */
  readonly seed: Uint8Array;
  readonly dataPath: string;
  readonly log: NodeLog;
  /** Called once, when an invariant broke or the disk failed: the process should end. */
  readonly onFatal: (error: unknown) => void;
  /** Messages of one client that are taken in a second. */
  readonly clientRate?: number | undefined;
  /** Called once, when every other node of the network is connected and this one takes part. */
  readonly onReady?: () => void;
}

/** What a node finds on its disk when it starts. */
interface Stored {
  readonly store: NodeStore;
  readonly restored: Restored;
  readonly evidence: readonly Evidence[];
}

const PRUNE_EVERY_MS = 250;
/** A gigabyte in four minutes, with a hundredth of a core. */
const SCRUB = { everyMs: 250, againMs: 30_000 } as const;
/** Tells two starts on copies of one folder apart. */
const START_NONCE_BYTES = 8;

export class Host {
  readonly #options: HostOptions;
  readonly #store: NodeStore;
  readonly #blockContext: BlockContext;
  #replica: Replica;
  readonly #transport: Transport;
  readonly #context: TurnContext;
  readonly #metrics = new Metrics();
  readonly #disk: DiskWatch;
  readonly #clock = new TimerClock();
  readonly #announcements: Announcements;
  readonly #announceEveryMs: number;
  readonly #decodeBlock: (bytes: Uint8Array) => Block;
  readonly #self: NodeRef;
  readonly #signer: Signer;
  /** Nodes that were never connected since the start. */
  readonly #missing: Set<PublicKey>;
  #isReady = false;
  readonly #reception: Reception;
  readonly #testimony: Testimony;
  #wake: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #loop: Promise<void> | undefined;
  #scrub: Scrub | undefined;
  #entrance: LocalEntrance | undefined;
  #stopping = false;
  #stableHeight = 0;
  #pruned = 0;
  readonly #progress: ProgressLog;
  #announced = 0;

  /** Knocks at its own door, opens the store, takes back what is in it, connects, and begins to take turns. */
  static async start(options: HostOptions): Promise<Host> {
    const { topology, topologyText, node, dataPath } = options;
    await knockAtHome(node);
    const members = new Members(topology);
    const context: BlockContext = { topology, members, verifier: remembering(ed25519Verifier) };
    const store = await openNodeStore({ path: dataPath, networkId: topology.networkId, nodeId: node.id });
    try {
      if (store.isEmpty) await store.write(genesisWrites(topology, node.cluster, topologyText));
      await store.write([startWrite(store, randomBytes(START_NONCE_BYTES))]);
      const restored = await restore(store, context, node.cluster);
      const host = new Host(options, { store, restored, evidence: await storedEvidence(store, context) }, context);
      await host.#transport.start();
      host.#loop = host.#run();
      host.#entrance = host.#openEntrance();
      host.#scrub = new Scrub({ path: dataPath, ...SCRUB, onDamage: (error) => host.#fail(error) });
      return host;
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  private constructor(options: HostOptions, { store, restored, evidence }: Stored, context: BlockContext) {
    const { topology, node, seed, log } = options;
    const { members } = context;
    this.#options = options;
    this.#progress = new ProgressLog(log);
    this.#disk = new DiskWatch({ log, onSlow: () => this.#metrics.onSlowWrite() });
    this.#store = store;
    this.#self = { cluster: node.cluster, node: node.index };
    this.#announcements = new Announcements(members);
    this.#decodeBlock = (bytes) => decodeStored(bytes, context);
    this.#blockContext = context;
    const onRejected = (code: string) => this.#metrics.onRejected(code);
    this.#signer = ed25519Signer(seed);
    this.#replica = this.#makeReplica(restored);
    this.#testimony = new Testimony({ ...context, stored: evidence });
    const ingress = new Ingress({
      ...context,
      self: this.#self,
      knownBlock: (digest) => this.#replica.knownBlock(digest),
      wants: (message) => this.#replica.wants(message),
      awaits: (request) => this.#replica.awaits(request),
      onRejected: (code, from, kind) => {
        onRejected(code);
        log.debug({ code, from, kind }, "rejected");
      },
    });
    this.#reception = new Reception({
      members,
      ingress,
      hasRoom: (client) => this.#replica.hasRoom(client),
      onRejected,
      clientRate: options.clientRate ?? limits.clientRatePerSecond,
    });
    const others = topology.clusters.flatMap(({ nodes }) => nodes).filter(({ key }) => key !== node.key);
    this.#missing = new Set(others.map(({ key }) => key));
    this.#announceEveryMs = announceEveryMs(others.length + 1);
    this.#transport = libp2pTransport({
      networkId: topology.networkId,
      seed,
      listen: node.address,
      peers: others.map(({ key, address }) => ({ key, address })),
      admits: (key) => members.nodeByKey(key) !== undefined || members.isClient(key),
      handlers: {
        onMessage: (from, message) => this.#onMessage(from, message),
        onConnect: (peer) => this.#onLink(peer, true),
        onDisconnect: (peer) => this.#onLink(peer, false),
        onGossip: (topic, from, data) => {
          if (!this.#onGossip(topic, from, data)) onRejected("malformed");
        },
        onRejected: (code, peer) => {
          onRejected(code);
          if (code === "replaced")
            log.warn({ peer }, "a newer connection took its place; do two processes use its key?");
          else log.debug({ code, peer }, "refused");
        },
        onError: (error) => {
          onRejected("internal");
          log.error({ error: String(error) }, "a message could not be handled");
        },
      },
    });
    if (store.tornBytes > 0) {
      this.#metrics.onTorn();
      log.warn({ bytes: store.tornBytes }, "dropped an unfinished write, which nobody was told of");
    }
    this.#context = {
      self: this.#self,
      model: members.clusterOf(node.cluster).model,
      networkId: topology.networkId,
      signer: this.#signer,
      keyOf: (ref) => (members.node(ref) as NodeInfo).key,
    };
  }

  #makeReplica(restored: Restored): Replica {
    const [self, reader, decodeBlock] = [this.#self, this.#store, this.#decodeBlock];
    return new Replica({ ...this.#blockContext, self, reader, restored, decodeBlock, signer: this.#signer });
  }

  #openEntrance(): LocalEntrance {
    const { dataPath, log } = this.#options;
    const onUnavailable = (reason: string) => log.warn({ reason }, "no backup can be taken while the node runs");
    const onQuestion = () => this.#wake?.();
    return new LocalEntrance({ ...this.#blockContext, self: this.#self, dataPath, onQuestion, onUnavailable });
  }

  async status(): Promise<NodeStatus> {
    const { node, topology } = this.#options;
    const { gauges, coordinator } = this.#replica;
    const { count, bytes } = this.#reception.waiting;
    this.#metrics.setGauges({
      ...gauges,
      waiting_requests: count,
      waiting_bytes: bytes,
      evidence: this.#testimony.kept,
    });
    return {
      node: node.id,
      cluster: node.cluster,
      pid: process.pid,
      view: coordinator.engine.view,
      height: this.#replica.height,
      primary: coordinator.engine.isPrimary,
      waitsFor: this.#replica.waitsFor,
      connected: this.#transport.connected().length,
      residentBytes: process.memoryUsage.rss(),
      metrics: await this.#metrics.values(),
      news: this.#announcements.news(topology.clusters.map(({ id }) => id)),
    };
  }

  /** Ends the loop after the turn under way, then the connections, then the store. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#wake?.();
    clearTimeout(this.#timer);
    await Promise.all([this.#loop, this.#scrub?.stop(), this.#transport.stop(), this.#entrance?.close()]);
    await this.#store.close();
  }

  #onMessage(from: PublicKey, message: Uint8Array): void {
    this.#reception.take(from, message, this.#clock.tick);
    if (!this.#reception.isEmpty) this.#wake?.();
  }

  #onGossip(topic: string, from: PublicKey, data: Uint8Array): boolean {
    if (topic !== "evidence") return this.#announcements.onGossip(from, data);
    const isFine = this.#testimony.onGossip(from, data, this.#clock.tick);
    this.#wake?.();
    return isFine;
  }

  #onLink(peer: PublicKey, isUp: boolean): void {
    const { log, topology } = this.#options;
    const node = this.#blockContext.members.nodeByKey(peer);
    log.debug({ peer }, isUp ? "connected" : "disconnected");
    if (node !== undefined) this.#enqueue({ kind: "link", node, isUp });
    if (node?.cluster === this.#self.cluster && isUp) this.#sayStart(peer);
    if (!isUp || !this.#missing.delete(peer) || this.#missing.size > 0) return;
    log.info({ nodes: topology.clusters.flatMap(({ nodes }) => nodes).length }, "connected to all nodes");
    this.#announce("views");
    this.#tellReady();
  }

  /** Another process with the key may have been there meanwhile: who has heard a later start answers with that. */
  #sayStart(peer: PublicKey): void {
    const start = this.#replica.waitsFor === undefined ? ownStart(this.#store, this.#self) : undefined;
    if (start !== undefined) this.#transport.send(peer, [start]);
  }

  #tellReady(): void {
    if (this.#isReady || this.#missing.size > 0 || this.#replica.waitsFor !== undefined) return;
    this.#isReady = true;
    this.#options.onReady?.();
  }

  #enqueue(event: Event): void {
    this.#reception.push(event);
    this.#wake?.();
  }

  async #run(): Promise<void> {
    try {
      while (!this.#stopping) {
        if (this.#reception.isEmpty) await this.#sleep();
        // Everything that can be read by now goes into this turn: fewer and fuller turns, writes and frames.
        await nextRound();
        if (this.#stopping) return;
        await this.#turn();
        await this.#prune();
        await this.#keepEvidence();
        this.#entrance?.answer(this.#replica.archive, this.#clock.tick);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  async #turn(): Promise<void> {
    const started = performance.now();
    const events = this.#reception.next();
    const now: Now = { time: Date.now(), tick: this.#clock.tick };
    if ((this.#replica.wakeAt ?? Number.POSITIVE_INFINITY) <= now.tick) events.push({ kind: "tick" });
    for (const event of events) if (event.kind === "message") this.#testimony.hear(event.verified);
    const plan = runTurn(this.#replica, { now, events }, this.#context);
    await this.#write(plan.persist);
    this.#send(plan);
    for (const note of plan.notes) this.#onNote(note);
    if (plan.reload) await this.#reload();
    this.#progress.onWaiting(this.#replica.waitsFor);
    this.#metrics.onTurn(performance.now() - started);
  }

  async #write(batch: readonly Write[]): Promise<void> {
    if (batch.length > 0) await this.#disk.over(this.#store.write(batch));
  }

  /** The store has moved on without the replica, which is made anew. What arrives meanwhile waits; sockets stay. */
  async #reload(): Promise<void> {
    const restored = await restore(this.#store, this.#blockContext, this.#self.cluster);
    this.#replica = this.#makeReplica(restored);
    const isUp = new Set(this.#transport.connected());
    const mates = this.#blockContext.members
      .nodesOf([this.#self.cluster])
      .filter(({ node }) => node !== this.#self.node);
    const lost = mates.filter((node) => !isUp.has(this.#context.keyOf(node)));
    this.#reception.putFirst([...lost.map((node) => ({ kind: "link", node, isUp: false }) as const), { kind: "tick" }]);
  }

  #send(plan: TurnPlan): void {
    for (const [peer, messages] of plan.outbound) this.#transport.send(peer, messages);
    // What the node said to itself comes before what arrived meanwhile: it has waited for the write already.
    this.#reception.putFirst(plan.inbound);
  }

  #onNote(note: Note): void {
    this.#metrics.onNote(note);
    const { log } = this.#options;
    if (note.kind === "stable") {
      this.#stableHeight = note.height;
      if (this.#clock.tick - this.#announced >= this.#announceEveryMs) this.#announce("heights");
      log.info({ slot: note.slot, height: note.height }, "stable checkpoint");
    } else if (note.kind === "takes-part") {
      log.info({ view: this.#replica.coordinator.engine.view }, "takes part");
      this.#tellReady();
    } else if (note.kind === "catching-up" || note.kind === "caught-up") this.#progress.onNote(note);
    else if (note.kind === "suspected") log.info({ view: note.view, why: note.why }, "primary is slow");
    else if (note.kind === "view" && note.isOpen) {
      log.info({ view: note.view }, "view opened");
      this.#announce("views");
    }
  }

  #announce(topic: "heights" | "views"): void {
    this.#announced = this.#clock.tick;
    const { view } = this.#replica.coordinator.engine;
    this.#transport.publish(topic, this.#announcements.encode(this.#self, { view, height: this.#stableHeight }));
    this.#testimony.repeat();
  }

  /** Until there is an event, or a timer of the core is due. */
  async #sleep(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      const { wakeAt } = this.#replica;
      if (wakeAt === undefined) return;
      this.#timer = setTimeout(() => this.#enqueue({ kind: "tick" }), Math.max(0, wakeAt - this.#clock.tick));
    });
    this.#wake = undefined;
    clearTimeout(this.#timer);
  }

  async #prune(): Promise<void> {
    const { tick } = this.#clock;
    if (tick - this.#pruned < PRUNE_EVERY_MS) return;
    this.#pruned = tick;
    await this.#write(await expiredReplies(this.#store, this.#decodeBlock, this.#replica.forgetTime));
  }

  /** What others have signed against the protocol. Durable before it is told. */
  async #keepEvidence(): Promise<void> {
    const { persist, publish, found } = this.#testimony.take(this.#clock.tick);
    await this.#write(persist);
    for (const { by, kind, subject } of found) {
      this.#metrics.onEvidence(kind);
      this.#options.log.warn({ node: showNode(by), kind, subject }, "evidence of misbehaviour");
    }
    for (const data of publish) this.#transport.publish("evidence", data);
  }

  #fail(error: unknown): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#options.onFatal(error);
  }
}
