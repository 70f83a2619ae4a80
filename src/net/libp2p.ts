// The transport over real sockets: TCP, Noise, Yamux, with all of libp2p's configuration in one function and every
// limit spelled out. A peer's key is known and admitted, or the connection ends, before the muxer or anything of ours
// sees a byte. Of two nodes the one with the smaller key dials, so a pair has one connection; clients dial, and are
// answered on the connection they made. Everything libp2p could do beyond that (discovery, relays, routing) is not
// installed.

import { noise } from "@chainsafe/libp2p-noise";
import { yamux } from "@chainsafe/libp2p-yamux";
import type { Connection, Logger, MultiaddrConnection, PeerId } from "@libp2p/interface";
import { tcp } from "@libp2p/tcp";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p, type Libp2p, type Libp2pOptions } from "libp2p";
import { ed25519Signer } from "../crypto/signature.js";
import { CodedError, type Rejection } from "../types/codes.js";
import type { PublicKey } from "../types/ids.js";
import { limits } from "../types/limits.js";
import { keepAlive } from "./backoff.js";
import { encodeFrames } from "./frame.js";
import type { Gossip } from "./gossip.js";
import { peerIdOf, privateKeyOf, publicKeyOf } from "./identity.js";
import { ended, Link } from "./link.js";
import { type Arrival, Pace } from "./pace.js";
import { receive } from "./receive.js";
import { joinWritesOfTurn } from "./socket.js";
import { guarded, type Transport, type TransportOptions, type TransportPeer } from "./transport.js";

export interface Libp2pTransportOptions extends TransportOptions {
  /** The 32 secret bytes of the Ed25519 key that this process is known by. */
  readonly seed: Uint8Array;
  /** How long a connection may stay without a proven key. */
  readonly handshakeTimeoutMs?: number;
}

export interface Libp2pTransport extends Transport {
  /** Where it listens: the addresses in use, also when the configured port is 0. Empty before `start`. */
  addresses(): readonly string[];
}

