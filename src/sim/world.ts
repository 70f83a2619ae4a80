// A whole network in one process, made from a plan: nodes, clients, links, faults and checkers, driven by one queue of
// virtual events. All that is drawn comes from the plan's seed, and nothing reads a clock, so a plan has one run.

import type { BlockContext } from "../cluster/block.js";
import { Members } from "../cluster/members.js";
import type { Verifier } from "../crypto/signature.js";
import type { TurnPlan } from "../node/turn.js";
import type { NodeRef, PublicKey } from "../types/ids.js";
import { showNode } from "../types/ids.js";
import type { NodeInfo, Topology } from "../types/topology.js";
import type { Cast } from "./cast.js";
import { SimClient } from "./clients.js";
import { RunDigest } from "./digest.js";
import { Draw, type Range } from "./draw.js";
import { EventQueue } from "./events.js";
import { Nemesis } from "./faults.js";
import { SimHost } from "./host.js";
import { type Endpoint, type Frame, Network } from "./network.js";
import type { Checker, SimNode, SimWorld, Villain, Violation } from "./observer.js";
import { Orders } from "./orders.js";
import type { RunPlan } from "./plan.js";
import { RogueClient } from "./rogues.js";
import { KeyRing } from "./scheme.js";
import { START, type Surroundings } from "./surroundings.js";
import { clientName, topologyOf } from "./terrain.js";
import { Transcript } from "./trace.js";

export interface WorldOptions {
  readonly plan: RunPlan;
  readonly cast: Cast;
  /** Takes the transcript line by line. */
  readonly trace?: ((line: string) => void) | undefined;
}

export class World implements SimWorld {
  readonly plan: RunPlan;
  readonly topology: Topology;
  readonly verifier: Verifier;
  readonly queue = new EventQueue();
  readonly network: Network;
  readonly hosts: readonly SimHost[];
  readonly clients: readonly SimClient[];
  readonly orders: Orders;
  readonly rogues: readonly RogueClient[];
  readonly nemesis: Nemesis;
  readonly violations: Violation[] = [];
  readonly digest = new RunDigest();
  readonly transcript: Transcript | undefined;
  /** Envelopes that arrived, requests asked for, operations that succeeded as clients were told. */
  readonly counts = { messages: 0, requests: 0, transfers: 0 };
  readonly #members: Members;
  readonly #checkers: readonly Checker[];
  readonly #keys: readonly PublicKey[];
  readonly #links: Draw;
  /** Whose processes run. */
  readonly #up = new Set<Endpoint>();
  readonly #endpoints = new Map<PublicKey, Endpoint>();
  /** A twin shares its endpoint with the first. */
  readonly #hostsAt: readonly (readonly SimHost[])[];

