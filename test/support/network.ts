// A whole network in one process: the real replica, codec, door and turn over memory stores, a network that delivers in
// the order it is told to, and a clock that moves only when told to. By default packets are first in, first out, and a
// node takes a turn after each; `schedule.ts` has wilder ones. There is no randomness: keys come from numbers.

import { decodeBlock } from "../../src/cluster/block.js";
import { Members } from "../../src/cluster/members.js";
import { planTopology } from "../../src/cluster/plan.js";
import { clusterOfAccount } from "../../src/cluster/shards.js";
import { parseTopology } from "../../src/cluster/topology.js";
import { ed25519Signer, ed25519Verifier, type Signer, signingBytes } from "../../src/crypto/signature.js";
import { MemoryStore } from "../../src/ledger/memory.js";
import { startWrite } from "../../src/node/boot.js";
import { Ingress } from "../../src/node/ingress.js";
import { Replica } from "../../src/node/replica.js";
import { genesisWrites, restore } from "../../src/node/restore.js";
import { runTurn, type TurnContext, type TurnPlan } from "../../src/node/turn.js";
import { openEnvelope } from "../../src/node/wire.js";
import type { Block } from "../../src/types/block.js";
import type { Event, Note } from "../../src/types/effects.js";
import {
  type AccountId,
  type ClusterId,
  fromHex,
  type NetworkId,
  type NodeRef,
  type PublicKey,
  showNode,
} from "../../src/types/ids.js";
import { carriage, type MessageKind, type Reply } from "../../src/types/message.js";
import { envelopeSchema, type Operation, replySchema, requestBodySchema } from "../../src/types/schema.js";
import type { Dissemination, FailureModel, Initiator, NodeInfo, Topology } from "../../src/types/topology.js";

export interface NetworkOptions {
  /** One cluster each. */
  readonly models: readonly FailureModel[];
  readonly faults?: number;
  readonly dissemination?: Dissemination;
  readonly initiator?: Initiator;
  readonly accounts?: number;
  readonly blockRequestsMax?: number;
  /** Nodes say START and take part only when it was answered, as real ones do; else at once. */
  readonly starts?: boolean;
  /** Changes the topology file before it is read: clusters with more nodes than the smallest, for example. */
  readonly edit?: (text: string) => string;
}

export interface Packet {
  readonly from: PublicKey;
  readonly to: PublicKey;
  readonly bytes: Uint8Array;
  /** "client" or a node's name. */
  readonly sender: string;
  readonly receiver: string;
  readonly kind: MessageKind | "unknown";
}

export interface TestNode {
  readonly name: string;
  readonly info: NodeInfo;
  readonly ref: NodeRef;
  readonly signer: Signer;
  readonly store: MemoryStore;
  replica: Replica;
  ingress: Ingress;
  readonly inbox: Event[];
  /** What the door refused. */
  readonly rejected: { readonly code: string; readonly sender: string; readonly kind: string }[];
  readonly notes: Note[];
  /** Its store has moved on without its replica: it takes no turn until `reload`. */
  reloading: boolean;
}

export interface RequestOptions {
  readonly client?: number;
  readonly nonce?: number;
  readonly validUntil?: number;
  readonly networkId?: string;
  /** The key it is signed with, if not the client's own. */
  readonly signer?: Signer;
}

export const START = 1_700_000_000_000;
const NO_BYTES = new Uint8Array(0);

export class TestNetwork {
  readonly topology: Topology;
  readonly text: string;
  readonly members: Members;
  readonly nodes: readonly TestNode[];
  /** The first client owns the first half of the genesis accounts, the second the other. */
  readonly clients: readonly Signer[];
  readonly replies: Reply[] = [];
  /** On their way, oldest first. */
  readonly packets: Packet[] = [];
  /** Which packet is delivered next: its position. */
  pick: (packets: readonly Packet[]) => number = () => 0;
  /** Packets for which this says true are lost. */
  drop: (packet: Packet) => boolean = () => false;
  /** Does the receiver take a turn now, or wait for more? */
  takesTurn: () => boolean = () => true;
  /** Sees every turn's plan when it is durable and nothing of it has left. */
  onTurn: (node: TestNode, plan: TurnPlan) => void = () => undefined;
  onDelivered: (packet: Packet) => void = () => undefined;
  tick = 0;
  #nonce = 0;
  #starts = 0;
  readonly #saysStart: boolean;
  readonly #byKey: ReadonlyMap<PublicKey, TestNode>;

  static async create(options: NetworkOptions): Promise<TestNetwork> {
    const network = new TestNetwork(options);
    for (const node of network.nodes) {
      node.store.apply(genesisWrites(network.topology, node.ref.cluster, network.text));
      await network.start(node);
    }
    return network;
  }