export function libp2pTransport(options: Libp2pTransportOptions): Libp2pTransport {
  const { networkId, seed, listen, peers, admits, handshakeTimeoutMs = limits.handshakeTimeoutMs } = options;
  const self = ed25519Signer(seed).publicKey;
  const handlers = guarded(options.handlers);
  const network = networkId.slice(0, 16);
  const protocol = `/sharper/${network}/1`;
  const nodes = new Set(peers.map((peer) => peer.key));
  const links = new Map<PublicKey, Link[]>();
  const stopping = new AbortController();
  /** Of clients' connections. */
  const paces = new Map<Connection, Pace>();
  let partialBytes = 0;
  let clientLinks = 0;
  let pacer: NodeJS.Timeout | undefined;
  let node: Libp2p | undefined;
  let gossip: Gossip | undefined;

  /** Called when Noise has proved the peer's key, and before anything else is read from it. */
  function refuses(peer: PeerId): boolean {
    const key = publicKeyOf(peer);
    if (key === undefined || !admits(key)) {
      handlers.onRejected("unknown-sender", key);
      return true;
    }
    if (nodes.has(key) || clientLinks < limits.clientConnectionsMax) return false;
    handlers.onRejected("over-limit", key);
    return true;
  }

  const events = {
    onReady(link: Link): void {
      if (nodes.has(link.peer)) gossip?.introduce(link.connection);
      if (readyLinks(link.peer) === 1) handlers.onConnect(link.peer);
    },
    onEnded(link: Link): void {
      if (readyLinks(link.peer) === 0) handlers.onDisconnect(link.peer);
    },
    onRefused(link: Link): void {
      handlers.onRejected("wrong-network", link.peer);
    },
    onDropped(link: Link): void {
      handlers.onRejected("over-limit", link.peer);
    },
  };

  function isNode(peer: PeerId): boolean {
    const key = publicKeyOf(peer);
    return key !== undefined && nodes.has(key);
  }

  function readyLinks(peer: PublicKey): number {
    return links.get(peer)?.filter((link) => link.ready).length ?? 0;
  }

  function onOpen(connection: Connection): void {
    const peer = publicKeyOf(connection.remotePeer);
    if (peer === undefined) throw new Error("a peer without a key has passed the gate");
    const existing = links.get(peer) ?? [];
    const isClient = !nodes.has(peer);
    const queueBytesMax = isClient ? limits.clientQueueBytesMax : limits.peerQueueBytesMax;
    const link = new Link({ peer, connection, protocol, queueBytesMax, events });
    links.set(peer, [...existing, link]);
    if (isClient) {
      clientLinks++;
      paces.set(connection, new Pace(performance.now()));
    }
    // A node that comes back before we noticed its end is not to be answered on the old connection. A client's key may
    // be used by several processes at once, which all get every answer.
    const keep = isClient ? limits.connectionsPerClientMax : 1;
    for (const old of existing.slice(0, Math.max(0, existing.length + 1 - keep))) {
      // The newest wins, always: of two processes with one node's key the one that connected last is answered.
      if (!isClient) handlers.onRejected("replaced", peer);
      old.connection.abort(new Error("replaced by a newer connection"));
    }
    link.open();
  }

  function onClose(connection: Connection): void {
    const peer = publicKeyOf(connection.remotePeer);
    const existing = (peer && links.get(peer)) ?? [];
    const link = existing.find((candidate) => candidate.connection === connection);
    if (peer === undefined || link === undefined) return;
    link.close();
    onArrival(connection, { partial: 0, completed: false });
    if (paces.delete(connection)) clientLinks--;
    if (existing.length === 1) links.delete(peer);
    else
      links.set(
        peer,
        existing.filter((candidate) => candidate !== link),
      );
  }

  function onArrival(connection: Connection, arrival: Arrival): void {
    const pace = paces.get(connection);
    if (pace === undefined) return;
    partialBytes += arrival.partial - pace.partial;
    pace.heard(performance.now(), arrival);
    if (arrival.partial > 0 && partialBytes > limits.clientsPartialBytesMax) cut(connection, "over-limit");
  }

  function cut(connection: Connection, code: Rejection): void {
    handlers.onRejected(code, publicKeyOf(connection.remotePeer));
    connection.abort(new Error(code));
  }

  function cutTheSlow(): void {
    const now = performance.now();
    for (const link of [...links.values()].flat()) {
      const fault = paces.get(link.connection)?.fault(now, link.stalledSince);
      if (fault !== undefined) cut(link.connection, fault);
    }
  }

  async function dial(peer: TransportPeer): Promise<void> {
    const connection = await node?.dial(multiaddr(`${peer.address}/p2p/${peerIdOf(peer.key)}`));
    if (connection !== undefined) await ended(connection);
  }

  return {
    self,
    async start() {
      // Clients run no gossip and need not load it.
      if (listen !== undefined) {
        const { gossipOf } = await import("./gossip.js");
        gossip = gossipOf({ network, isNode: (key) => nodes.has(key), handlers });
      }
      const settings = configuration({ seed, self, listen, handshakeTimeoutMs, refuses, isNode });
      node = await (gossip === undefined
        ? createLibp2p(settings)
        : createLibp2p({ ...settings, services: gossip.services }));
      node.addEventListener("connection:open", ({ detail }) => onOpen(detail));
      node.addEventListener("connection:close", ({ detail }) => onClose(detail));
      await node.handle(
        protocol,
        (stream, connection) => {
          const from = publicKeyOf(connection.remotePeer);
          if (from === undefined) return;
          void receive(stream, from, handlers, {
            onArrival: (arrival) => onArrival(connection, arrival),
            // A node as well as a client: it comes back as it would after a restart, and no faster (backoff.ts).
            onFault: (code) => cut(connection, code),
          });
        },
        { maxInboundStreams: 1, maxOutboundStreams: 1, runOnLimitedConnection: false },
      );
      try {
        await node.start();
      } catch (error) {
        throw listenFailure(listen, error);
      }
      gossip?.start();
      pacer = setInterval(cutTheSlow, limits.paceEveryMs);
      for (const peer of peers) {
        const dials = listen === undefined || self < peer.key;
        if (dials && peer.key !== self) void keepAlive(() => dial(peer), stopping.signal);
      }
    },
    async stop() {
      stopping.abort();
      clearInterval(pacer);
      for (const link of [...links.values()].flat()) link.close();
      gossip?.stop();
      await node?.stop();
      links.clear();
    },
    send(to, messages) {
      const ways = links.get(to);
      if (ways === undefined) return false;
      let taken = true;
      for (const frame of encodeFrames(messages)) {
        taken = ways.filter((link) => link.send(frame)).length > 0 && taken;
      }
      return taken;
    },
    publish(topic, data) {
      gossip?.publish(topic, data);
    },
    connected() {
      return [...links.keys()].filter((peer) => readyLinks(peer) > 0);
    },
    addresses() {
      return node?.getMultiaddrs().map((address) => address.toString().replace(/\/p2p\/[^/]+$/, "")) ?? [];
    },
  };
}