  constructor({ plan, cast, trace }: WorldOptions) {
    this.plan = plan;
    const keys = new KeyRing(plan.seed);
    this.#links = new Draw(plan.seed, "links");
    this.topology = topologyOf(plan, keys);
    this.verifier = keys.verifier;
    this.#members = new Members(this.topology);
    const context: BlockContext = { topology: this.topology, members: this.#members, verifier: keys.verifier };
    const infos = this.topology.clusters.flatMap(({ nodes }) => nodes);
    this.#keys = [...infos.map(({ key }) => key), ...this.topology.clients.map(({ key }) => key)];
    for (const [endpoint, key] of this.#keys.entries()) this.#endpoints.set(key, endpoint);
    this.transcript = trace && new Transcript({ context, now: () => this.now, write: trace });
    this.network = this.#makeNetwork(infos);
    this.#hostsAt = this.#makeHosts({ infos, context, cast, keys });
    this.hosts = this.#hostsAt.flat();
    this.orders = new Orders(this.topology, plan.load);
    this.clients = this.#makeClients({ first: infos.length, context, keys });
    this.rogues = this.#castRogues(cast, keys);
    this.nemesis = new Nemesis({
      queue: this.queue,
      draw: new Draw(plan.seed, "faults"),
      plan: plan.faults,
      hosts: this.hosts,
      clusters: this.topology.clusters,
      network: this.network,
      clients: this.#keys.slice(infos.length).map((_, i) => infos.length + i),
      note: (text) => this.#note(text),
    });
    this.#checkers = cast.checkers.map((make) => make(this, (violation) => this.violate(violation)));
  }

  readonly #keyOf = (node: NodeRef): PublicKey => (this.#members.node(node) as NodeInfo).key;

  get nodes(): readonly SimNode[] {
    return this.hosts;
  }

  get now(): number {
    return this.queue.now;
  }

  get time(): number {
    return Math.floor(START + this.now);
  }

  get isViolated(): boolean {
    return this.violations.length > 0;
  }

  async start(): Promise<void> {
    for (const host of this.hosts) await host.boot();
    for (const client of [...this.clients, ...this.rogues]) client.start();
    this.nemesis.start();
    this.#layToSleep();
  }

  #layToSleep(): void {
    const { sleep } = this.plan;
    const info = sleep && this.topology.clusters[sleep.cluster]?.nodes[sleep.node];
    const host = this.hosts.find(({ info: { id } }) => id === info?.id);
    if (sleep === undefined || host === undefined) return;
    this.queue.at(sleep.fromMs, () => {
      this.#note(`${host.name} sleeps until everything heals`);
      host.crash();
    });
  }

  /** Ends at the first violation. */
  async runUntil(time: number): Promise<void> {
    await this.queue.runUntil(time, () => this.isViolated);
  }

  heal(): void {
    this.nemesis.healAll();
    for (const rogue of this.rogues) rogue.stop();
    for (const checker of this.#checkers) checker.onHealed?.();
  }

  end(): void {
    for (const checker of this.#checkers) checker.onEnd?.();
  }

  violate(violation: Violation): void {
    this.violations.push(violation);
    this.#note(`VIOLATION ${violation.invariant}: ${violation.reason}`);
  }

  #note(text: string): void {
    this.digest.add(this.now, NOTED, Buffer.from(text));
    this.transcript?.note("world", text);
  }

  // ---- links

  #makeNetwork(infos: readonly NodeInfo[]): Network {
    const { inner, outer, client } = this.plan.latency;
    const rangeOf = (from: Endpoint, to: Endpoint): Range => {
      const a = infos[from]?.cluster;
      const b = infos[to]?.cluster;
      if (a === undefined || b === undefined) return client;
      return a === b ? inner : outer;
    };
    const { transcript } = this;
    return new Network({
      queue: this.queue,
      draw: new Draw(this.plan.seed, "network"),
      endpoints: this.#keys.length,
      latencyOf: rangeOf,
      weather: this.plan.weather,
      deliver: (from, to, frame) => this.#deliver(from, to, frame),
      onCut: (from, to, isCut) => {
        // Every second cut is silent, as TCP's are.
        if (isCut ? this.#links.chance(0.5) : this.#up.has(from)) this.#tellLink(from, to, !isCut);
      },
      ...(transcript && {
        onLost: (from, to, frame) => transcript.frame(this.#nameOf(from), this.#nameOf(to), frame, true),
      }),
    });
  }

  /** One end learns of the connection to another node. */
  #tellLink(from: Endpoint, to: Endpoint, isUp: boolean): void {
    const node = this.#hostsAt[from]?.[0]?.ref;
    if (node !== undefined) for (const host of this.#hostsAt[to] ?? []) host.link(node, isUp);
  }

  /** A process begins and ends with its connections; one that makes its replica anew keeps them. */
  #tellLinks({ endpoint: from }: SimHost, isUp: boolean): void {
    if (isUp === this.#up.has(from)) return;
    if (isUp) this.#up.add(from);
    else this.#up.delete(from);
    for (const to of this.#hostsAt.keys()) {
      if (to !== from && !this.network.isCut(from, to)) this.#tellLink(from, to, isUp);
    }
  }

  #send(from: Endpoint, to: PublicKey, frame: Frame, extraMs?: number): void {
    const endpoint = this.#endpoints.get(to);
    if (endpoint !== undefined) this.network.send(from, endpoint, frame, extraMs);
  }

  #deliver(from: Endpoint, to: Endpoint, frame: Frame): void {
    this.counts.messages += frame.length;
    for (const envelope of frame) this.digest.add(this.now, from * ENDPOINTS_MAX + to, envelope);
    this.transcript?.frame(this.#nameOf(from), this.#nameOf(to), frame, false);
    const key = this.#keys[from] as PublicKey;
    const hosts = this.#hostsAt[to];
    if (hosts === undefined) this.clients[to - this.#hostsAt.length]?.receive(key, frame);
    else for (const host of hosts) host.receive(key, frame);
  }

  #nameOf(endpoint: Endpoint): string {
    const nodes = this.#hostsAt.length;
    return this.#hostsAt[endpoint]?.[0]?.name ?? clientName(endpoint - nodes);
  }

  // ---- nodes

  #makeHosts(args: {
    readonly infos: readonly NodeInfo[];
    readonly context: BlockContext;
    readonly cast: Cast;
    readonly keys: KeyRing;
  }): readonly (readonly SimHost[])[] {
    const { infos, context, cast, keys } = args;
    const { seed, skewMs } = this.plan;
    const surroundings = this.#surroundings(context);
    const villains = this.#castVillains(cast);
    return infos.map((info, endpoint) => {
      const name = showNode({ cluster: info.cluster, node: info.index });
      const draw = new Draw(seed, `node ${name}`);
      const villain = villains.get(name);
      const cluster = this.#members.clusterOf(info.cluster);
      const skew = draw.integer([-skewMs, skewMs]);
      const common = { surroundings, info, cluster, endpoint, signer: keys.signer(info.id), villain, skewMs: skew };
      const first = new SimHost({ ...common, draw });
      if (villain?.twin !== true) return [first];
      return [first, new SimHost({ ...common, draw: new Draw(seed, `twin ${name}`) })];
    });
  }

