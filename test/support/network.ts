// A whole network in one process: the real replica, codec, door and turn over memory stores, a first-in-first-out network
// and a clock that moves only when told to. Every message that passes between two nodes is counted and can be written
// down as a transcript. There is no randomness: keys come from numbers.

import { decodeBlock } from "../../src/cluster/block.js";
import { Members } from "../../src/cluster/members.js";
import { planTopology } from "../../src/cluster/plan.js";
import { clusterOfAccount } from "../../src/cluster/shards.js";
import { parseTopology } from "../../src/cluster/topology.js";
import { ed25519Signer, ed25519Verifier, type Signer, signingBytes } from "../../src/crypto/signature.js";
import { MemoryStore } from "../../src/ledger/memory.js";
import { Ingress } from "../../src/node/ingress.js";
import { Replica } from "../../src/node/replica.js";
import { genesisWrites, restore } from "../../src/node/restore.js";
import { runTurn, type TurnContext } from "../../src/node/turn.js";
import { openEnvelope, openMessage } from "../../src/node/wire.js";
import type { Block } from "../../src/types/block.js";
import type { Event, Note } from "../../src/types/effects.js";
import {
  type AccountId,
  type ClusterId,
  fromHex,
  type NodeRef,

  type PublicKey,
  showNode,
  showSequence,
} from "../../src/types/ids.js";
import { carriage, type Reply } from "../../src/types/message.js";
import { envelopeSchema, type Operation, replySchema, requestBodySchema } from "../../src/types/schema.js";
import type { Dissemination, FailureModel, Initiator, NodeInfo, Topology } from "../../src/types/topology.js";

export interface NetworkOptions {
  readonly models: readonly FailureModel[];
  readonly faults?: number;
  readonly dissemination?: Dissemination;
  readonly initiator?: Initiator;
  readonly accounts?: number;
}

export interface Packet {
  readonly from: PublicKey;
  readonly to: PublicKey;
  readonly bytes: Uint8Array;
}

export interface TestNode {
  readonly info: NodeInfo;
  readonly ref: NodeRef;
  readonly signer: Signer;
  store: MemoryStore;
  replica: Replica;
  ingress: Ingress;
  readonly inbox: Event[];
  readonly rejected: { readonly code: string; readonly from: PublicKey; readonly kind: string }[];
  readonly notes: Note[];
}

export const START = 1_700_000_000_000;

export class TestNetwork {
  readonly topology: Topology;
  readonly text: string;
  readonly members: Members;
  readonly nodes: TestNode[] = [];
  readonly clients: readonly Signer[];
  readonly replies: Reply[] = [];
  readonly transcript: string[] = [];
  readonly counts = new Map<string, number>();
  readonly packets: Packet[] = [];
  /** Packets for which this says true are lost. */
  drop: (packet: Packet) => boolean = () => false;
  tick = 0;
  #nonce = 0;

  static async create(options: NetworkOptions): Promise<TestNetwork> {
    const network = new TestNetwork(options);
    await network.#start();
    return network;
  }

  private constructor(options: NetworkOptions) {
    let seeds = 0;
    const plan = planTopology({
      name: "test",
      models: options.models,
      faults: options.faults ?? 1,
      host: "127.0.0.1",
      basePort: 7000,
      clients: 2,
      accounts: options.accounts ?? 400,
      balance: 1000n,
      shards: "hash",
      suffix: "0",
      makeSeed: () => new Uint8Array(32).fill(++seeds),
    });
    this.text = plan.yaml;
    const parsed = parseTopology(plan.yaml, "test.yaml");
    const cross = { dissemination: options.dissemination ?? "flattened", initiator: options.initiator ?? "source" } as const;
    this.topology = { ...parsed, cross };
    this.members = new Members(this.topology);
    const signers = new Map(plan.keys.map(({ id, seed }) => [id, ed25519Signer(seed)]));
    this.clients = this.topology.clients.map(({ id }) => signers.get(id) as Signer);
    for (const info of this.topology.clusters.flatMap(({ nodes }) => nodes)) {
      const node = { info, ref: { cluster: info.cluster, node: info.index }, signer: signers.get(info.id) as Signer };
      this.nodes.push({ ...node, inbox: [], rejected: [], notes: [], store: new MemoryStore() } as unknown as TestNode);
    }
  }

