// Gossip for what is for everyone and needs no quorum: stable heights and view announcements. Only nodes take part.
// Every message is signed by its author and checked at every hop; what an author says is checked above. Peers learn
// from identify that the other side speaks gossip; nothing else that identify says is used.

import { type GossipSub, gossipsub, TopicValidatorResult } from "@chainsafe/libp2p-gossipsub";
import { type Identify, identify } from "@libp2p/identify";
import type { Connection } from "@libp2p/interface";
import type { ServiceFactoryMap } from "libp2p";
import type { PublicKey } from "../types/ids.js";
import { limits } from "../types/limits.js";
import { publicKeyOf } from "./identity.js";
import { GOSSIP_TOPICS, type TransportHandlers } from "./transport.js";

export interface Gossip {
  readonly services: ServiceFactoryMap<{ identify: Identify; gossip: GossipSub }>;
  /** Subscribes, once the node has started. */
  start(): void;
  /** Brings a node's connection into the mesh. */
  introduce(connection: Connection): void;
  publish(topic: string, data: Uint8Array): void;
  /** Before the node stops. */
  stop(): void;
}

export function gossipOf(options: {
  readonly network: string;
  readonly isNode: (key: PublicKey) => boolean;
  readonly handlers: Pick<Required<TransportHandlers>, "onGossip" | "onRejected">;
}): Gossip {
  const { network, isNode, handlers } = options;
  const topics = new Map<string, string>(GOSSIP_TOPICS.map((topic) => [`${network}/${topic}`, topic]));
  let pubsub: GossipSub | undefined;
  let identification: Identify | undefined;

  /** Authors are nodes; a client that is admitted to the network has no say here. */
  function judge(author: PublicKey | undefined, data: Uint8Array): TopicValidatorResult {
    if (author !== undefined && isNode(author) && data.length <= limits.gossipBytesMax)
      return TopicValidatorResult.Accept;
    handlers.onRejected(data.length > limits.gossipBytesMax ? "oversized" : "not-allowed", author);
    return TopicValidatorResult.Reject;
  }

  return {
    services: {
      identify: (components) => {
        identification = identify({
          protocolPrefix: `sharper/${network}`,
          timeout: limits.dialTimeoutMs,
          maxMessageSize: limits.gossipBytesMax,
          maxInboundStreams: 1,
          maxOutboundStreams: 1,
          maxObservedAddresses: 1,
          runOnConnectionOpen: false, // only between nodes of one network, which `introduce` knows
          runOnLimitedConnection: false,
        })(components);
        return identification;
      },
      gossip: (components) => {
        pubsub = gossipsub({
          globalSignaturePolicy: "StrictSign",
          allowedTopics: [...topics.keys()],
          emitSelf: false,
          fallbackToFloodsub: false,
          doPX: false,
          tagMeshPeers: false,
          allowPublishToZeroTopicPeers: true,
          // All nodes are connected to each other: one hop reaches everyone, a small mesh repairs what was lost.
          floodPublish: true,
          D: 3,
          Dlo: 2,
          Dhi: 6,
          Dscore: 2,
          Dout: 1,
          Dlazy: 2,
          heartbeatInterval: limits.gossipHeartbeatMs,
          maxInboundStreams: 1,
          maxOutboundStreams: 1,
          maxInboundDataLength: 16 * limits.gossipBytesMax,
          maxOutboundBufferSize: limits.gossipQueueBytesMax,
          decodeRpcLimits: {
            maxSubscriptions: GOSSIP_TOPICS.length,
            maxMessages: 256,
            maxIhaveMessageIDs: 256,
            maxIwantMessageIDs: 256,
            maxIdontwantMessageIDs: 256,
            maxControlMessages: 64,
            maxPeerInfos: 0,
          },
          runOnLimitedConnection: false,
          // Many nodes of one operator, or of a test, share an address: that is no sign of an attack here.
          scoreParams: { IPColocationFactorWeight: 0 },
        })(components);
        return pubsub;
      },
    },
    start() {
      pubsub?.addEventListener("message", ({ detail: message }) => {
        const topic = topics.get(message.topic);
        const author = message.type === "signed" ? publicKeyOf(message.from) : undefined;
        if (topic !== undefined && author !== undefined) handlers.onGossip(topic, author, message.data);
      });
      for (const topic of topics.keys()) {
        pubsub?.topicValidators.set(topic, (_relay, message) =>
          judge(message.type === "signed" ? publicKeyOf(message.from) : undefined, message.data),
        );
        pubsub?.subscribe(topic);
      }
    },
    introduce(connection) {
      // A failure leaves this pair out of the mesh, and others relay; the next connection tries again.
      identification?.identify(connection).catch(() => undefined);
    },
    publish(topic, data) {
      if (data.length > limits.gossipBytesMax)
        throw new RangeError(`${data.length} bytes, at most ${limits.gossipBytesMax}`);
      const name = `${network}/${topic}`;
      if (!topics.has(name)) throw new RangeError(`no topic ${topic}`);
      // Gossip is repeated by its authors, so what could not be sent now is not kept.
      pubsub?.publish(name, data).catch(() => undefined);
    },
    stop() {
      // The library leaves its next heartbeat behind, which would keep the process alive until it is due.
      const status: unknown = pubsub !== undefined && "status" in pubsub ? pubsub.status : undefined;
      if (status instanceof Object && "heartbeatTimeout" in status) {
        clearTimeout(status.heartbeatTimeout as NodeJS.Timeout);
      }
    },
  };
}
