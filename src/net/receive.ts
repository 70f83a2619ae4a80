// The reading end of a peer's stream, as a pipe: bytes, length-prefixed frames within bounds, messages, handler. The
// first error ends the stream, is counted, and goes no further: the peer may open another stream, and the node stays as
// it was.

import type { Stream } from "@libp2p/interface";
import { pipe } from "it-pipe";
import type { PublicKey } from "../types/ids.js";
import { decodeFrames, type Frame, frameDecoding, messagesOf, rejectionOf } from "./frame.js";
import type { TransportHandlers } from "./transport.js";

type Receiver = Pick<Required<TransportHandlers>, "onMessage" | "onRejected">;

/** Reads until the stream ends. Never rejects. */
export async function receive(stream: Stream, from: PublicKey, handlers: Receiver): Promise<void> {
  try {
    await pipe(
      stream,
      (bytes) => decodeFrames(bytes, frameDecoding),
      async (frames) => {
        for await (const frame of frames) deliver(frame, from, handlers);
      },
    );
    await stream.close();
  } catch (error) {
    const code = rejectionOf(error);
    if (code !== undefined) handlers.onRejected(code, from);
    stream.abort(error instanceof Error ? error : new Error("reading failed"));
  }
}

/** Hands on what one frame holds: all of its messages or, when it does not decode, none. */
export function deliver(frame: Frame, from: PublicKey, handlers: Receiver): void {
  for (const message of messagesOf(frame)) handlers.onMessage(from, message);
}
