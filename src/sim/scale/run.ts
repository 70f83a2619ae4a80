// One scale run: a network of so many clusters, all of them real replicas behind real doors, in virtual time, with a
// given cost of work and given delays between regions, under clients that keep every cluster busy. Drawn from one seed;
// the same options give the same row. What happens before the measured span is the warm-up.

import { type BlockContext, decodeBlock } from "../../cluster/block.js";
import { Members } from "../../cluster/members.js";
import type { Signer } from "../../crypto/signature.js";
import { MemoryStore } from "../../ledger/memory.js";
import { randomOf } from "../../load/random.js";
import { Ingress } from "../../node/ingress.js";
import { Replica } from "../../node/replica.js";
import { genesisWrites, restore } from "../../node/restore.js";
import type { Block } from "../../types/block.js";
import type { NodeRef, PublicKey } from "../../types/ids.js";
import type { ClientInfo, ClusterInfo, NodeInfo, Topology } from "../../types/topology.js";
import { type Actor, Agenda } from "./agenda.js";
import { Clients } from "./clients.js";
import { Core, type CpuCosts } from "./cpu.js";
import { type Counts, Meter, type Span } from "./meter.js";
import { type NetworkOptions, regionOf, scaleTopology } from "./network.js";
import { RecentStore } from "./recent-store.js";
import { oneWayUs } from "./regions.js";
import { type Happening, type Links, Server } from "./server.js";
import { CountedSignatures } from "./signatures.js";

export interface ScaleOptions extends NetworkOptions {
  /** Share of transfers between two random clusters, 0 to 1. */
  readonly cross: number;
  readonly clientsPerCluster: number;
  /** Virtual seconds before those that are measured. */
  readonly warmup: number;
  /** Virtual seconds that are measured. */
  readonly seconds: number;
  readonly costs: CpuCosts;
  /** How many regions of the table the clusters stand in, by turns. */
  readonly regions: number;
  /** The nodes of one cluster stand in different regions. */
  readonly spread: boolean;
  readonly seed: number;
}

export interface ScaleRow extends Counts {
  readonly clusters: number;
  readonly nodes: number;
  /** Share of the measured span for which the busiest core of a cluster works; the mean of all clusters. */
  readonly busy: number;
}

/** Virtual time 0, in milliseconds since 1970: any moment will do, the same one each time. */
const START_TIME = 1_700_000_000_000;
const SECOND_US = 1_000_000;
/** How long a server's store keeps what it was given, at least. */
const KEPT_US = SECOND_US;

export async function runScale(options: ScaleOptions): Promise<ScaleRow> {
  const fromUs = options.warmup * SECOND_US;
  const world = new World(options, { fromUs, toUs: fromUs + options.seconds * SECOND_US });
  const busiest: (() => number)[] = [];
  for (const cluster of world.topology.clusters) {
    const cores = await world.addNodes(cluster);
    busiest.push(() => Math.max(...cores.map(({ busy }) => busy)));
  }
  for (const cluster of world.topology.clusters) world.addClients(cluster);
  world.run();
  return {
    clusters: world.topology.clusters.length,
    nodes: world.topology.clusters.reduce((sum, { nodes }) => sum + nodes.length, 0),
    ...world.meter.counts(),
    busy: busiest.reduce((sum, busy) => sum + busy(), 0) / busiest.length,
  };
}

/** A machine at the end of links. */
interface Machine {
  readonly actor: Actor<Happening>;
  readonly region: number;
}

class World {
  readonly topology: Topology;
  readonly meter: Meter;
  readonly #options: ScaleOptions;
  readonly #span: Span;
  readonly #context: BlockContext;
  readonly #agenda = new Agenda<Happening>();
  readonly #signatures = new CountedSignatures();
  readonly #machines = new Map<PublicKey, Machine>();

  constructor(options: ScaleOptions, span: Span) {
    this.#options = options;
    this.#span = span;
    this.meter = new Meter(span);
    this.topology = scaleTopology(options);
    const { verifier } = this.#signatures;
    this.#context = { topology: this.topology, members: new Members(this.topology), verifier };
  }

  run(): void {
    this.#agenda.run(this.#span.toUs);
  }

  /** The servers of a cluster, each with a core of its own. */
  async addNodes(cluster: ClusterInfo): Promise<readonly Core[]> {
    const genesis = new MemoryStore();
    genesis.apply(genesisWrites(this.topology, cluster.id, ""));
    const cores: Core[] = [];
    for (const info of cluster.nodes) {
      const core = new Core(this.#span);
      const restored = await restore(genesis, this.#context, cluster.id);
      this.#addServer(info, restored, core);
      cores.push(core);
    }
    return cores;
  }

  addClients(cluster: ClusterInfo): void {
    const { cross, clientsPerCluster, seed } = this.#options;
    const { key } = this.topology.clients[cluster.id - 1] as ClientInfo;
    const region = this.#regionOf({ cluster: cluster.id, node: 0 });
    const clients = new Clients({
      cluster,
      clusters: this.topology.clusters,
      networkId: this.topology.networkId,
      signer: this.#signatures.signer(key),
      sessions: clientsPerCluster,
      cross,
      random: randomOf(seed * 65_536 + cluster.id),
      agenda: this.#agenda,
      links: this.#linksFrom(region),
      startTime: START_TIME,
      onEnded: (ended) => this.meter.onEnded(ended),
    });
    this.#machines.set(key, { actor: clients, region });
    clients.start();
  }

  #addServer(info: NodeInfo, restored: Awaited<ReturnType<typeof restore>>, core: Core): void {
    const { members } = this.#context;
    const self = { cluster: info.cluster, node: info.index };
    const signer: Signer = this.#signatures.signer(info.key);
    const store = new RecentStore(KEPT_US);
    const decode = (bytes: Uint8Array) => this.#decodeStored(bytes);
    const replica = new Replica({ ...this.#context, self, reader: store, restored, decodeBlock: decode });
    const ingress = new Ingress({
      ...this.#context,
      self,
      knownBlock: (digest) => replica.knownBlock(digest),
      wants: (message) => replica.wants(message),
      awaits: replica.awaits,
      onRejected: () => this.meter.onRejected(),
    });
    const region = this.#regionOf(self);
    const server = new Server({
      replica,
      ingress,
      store,
      context: {
        self,
        model: members.clusterOf(info.cluster).model,
        networkId: this.topology.networkId,
        signer,
        keyOf: (ref) => (members.node(ref) as NodeInfo).key,
      },
      core,
      costs: this.#options.costs,
      signatures: this.#signatures,
      agenda: this.#agenda,
      links: this.#linksFrom(region),
      startTime: START_TIME,
      onNote: (note, nowUs) => this.meter.onNote(note, nowUs),
    });
    this.#machines.set(info.key, { actor: server, region });
    this.#agenda.add(0, server, { kind: "start" });
  }

  #linksFrom(region: number): Links {
    return {
      send: (to, frame, departureUs) => {
        const machine = this.#machines.get(to);
        if (machine === undefined) throw new Error(`nobody has the key ${to}`);
        this.meter.onMessages(frame.messages, departureUs);
        this.#agenda.add(departureUs + oneWayUs(region, machine.region), machine.actor, frame);
      },
    };
  }

  #regionOf(node: NodeRef): number {
    const { regions, spread } = this.#options;
    return regionOf(node, { count: regions, spread });
  }

  #decodeStored(bytes: Uint8Array): Block {
    const decoded = decodeBlock(bytes, this.#context, false);
    if (!decoded.ok) throw new Error(`a stored block is not valid (${decoded.code})`);
    return decoded.value;
  }
}
