// A running node as the source of a backup, asked through its local entrance (node/local-entrance.ts): the socket
// beside its data folder, which only the folder's owner may open.

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { BlockContext } from "../cluster/block.js";
import { encodeFrames, FrameReader, messagesOf } from "../net/frame.js";
import type { ArchiveAnswer, ArchiveQuestion } from "../node/archive.js";
import { localEntrancePath } from "../node/local-entrance.js";
import { bodyOf, openEnvelope, openMessage } from "../node/wire.js";
import { CodecError } from "../types/codec.js";
import { CodedError } from "../types/codes.js";
import { type ClusterId, toHex } from "../types/ids.js";
import { carriage } from "../types/message.js";
import { envelopeSchema, localHelloSchema } from "../types/schema.js";
import type { BackupSource } from "./take.js";

/** A node that is that busy has no time for a backup. */
const ANSWER_MAX_MS = 30_000;
const NO_BYTES = new Uint8Array(0);

/** Undefined: no node runs on this folder, or it has no entrance. */
export async function localSource(dataPath: string, context: BlockContext): Promise<BackupSource | undefined> {
  const path = localEntrancePath(dataPath);
  const socket = connect(path);
  const refused = await once(socket, "connect").then(
    () => undefined,
    (error: NodeJS.ErrnoException) => error,
  );
  if (refused?.code === "EACCES" || refused?.code === "EPERM") {
    throw new CodedError("not-permitted", `${path} is another user's; only the owner of the data may take a backup`);
  }
  if (refused !== undefined) return undefined;
  const asker = new Asker(socket, path);
  try {
    const { network, ...self } = localHelloSchema.decode(await asker.next());
    return {
      networkId: toHex(network),
      self: { ...self, cluster: self.cluster as ClusterId },
      ask: async (question) => {
        asker.say(question);
        return readAnswer(await asker.next(), context) ?? asker.fail("it answers something else than was asked");
      },
      close: async () => void socket.destroy(),
    };
  } catch (error) {
    socket.destroy();
    if (error instanceof CodecError) return asker.fail("it does not speak as a node does");
    throw error;
  }
}

class Asker {
  readonly #socket: Socket;
  readonly #path: string;
  readonly #messages: Uint8Array[] = [];
  #wake: (() => void) | undefined;
  #isGone = false;

  constructor(socket: Socket, path: string) {
    this.#socket = socket;
    this.#path = path;
    const reader = new FrameReader();
    socket.on("data", (bytes) => {
      try {
        for (const frame of reader.push(bytes)) this.#messages.push(...messagesOf(frame));
      } catch {
        socket.destroy();
      }
      this.#wake?.();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#isGone = true;
      this.#wake?.();
    });
  }

  say(question: ArchiveQuestion): void {
    const { number: kind } = carriage[question.kind];
    const envelope = envelopeSchema.encode({ kind, body: bodyOf(question), signature: NO_BYTES, block: NO_BYTES });
    for (const frame of encodeFrames([envelope])) this.#socket.write(frame.subarray());
  }

  async next(): Promise<Uint8Array> {
    for (;;) {
      const message = this.#messages.shift();
      if (message !== undefined) return message;
      if (this.#isGone) return this.fail("it has ended, or another backup of it is under way");
      const { promise, resolve } = Promise.withResolvers<boolean>();
      this.#wake = () => resolve(true);
      const timer = setTimeout(() => resolve(false), ANSWER_MAX_MS);
      const isInTime = await promise;
      clearTimeout(timer);
      if (!isInTime) return this.fail(`it has not answered for ${ANSWER_MAX_MS / 1000} s`);
    }
  }

  fail(reason: string): never {
    this.#socket.destroy();
    throw new CodedError("unavailable", `the node at ${this.#path} gives no backup: ${reason}; try again`);
  }
}

function readAnswer(bytes: Uint8Array, context: BlockContext): ArchiveAnswer | undefined {
  const opened = openEnvelope(bytes);
  if (typeof opened === "string" || (opened.kind !== "state" && opened.kind !== "records")) return undefined;
  const message = openMessage(opened, { ...context, knownBlock: () => undefined, vouched: false });
  if (typeof message === "string") return undefined;
  return message.kind === "state" || message.kind === "records" ? message : undefined;
}
