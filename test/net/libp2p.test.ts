import type { Connection, Stream } from "@libp2p/interface";
import { createLibp2p } from "libp2p";
import { afterEach, describe, expect, it, vi } from "vitest";
import { backoffMs } from "../../src/net/backoff.js";
import { peerIdOf, publicKeyOf } from "../../src/net/identity.js";
import { type Libp2pTransportOptions, libp2pTransport } from "../../src/net/libp2p.js";
import { ended } from "../../src/net/link.js";
import { limits } from "../../src/types/limits.js";
import {
  a,
  addressOf,
  b,
  c,
  client,
  frameOf,
  type Party,
  PROTOCOL,
  pair,
  rawPeer,
  rawSettings,
  rawStream,
  running,
  start,
  stopAll,
  stranger,
} from "./party.js";
import { bytesOf, NETWORK, OTHER_NETWORK, recorder, type TestKey, textOf } from "./recorder.js";

afterEach(stopAll);

/** The length of a frame of 4 MiB and a byte, and the first bytes of it. */
const OVERSIZED = Uint8Array.of(0x81, 0x80, 0x80, 0x02, 1, 2, 3);

describe("messages between nodes", () => {
  it("arrive in order, both ways, over one connection of the pair", async () => {
    const [first, second] = await pair();
    const texts = Array.from({ length: 3000 }, (_, at) => `message ${at}`);
    for (const text of texts) first.transport.send(b.key, [bytesOf(text)]);
    second.transport.send(a.key, texts.map(bytesOf));
    await Promise.all([first.log.sawMessages(texts.length), second.log.sawMessages(texts.length)]);
    expect(first.log.texts()).toEqual(texts);
    expect(second.log.texts()).toEqual(texts);
    expect(first.transport.connected()).toEqual([b.key]);
    expect(second.transport.connected()).toEqual([a.key]);
    for (const { log } of [first, second]) {
      expect(log.happenings.filter(({ kind }) => kind === "connect" || kind === "disconnect")).toHaveLength(1);
      expect(log.codes()).toEqual([]);
    }
  });

  it("may be as large as a frame", async () => {
    const [first, second] = await pair();
    const large = Uint8Array.from({ length: limits.frameBytesMax - 5 }, (_, at) => at % 251);
    expect(first.transport.send(b.key, [large, bytesOf("after")])).toBe(true);
    await second.log.sawMessages(2);
    const [received, after] = second.log.messages() as [Uint8Array, Uint8Array];
    expect(Buffer.compare(received, large)).toBe(0);
    expect(textOf(after)).toBe("after");
  });

  it("are refused, not kept, for a peer that is not connected", async () => {
    const alone = await start(a, []);
    expect(alone.transport.send(b.key, [bytesOf("nobody")])).toBe(false);
    expect(alone.transport.connected()).toEqual([]);
  });

  it("flow again when the peer has restarted", async () => {
    const [first, second] = await pair();
    const listen = second.transport.addresses()[0];
    await second.transport.stop();
    await first.log.saw({ kind: "disconnect", peer: b.key });
    first.log.happenings.length = 0;
    const again = await start(b, [], { listen });
    await first.log.saw({ kind: "connect", peer: b.key });
    first.transport.send(b.key, [bytesOf("welcome back")]);
    await again.log.sawMessages(1);
    expect(again.log.texts()).toEqual(["welcome back"]);
  });

  it("go to the newest connection of a node that came back before its end was noticed", async () => {
    const node = await start(a, []);
    const stale = await rawPeer(b);
    await stale.dial(addressOf(node));
    await node.log.saw({ kind: "connect", peer: b.key });
    const received = Promise.withResolvers<void>();
    const fresh = await rawPeer(b, (stream) => stream.addEventListener("message", () => received.resolve()));
    const staleEnded = Promise.all(stale.getConnections().map(ended));
    await fresh.dial(addressOf(node));
    await staleEnded;
    await node.log.saw({ kind: "disconnect", peer: b.key });
    expect(node.transport.send(b.key, [bytesOf("to the new one")])).toBe(true);
    await received.promise;
  });

  it("a handler that throws is told of and stops nothing", async () => {
    const second = await start(b, []);
    const log = recorder();
    const onMessage = (_from: unknown, message: Uint8Array): void => {
      if (textOf(message) === "bad") throw new Error("a bug");
      log.handlers.onMessage(b.key, message);
    };
    const first = await start(a, [second], { handlers: { ...log.handlers, onMessage } });
    await second.log.saw({ kind: "connect", peer: a.key });
    second.transport.send(first.key, [bytesOf("bad"), bytesOf("good")]);
    await log.sawMessages(1);
    expect(log.happenings.filter(({ kind }) => kind === "error")).toHaveLength(1);
  });
});

