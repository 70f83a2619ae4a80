// The bytes on a stream: frames, each a length and a Frame message (wire.proto) that holds the messages of one turn to
// one peer. A frame that is too long ends the connection when its length is read, before its bytes are gathered; one
// that does not decode ends it as well, since nothing after it can be trusted. Bytes are gathered in one piece, so that
// a frame in a million crumbs costs no more memory than its bytes. What a message holds is not known here.

import { encode } from "it-length-prefixed";
import { CodecError } from "../types/codec.js";
import type { Rejection } from "../types/codes.js";
import { limits } from "../types/limits.js";
import { frameSchema } from "../types/schema.js";

/** The bytes of a frame as a list of pieces: the muxer and the cipher put them together anyway. */
export type Frame = ReturnType<typeof encode.single>;

/** What one message adds to its own bytes: a tag, and a length of at most four bytes. */
const MESSAGE_OVERHEAD_BYTES = 5;
const LENGTH_BYTES_MAX = 4;
const FRAME_ENCODING = { maxDataLength: limits.frameBytesMax, maxLengthLength: LENGTH_BYTES_MAX } as const;

/** A frame that has begun is gathered in a buffer that grows with what has come, never with what was announced. */
const GATHER_BYTES = 4096;

/** Cuts what arrives into the contents of frames. */
export class FrameReader {
  #length: number | undefined;
  #lengthBytes = 0;
  #lengthSoFar = 0;
  #gathered = new Uint8Array(0);
  #have = 0;

  /** Bytes of a frame that has begun and is not complete. */
  get partial(): number {
    return this.#have + this.#lengthBytes;
  }

  /** The frames that these bytes complete; views of them where possible. Throws FrameError. */
  *push(bytes: Uint8Array): Generator<Uint8Array> {
    for (let at = 0; at < bytes.length; ) {
      if (this.#length === undefined) {
        this.#readLength(bytes[at++] as number);
        continue;
      }
      const wanted = this.#length - this.#have;
      const part = bytes.subarray(at, at + wanted);
      at += part.length;
      if (part.length === this.#length) yield this.#end(part);
      else {
        this.#gather(part);
        if (this.#have === this.#length) yield this.#end(this.#gathered.subarray(0, this.#have));
      }
    }
  }

  #readLength(byte: number): void {
    this.#lengthSoFar += (byte & 0x7f) * 128 ** this.#lengthBytes;
    this.#lengthBytes++;
    if (this.#lengthSoFar > limits.frameBytesMax) throw new FrameError("oversized");
    if (byte > 0x7f) {
      if (this.#lengthBytes === LENGTH_BYTES_MAX) throw new FrameError("oversized");
      return;
    }
    // An empty frame, or a length that is not the shortest: nobody writes these.
    if (byte === 0) throw new FrameError("malformed");
    this.#length = this.#lengthSoFar;
  }

  #gather(part: Uint8Array): void {
    const needed = this.#have + part.length;
    if (needed > this.#gathered.length) {
      const room = Math.max(needed, 2 * this.#gathered.length, GATHER_BYTES);
      const larger = new Uint8Array(Math.min(room, this.#length as number));
      larger.set(this.#gathered.subarray(0, this.#have));
      this.#gathered = larger;
    }
    this.#gathered.set(part, this.#have);
    this.#have = needed;
  }

  /** The next frame begins; who gets this one owns its bytes. */
  #end(content: Uint8Array): Uint8Array {
    this.#length = undefined;
    this.#lengthBytes = 0;
    this.#lengthSoFar = 0;
    this.#gathered = new Uint8Array(0);
    this.#have = 0;
    return content;
  }
}

/** These bytes are not frames: nothing after them can be trusted. */
export class FrameError extends Error {
  override readonly name = "FrameError";
  readonly code: "oversized" | "malformed";
  constructor(code: "oversized" | "malformed") {
    super(`a frame is ${code}`);
    this.code = code;
  }
}

/** As many frames as the bounds ask for, usually one. Throws on a message longer than a frame: our own bug. */
export function* encodeFrames(messages: readonly Uint8Array[]): Generator<Frame> {
  for (const group of groupsWithinBounds(messages)) {
    yield encode.single(frameSchema.encode({ messages: group }), FRAME_ENCODING);
  }
}

/** The messages of a frame that has lost its length. Throws CodecError. */
export function messagesOf(content: Uint8Array): readonly Uint8Array[] {
  const { messages } = frameSchema.decode(content);
  if (messages.length === 0) throw new CodecError("a frame without messages");
  return messages;
}

/** What to count when reading a stream failed; undefined when the stream just ended. */
export function rejectionOf(error: unknown): Rejection | undefined {
  if (error instanceof CodecError) return "malformed";
  return error instanceof FrameError ? error.code : undefined;
}

function* groupsWithinBounds(messages: readonly Uint8Array[]): Generator<readonly Uint8Array[]> {
  let start = 0;
  let frameBytes = 0;
  for (const [at, message] of messages.entries()) {
    const bytes = message.length + MESSAGE_OVERHEAD_BYTES;
    if (at > start && (frameBytes + bytes > limits.frameBytesMax || at - start === limits.frameMessagesMax)) {
      yield messages.slice(start, at);
      start = at;
      frameBytes = 0;
    }
    frameBytes += bytes;
  }
  if (start < messages.length) yield start === 0 ? messages : messages.slice(start);
}
