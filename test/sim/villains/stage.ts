// Real replicas with some villains among them: the test network, in which what a villain's node says, hears and keeps
// passes through the villain. One seed draws everything: schedule, workload, and what the villains do.

import { expect } from "vitest";
import { ed25519Verifier } from "../../../src/crypto/signature.js";
import { replayer } from "../../../src/execution/replay.js";
import { auditLedgers } from "../../../src/ledger/audit.js";
import { recordKey } from "../../../src/ledger/keys.js";
import { MemoryStore } from "../../../src/ledger/memory.js";
import { runTurn } from "../../../src/node/turn.js";
import { openEnvelope } from "../../../src/node/wire.js";
import type { Below, MakeVillain, Outgoing, SimNode, SimWorld, Villain } from "../../../src/sim/observer.js";
import { CodedError } from "../../../src/types/codes.js";
import type { Event } from "../../../src/types/effects.js";
import type { PublicKey } from "../../../src/types/ids.js";
import type { MessageKind } from "../../../src/types/message.js";
import type { NodeInfo } from "../../../src/types/topology.js";
import { type NetworkOptions, type Packet, START, TestNetwork, type TestNode } from "../../support/network.js";
import { below, type Random, randomOf, shuffle, someOf } from "../../support/schedule.js";

/** What a villain's node was about to say in one turn, and what it said. */
export interface Scene {
  readonly node: TestNode;
  readonly honest: readonly Outgoing[];
  readonly bent: readonly Outgoing[];
}

const STEP_MS = 100;

export class Stage {
  readonly network: TestNetwork;
  readonly seed: number;
  readonly random: Random;
  readonly draw: Below;
  readonly scenes: Scene[] = [];
  /** Events that a villain did not want to hear, or heard otherwise. */
  unheard = 0;
  /** Nodes that stopped: villains whose own replica threw, and correct ones of a cluster that is beyond help. */
  readonly down = new Set<TestNode>();
  /** Clusters with more villains than they bear: their correct nodes may stop by an assertion of their own. */
  readonly beyondHelp = new Set<number>();
  readonly #villains = new Map<string, Villain>();
  /** What reached anybody, in the order in which it did. */
  readonly delivered: Uint8Array[] = [];
  /** Rows that villains forgot. */
  forgotten = 0;
  /** The second of two nodes with one identity, by their name. */
  readonly #twins = new Map<string, TestNode>();
  readonly #honestTurns: (node: TestNode) => void;
  #late: { readonly due: number; readonly from: PublicKey; readonly word: Outgoing }[] = [];

  static async create(seed: number, options: Partial<NetworkOptions> = {}): Promise<Stage> {
    const models = options.models ?? (["byzantine", "byzantine", "byzantine", "byzantine"] as const);
    return new Stage(await TestNetwork.create({ blockRequestsMax: 3, ...options, models }), seed);
  }

  private constructor(network: TestNetwork, seed: number) {
    this.network = network;
    this.seed = seed;
    this.random = randomOf(seed);
    this.draw = (count) => below(this.random, count);
    this.#honestTurns = network.turns.bind(network);
    network.turns = (node) => this.#turns(node);
    network.onDelivered = ({ bytes }) => this.delivered.push(bytes);
    network.drop = (packet) => this.#divert(packet);
    shuffle(network, this.random);
  }

  async cast(name: string, make: MakeVillain): Promise<Villain> {
    const villain = make(this.draw);
    this.#villains.set(name, villain);
    if (villain.twin !== true) return villain;
    const first = this.network.node(name);
    const twin: TestNode = { ...first, store: new MemoryStore(), inbox: [], rejected: [], notes: [] };
    twin.store.apply(first.store.rows().map(([key, value]) => ({ key, value })));
    await this.network.boot(twin);
    this.#twins.set(name, twin);
    return villain;
  }