describe("clients", () => {
  it("are answered on the connection they made, even at once", async () => {
    const log = recorder();
    const node: Party = await start(a, [], {
      handlers: {
        ...log.handlers,
        onMessage: (from, message) => node.transport.send(from, [bytesOf(`echo ${textOf(message)}`)]),
      },
    });
    const user = await start(client, [node]);
    await user.log.saw({ kind: "connect", peer: a.key });
    user.transport.send(a.key, [bytesOf("hello")]);
    await user.log.sawMessages(1);
    expect(user.log.texts()).toEqual(["echo hello"]);
    expect(user.transport.addresses()).toEqual([]);
  });

  it("may share a key between processes, which all get the answers", async () => {
    const node = await start(a, []);
    const first = await start(client, [node]);
    const second = await start(client, [node]);
    for (const user of [first, second]) {
      await user.log.saw({ kind: "connect", peer: a.key });
      user.transport.send(a.key, [bytesOf("here")]);
    }
    await node.log.sawMessages(2);
    node.transport.send(client.key, [bytesOf("to both")]);
    await Promise.all([first.log.sawMessages(1), second.log.sawMessages(1)]);
  });

  it("that share a key beyond the bound push out the oldest of them", async () => {
    const node = await start(a, []);
    const raw = await Promise.all(Array.from({ length: limits.connectionsPerClientMax + 1 }, () => rawPeer(client)));
    const connections = [];
    for (const each of raw) connections.push(await each.dial(addressOf(node)));
    await ended(connections[0] as Connection);
    expect(connections.map(({ status }) => status).slice(1)).toEqual(raw.slice(1).map(() => "open"));
  });
});

