// The reading end of a peer's stream, as a pipe: bytes, length-prefixed frames within bounds, messages, handler. The
// first error ends the stream and goes no further than to whoever watches the peer, who also learns of every byte for
// its pace (pace.ts): nobody who keeps to the protocol writes such bytes, so its connection is cut (libp2p.ts).

import type { Stream } from "@libp2p/interface";
import { pipe } from "it-pipe";
import type { Rejection } from "../types/codes.js";
import type { PublicKey } from "../types/ids.js";
import { FrameReader, messagesOf, rejectionOf } from "./frame.js";
import type { Arrival } from "./pace.js";
import type { TransportHandlers } from "./transport.js";

const NOTHING: Arrival = { partial: 0, completed: false };

type Receiver = Pick<TransportHandlers, "onMessage">;

export interface Watcher {
  onArrival(arrival: Arrival): void;
  /** What came is no frame, or one beyond the bounds. Called once, and nothing more is read. */
  onFault(code: Rejection): void;
}

/** Reads until the stream ends. Never rejects. */
export async function receive(stream: Stream, from: PublicKey, handlers: Receiver, watcher: Watcher): Promise<void> {
  const reader = new FrameReader();
  try {
    await pipe(stream, async (chunks) => {
      for await (const chunk of chunks) {
        let completed = false;
        for (const frame of reader.push(chunk.subarray())) {
          deliver(frame, from, handlers);
          completed = true;
        }
        watcher.onArrival({ partial: reader.partial, completed });
      }
    });
    await stream.close();
  } catch (error) {
    const code = rejectionOf(error);
    stream.abort(error instanceof Error ? error : new Error("reading failed"));
    if (code !== undefined) watcher.onFault(code);
  } finally {
    watcher.onArrival(NOTHING);
  }
}

/** Hands on what one frame holds: all of its messages or, when it does not decode, none. */
export function deliver(frame: Uint8Array, from: PublicKey, handlers: Receiver): void {
  for (const message of messagesOf(frame)) handlers.onMessage(from, message);
}
