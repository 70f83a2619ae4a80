// The knock at a node's own address: it finds the process that has the node's key, through a proxy too, and leaves it as
// it was; nobody at home, somebody else, silence and nonsense are no answer, and cost no more than the given time.

import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { LoopbackProxy } from "../../src/chaos/proxy.js";
import { answersAs } from "../../src/net/knock.js";
import { a, b, type Party, pair, running, start, stopAll } from "./party.js";
import { bytesOf } from "./recorder.js";

afterEach(stopAll);

const addressOf = (party: Party) => party.transport.addresses()[0] as string;

/** Who waits so long does not end within a test. */
const FOREVER_MS = 3_600_000;

/** Somebody else's server. */
async function listening(onSocket: (socket: Socket) => void): Promise<{ readonly address: string }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => sockets.delete(socket));
    onSocket(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  running.add({
    stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  });
  return { address: `/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}` };
}

describe("a knock", () => {
  it("finds who has the key, whose connections stay as they were", async () => {
    const [first, second] = await pair();
    expect(await answersAs({ key: a.key, address: addressOf(first) })).toBe(true);
    expect(await answersAs({ key: b.key, address: addressOf(second) })).toBe(true);
    first.transport.send(b.key, [bytesOf("still here")]);
    second.transport.send(a.key, [bytesOf("here too")]);
    await Promise.all([first.log.sawMessages(1), second.log.sawMessages(1)]);
    for (const { log } of [first, second]) {
      expect(log.happenings.filter(({ kind }) => kind === "connect" || kind === "disconnect")).toHaveLength(1);
      expect(log.codes()).toEqual(["unknown-sender"]);
    }
  });

  it("finds it behind a proxy, and nobody behind one that leads nowhere", async () => {
    const node = await start(a, []);
    const targetPort = Number(addressOf(node).split("/").at(-1));
    const proxy = new LoopbackProxy({ targetPort, isBlocked: () => false });
    const address = `/ip4/127.0.0.1/tcp/${await proxy.open()}`;
    running.add({ stop: () => proxy.close() });
    expect(await answersAs({ key: a.key, address })).toBe(true);
    await node.transport.stop();
    expect(await answersAs({ key: a.key, address })).toBe(false);
  });

  it("takes nobody else for the node", async () => {
    const other = await start(b, []);
    expect(await answersAs({ key: a.key, address: addressOf(other) })).toBe(false);
    const { address } = await listening((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    expect(await answersAs({ key: a.key, address })).toBe(false);
    expect(await answersAs({ key: a.key, address: "/not/an/address" })).toBe(false);
  });

  it("is over at once where nobody listens", async () => {
    const { address } = await listening(() => undefined);
    await stopAll();
    expect(await answersAs({ key: a.key, address }, { connectMs: FOREVER_MS, proofMs: FOREVER_MS })).toBe(false);
  });

  it("waits for who takes the connection and is silent, but not for ever, and leaves nothing open", async () => {
    const closed = Promise.withResolvers<void>();
    const { address } = await listening((socket) => socket.resume().once("close", () => closed.resolve()));
    expect(await answersAs({ key: a.key, address }, { connectMs: FOREVER_MS, proofMs: 100 })).toBe(false);
    await closed.promise;
  });
});
