// The entrance beside a data folder: its file is the owner's alone, a question is answered when it is its turn, and who
// does not keep to the rules is let go, while the next one is served.

import { once } from "node:events";
import { lstatSync, statSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { localSource } from "../../src/backup/local-source.js";
import { Members } from "../../src/cluster/members.js";
import { ed25519Verifier } from "../../src/crypto/signature.js";
import { encodeFrames } from "../../src/net/frame.js";
import type { Archive, ArchiveQuestion } from "../../src/node/archive.js";
import { LocalEntrance, localEntrancePath } from "../../src/node/local-entrance.js";
import { bodyOf } from "../../src/node/wire.js";
import { carriage, type Message } from "../../src/types/message.js";
import { envelopeSchema } from "../../src/types/schema.js";
import { byzantine, topology } from "../client/world.js";

const context = { topology, members: new Members(topology), verifier: ed25519Verifier };
const self = { cluster: byzantine, node: 2 };
const QUESTION: ArchiveQuestion = { kind: "fetch-records", from: 1, to: 9, blocks: true, downwards: false };
const NO_BYTES = new Uint8Array(0);

let folder: string;
let dataPath: string;
let entrance: LocalEntrance | undefined;
let unavailable: string[];
const asked: ArchiveQuestion[] = [];
/** Answers with no records, from where it was asked. */
const archive = {
  answer: (question: ArchiveQuestion) => {
    asked.push(question);
    return { kind: "records", from: question.kind === "fetch-records" ? question.from : 0, items: [] };
  },
} as unknown as Archive;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sharper-entrance-"));
  dataPath = join(folder, "data");
  unavailable = [];
  asked.length = 0;
});

afterEach(async () => {
  await entrance?.close();
  entrance = undefined;
  await rm(folder, { recursive: true });
});

function open(onQuestion: () => void = () => entrance?.answer(archive, 0), path = dataPath): LocalEntrance {
  const onUnavailable = (reason: string) => void unavailable.push(reason);
  entrance = new LocalEntrance({ ...context, self, dataPath: path, onQuestion, onUnavailable });
  return entrance;
}

function envelopeOf(message: Message): Uint8Array {
  const { number: kind } = carriage[message.kind];
  return envelopeSchema.encode({ kind, body: bodyOf(message), signature: NO_BYTES, block: NO_BYTES });
}

/** A connection that has heard who the node is. */
async function asker(): Promise<Socket> {
  const socket = connect(localEntrancePath(dataPath));
  await once(socket, "data");
  return socket;
}

function say(socket: Socket, ...messages: readonly Uint8Array[]): void {
  for (const frame of encodeFrames(messages)) socket.write(frame.subarray());
}

/** As a process that was killed leaves it. */
async function leaveSocket(path: string): Promise<void> {
  const server = createServer();
  server.listen(`${path}.bound`);
  await once(server, "listening");
  await rename(`${path}.bound`, path);
  server.close();
  await once(server, "close");
}

test("only the owner of the folder may open it, and it goes when the node ends", async () => {
  await leaveSocket(`${dataPath}.socket`);
  open();
  const path = localEntrancePath(dataPath);
  await (await asker()).destroy();
  expect(statSync(path).mode & 0o777).toBe(0o600);
  await entrance?.close();
  expect(() => statSync(path)).toThrow();
});

test("says whose node it is and answers in turn", async () => {
  open();
  const source = await localSource(dataPath, context);
  expect(source).toMatchObject({ self, networkId: topology.networkId });
  expect(await source?.ask(QUESTION)).toEqual({ kind: "records", from: 1, items: [] });
  expect(await source?.ask({ ...QUESTION, from: 4 })).toEqual({ kind: "records", from: 4, items: [] });
  expect(asked).toEqual([QUESTION, { ...QUESTION, from: 4 }]);
  await source?.close();
});

test("answers nothing before its time, however often the node has a moment", async () => {
  let due = 0;
  open(() => void due++);
  const source = await localSource(dataPath, context);
  const answer = source?.ask(QUESTION);
  entrance?.answer(archive, 0);
  expect(asked).toEqual([]);
  await expect.poll(() => due).toBe(1);
  entrance?.answer(archive, 0);
  entrance?.answer(archive, 0);
  expect(asked).toEqual([QUESTION]);
  await answer;
  await source?.close();
});

test.each<[string, readonly Uint8Array[]]>([
  ["noise", [Uint8Array.of(1, 2, 3)]],
  ["another message", [envelopeOf({ kind: "view-query", view: 1 })]],
  ["a question that is none", [envelopeOf({ ...QUESTION, from: 9, to: 1 })]],
  ["two questions at once", [envelopeOf(QUESTION), envelopeOf(QUESTION)]],
])("lets go of who says %s, and serves the next", async (_, messages) => {
  open(() => undefined);
  const socket = await asker();
  say(socket, ...messages);
  await once(socket, "close");
  const next = await asker();
  next.destroy();
  expect(asked).toEqual([]);
});

test("lets go of bytes that are no frames", async () => {
  open();
  const socket = await asker();
  socket.write(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff));
  await once(socket, "close");
});

test("serves one asker at a time", async () => {
  open();
  const first = await asker();
  await expect(localSource(dataPath, context)).rejects.toMatchObject({ code: "unavailable" });
  first.destroy();
  await once(first, "close");
  await expect.poll(async () => (await localSource(dataPath, context).catch(() => undefined))?.self).toEqual(self);
});

test("whoever is in the middle of an answer hears of the node's end", async () => {
  open(() => undefined);
  const source = await localSource(dataPath, context);
  const answer = source?.ask(QUESTION);
  await entrance?.close();
  await expect(answer).rejects.toMatchObject({ code: "unavailable" });
});

test("a path that is too long for a socket is said, and no reason to stop", () => {
  open(undefined, join(folder, "x".repeat(200)));
  expect(unavailable).toHaveLength(1);
});

test.each<[string, (path: string) => Promise<unknown>]>([
  ["folder", mkdir],
  ["file", (path) => writeFile(path, "somebody's")],
  ["link", (path) => symlink("elsewhere", path)],
])("a %s in its place is left alone, is said, and no reason to stop", async (_, make) => {
  const path = `${dataPath}.socket`;
  await make(path);
  const before = lstatSync(path);
  open();
  expect(unavailable).toHaveLength(1);
  await entrance?.close();
  expect(lstatSync(path)).toMatchObject({ ino: before.ino, mode: before.mode, size: before.size });
});

test("a folder in which nothing can be made is said, and no reason to stop", async () => {
  open(undefined, join(folder, "nowhere", "data"));
  await expect.poll(() => unavailable).toHaveLength(1);
});

test("without a node there is nobody to ask", async () => {
  expect(await localSource(dataPath, context)).toBeUndefined();
});
