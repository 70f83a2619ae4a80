import { describe, expect, it } from "vitest";
import { type LoopbackNetwork, loopbackNetwork } from "../../src/net/loopback.js";
import type { Transport } from "../../src/net/transport.js";
import type { NetworkId } from "../../src/types/ids.js";
import { limits } from "../../src/types/limits.js";
import { bytesOf, NETWORK, OTHER_NETWORK, type Recorder, recorder, testKeys, textOf } from "./recorder.js";

const [a, b, c, client, stranger] = testKeys(5) as [TestKey, TestKey, TestKey, TestKey, TestKey];
type TestKey = ReturnType<typeof testKeys>[number];
const nodes = [a, b, c];
const admitted = new Set([...nodes, client].map(({ key }) => key));

interface Party {
  readonly transport: Transport;
  readonly log: Recorder;
}

async function join(network: LoopbackNetwork, who: TestKey, networkId: NetworkId = NETWORK): Promise<Party> {
  const log = recorder();
  const transport = network.transport({
    self: who.key,
    networkId,
    listen: nodes.includes(who) ? "/memory" : undefined,
    peers: nodes.filter((node) => node !== who).map(({ key }) => ({ key, address: "/memory" })),
    admits: (key) => admitted.has(key),
    handlers: log.handlers,
  });
  await transport.start();
  return { transport, log };
}

describe("the loopback network", () => {
  it("delivers in the order of sending, one frame at a time, and only when told to", async () => {
    const network = loopbackNetwork();
    const [first, second, third] = [await join(network, a), await join(network, b), await join(network, c)];
    expect(first.transport.send(c.key, [bytesOf("1"), bytesOf("2")])).toBe(true);
    expect(second.transport.send(c.key, [bytesOf("3")])).toBe(true);
    expect(first.transport.send(c.key, [bytesOf("4")])).toBe(true);
    expect(third.log.texts()).toEqual([]);
    expect(network.deliverOne()).toBe(true);
    expect(third.log.texts()).toEqual(["1", "2"]);
    expect(network.deliverAll()).toBe(2);
    expect(third.log.texts()).toEqual(["1", "2", "3", "4"]);
    expect(network.deliverOne()).toBe(false);
  });

  it("connects clients to nodes and not to each other, and tells both ends", async () => {
    const network = loopbackNetwork();
    const [node, user] = [await join(network, a), await join(network, client)];
    expect(node.transport.connected()).toEqual([client.key]);
    expect(user.transport.connected()).toEqual([a.key]);
    await user.transport.stop();
    await node.log.saw({ kind: "disconnect", peer: client.key });
    expect(node.transport.send(client.key, [bytesOf("late")])).toBe(false);
  });

  it("refuses a key that is not admitted", async () => {
    const network = loopbackNetwork();
    const node = await join(network, a);
    const outsider = await join(network, stranger);
    await node.log.saw({ kind: "rejected", code: "unknown-sender", peer: stranger.key });
    expect(outsider.transport.send(a.key, [bytesOf("hello")])).toBe(false);
  });

  it("keeps networks apart and counts the meeting at both ends", async () => {
    const network = loopbackNetwork();
    const [ours, theirs] = [await join(network, a), await join(network, b, OTHER_NETWORK)];
    await ours.log.saw({ kind: "rejected", code: "wrong-network", peer: b.key });
    await theirs.log.saw({ kind: "rejected", code: "wrong-network", peer: a.key });
    expect(ours.transport.connected()).toEqual([]);
  });

  it("refuses malformed and oversized bytes by name and goes on", async () => {
    const network = loopbackNetwork();
    const [node, peer] = [await join(network, a), await join(network, b)];
    network.inject({ from: b.key, to: a.key, bytes: Uint8Array.of(2, 0xff, 0xff) });
    network.inject({ from: b.key, to: a.key, bytes: Uint8Array.of(0x81, 0x80, 0x80, 0x02) });
    peer.transport.send(a.key, [bytesOf("fine")]);
    network.deliverAll();
    expect(node.log.codes()).toEqual(["malformed", "oversized"]);
    expect(node.log.texts()).toEqual(["fine"]);
  });

  it("drops and counts what a full queue cannot hold", async () => {
    const network = loopbackNetwork();
    const [node] = [await join(network, a), await join(network, b)];
    const large = new Uint8Array(limits.frameBytesMax - 5);
    const taken = Array.from({ length: 6 }, () => node.transport.send(b.key, [large]));
    expect(taken).toEqual([true, true, true, false, false, false]);
    expect(node.log.codes()).toEqual(["over-limit", "over-limit", "over-limit"]);
    network.deliverAll();
    expect(node.transport.send(b.key, [large])).toBe(true);
  });

  it("gossip reaches all nodes, names its author, and no client", async () => {
    const network = loopbackNetwork();
    const [first, second, third] = [await join(network, a), await join(network, b), await join(network, c)];
    const user = await join(network, client);
    first.transport.publish("heights", bytesOf("7"));
    user.transport.publish("heights", bytesOf("nonsense"));
    network.deliverAll();
    for (const { log } of [second, third]) {
      expect(log.happenings.filter(({ kind }) => kind === "gossip")).toEqual([
        { kind: "gossip", topic: "heights", peer: a.key, bytes: bytesOf("7") },
      ]);
    }
    expect(user.log.happenings.some(({ kind }) => kind === "gossip")).toBe(false);
    expect(() => first.transport.publish("weather", bytesOf("7"))).toThrow(RangeError);
    expect(() => first.transport.publish("views", new Uint8Array(limits.gossipBytesMax + 1))).toThrow(RangeError);
  });

  it("a handler that throws is told of and stops nothing", async () => {
    const network = loopbackNetwork();
    const log = recorder();
    const bad = network.transport({
      self: a.key,
      networkId: NETWORK,
      listen: "/memory",
      peers: [{ key: b.key, address: "/memory" }],
      admits: () => true,
      handlers: {
        ...log.handlers,
        onMessage(_from, message) {
          throw new Error(textOf(message));
        },
      },
    });
    await bad.start();
    const peer = await join(network, b);
    peer.transport.send(a.key, [bytesOf("one"), bytesOf("two")]);
    network.deliverAll();
    expect(log.happenings.filter(({ kind }) => kind === "error")).toHaveLength(2);
  });
});
