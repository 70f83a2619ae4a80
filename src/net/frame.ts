// The bytes on a stream: frames, each a length and a Frame message (wire.proto) that holds the messages of one turn to
// one peer. A frame that is too long ends the stream when its length is read, before its bytes are gathered; one that
// does not decode ends it as well, since nothing after it can be trusted. What a message holds is not known here.

import { decode, encode } from "it-length-prefixed";
import { CodecError } from "../types/codec.js";
import type { Rejection } from "../types/codes.js";
import { limits } from "../types/limits.js";
import { frameSchema } from "../types/schema.js";

/** The bytes of a frame as a list of pieces: the muxer and the cipher put them together anyway. */
export type Frame = ReturnType<typeof encode.single>;

/** What one message adds to its own bytes: a tag, and a length of at most four bytes. */
const MESSAGE_OVERHEAD_BYTES = 5;
const LENGTH_BYTES_MAX = 4;

export const frameDecoding = { maxDataLength: limits.frameBytesMax, maxLengthLength: LENGTH_BYTES_MAX } as const;
export const decodeFrames = decode;

/** As many frames as the bounds ask for, usually one. Throws on a message longer than a frame: our own bug. */
export function* encodeFrames(messages: readonly Uint8Array[]): Generator<Frame> {
  for (const group of groupsWithinBounds(messages)) {
    yield encode.single(frameSchema.encode({ messages: group }), frameDecoding);
  }
}

/** The messages of a frame that has lost its length. Throws CodecError. */
export function messagesOf(content: Frame): readonly Uint8Array[] {
  const { messages } = frameSchema.decode(content.subarray());
  if (messages.length === 0) throw new CodecError("a frame without messages");
  return messages;
}

/** What to count when reading a stream failed; undefined when the stream just ended. */
export function rejectionOf(error: unknown): Rejection | undefined {
  if (error instanceof CodecError) return "malformed";
  switch (error instanceof Error ? error.name : undefined) {
    case "InvalidDataLengthError":
    case "InvalidDataLengthLengthError":
      return "oversized";
    case "InvalidMessageLengthError":
      return "malformed";
    default:
      return undefined;
  }
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