const LISTEN_FAILURES = [
  ["EADDRINUSE", "the address is in use; stop its user or choose another port"],
  ["EADDRNOTAVAIL", "this machine has no such address; use one of its own, or /ip4/0.0.0.0 for all of them"],
  ["EACCES", "that is not permitted; choose a port from 1024 up"],
  ["UnsupportedListenAddressesError", "that is not a TCP address; write it like /ip4/127.0.0.1/tcp/7000"],
  ["InvalidMultiaddrError", "that is not a TCP address; write it like /ip4/127.0.0.1/tcp/7000"],
] as const;

/** libp2p tells what went wrong in its text only; what is not about the address is left as it is. */
function listenFailure(listen: string | undefined, error: unknown): unknown {
  const known = LISTEN_FAILURES.find(([sign]) => String(error).includes(sign));
  return known === undefined ? error : new CodedError("listen-failed", `cannot listen on ${listen}: ${known[1]}`);
}

/** All of libp2p's settings. What is not named here is not installed. */
function configuration(options: {
  readonly seed: Uint8Array;
  readonly self: PublicKey;
  readonly listen: string | undefined;
  readonly handshakeTimeoutMs: number;
  readonly refuses: (peer: PeerId) => boolean;
  readonly isNode: (peer: PeerId) => boolean;
}): Omit<Libp2pOptions, "services"> {
  const { seed, self, listen, handshakeTimeoutMs, refuses, isNode } = options;
  return {
    start: false,
    privateKey: privateKeyOf({ seed, key: self }),
    nodeInfo: { name: "sharper", version: "1", userAgent: "sharper" },
    logger: { forComponent: () => silence },
    addresses: { listen: listen === undefined ? [] : [listen] },
    transports: [
      tcp({
        maxConnections: limits.connectionsMax,
        backlog: limits.handshakesMax,
        dialOpts: { noDelay: true, keepAlive: true },
        listenOpts: { noDelay: true, keepAlive: true },
      }),
    ],
    connectionEncrypters: [noise()],
    streamMuxers: [
      yamux({
        maxInboundStreams: limits.streamsPerConnectionMax,
        maxOutboundStreams: limits.streamsPerConnectionMax,
        maxEarlyStreams: limits.streamsPerConnectionMax,
        streamOptions: {
          maxStreamWindowSize: limits.streamWindowBytesMax,
          maxReadBufferLength: limits.streamWindowBytesMax,
          maxWriteBufferLength: limits.peerQueueBytesMax,
        },
      }),
    ],
    connectionGater: {
      denyDialPeer: (peer) => !isNode(peer),
      // The first sight of every connection, and the place to prepare its socket.
      denyInboundConnection: prepared,
      denyOutboundConnection: (_peer, connection) => prepared(connection),
      denyInboundEncryptedConnection: refuses,
      denyOutboundEncryptedConnection: (peer) => !isNode(peer),
      // No address that a peer tells is ever dialled, so none is kept.
      filterMultiaddrForPeer: () => false,
    },
    connectionManager: {
      maxConnections: limits.connectionsMax,
      maxIncomingPendingConnections: limits.handshakesMax,
      inboundConnectionThreshold: limits.connectionsPerSecondMax,
      inboundUpgradeTimeout: handshakeTimeoutMs,
      inboundStreamProtocolNegotiationTimeout: limits.handshakeTimeoutMs,
      outboundStreamProtocolNegotiationTimeout: limits.dialTimeoutMs,
      dialTimeout: limits.dialTimeoutMs,
      addressDialTimeout: limits.dialTimeoutMs,
      maxDialQueueLength: limits.connectionsMax,
      maxParallelDials: limits.handshakesMax,
      maxPeerAddrsToDial: 1,
      reconnectRetries: 0, // we dial again ourselves, without an end
    },
    connectionMonitor: { enabled: false }, // Yamux keeps alive, and TCP finds the dead
  };
}

function prepared(connection: MultiaddrConnection): false {
  joinWritesOfTurn(connection);
  return false;
}

/** libp2p's own log lines are for its developers; what matters of them reaches the handlers. */
export const silence: Logger = Object.assign(() => undefined, {
  error: () => undefined,
  trace: () => undefined,
  enabled: false,
  newScope: () => silence,
});
