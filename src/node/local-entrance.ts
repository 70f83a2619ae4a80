// A node's entrance for who has its files: a socket beside its data folder, for the owner of the folder only, through
// which a backup is taken of a running node (docs/protocol.md, decision 52). One asker at a time, one question at a
// time, answered between two turns and seldom, so that the node keeps its time for votes. Nothing that is said here
// changes anything.

import { lstatSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { relative, resolve } from "node:path";
import type { BlockContext } from "../cluster/block.js";
import { encodeFrames, FrameError, FrameReader, messagesOf } from "../net/frame.js";
import { CodecError } from "../types/codec.js";
import { fromHex, type NodeRef } from "../types/ids.js";
import { limits } from "../types/limits.js";
import { carriage } from "../types/message.js";
import { envelopeSchema, localHelloSchema } from "../types/schema.js";
import type { Archive, ArchiveAnswer, ArchiveQuestion } from "./archive.js";
import { bodyOf, openEnvelope, openMessage } from "./wire.js";

export interface LocalEntranceOptions extends BlockContext {
  readonly self: NodeRef;
  readonly dataPath: string;
  /** A question's turn has come: `answer` is to be called soon. */
  readonly onQuestion: () => void;
  /** It could not be opened: the node runs without it. */
  readonly onUnavailable: (reason: string) => void;
}

interface Waiting {
  readonly socket: Socket;
  readonly question: ArchiveQuestion;
  isDue: boolean;
}

/** Bytes of a socket's path that every system takes. */
const PATH_BYTES_MAX = 100;
const NO_BYTES = new Uint8Array(0);

/** Where the entrance of a data folder is; the shorter way to it, since such paths are bounded. */
export function localEntrancePath(dataPath: string): string {
  const whole = `${resolve(dataPath)}.socket`;
  const short = relative(process.cwd(), whole);
  return short.length < whole.length ? short : whole;
}

export class LocalEntrance {
  readonly #options: LocalEntranceOptions;
  readonly #path: string;
  readonly #server: Server;
  #socket: Socket | undefined;
  #waiting: Waiting | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Monotonic time before which nothing is answered. */
  #nextAt = 0;

  /** Never throws: without it a node is as good as with it. */
  constructor(options: LocalEntranceOptions) {
    this.#options = options;
    this.#path = localEntrancePath(options.dataPath);
    this.#server = createServer((socket) => this.#onAsker(socket));
    this.#server.on("error", (error) => options.onUnavailable(error.message));
    if (Buffer.byteLength(this.#path) > PATH_BYTES_MAX) {
      options.onUnavailable(`the path ${this.#path} is too long for a socket`);
      return;
    }
    try {
      this.#listen();
    } catch (error) {
      options.onUnavailable(error instanceof Error ? error.message : String(error));
    }
  }

  #listen(): void {
    // The data folder is this process's, so a socket that is left of an earlier one may go; nothing else may.
    const there = lstatSync(this.#path, { throwIfNoEntry: false });
    if (there?.isSocket() === false) {
      this.#options.onUnavailable(`${this.#path} is there and is no socket; move it away`);
      return;
    }
    if (there !== undefined) rmSync(this.#path);
    // The system gives the file its permissions when it makes it: nobody else may ever open it.
    const mask = process.umask(0o177);
    try {
      this.#server.listen(this.#path);
    } finally {
      process.umask(mask);
    }
  }

  /** Between two turns. */
  answer(archive: Archive, tick: number): void {
    const waiting = this.#waiting;
    if (waiting?.isDue !== true) return;
    this.#waiting = undefined;
    const started = performance.now();
    this.#say(waiting.socket, archive.answer(waiting.question, tick));
    const now = performance.now();
    this.#nextAt = now + Math.max(limits.localEveryMs, limits.localShare * (now - started));
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#socket?.destroy();
    if (!this.#server.listening) return;
    await new Promise((closed) => this.#server.close(closed));
  }

  #onAsker(socket: Socket): void {
    socket.on("error", () => socket.destroy());
    if (this.#socket !== undefined) {
      socket.destroy();
      return;
    }
    this.#socket = socket;
    socket.unref();
    const reader = new FrameReader();
    socket.setTimeout(limits.localIdleMs, () => socket.destroy());
    socket.on("data", (bytes) => this.#onBytes(socket, reader, bytes));
    socket.on("close", () => {
      this.#socket = undefined;
      if (this.#waiting?.socket === socket) this.#waiting = undefined;
    });
    const { self, topology } = this.#options;
    this.#write(socket, localHelloSchema.encode({ ...self, network: fromHex(topology.networkId) }));
  }

  #onBytes(socket: Socket, reader: FrameReader, bytes: Uint8Array): void {
    try {
      for (const frame of reader.push(bytes)) {
        for (const message of messagesOf(frame)) this.#onMessage(socket, message);
      }
    } catch (error) {
      socket.destroy();
      if (!(error instanceof CodecError || error instanceof FrameError)) throw error;
    }
  }

  #onMessage(socket: Socket, bytes: Uint8Array): void {
    const question = readLocalQuestion(bytes, this.#options);
    // Who does not wait for the answer is not the one that this is for.
    if (question === undefined || this.#waiting !== undefined) {
      socket.destroy();
      return;
    }
    const waiting: Waiting = { socket, question, isDue: false };
    this.#waiting = waiting;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => {
        waiting.isDue = true;
        this.#options.onQuestion();
      },
      Math.max(0, this.#nextAt - performance.now()),
    );
  }

  #say(socket: Socket, answer: ArchiveAnswer): void {
    const { number: kind } = carriage[answer.kind];
    try {
      const body = bodyOf(answer);
      this.#write(socket, envelopeSchema.encode({ kind, body, signature: NO_BYTES, block: NO_BYTES }));
    } catch (error) {
      // The codec's word for what does not fit into a frame.
      if (!(error instanceof RangeError)) throw error;
      socket.destroy();
    }
  }

  #write(socket: Socket, message: Uint8Array): void {
    for (const frame of encodeFrames([message])) socket.write(frame.subarray());
  }
}

/** Undefined: it is nothing that may be asked here. Never throws. */
export function readLocalQuestion(bytes: Uint8Array, context: BlockContext): ArchiveQuestion | undefined {
  const opened = openEnvelope(bytes);
  if (typeof opened === "string" || (opened.kind !== "fetch-state" && opened.kind !== "fetch-records"))
    return undefined;
  const message = openMessage(opened, { ...context, knownBlock: () => undefined, vouched: false });
  if (typeof message === "string") return undefined;
  return message.kind === "fetch-state" || message.kind === "fetch-records" ? message : undefined;
}
