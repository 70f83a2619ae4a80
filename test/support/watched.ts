// Lets the checkers of the simulator (protocol 10) watch a test network: turns, restarts, what clients ask and what they
// may believe. A client believes what one node of a crash cluster tells it, or f + 1 nodes of a byzantine one.

import { decodeRequest } from "../../src/cluster/block.js";
import { ed25519Verifier } from "../../src/crypto/signature.js";
import type { TurnPlan } from "../../src/node/turn.js";
import { openEnvelope } from "../../src/node/wire.js";
import { makeCheckers } from "../../src/sim/checkers/all.js";
import type { Checker, MakeChecker, SimNode, SimWorld, Violation } from "../../src/sim/observer.js";
import type { ClusterId } from "../../src/types/ids.js";
import type { ReadReply } from "../../src/types/message.js";
import { readReplySchema } from "../../src/types/schema.js";
import { type Packet, replyOf, START, type TestNetwork, type TestNode } from "./network.js";

export interface WatchOptions {
  readonly makers?: readonly MakeChecker[];
  /** By name; all nodes are correct unless this says otherwise. */
  readonly isCorrect?: (name: string) => boolean;
  /** What the checkers are shown of a turn in its place; its rows are written, too. */
  readonly bend?: (node: TestNode, plan: TurnPlan) => TurnPlan;
}

export interface Watched {
  readonly violations: readonly Violation[];
  readonly world: SimWorld;
  readonly nodes: ReadonlyMap<string, SimNode>;
  readonly checkers: readonly Checker[];
  /** The run is over. Unless told otherwise, everything has healed and nothing is under way. */
  end(options?: { readonly healed?: boolean }): readonly Violation[];
}

export function watch(
  network: TestNetwork,
  { makers = makeCheckers, isCorrect = () => true, bend = (_node, plan) => plan }: WatchOptions = {},
): Watched {
  const nodes = new Map(network.nodes.map((node) => [node.name, simNodeOf(network, node, isCorrect(node.name))]));
  const world: SimWorld = {
    topology: network.topology,
    nodes: [...nodes.values()],
    verifier: ed25519Verifier,
    get now() {
      return network.tick;
    },
    get time() {
      return START + network.tick;
    },
  };
  const violations: Violation[] = [];
  const checkers = makers.map((make) => make(world, (violation) => void violations.push(violation)));
  watchTurns(network, (node, plan) => {
    const shown = bend(node, plan);
    if (shown !== plan) node.store.apply(shown.persist);
    for (const checker of checkers) checker.onTurn?.(nodes.get(node.name) as SimNode, shown);
  });
  watchRestarts(network, nodes, checkers);
  watchClients(network, checkers);
  return {
    violations,
    world,
    nodes,
    checkers,
    end({ healed = true } = {}) {
      if (healed) for (const checker of checkers) checker.onHealed?.();
      for (const checker of checkers) checker.onEnd?.();
      return violations;
    },
  };
}

function simNodeOf(network: TestNetwork, node: TestNode, isCorrect: boolean): SimNode {
  const { name, ref, info, signer, store } = node;
  return {
    name,
    ref,
    info,
    cluster: network.members.clusterOf(ref.cluster),
    signer,
    store,
    get running() {
      return { replica: node.replica, ingress: node.ingress };
    },
    isCorrect,
  };
}

function watchTurns(network: TestNetwork, show: TestNetwork["onTurn"]): void {
  const { onTurn } = network;
  network.onTurn = (node, plan) => {
    onTurn(node, plan);
    show(node, plan);
  };
}

function watchRestarts(network: TestNetwork, nodes: ReadonlyMap<string, SimNode>, checkers: readonly Checker[]): void {
  const boot = network.boot.bind(network);
  network.boot = async (node) => {
    const sim = nodes.get(node.name) as SimNode;
    for (const checker of checkers) checker.onCrash?.(sim);
    await boot(node);
    for (const checker of checkers) checker.onStart?.(sim);
  };
}

function watchClients(network: TestNetwork, checkers: readonly Checker[]): void {
  const requested = new Set<string>();
  const believed = new Set<string>();
  const heard = new Map<string, Set<number>>();

  /** Equal words of enough different nodes, for the first time. */
  function believes(about: string, cluster: ClusterId, node: number): boolean {
    const { model, faults } = network.members.clusterOf(cluster);
    const nodes = heard.get(about) ?? new Set();
    heard.set(about, nodes.add(node));
    if (nodes.size < (model === "crash" ? 1 : faults + 1) || believed.has(about)) return false;
    believed.add(about);
    return true;
  }

  function onRequest({ bytes }: Packet): void {
    const opened = openEnvelope(bytes);
    if (typeof opened === "string") return;
    const { topology, members } = network;
    const decoded = decodeRequest(opened, { topology, members, verifier: ed25519Verifier });
    if (!decoded.ok || requested.has(decoded.value.hash) || !members.isClient(decoded.value.client)) return;
    requested.add(decoded.value.hash);
    for (const checker of checkers) checker.onRequest?.(decoded.value);
  }

  function onReply(packet: Packet): void {
    const reply = replyOf(packet);
    const { view: _, node, ...told } = reply;
    if (!believes(`${packet.to} ${textOf(told)}`, reply.cluster, node)) return;
    for (const checker of checkers) checker.onReply?.(packet.to, reply);
  }

  function onRead(packet: Packet): void {
    const opened = openEnvelope(packet.bytes);
    if (typeof opened === "string") return;
    const { cluster, node, ...told } = readReplySchema.decode(opened.body);
    const reply: ReadReply = { kind: "read-reply", cluster: cluster as ClusterId, node, ...told };
    if (!believes(`${packet.to} ${cluster} ${textOf(told)}`, reply.cluster, node)) return;
    for (const checker of checkers) checker.onRead?.(packet.to, reply);
  }

  const { onDelivered } = network;
  network.onDelivered = (packet) => {
    onDelivered(packet);
    if (packet.sender === "client" && packet.kind === "request") onRequest(packet);
    if (packet.receiver === "client" && packet.kind === "reply") onReply(packet);
    if (packet.receiver === "client" && packet.kind === "read-reply") onRead(packet);
  };
}

/** What an answer says, as text: two that say the same have the same. */
function textOf(told: object): string {
  return JSON.stringify(told, (_, value) => {
    if (typeof value === "bigint") return `${value}`;
    return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value;
  });
}