  private constructor(options: NetworkOptions) {
    let seeds = 0;
    this.#saysStart = options.starts ?? false;
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
    this.text = options.edit?.(plan.yaml) ?? plan.yaml;
    const parsed = parseTopology(this.text, "test.yaml");
    const { dissemination = "flattened", initiator = "source", blockRequestsMax = parsed.blockRequestsMax } = options;
    this.topology = { ...parsed, cross: { dissemination, initiator }, blockRequestsMax };
    this.members = new Members(this.topology);
    const signers = new Map(plan.keys.map(({ id, seed }) => [id, ed25519Signer(seed)]));
    this.clients = this.topology.clients.map(({ id }) => signers.get(id) as Signer);
    this.nodes = this.topology.clusters.flatMap(({ nodes }) => nodes.map((info) => makeNode(info, signers)));
    this.#byKey = new Map(this.nodes.map((node) => [node.info.key, node]));
  }

  /** A process starts on what the node's store holds. */
  async start(node: TestNode): Promise<void> {
    const nonce = Uint8Array.from({ length: 8 }, (_, i) => (i === 0 ? ++this.#starts % 256 : 0));
    if (this.#saysStart) node.store.apply([startWrite(node.store, nonce)]);
    await this.boot(node);
  }

  /** (Re)makes a node from what its store holds. */
  async boot(node: TestNode): Promise<void> {
    const context = { topology: this.topology, members: this.members, verifier: ed25519Verifier };
    const restored = await restore(node.store, context, node.ref.cluster);
    const decode = (bytes: Uint8Array): Block => {
      const decoded = decodeBlock(bytes, context, false);
      if (!decoded.ok) throw new Error(decoded.code);
      return decoded.value;
    };
    const made = { ...context, self: node.ref, reader: node.store, restored, decodeBlock: decode };
    const replica = new Replica(this.#saysStart ? { ...made, signer: node.signer } : made);
    node.replica = replica;
    node.ingress = new Ingress({
      ...context,
      self: node.ref,
      knownBlock: (digest) => replica.knownBlock(digest),
      wants: (message) => replica.wants(message),
      awaits: replica.awaits,
      onRejected: (code, from, kind) => node.rejected.push({ code, sender: this.nameOf(from), kind }),
    });
    node.inbox.length = 0;
    node.inbox.push({ kind: "tick" });
    node.reloading = false;
  }

  /** What a host does at once and a pump without promises cannot: nodes whose plan said so are made anew. */
  async reload(): Promise<void> {
    for (const node of this.nodes.filter(({ reloading }) => reloading)) {
      const waiting = node.inbox.splice(0);
      await this.boot(node);
      node.inbox.push(...waiting);
    }
    this.settle();
    if (this.nodes.some(({ reloading }) => reloading)) await this.reload();
  }

  /** Time passes in steps of half a second, with whatever that leads to. */
  async run(seconds: number): Promise<void> {
    await this.reload();
    for (let i = 0; i < 2 * seconds; i++) {
      this.advance(500);
      await this.reload();
    }
  }

  node(name: string): TestNode {
    const node = this.nodes.find((each) => each.name === name);
    if (node === undefined) throw new Error(`no node ${name}`);
    return node;
  }

  nodesOf(cluster: number): readonly TestNode[] {
    return this.nodes.filter(({ ref }) => ref.cluster === cluster);
  }

  nameOf(key: PublicKey): string {
    return this.#byKey.get(key)?.name ?? "client";
  }

  // ---- clients

  /** The n-th genesis account of a cluster that this client owns. */
  account(cluster: number, n = 0, client = 0): AccountId {
    const row = this.topology.genesis[client];
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

  /** The envelope of a signed request. */
  request(operations: readonly Operation[], options: RequestOptions = {}): Uint8Array {
    const client = this.clients[options.client ?? 0] as Signer;
    const nonce = options.nonce ?? ++this.#nonce;
    const validUntil = options.validUntil ?? START + this.tick + 60_000;
    const body = requestBodySchema.encode({
      client: fromHex(client.publicKey),
      nonce,
      validUntil,
      operations,
      rejoin: undefined,
    });
    const networkId = (options.networkId ?? this.topology.networkId) as NetworkId;
    const { number } = carriage.request;
    const signature = (options.signer ?? client).sign(signingBytes(networkId, number, body));
    return envelopeSchema.encode({ kind: number, body, signature, block: NO_BYTES });
  }

  /** A client's request to a node, by default the primary of its initiator. */
  send(operations: readonly Operation[], options: RequestOptions & { readonly to?: string } = {}): void {
    this.sendBytes(this.request(operations, options), options.to ?? this.#initiator(operations), options.client);
  }

  sendBytes(bytes: Uint8Array, to: string, client = 0): void {
    this.post((this.clients[client] as Signer).publicKey, this.node(to).info.key, bytes);
  }

  /** One unit from an account of the first cluster to one of each other. */
  pay(...clusters: readonly number[]): void {
    this.send([this.payment(clusters)]);
  }

  payment(clusters: readonly number[], n = 0): Operation {
    const [source, ...others] = clusters as readonly [number, ...number[]];
    const to = others.length === 0 ? [this.account(source, n + 1)] : others.map((cluster) => this.account(cluster, n));
    const debits = [{ account: this.account(source, n), amount: BigInt(to.length) }];
    return { open: "", debits, credits: to.map((account) => ({ account, amount: 1n })) };
  }

  #initiator(operations: readonly Operation[]): string {
    const { open, debits, credits } = operations[0] as Operation;
    const accounts = open === "" ? [...debits, ...credits].map(({ account }) => account) : [open];
    const clusters = accounts.map((account) => clusterOfAccount(this.topology, account as AccountId));
    const { initiator } = this.topology.cross;
    return `c${initiator === "lowest" ? Math.min(...clusters) : clusters[0]}n0`;
  }

  // ---- the pump

  post(from: PublicKey, to: PublicKey, bytes: Uint8Array): void {
    const opened = openEnvelope(bytes);
    const kind = typeof opened === "string" ? "unknown" : opened.kind;
    this.packets.push({ from, to, bytes, sender: this.nameOf(from), receiver: this.nameOf(to), kind });
  }

  /** Delivers one packet; its receiver may then take turns until it has nothing more to say to itself. */
  deliverOne(): boolean {
    if (this.packets.length === 0) return false;
    const [packet] = this.packets.splice(this.pick(this.packets), 1);
    if (packet !== undefined && !this.drop(packet)) this.#deliver(packet);
    return true;
  }

  /** Delivers the oldest packet that matches, out of turn. */
  deliver(match: { readonly sender?: string; readonly receiver: string; readonly kind?: MessageKind }): void {
    const at = this.packets.findIndex(
      ({ sender, receiver, kind }) =>
        sender === (match.sender ?? sender) && receiver === match.receiver && kind === (match.kind ?? kind),
    );
    const [packet] = at < 0 ? [] : this.packets.splice(at, 1);
    if (packet === undefined) throw new Error(`no packet from ${match.sender} to ${match.receiver}`);
    this.#deliver(packet);
  }

  /** Until the network is silent. Bounded, so that a loop of messages is a failure and not a hang. */
  settle(packetsMax = 500_000): void {
    for (let i = 0; i < packetsMax; i++) {
      if (this.deliverOne()) continue;
      for (const node of this.nodes) this.turns(node);
      if (this.packets.length === 0) return;
    }
    throw new Error(`not silent after ${packetsMax} packets`);
  }

  /** Moves the clock and lets what is due happen. */
  advance(ms: number): void {
    this.tick += ms;
    for (const node of this.nodes) {
      if ((node.replica.wakeAt ?? Number.POSITIVE_INFINITY) <= this.tick) node.inbox.push({ kind: "tick" });
    }
    this.settle();
  }

  /** The node dies between two turns and comes back from its store; what is under way to it arrives at the new one. */
  async restart(node: TestNode): Promise<void> {
    this.turns(node);
    await this.start(node);
  }

  turns(node: TestNode): void {
    for (let turn = 0; node.inbox.length > 0 && !node.reloading; turn++) {
      if (turn === 10_000) throw new Error(`${node.name} talks to itself without end`);
      const now = { time: START + this.tick, tick: this.tick };
      const plan = runTurn(node.replica, { now, events: node.inbox.splice(0) }, this.contextOf(node));
      node.store.apply(plan.persist);
      this.onTurn(node, plan);
      for (const [to, messages] of plan.outbound) for (const bytes of messages) this.post(node.info.key, to, bytes);
      node.inbox.push(...plan.inbound);
      node.notes.push(...plan.notes);
      node.reloading ||= plan.reload;
    }
  }

  contextOf({ ref, signer }: TestNode): TurnContext {
    const { model } = this.members.clusterOf(ref.cluster);
    const keyOf = (other: NodeRef) => (this.members.node(other) as NodeInfo).key;
    return { self: ref, model, networkId: this.topology.networkId, signer, keyOf };
  }

  #deliver(packet: Packet): void {
    this.onDelivered(packet);
    const node = this.#byKey.get(packet.to);
    if (node === undefined) {
      if (packet.kind === "reply") this.replies.push(replyOf(packet));
      return;
    }
    const event = node.ingress.open(packet.from, packet.bytes);
    if (event !== undefined) node.inbox.push(event);
    if (this.takesTurn()) this.turns(node);
  }
}

export function replyOf({ bytes }: Pick<Packet, "bytes">): Reply {
  const opened = openEnvelope(bytes);
  if (typeof opened === "string" || opened.kind !== "reply") throw new Error("not a reply");
  const reply = replySchema.decode(opened.body);
  return { ...reply, kind: "reply", cluster: reply.cluster as ClusterId };
}

function makeNode(info: NodeInfo, signers: ReadonlyMap<string, Signer>): TestNode {
  const ref = { cluster: info.cluster, node: info.index };
  const signer = signers.get(info.id) as Signer;
  const parts = {
    name: showNode(ref),
    info,
    ref,
    signer,
    store: new MemoryStore(),
    inbox: [],
    rejected: [],
    notes: [],
    reloading: false,
  };
  // `boot` gives it its replica and its door.
  return parts as unknown as TestNode;
}
