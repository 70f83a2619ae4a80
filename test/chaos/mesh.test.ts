// The proxies between processes: bytes pass both ways; a blocked direction keeps them back and the other does not; what
// was kept back arrives, in order, when the cut heals; a reset ends connections; and nobody connects through a cut.

import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Cut, Mesh, withPorts } from "../../src/chaos/mesh.js";

let mesh: Mesh;
let server: Server;
let accepted: Promise<Socket>;
const sockets: Socket[] = [];

beforeEach(async () => {
  server = createServer();
  accepted = once(server, "connection").then(([socket]: Socket[]) => {
    return watched(socket as Socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  mesh = await Mesh.open([
    { id: "a", port: 1 },
    { id: "b", port: (server.address() as { port: number }).port },
  ]);
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await mesh.close();
  server.close();
});

function dial(): Socket {
  return watched(connect({ port: mesh.portsFrom("a").get("b") as number, host: "127.0.0.1" }));
}

function watched(socket: Socket): Socket {
  socket.on("error", () => undefined);
  sockets.push(socket);
  return socket;
}

/** Whatever it closes by. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

/** The next bytes, as soon as so many are there. */
async function read(socket: Socket, count: number): Promise<string> {
  let text = "";
  while (text.length < count) text += String((await once(socket, "data"))[0]);
  return text;
}

const oneWay = (sender: string, receiver: string): Cut => ({
  blocks: (from, to) => from === sender && to === receiver,
  reset: false,
});

describe("a way through the mesh", () => {
  test("carries bytes in both directions", async () => {
    const dialer = dial();
    dialer.write("there");
    const target = await accepted;
    expect(await read(target, 5)).toBe("there");
    target.write("back");
    expect(await read(dialer, 4)).toBe("back");
  });

  test("that is cut in one direction still carries the other, and loses nothing", async () => {
    const dialer = dial();
    const target = await accepted;
    const heard: string[] = [];
    target.on("data", (bytes: Buffer) => heard.push(String(bytes)));
    const heal = mesh.cut(oneWay("a", "b"));
    dialer.write("late");
    for (const word of ["one", "two", "three"]) {
      target.write(word);
      expect(await read(dialer, word.length)).toBe(word);
    }
    expect(heard).toEqual([]);
    heal();
    await once(target, "data");
    expect(heard).toEqual(["late"]);
  });

  test("that is cut hides that its other end is gone, until it heals", async () => {
    const dialer = dial();
    const target = await accepted;
    const heal = mesh.cut(oneWay("a", "b"));
    let isClosed = false;
    target.on("close", () => {
      isClosed = true;
    });
    target.resume();
    dialer.destroy();
    // The way back still works, and by the time its answer would be there nothing has been told.
    target.write("anyone?");
    await closed(dialer);
    expect(isClosed).toBe(false);
    heal();
    await closed(target);
  });

  test("lets nobody connect while either direction is cut", async () => {
    const heal = mesh.cut(oneWay("b", "a"));
    let isAccepted = false;
    void accepted.then(() => {
      isAccepted = true;
    });
    const dialer = dial();
    await once(dialer, "connect"); // to the proxy
    dialer.write("hello");
    await new Promise<void>((resolve) => dialer.write("", () => resolve()));
    expect(isAccepted).toBe(false);
    heal();
    expect(await read(await accepted, 5)).toBe("hello");
  });

  test("that is reset ends its connections at once", async () => {
    const dialer = dial();
    const target = await accepted;
    const ends = Promise.all([closed(dialer), closed(target.resume())]);
    mesh.cut({ blocks: (from, to) => from === "b" && to === "a", reset: true });
    await ends;
  });

  test("stays cut until the last cut heals", async () => {
    const dialer = dial();
    const target = await accepted;
    const heals = [mesh.cut(oneWay("a", "b")), mesh.cut(oneWay("a", "b"))];
    dialer.write("late");
    heals[0]?.();
    target.write("ping");
    expect(await read(dialer, 4)).toBe("ping");
    expect(target.bytesRead).toBe(0);
    heals[1]?.();
    expect(await read(target, 4)).toBe("late");
  });
});

test("a topology's ports are exchanged, each for its own and none twice", () => {
  const text = "a: /ip4/127.0.0.1/tcp/7000\nb: /ip4/127.0.0.1/tcp/70001\nc: /dns4/x/tcp/7001";
  const ports = new Map([
    [7000, 7001],
    [7001, 7002],
  ]);
  expect(withPorts(text, ports)).toBe("a: /ip4/127.0.0.1/tcp/7001\nb: /ip4/127.0.0.1/tcp/70001\nc: /dns4/x/tcp/7002");
});
