// The transport inside one process, for tests: the same frames, bounds and rejections as over sockets, and no time at
// all. What is sent waits in one queue, in the order of sending, until the test delivers it. A test may also put bytes
// of its own on a link, as a peer gone bad would.

import type { NetworkId, PublicKey } from "../types/ids.js";
import { limits } from "../types/limits.js";
import { encodeFrames, FrameReader, rejectionOf } from "./frame.js";
import { deliver } from "./receive.js";
import { GOSSIP_TOPICS, guarded, type Transport, type TransportHandlers, type TransportOptions } from "./transport.js";

export interface LoopbackOptions extends TransportOptions {
  readonly self: PublicKey;
}

export interface LoopbackNetwork {
  transport(options: LoopbackOptions): Transport;
  /** Delivers what was sent first; false when nothing waits. */
  deliverOne(): boolean;
  /** Delivers until nothing waits, answers included, and says how many deliveries that took. */
  deliverAll(): number;
  /** Puts bytes on a link as they are. */
  inject(link: { readonly from: PublicKey; readonly to: PublicKey; readonly bytes: Uint8Array }): void;
}

interface Member {
  readonly self: PublicKey;
  readonly networkId: NetworkId;
  /** Listens, and therefore takes part in gossip. */
  readonly isNode: boolean;
  readonly nodes: ReadonlySet<PublicKey>;
  readonly admits: (key: PublicKey) => boolean;
  readonly handlers: Required<TransportHandlers>;
  readonly connected: Set<Member>;
}

interface Delivery {
  readonly from: Member;
  readonly to: Member;
  readonly bytes: Uint8Array;
  /** Undefined: bytes of the stream. */
  readonly topic: string | undefined;
}

export function loopbackNetwork(): LoopbackNetwork {
  const started = new Map<PublicKey, Member>();
  const waiting: Delivery[] = [];
  const waitingBytes = new Map<string, number>();

  /** Adds to what waits from one member to the other, and returns the sum. */
  function count({ from, to }: Delivery, bytes: number): number {
    const link = `${from.self} ${to.self}`;
    const sum = (waitingBytes.get(link) ?? 0) + bytes;
    waitingBytes.set(link, sum);
    return sum;
  }

  function push(delivery: Delivery): boolean {
    const { from, to, bytes } = delivery;
    if (count(delivery, bytes.length) > limits.peerQueueBytesMax) {
      count(delivery, -bytes.length);
      from.handlers.onRejected("over-limit", to.self);
      return false;
    }
    waiting.push(delivery);
    return true;
  }

  function arrive({ from, to, bytes, topic }: Delivery): void {
    if (!to.connected.has(from)) return;
    if (topic !== undefined) return to.handlers.onGossip(topic, from.self, bytes);
    try {
      for (const frame of new FrameReader().push(bytes)) deliver(frame, from.self, to.handlers);
    } catch (error) {
      const code = rejectionOf(error);
      if (code !== undefined) to.handlers.onRejected(code, from.self);
    }
  }

  function deliverOne(): boolean {
    const delivery = waiting.shift();
    if (delivery === undefined) return false;
    count(delivery, -delivery.bytes.length);
    arrive(delivery);
    return true;
  }

  return {
    transport: (options) => transportOf(memberOf(options), started, push),
    deliverOne,
    deliverAll() {
      let count = 0;
      while (deliverOne()) count++;
      return count;
    },
    inject({ from, to, bytes }) {
      const [sender, receiver] = [started.get(from), started.get(to)];
      if (sender === undefined || receiver === undefined) throw new Error("both ends of the link must have started");
      push({ from: sender, to: receiver, bytes, topic: undefined });
    },
  };
}

function memberOf(options: LoopbackOptions): Member {
  return {
    self: options.self,
    networkId: options.networkId,
    isNode: options.listen !== undefined,
    nodes: new Set(options.peers.map((peer) => peer.key)),
    admits: (key) => options.admits(key),
    handlers: guarded(options.handlers),
    connected: new Set(),
  };
}

function transportOf(
  member: Member,
  started: Map<PublicKey, Member>,
  push: (delivery: Delivery) => boolean,
): Transport {
  return {
    self: member.self,
    async start() {
      started.set(member.self, member);
      for (const other of started.values()) {
        const wanted = member.nodes.has(other.self) || other.nodes.has(member.self);
        if (other !== member && wanted) connect(member, other);
      }
    },
    async stop() {
      started.delete(member.self);
      for (const other of member.connected) disconnect(member, other);
    },
    send(to, messages) {
      const receiver = started.get(to);
      if (receiver === undefined || !member.connected.has(receiver)) return false;
      let taken = true;
      for (const frame of encodeFrames(messages)) {
        taken = push({ from: member, to: receiver, bytes: frame.subarray(), topic: undefined }) && taken;
      }
      return taken;
    },
    publish(topic, data) {
      if (data.length > limits.gossipBytesMax)
        throw new RangeError(`${data.length} bytes, at most ${limits.gossipBytesMax}`);
      if (!GOSSIP_TOPICS.some((known) => known === topic)) throw new RangeError(`no topic ${topic}`);
      if (!member.isNode) return;
      for (const other of member.connected) {
        if (other.isNode && other.nodes.has(member.self)) push({ from: member, to: other, bytes: data, topic });
      }
    },
    connected: () => [...member.connected].map((other) => other.self),
  };
}

/** As over sockets: the key is looked at first, then the network; only then can anything be said. */
function connect(a: Member, b: Member): void {
  const refusals = [
    { by: a, peer: b },
    { by: b, peer: a },
  ].filter(({ by, peer }) => !by.admits(peer.self));
  for (const { by, peer } of refusals) by.handlers.onRejected("unknown-sender", peer.self);
  if (refusals.length > 0) return;
  if (a.networkId !== b.networkId) {
    a.handlers.onRejected("wrong-network", b.self);
    b.handlers.onRejected("wrong-network", a.self);
    return;
  }
  a.connected.add(b);
  b.connected.add(a);
  a.handlers.onConnect(b.self);
  b.handlers.onConnect(a.self);
}

function disconnect(a: Member, b: Member): void {
  a.connected.delete(b);
  b.connected.delete(a);
  a.handlers.onDisconnect(b.self);
  b.handlers.onDisconnect(a.self);
}
