// The cast of the tests over real sockets on 127.0.0.1: transports that know each other's addresses, and raw peers that
// have a key of the network and follow none of its rules. Keys ascend, and of two nodes the earlier dials the later, so
// the later starts first. Every test file stops its cast after each test.

import { noise } from "@chainsafe/libp2p-noise";
import { yamux } from "@chainsafe/libp2p-yamux";
import type { Stream } from "@libp2p/interface";
import { tcp } from "@libp2p/tcp";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p, type Libp2p, type Libp2pOptions } from "libp2p";
import { peerIdOf, privateKeyOf } from "../../src/net/identity.js";
import { type Libp2pTransport, type Libp2pTransportOptions, libp2pTransport } from "../../src/net/libp2p.js";
import { bytesOf, NETWORK, type Recorder, recorder, type TestKey, testKeys } from "./recorder.js";

export const [a, b, c, client, stranger] = testKeys(5) as [TestKey, TestKey, TestKey, TestKey, TestKey];
const nodes = [a, b, c];
const admitted = new Set([a, b, c, client].map(({ key }) => key));
export const ANY_PORT = "/ip4/127.0.0.1/tcp/0";
export const PROTOCOL = `/sharper/${NETWORK.slice(0, 16)}/1`;

export interface Party {
  readonly key: TestKey["key"];
  readonly transport: Libp2pTransport;
  readonly log: Recorder;
}

export const running = new Set<{ stop(): Promise<void> | void }>();

export async function stopAll(): Promise<void> {
  await Promise.all([...running].map((each) => each.stop()));
  running.clear();
}

/** Starts a transport that knows the addresses of those that run already. */
export async function start(
  who: TestKey,
  known: readonly Party[],
  options: Partial<Libp2pTransportOptions> = {},
): Promise<Party> {
  const log = recorder();
  const transport = libp2pTransport({
    networkId: NETWORK,
    seed: who.seed,
    listen: who === client || who === stranger ? undefined : ANY_PORT,
    peers: nodes
      .filter((node) => node !== who)
      .map(({ key }) => ({
        key,
        address: known.find((party) => party.key === key)?.transport.addresses()[0] ?? ANY_PORT,
      })),
    admits: (key) => admitted.has(key),
    handlers: log.handlers,
    ...options,
  });
  await transport.start();
  running.add(transport);
  return { key: who.key, transport, log };
}

export async function pair(): Promise<readonly [Party, Party]> {
  const second = await start(b, []);
  const first = await start(a, [second]);
  await Promise.all([
    first.log.saw({ kind: "connect", peer: b.key }),
    second.log.saw({ kind: "connect", peer: a.key }),
  ]);
  return [first, second];
}

/** A peer with a key of the network that follows none of its rules. */
export async function rawPeer(who: TestKey, onStream: (stream: Stream) => void = () => undefined): Promise<Libp2p> {
  const raw = await createLibp2p(rawSettings(who));
  running.add(raw);
  await raw.handle(PROTOCOL, onStream);
  return raw;
}

export function rawSettings(who: TestKey): Omit<Libp2pOptions, "services"> {
  return {
    privateKey: privateKeyOf(who),
    addresses: { listen: [ANY_PORT] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
  };
}

export function addressOf(party: Party): ReturnType<typeof multiaddr> {
  return multiaddr(`${party.transport.addresses()[0]}/p2p/${peerIdOf(party.key)}`);
}

export async function rawStream(raw: Libp2p, to: Party): Promise<Stream> {
  return raw.dialProtocol(addressOf(to), PROTOCOL);
}

/** The bytes of a frame that holds one short message. */
export function frameOf(text: string): Uint8Array {
  return Uint8Array.of(text.length + 2, 0x0a, text.length, ...bytesOf(text));
}