  /** In how many ways the villains' words and ears differed from honest ones. */
  get deeds(): number {
    const late = this.scenes.flatMap(({ bent }) => bent.filter(({ delay }) => (delay ?? 0) > 0));
    const doubled = this.scenes.filter(({ node, honest }) => honest.length > 0 && this.#twins.get(node.name) === node);
    const bent = inventions(this.scenes).length + omissions(this.scenes).length + late.length;
    return bent + doubled.length + this.unheard + this.forgotten;
  }

  get correct(): readonly TestNode[] {
    return this.network.nodes.filter(({ name }) => !this.#villains.has(name));
  }

  /** Payments over random clusters, to the initiator's primary and half of the time to all its nodes. */
  pay(count: number): void {
    const { network, random } = this;
    const max = network.topology.clusters.length;
    for (let i = 0; i < count; i++) {
      const clusters = someOf(random, { count: 1 + below(random, Math.min(3, max)), max });
      const bytes = network.request([network.payment(clusters, below(random, 3))]);
      const to = network.nodesOf(clusters[0] as number).filter(({ ref }) => ref.node === 0 || random() < 0.5);
      for (const { name } of to) network.sendBytes(bytes, name);
    }
  }

  say(from: PublicKey, word: Outgoing): void {
    const { network } = this;
    if ((word.delay ?? 0) === 0) network.post(from, word.to, word.envelope);
    else this.#late.push({ due: network.tick + (word.delay ?? 0), from, word });
  }

  /** Time passes, and late words arrive in it. */
  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += STEP_MS) {
      const due = this.#late.filter((each) => each.due <= this.network.tick);
      this.#late = this.#late.filter((each) => each.due > this.network.tick);
      for (const { from, word } of due) this.network.post(from, word.to, word.envelope);
      this.network.advance(STEP_MS);
      for (const twin of this.#twins.values()) {
        twin.inbox.push({ kind: "tick" });
        this.#turns(twin);
      }
      this.network.settle();
    }
  }

  /** All villains' nodes restart with what they remember. */
  async restartVillains(): Promise<void> {
    for (const [name, villain] of this.#villains) {
      const twin = this.#twins.get(name);
      for (const node of twin === undefined ? [this.network.node(name)] : [this.network.node(name), twin]) {
        this.network.turns(node);
        const before = node.store.rows().length;
        villain.remember?.(this.#simNode(node), this.draw);
        this.forgotten += before - node.store.rows().length;
        await this.#boot(node);
      }
    }
  }

  async #boot(node: TestNode): Promise<void> {
    this.down.delete(node);
    try {
      await this.network.boot(node);
    } catch (error) {
      // Its store makes no sense any more.
      if (!(error instanceof CodedError)) throw error;
      this.down.add(node);
    }
  }

  /** Records of correct nodes at one height are equal, and the audit finds nothing wrong in what they hold. */
  async expectAgreement(): Promise<void> {
    const { correct, network, seed } = this;
    for (const node of correct) {
      for (const other of correct.filter(({ ref }) => ref.cluster === node.ref.cluster && ref.node > node.ref.node)) {
        for (let height = 0; height <= Math.min(node.replica.height, other.replica.height); height++) {
          const [one, two] = [node, other].map(({ store }) => Buffer.from(store.get(recordKey(height)) ?? []));
          expect(one?.equals(two as Buffer), `seed ${seed}: record ${height} of ${node.name}, ${other.name}`).toBe(
            true,
          );
        }
      }
    }
    const { topology, members } = network;
    const report = await auditLedgers({
      topology,
      verifier: ed25519Verifier,
      nodes: correct.map(({ name, ref, store }) => ({ name, cluster: ref.cluster, node: ref.node, store })),
      replayer: (cluster) => replayer(topology, members, cluster),
      strict: false,
    });
    expect(report.findings, `seed ${seed}`).toEqual([]);
  }