  /** Which nodes are byzantine, and how: at most f of each byzantine cluster. */
  #castVillains({ villains }: Cast): ReadonlyMap<string, Villain> {
    const draw = new Draw(this.plan.seed, "villains");
    const makers = Object.values(villains);
    const cast = new Map<string, Villain>();
    if (makers.length === 0) return cast;
    this.topology.clusters.forEach(({ nodes }, i) => {
      const count = this.plan.clusters[i]?.villains ?? 0;
      // The first primary is the most powerful place for one.
      const [first, ...rest] = nodes as readonly [NodeInfo, ...NodeInfo[]];
      const chosen = draw.chance(0.5) ? [first, ...draw.sample(rest, count - 1)] : draw.sample(nodes, count);
      for (const { cluster, index } of chosen.slice(0, count)) {
        const villain = draw.pick(makers)(draw.below);
        const name = showNode({ cluster, node: index });
        cast.set(name, villain);
        this.#note(`${name} is byzantine: ${villain.name}`);
      }
    });
    return cast;
  }

  #castRogues({ rogues }: Cast, keys: KeyRing): readonly RogueClient[] {
    const { load, seed } = this.plan;
    const makers = Object.entries(rogues);
    if (makers.length === 0) return [];
    return Array.from({ length: load.rogues }, (_, i) => {
      const name = clientName(load.clients + i);
      const draw = new Draw(seed, `rogue ${name}`);
      const [kind, make] = draw.pick(makers);
      this.#note(`${name} is byzantine: ${kind}`);
      return new RogueClient({
        name,
        rogue: make(),
        endpoint: this.#endpoints.get(keys.signer(name).publicKey) as Endpoint,
        signer: keys.signer(name),
        draw,
        everyMs: ROGUE_EVERY_MS,
        queue: this.queue,
        topology: this.topology,
        time: () => this.time,
        keyOf: this.#keyOf,
        send: (from, to, frame, extraMs) => this.#send(from, to, frame, extraMs),
      });
    });
  }

  #surroundings(context: BlockContext): Surroundings {
    return {
      queue: this.queue,
      world: this,
      context,
      tempo: this.plan.tempo,
      catchUpAtOnceMax: this.plan.catchUpAtOnceMax,
      keyOf: this.#keyOf,
      send: (from, to, frame, extraMs) => this.#send(from, to, frame, extraMs),
      onTurn: (host, plan) => this.#onTurn(host, plan),
      onCrash: (host) => {
        this.#note(`${host.name} is down`);
        this.#tellLinks(host, false);
        for (const checker of this.#checkers) checker.onCrash?.(host);
      },
      onStart: (host) => {
        this.#note(`${host.name} is up at height ${host.running?.replica.height}`);
        if (host.isCorrect && host.disk.hasLost) {
          this.violate({ invariant: "I8", reason: `${host.name} started on a disk that has lost what was durable` });
        }
        for (const checker of this.#checkers) checker.onStart?.(host);
        this.#tellLinks(host, true);
      },
      onLost: (host) => {
        for (const checker of this.#checkers) checker.onLost?.(host);
      },
      onRefused: (host, code) => {
        this.#note(`${host.name} stops: ${code}`);
        this.#tellLinks(host, false);
      },
      onBroken: (host, error) => {
        const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
        // A byzantine node's own troubles are nobody's.
        if (host.isCorrect) this.violate({ invariant: "I0", reason: `${host.name} stopped: ${reason}` });
        else this.#note(`${host.name} broke down`);
        this.#tellLinks(host, false);
      },
      onRejected: (host, code, from, kind) => {
        const sender = this.#nameOf(this.#endpoints.get(from) ?? -1);
        this.transcript?.note(host.name, `refused ${kind} of ${sender}: ${code}`);
      },
    };
  }

  #onTurn(host: SimHost, plan: TurnPlan): void {
    this.digest.addAll(this.now, WRITTEN + host.endpoint, plan.persist);
    this.transcript?.turn(host.name, plan);
    for (const checker of this.#checkers) checker.onTurn?.(host, plan);
  }

  // ---- clients

  #makeClients(args: {
    readonly first: Endpoint;
    readonly context: BlockContext;
    readonly keys: KeyRing;
  }): readonly SimClient[] {
    const { seed, load } = this.plan;
    const surroundings = {
      queue: this.queue,
      context: args.context,
      load,
      orders: this.orders,
      send: (from: Endpoint, to: PublicKey, frame: Frame) => this.#send(from, to, frame),
      takeTicket: () => this.counts.requests < load.requestsMax,
      onRequest: (request: Parameters<NonNullable<Checker["onRequest"]>>[0]) => {
        this.counts.requests++;
        for (const checker of this.#checkers) checker.onRequest?.(request);
      },
      onReply: (client: PublicKey, reply: Parameters<NonNullable<Checker["onReply"]>>[1]) => {
        for (const result of reply.results) if (result === 0) this.counts.transfers++;
        for (const checker of this.#checkers) checker.onReply?.(client, reply);
      },
      onRead: (client: PublicKey, reply: Parameters<NonNullable<Checker["onRead"]>>[1]) => {
        for (const checker of this.#checkers) checker.onRead?.(client, reply);
      },
    };
    return Array.from({ length: load.clients }, (_, i) => {
      const name = clientName(i);
      const draw = new Draw(seed, name);
      return new SimClient({ name, endpoint: args.first + i, signer: args.keys.signer(name), draw, surroundings });
    });
  }
}

/** A byzantine client speaks about as often as a busy one. */
const ROGUE_EVERY_MS = 700;
const ENDPOINTS_MAX = 65_536;
const NOTED = 2 ** 40;
const WRITTEN = 2 ** 41;
