// The reading end of a peer's stream, as a pipe: bytes, length-prefixed frames within bounds, messages, handler. The
// first error ends the stream, is counted, and goes no further: the peer may open another stream, and the node stays as
// it was. Whoever watches the peer's pace learns of every byte (pace.ts).

import type { Stream } from "@libp2p/interface";
import { pipe } from "it-pipe";
import type { PublicKey } from "../types/ids.js";
import { FrameReader, messagesOf, rejectionOf } from "./frame.js";
import type { Arrival } from "./pace.js";
import type { TransportHandlers } from "./transport.js";

const NOTHING: Arrival = { partial: 0, completed: false };

type Receiver = Pick<Required<TransportHandlers>, "onMessage" | "onRejected">;

/** Reads until the stream ends. Never rejects. */
export async function receive(
  stream: Stream,
  from: PublicKey,
  handlers: Receiver,
  onArrival: (arrival: Arrival) => void = () => undefined,
): Promise<void> {
  const reader = new FrameReader();
  try {
    await pipe(stream, async (chunks) => {
      for await (const chunk of chunks) {
        let completed = false;
        for (const frame of reader.push(chunk.subarray())) {
          deliver(frame, from, handlers);
          completed = true;
        }
        onArrival({ partial: reader.partial, completed });
      }
    });
    await stream.close();
  } catch (error) {
    const code = rejectionOf(error);
    if (code !== undefined) handlers.onRejected(code, from);
    stream.abort(error instanceof Error ? error : new Error("reading failed"));
  } finally {
    onArrival(NOTHING);
  }
}

/** Hands on what one frame holds: all of its messages or, when it does not decode, none. */
export function deliver(frame: Uint8Array, from: PublicKey, handlers: Receiver): void {
  for (const message of messagesOf(frame)) handlers.onMessage(from, message);
}