  world(): SimWorld {
    const { network } = this;
    const { topology, tick: now } = network;
    const nodes = network.nodes.map((node) => this.#simNode(node));
    return { topology, nodes, now, time: START + now, verifier: ed25519Verifier };
  }

  #simNode(node: TestNode): SimNode {
    const { name, ref, info, signer, store, replica, ingress } = node;
    const cluster = this.network.members.clusterOf(ref.cluster);
    return {
      name,
      ref,
      info,
      cluster,
      signer,
      store,
      running: { replica, ingress },
      isCorrect: !this.#villains.has(name),
    };
  }

  #turns(node: TestNode): void {
    const villain = this.#villains.get(node.name);
    if (villain !== undefined) return this.#bentTurns(node, villain);
    if (this.down.has(node)) return;
    try {
      this.#honestTurns(node);
    } catch (error) {
      if (this.beyondHelp.has(node.ref.cluster)) {
        this.down.add(node);
        node.inbox.length = 0;
        return;
      }
      throw new Error(`seed ${this.seed}: ${node.name}, a correct node, throws`, { cause: error });
    }
  }

  #bentTurns(node: TestNode, villain: Villain): void {
    const { network, draw } = this;
    const now = { time: START + network.tick, tick: network.tick };
    const turn = network.contextOf(node);
    const context = { world: this.world(), node: this.#simNode(node), turn, below: draw };
    const hear = (event: Event) => {
      if (event.kind === "tick" || villain.hear === undefined) return event;
      const heard = villain.hear(event, context);
      if (heard !== event) this.unheard++;
      return heard;
    };
    let events = node.inbox.splice(0).flatMap((event) => hear(event) ?? []);
    while (events.length > 0 && !this.down.has(node)) {
      try {
        const plan = runTurn(node.replica, { now, events }, turn);
        node.store.apply(plan.persist);
        node.notes.push(...plan.notes);
        const honest = [...plan.outbound].flatMap(([to, envelopes]) => envelopes.map((envelope) => ({ to, envelope })));
        const bent = villain.bend?.(honest, context) ?? honest;
        this.scenes.push({ node, honest, bent });
        for (const word of bent) this.say(node.info.key, word);
        events = [...plan.inbound];
      } catch (error) {
        if (!isOfReplica(error)) throw error;
        this.down.add(node);
      }
    }
  }

  /** Each packet for twins reaches both. */
  #divert({ receiver, from, bytes }: Packet): boolean {
    const twin = this.#twins.get(receiver);
    if (twin === undefined) return false;
    const event = twin.ingress.open(from, bytes);
    if (event !== undefined) twin.inbox.push(event);
    this.#turns(twin);
    return false;
  }
}

/** Thrown by a villain's own replica, not by the villain. */
function isOfReplica(error: unknown): boolean {
  return error instanceof Error && !(error.stack ?? "").includes("src/sim/");
}

export function kindOf(envelope: Uint8Array): MessageKind | "unknown" {
  const opened = openEnvelope(envelope);
  return typeof opened === "string" ? "unknown" : opened.kind;
}

/** What was said that honest turns had not said. */
export function inventions(scenes: readonly Scene[]): readonly Outgoing[] {
  return scenes.flatMap(({ honest, bent }) => {
    const known = new Set(honest.map(({ to, envelope }) => `${to} ${Buffer.from(envelope).toString("latin1")}`));
    return bent.filter(({ to, envelope }) => !known.has(`${to} ${Buffer.from(envelope).toString("latin1")}`));
  });
}

/** What honest turns said and the villain did not. */
export function omissions(scenes: readonly Scene[]): readonly Outgoing[] {
  return inventions(scenes.map(({ node, honest, bent }) => ({ node, honest: bent, bent: honest })));
}

export function nodeName(network: TestNetwork, { to }: Outgoing): string {
  return network.nodes.find(({ info }: { readonly info: NodeInfo }) => info.key === to)?.name ?? "client";
}