  async #start(): Promise<void> {
    for (const node of this.nodes) {
      await node.store.write(genesisWrites(this.topology, node.ref.cluster, this.text), { sync: true });
      await this.boot(node);
    }
  }

  /** (Re)starts a node from what its store holds. */
  async boot(node: TestNode): Promise<void> {
    const context = { topology: this.topology, members: this.members, verifier: ed25519Verifier };
    const restored = await restore(node.store, context, node.ref.cluster);
    const decode = (bytes: Uint8Array): Block => {
      const decoded = decodeBlock(bytes, context, false);
      if (!decoded.ok) throw new Error(decoded.code);
      return decoded.value;
    };
    const replica = new Replica({ ...context, self: node.ref, reader: node.store, restored, decodeBlock: decode });
    node.replica = replica;
    node.ingress = new Ingress({
      ...context,
      self: node.ref,
      knownBlock: (digest) => replica.knownBlock(digest),
      wants: (message) => replica.wants(message),
      onRejected: (code, from, kind) => node.rejected.push({ code, from, kind }),
    });
    node.inbox.length = 0;
    node.inbox.push({ kind: "tick" });
  }

  node(name: string): TestNode {
    const node = this.nodes.find(({ ref }) => showNode(ref) === name);
    if (node === undefined) throw new Error(`no node ${name}`);
    return node;
  }

  // ---- clients

  /** The n-th genesis account of a cluster, owned by the first client. */
  account(cluster: number, n = 0): AccountId {
    const row = this.topology.genesis[0];
    if (row === undefined) throw new Error("no genesis");
    for (let i = 0, found = 0; i < (row.count ?? 0); i++) {
      const account = `${row.prefix}${i}` as AccountId;
      if (clusterOfAccount(this.topology, account) === cluster && found++ === n) return account;
    }
    throw new Error(`cluster ${cluster} has no account ${n}`);
  }

  transfer(from: AccountId, to: AccountId, amount = 1n): Operation {
    return { open: "", debits: [{ account: from, amount }], credits: [{ account: to, amount }] };
  }

  /** Signed bytes of a request, as an envelope. */
  request(
    operations: readonly Operation[],
    options: { readonly client?: number; readonly nonce?: number; readonly validUntil?: number; readonly networkId?: string } = {},
  ): { readonly envelope: Uint8Array; readonly client: Signer } {
    const client = this.clients[options.client ?? 0] as Signer;
    const nonce = options.nonce ?? ++this.#nonce;
    const validUntil = options.validUntil ?? START + 60_000;
    const body = requestBodySchema.encode({ client: fromHex(client.publicKey), nonce, validUntil, operations });
    const networkId = (options.networkId ?? this.topology.networkId) as Topology["networkId"];
    const signature = client.sign(signingBytes(networkId, carriage.request.number, body));
    const envelope = envelopeSchema.encode({ kind: carriage.request.number, body, signature, block: new Uint8Array(0) });
    return { envelope, client };
  }

  /** A client's request to a node, by default the primary of the first debit's cluster. */
  send(operations: readonly Operation[], options: { readonly to?: string; readonly client?: number; readonly nonce?: number } = {}): void {
    const { envelope, client } = this.request(operations, options);
    const first = operations[0] as Operation;
    const account = (first.open === "" ? first.debits[0]?.account : first.open) as AccountId;
    const to = options.to ?? `c${clusterOfAccount(this.topology, account)}n0`;
    this.packets.push({ from: client.publicKey, to: this.node(to).info.key, bytes: envelope });
  }

  // ---- the pump

  /** Delivers one packet, then lets its receiver take turns until it has nothing more to say to itself. */
  async deliverOne(): Promise<boolean> {
    const packet = this.packets.shift();
    if (packet === undefined) return false;
    if (this.drop(packet)) return true;
    const node = this.nodes.find(({ info }) => info.key === packet.to);
    if (node === undefined) {
      this.#receiveReply(packet);
      return true;
    }
    this.#note(packet, node);
    const event = node.ingress.open(packet.from, packet.bytes);
    if (event !== undefined) node.inbox.push(event);
    await this.turns(node);
    return true;
  }

  /** Until the network is silent. Bounded, so that a loop of messages is a failure and not a hang. */
  async settle(packetsMax = 200_000): Promise<void> {
    for (const node of this.nodes) await this.turns(node);
    for (let i = 0; i < packetsMax; i++) if (!(await this.deliverOne())) return;
    throw new Error(`not silent after ${packetsMax} packets`);
  }

  /** Moves the clock and lets what is due happen. */
  async advance(ms: number): Promise<void> {
    this.tick += ms;
    for (const node of this.nodes) {
      if ((node.replica.wakeAt ?? Number.POSITIVE_INFINITY) <= this.tick) node.inbox.push({ kind: "tick" });
    }
    await this.settle();
  }

  async turns(node: TestNode): Promise<void> {
    while (node.inbox.length > 0) {
      const now = { time: START + this.tick, tick: this.tick };
      const plan = runTurn(node.replica, { now, events: node.inbox.splice(0) }, this.#context(node));
      await node.store.write(plan.persist, { sync: true });
      for (const [to, messages] of plan.outbound) {
        for (const bytes of messages) this.packets.push({ from: node.info.key, to, bytes });
      }
      node.inbox.push(...plan.inbound);
      node.notes.push(...plan.notes);
    }
  }

  #context(node: TestNode): TurnContext {
    const { model } = this.members.clusterOf(node.ref.cluster);
    const keyOf = (ref: NodeRef) => (this.members.node(ref) as NodeInfo).key;
    return { self: node.ref, model, networkId: this.topology.networkId, signer: node.signer, keyOf };
  }

  #receiveReply(packet: Packet): void {
    const opened = openEnvelope(packet.bytes);
    if (typeof opened === "string") throw new Error(`reply: ${opened}`);
    this.#count("reply");
    this.transcript.push(`${this.#name(packet.from)} -> client REPLY`);
    if (opened.kind !== "reply") return;
    const reply = replySchema.decode(opened.body);
    this.replies.push({ ...reply, kind: "reply", cluster: reply.cluster as ClusterId });
  }

  #note(packet: Packet, to: TestNode): void {
    const opened = openEnvelope(packet.bytes);
    if (typeof opened === "string") return;
    this.#count(opened.kind);
    this.transcript.push(`${this.#name(packet.from)} -> ${showNode(to.ref)} ${this.#describe(packet)}`);
  }

  #count(kind: string): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
  }

  #name(key: PublicKey): string {
    const ref = this.members.nodeByKey(key);
    return ref === undefined ? "client" : showNode(ref);
  }

  #describe(packet: Packet): string {
    const opened = openEnvelope(packet.bytes);
    if (typeof opened === "string") return opened;
    const kind = opened.kind.toUpperCase();
    const accept = { verify: () => true };
    const context = { topology: this.topology, members: this.members, verifier: accept, knownBlock: () => undefined };
    const message = opened.kind === "request" ? undefined : openMessage(opened, context);
    if (message === undefined || typeof message === "string") return kind;
    if ("entry" in message) {
      const { cluster, view, round, slot, sequence } = message.entry;
      return `${kind} cluster ${cluster} ballot ${view}.${round} slot ${slot} sequence ${showSequence(sequence)}`;
    }
    if (message.kind === "commit") {
      const entries = message.entries.map(({ slot, round, sequence }) => `slot ${slot} round ${round} ${showSequence(sequence)}`);
      return `${kind} [${entries.join(", ")}]`;
    }
    if (message.kind === "result") return `${kind} of cluster ${message.cluster} [${[...message.verdicts].join(" ")}]`;
    return kind;
  }

  // ---- answers

  heights(): Record<string, number> {
    return Object.fromEntries(this.nodes.map(({ ref, replica }) => [showNode(ref), replica.height]));
  }

  forget(): void {
    this.transcript.length = 0;
    this.counts.clear();
    this.replies.length = 0;
  }

  countsByKind(): Record<string, number> {
    return Object.fromEntries([...this.counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}


