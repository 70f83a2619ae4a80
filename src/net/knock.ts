// Who is at home there? A node asks it of its own address before it starts: whoever proves the node's own key there is
// another process with its identity. It knocks as a stranger, with a key that is made for it and thrown away, so no
// connection of the one that runs gives way, and it leaves when Noise has shown it the other's key. What else may
// happen, nobody at home above all, is no answer.

import { noise } from "@chainsafe/libp2p-noise";
import { yamux } from "@chainsafe/libp2p-yamux";
import type { PeerId } from "@libp2p/interface";
import { tcp } from "@libp2p/tcp";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p, type Libp2pOptions } from "libp2p";
import { CodedError } from "../types/codes.js";
import { limits } from "../types/limits.js";
import { peerIdOf } from "./identity.js";
import { silence } from "./libp2p.js";
import type { TransportPeer } from "./transport.js";

export interface Patience {
  /** Until somebody takes the connection. */
  readonly connectMs: number;
  /** From then on, until the key is proven. */
  readonly proofMs: number;
}

const PATIENCE: Patience = { connectMs: limits.knockTimeoutMs, proofMs: limits.dialTimeoutMs };

/** Throws `duplicate-identity` when another process that has the node's key is there already. */
export async function knockAtHome({ id, key, address }: TransportPeer & { readonly id: string }): Promise<void> {
  if (!(await answersAs({ key, address }))) return;
  throw new CodedError(
    "duplicate-identity",
    `another process runs as ${id}: it answers at ${address} with the node's key. It goes on, and this one did not ` +
      "start and changed nothing; stop the other first, and start with the data folder that it used",
  );
}

/** Does somebody at this address prove that it has this key? Never rejects. */
export async function answersAs({ key, address }: TransportPeer, patience: Patience = PATIENCE): Promise<boolean> {
  const expected = peerIdOf(key);
  const over = new AbortController();
  const wait = (ms: number) => setTimeout(() => over.abort(), ms);
  let timer: NodeJS.Timeout | undefined;
  let isProven = false;
  const stranger = await createLibp2p(
    configuration(patience.connectMs + patience.proofMs, {
      onConnected() {
        clearTimeout(timer);
        timer = wait(patience.proofMs);
      },
      onProven(peer) {
        isProven = peer.equals(expected);
      },
    }),
  );
  timer = wait(patience.connectMs);
  try {
    await stranger.dial(multiaddr(`${address}/p2p/${expected}`), { signal: over.signal });
  } catch {
    // It ends so in any case: an answer is all that is wanted.
  }
  clearTimeout(timer);
  await stranger.stop();
  return isProven;
}

function configuration(
  dialTimeout: number,
  events: { readonly onConnected: () => void; readonly onProven: (peer: PeerId) => void },
): Omit<Libp2pOptions, "services"> {
  return {
    logger: { forComponent: () => silence },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()], // Noise names them, and refuses whoever has none in common
    connectionGater: {
      denyOutboundConnection() {
        events.onConnected();
        return false;
      },
      denyOutboundEncryptedConnection(peer) {
        events.onProven(peer);
        return true;
      },
      filterMultiaddrForPeer: () => false,
    },
    connectionManager: { dialTimeout, addressDialTimeout: dialTimeout, reconnectRetries: 0 },
    connectionMonitor: { enabled: false },
  };
}
