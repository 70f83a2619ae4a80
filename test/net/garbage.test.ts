// What comes to a node's port before anybody has proven a key (fault F30): bytes that are no handshake, handshakes that
// break off, lengths that lie, silence, and connections that are reset at once. Each socket is closed, nothing is left
// behind or thrown, and honest clients are answered meanwhile and afterwards.

import { readdirSync, readlinkSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Draw } from "../../src/sim/draw.js";
import { a, client, type Party, start, stopAll } from "./party.js";
import { bytesOf, recorder, textOf } from "./recorder.js";

const SEED = 7;
const STORM = 3000;
const AT_ONCE = 50;
const HANDSHAKE_MS = 300;

const thrown: unknown[] = [];
const onThrown = (error: unknown): void => void thrown.push(error);

beforeEach(() => {
  thrown.length = 0;
  process.on("unhandledRejection", onThrown).on("uncaughtExceptionMonitor", onThrown);
});

afterEach(async () => {
  process.off("unhandledRejection", onThrown).off("uncaughtExceptionMonitor", onThrown);
  await stopAll();
});

/** A node that answers, soon tired of who does not prove a key. */
async function answering(): Promise<Party> {
  const log = recorder();
  const node: Party = await start(a, [], {
    handshakeTimeoutMs: HANDSHAKE_MS,
    handlers: {
      ...log.handlers,
      onMessage: (from, message) => node.transport.send(from, [bytesOf(`echo ${textOf(message)}`)]),
    },
  });
  return { ...node, log };
}

async function isAnswered(user: Party, text: string): Promise<void> {
  await user.log.saw({ kind: "connect", peer: a.key });
  const before = user.log.texts().length;
  user.transport.send(a.key, [bytesOf(text)]);
  await user.log.sawMessages(before + 1);
  expect(user.log.texts().at(-1)).toBe(`echo ${text}`);
}

/** A connection from one of many addresses, as a node counts connections by address. */
function open(node: Party, number: number): Socket {
  const port = Number(node.transport.addresses()[0]?.split("/").at(-1));
  const localAddress = `127.0.1.${1 + (number % 250)}`;
  const socket = connect({ port, host: "127.0.0.1", localAddress });
  socket.on("error", () => undefined);
  return socket.resume();
}

/** Resolves when it is closed, in whatever way. */
function closing(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

function openSockets(): number {
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith("socket:");
    } catch {
      return false; // the descriptor that lists them
    }
  }).length;
}

const draw = new Draw(SEED, "garbage");
const noise = (length: number): Uint8Array => Uint8Array.from({ length }, () => draw.below(256));
/** A line of multistream-select: its length, itself, its end. */
const line = (text: string): Uint8Array => Uint8Array.of(text.length + 1, ...bytesOf(`${text}\n`));
const chosen = Buffer.concat([line("/multistream/1.0.0"), line("/noise")]);
/** As Noise frames its messages: two bytes of length. */
const framed = (length: number, bytes: Uint8Array): Uint8Array =>
  Buffer.concat([Uint8Array.of(length >> 8, length & 255), bytes]);

const GARBAGE: readonly (readonly [string, readonly Uint8Array[]])[] = [
  ["nothing", []],
  ["a byte", [Uint8Array.of(0x13)]],
  ["zeroes", [new Uint8Array(100)]],
  ["noise of many lengths", [1, 7, 20, 64, 1000, 70_000].map(noise)],
  ["a web request", [bytesOf("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")]],
  ["a length beyond the bound", [Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f)]],
  ["a length without end", [new Uint8Array(100).fill(0xff)]],
  ["a line without an end", [Uint8Array.of(5), bytesOf("/mult")]],
  ["a wrong protocol of the first kind", [line("/multistream/9.9.9")]],
  ["many protocols that nobody speaks", [line("/multistream/1.0.0"), ...Array(1000).fill(line("/tls/1.0.0"))]],
  ["a choice and then nothing", [chosen]],
  ["half a length", [chosen, Uint8Array.of(0)]],
  ["an empty first message", [chosen, framed(0, new Uint8Array(0))]],
  ["a first message that is too short", [chosen, framed(31, noise(31))]],
  ["half a first message", [chosen, framed(32, noise(16))]],
  ["a first message and nothing more", [chosen, framed(32, noise(32))]],
  ["a key of zeroes", [chosen, framed(32, new Uint8Array(32))]],
  ["the largest first message, of noise", [chosen, framed(65_535, noise(65_535))]],
  ["the largest length and a byte", [chosen, framed(65_535, noise(1))]],
  ["a first message and noise for the last", [chosen, framed(32, noise(32)), framed(200, noise(200))]],
  ["a megabyte after the first message", [chosen, framed(32, noise(32)), noise(1 << 20)]],
];

describe("before a key is proven", () => {
  it.each(GARBAGE)("%s: the connection is closed in time", async (_name, pieces) => {
    const node = await answering();
    const socket = open(node, 0);
    const closed = closing(socket);
    for (const piece of pieces) socket.write(piece);
    await closed;
    await isAnswered(await start(client, [node]), "afterwards");
    expect(node.log.happenings.filter(({ kind }) => kind === "error")).toEqual([]);
    expect(thrown, `seed ${SEED}`).toEqual([]);
  });

  it("a stranger that is slow has no more time than one that is silent", async () => {
    const node = await answering();
    const socket = open(node, 0);
    const crumbs = [...chosen].map((byte) => Uint8Array.of(byte));
    // Each crumb after the one before it has left; the last is never sent.
    const timer = setInterval(() => crumbs.length > 1 && socket.write(crumbs.shift() as Uint8Array), HANDSHAKE_MS / 10);
    await closing(socket);
    clearInterval(timer);
    expect(crumbs.length).toBeGreaterThan(1);
  });

  it(`${STORM} strangers with garbage, half of whom reset at once, cost nothing that lasts`, async () => {
    const node = await answering();
    const user = await start(client, [node]);
    await isAnswered(user, "before");
    const before = openSockets();
    let number = 0;
    const stranger = async (): Promise<void> => {
      while (number < STORM) {
        const socket = open(node, number++);
        const closed = closing(socket);
        if (number % 4 === 0) socket.resetAndDestroy();
        else if (number % 4 === 1) socket.once("connect", () => socket.resetAndDestroy());
        else for (const piece of draw.pick(GARBAGE)[1]) if (piece.length < 1000) socket.write(piece);
        if (number % 4 === 2) socket.once("connect", () => setImmediate(() => socket.resetAndDestroy()));
        await closed;
        if (number % 500 === 0) await isAnswered(user, `after ${number}`);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, stranger));
    await isAnswered(user, "after the storm");
    const newcomer = await start(client, [node]);
    await isAnswered(newcomer, "a newcomer");
    await newcomer.transport.stop();
    await expect.poll(openSockets, { timeout: 30_000 }).toBe(before);
    expect(user.log.happenings.filter(({ kind }) => kind === "disconnect")).toEqual([]);
    expect(node.log.happenings.filter(({ kind }) => kind === "error")).toEqual([]);
    expect(thrown, `seed ${SEED}`).toEqual([]);
  });
});
