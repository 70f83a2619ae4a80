// What nodes and clients know of the network: bytes go to a public key and come from a public key, already unframed and
// from an authenticated, admitted peer of the same network. What the bytes mean is not known here. libp2p.ts speaks
// over real sockets, loopback.ts inside one process; both pass the same framing and the same bounds.

import type { Rejection } from "../types/codes.js";
import type { NetworkId, PublicKey } from "../types/ids.js";

export interface Transport {
  readonly self: PublicKey;
  start(): Promise<void>;
  stop(): Promise<void>;
  /**
   * Queues messages for a peer, in order, and returns at once. False: not connected, or its queue is full (counted as
   * "over-limit"); then the messages are dropped, since every protocol above repeats what matters.
   */
  send(to: PublicKey, messages: readonly Uint8Array[]): boolean;
  /** Tells all nodes; `topic` is one of GOSSIP_TOPICS. Clients neither publish nor hear gossip. */
  publish(topic: string, data: Uint8Array): void;
  /** Peers that can be sent to. */
  connected(): readonly PublicKey[];
}

/** Called in the order of arrival. None should throw; what one throws goes to `onError` and nowhere else. */
export interface TransportHandlers {
  /** One message. The bytes are a view into a larger buffer: whoever keeps a few of them for long copies them. */
  onMessage(from: PublicKey, message: Uint8Array): void;
  onConnect?(peer: PublicKey): void;
  onDisconnect?(peer: PublicKey): void;
  /** `from` signed the data, whoever relayed it. */
  onGossip?(topic: string, from: PublicKey, data: Uint8Array): void;
  /** Something was refused or dropped: one call is one count. */
  onRejected?(code: Rejection, peer: PublicKey | undefined): void;
  onError?(error: unknown): void;
}

export interface TransportPeer {
  readonly key: PublicKey;
  /** A TCP multiaddr, for example /ip4/127.0.0.1/tcp/7000. */
  readonly address: string;
}

export interface TransportOptions {
  readonly networkId: NetworkId;
  /** A TCP multiaddr. Undefined: a client, which dials and is never dialled. */
  readonly listen?: string | undefined;
  /** The nodes to keep connected to. */
  readonly peers: readonly TransportPeer[];
  /** Whether this key is a node or enrolled client of the network. All others are refused before anything is parsed. */
  admits(key: PublicKey): boolean;
  readonly handlers: TransportHandlers;
}

export const GOSSIP_TOPICS = ["heights", "views", "evidence"] as const;

/** The handlers with every optional one filled in, and none that throws. */
export function guarded(handlers: TransportHandlers): Required<TransportHandlers> {
  const onError = (error: unknown): void => {
    try {
      handlers.onError?.(error);
    } catch {
      // The last resort has failed as well: there is nobody left to tell.
    }
  };
  const guard =
    <A extends readonly unknown[]>(call: ((...args: A) => void) | undefined) =>
    (...args: A): void => {
      try {
        call?.(...args);
      } catch (error) {
        onError(error);
      }
    };
  return {
    onMessage: guard((from, message) => handlers.onMessage(from, message)),
    onConnect: guard((peer) => handlers.onConnect?.(peer)),
    onDisconnect: guard((peer) => handlers.onDisconnect?.(peer)),
    onGossip: guard((topic, from, data) => handlers.onGossip?.(topic, from, data)),
    onRejected: guard((code, peer) => handlers.onRejected?.(code, peer)),
    onError,
  };
}