describe("the door", () => {
  it("refuses a key that is not admitted before a stream can be opened", async () => {
    const node = await start(a, []);
    const raw = await rawPeer(stranger);
    await expect(rawStream(raw, node)).rejects.toThrow();
    await node.log.saw({ kind: "rejected", code: "unknown-sender", peer: stranger.key });
    expect(node.log.messages()).toEqual([]);
    expect(node.transport.connected()).toEqual([]);
  });

  it("dials only the key it was told, whoever answers at the address", async () => {
    let knocks = 0;
    const again = Promise.withResolvers<void>();
    const impostor = await createLibp2p({
      ...rawSettings(c),
      connectionGater: {
        denyInboundConnection() {
          knocks++;
          if (knocks === 3) again.resolve();
          return false;
        },
      },
    });
    running.add(impostor);
    const address = impostor.getMultiaddrs()[0]?.toString().split("/p2p/")[0] as string;
    const node = await start(a, [], { peers: [{ key: b.key, address }] });
    await again.promise;
    expect(impostor.getConnections()).toEqual([]);
    expect(node.transport.connected()).toEqual([]);
    expect(node.transport.send(b.key, [bytesOf("secret")])).toBe(false);
  });

  it("keeps another network out and counts it at both ends, with equal keys and addresses", async () => {
    const theirs = await start(b, [], { networkId: OTHER_NETWORK });
    const ours = await start(a, [theirs]);
    await ours.log.saw({ kind: "rejected", code: "wrong-network", peer: b.key });
    await theirs.log.saw({ kind: "rejected", code: "wrong-network", peer: a.key });
    expect(ours.transport.connected()).toEqual([]);
    expect(ours.transport.send(b.key, [bytesOf("hello")])).toBe(false);
  });

  describe.each([
    ["a node", b],
    ["a client", client],
  ])("%s that sends", (_who, peer) => {
    it.each([
      ["an oversized frame", "oversized", OVERSIZED],
      ["a length without end", "oversized", new Uint8Array(64).fill(0xff)],
      ["an unknown field", "malformed", Uint8Array.of(2, 0x12, 0x00)],
      ["a frame without messages", "malformed", Uint8Array.of(0, 0)],
    ])("%s is cut, others are not, and it may come again", async (_what, code, bytes) => {
      const node = await start(a, []);
      const other = await start(peer === b ? client : b, [node], { listen: undefined });
      await other.log.saw({ kind: "connect", peer: a.key });
      const raw = await rawPeer(peer);
      const stream = await rawStream(raw, node);
      const [connection] = raw.getConnections() as [Connection];
      await node.log.saw({ kind: "connect", peer: peer.key });
      stream.send(frameOf("before"));
      stream.send(bytes);
      stream.send(frameOf("never read"));
      await node.log.saw({ kind: "rejected", code, peer: peer.key });
      await ended(connection);
      await node.log.saw({ kind: "disconnect", peer: peer.key });
      const next = await rawStream(raw, node);
      next.send(frameOf("after"));
      other.transport.send(a.key, [bytesOf("elsewhere")]);
      await node.log.sawMessages(3);
      expect([...node.log.texts()].sort()).toEqual(["after", "before", "elsewhere"]);
      expect(node.log.codes()).toEqual([code]);
      expect(other.log.happenings.filter(({ kind }) => kind === "disconnect")).toEqual([]);
    });
  });

  it("a node that is dialled and does it each time is dialled again, ever less often", async () => {
    const times: number[] = [];
    const often = Promise.withResolvers<void>();
    const raw = await rawPeer(b);
    raw.addEventListener("connection:open", ({ detail: connection }) => {
      times.push(performance.now());
      if (times.length === 6) often.resolve();
      // It may be cut before that is done, since it opens another stream by itself.
      void connection.newStream(PROTOCOL).then(
        (stream) => stream.send(OVERSIZED),
        () => undefined,
      );
    });
    const address = raw.getMultiaddrs()[0]?.toString().split("/p2p/")[0] as string;
    const node = await start(a, [], { peers: [{ key: b.key, address }] });
    await often.promise;
    const least = [0, 1, 2, 3, 4].reduce((sum, attempt) => sum + backoffMs(attempt, 0), 0);
    expect((times.at(-1) as number) - (times[0] as number)).toBeGreaterThan(least);
    expect(new Set(node.log.codes())).toEqual(new Set(["oversized"]));
  });

  it("takes one stream of a peer at a time", async () => {
    const node = await start(a, []);
    const raw = await rawPeer(b);
    const first = await rawStream(raw, node);
    first.send(frameOf("first"));
    await node.log.sawMessages(1);
    const second = await rawStream(raw, node);
    await ended(second);
    first.send(frameOf("still here"));
    await node.log.sawMessages(2);
  });

  it("a peer that does not read costs a bounded queue, and what is dropped is counted", async () => {
    const node = await start(a, []);
    const opened = Promise.withResolvers<Stream>();
    const raw = await rawPeer(b, (stream) => {
      stream.pause();
      opened.resolve(stream);
    });
    await raw.dial(addressOf(node));
    const stream = await opened.promise;
    const message = new Uint8Array(1 << 16);
    let taken = 0;
    while (node.transport.send(b.key, [message])) taken++;
    expect(taken * message.length).toBeLessThan(limits.peerQueueBytesMax + (1 << 20));
    expect(taken * message.length).toBeGreaterThan(limits.peerQueueBytesMax / 2);
    expect(node.log.codes()).toEqual(["over-limit"]);
    let bytes = 0;
    const drained = new Promise<void>((resolve) => {
      stream.addEventListener("message", ({ data }) => {
        bytes += data.byteLength;
        if (bytes >= taken * message.length) resolve();
      });
    });
    stream.resume();
    await drained;
    expect(node.transport.send(b.key, [message])).toBe(true);
  });
});

describe("starting and stopping", () => {
  it("an address that is taken is an error that says so", async () => {
    const node = await start(a, []);
    const again = libp2pTransport({ ...bare(b), listen: node.transport.addresses()[0] });
    await expect(again.start()).rejects.toMatchObject({ code: "listen-failed" });
  });

  it("stop ends all connections within a second and leaves no socket open", async () => {
    const [first, second] = await pair();
    const user = await start(client, [first, second]);
    await user.log.saw({ kind: "connect", peer: a.key });
    first.transport.send(b.key, Array(100).fill(new Uint8Array(10_000)));
    const startedAt = performance.now();
    await Promise.all([first, second, user].map(({ transport }) => transport.stop()));
    expect(performance.now() - startedAt).toBeLessThan(1000);
    await vi.waitFor(() => expect(sockets()).toEqual([]));
    expect(first.transport.connected()).toEqual([]);
    expect(first.transport.send(b.key, [bytesOf("late")])).toBe(false);
  });

  it("a peer id is the key and nothing but the key", () => {
    expect(publicKeyOf(peerIdOf(a.key))).toBe(a.key);
    expect(libp2pTransport(bare(a)).self).toBe(a.key);
  });
});

function bare({ seed }: TestKey): Libp2pTransportOptions {
  return { networkId: NETWORK, seed, peers: [], admits: () => true, handlers: recorder().handlers };
}

function sockets(): readonly string[] {
  return process.getActiveResourcesInfo().filter((resource) => resource.startsWith("TCP"));
}
