// One connection to a peer, as a way to send: an outbound stream that is opened again whenever it ends, and a bounded
// queue in front of it. Frames leave in order. When the peer reads slower than we send, frames wait here up to a bound;
// over it they are refused, never kept. What comes in is read in receive.ts.

import type { Connection, Stream } from "@libp2p/interface";
import type { PublicKey } from "../types/ids.js";
import { limits } from "../types/limits.js";
import { keepAlive } from "./backoff.js";
import type { Frame } from "./frame.js";

export interface LinkEvents {
  /** The stream is ready, or has ended. */
  onReady(link: Link): void;
  onEnded(link: Link): void;
  /** The peer does not speak our protocol, whose name contains the network's id. */
  onRefused(link: Link): void;
  /** A frame found the queue full and is lost. */
  onDropped(link: Link): void;
}

/** Waiting frames are sent in chunks of this size: small sends cost the same as large ones. */
const CHUNK_BYTES = 64 * 1024;

export class Link {
  readonly peer: PublicKey;
  readonly connection: Connection;
  readonly #protocol: string;
  readonly #queueBytesMax: number;
  readonly #events: LinkEvents;
  readonly #closing = new AbortController();
  #stream: Stream | undefined;
  #refused = false;
  #waiting: Frame[] = [];
  #waitingBytes = 0;
  #stalledSince: number | undefined;

  constructor(init: {
    readonly peer: PublicKey;
    readonly connection: Connection;
    readonly protocol: string;
    readonly queueBytesMax: number;
    readonly events: LinkEvents;
  }) {
    this.peer = init.peer;
    this.connection = init.connection;
    this.#protocol = init.protocol;
    this.#queueBytesMax = init.queueBytesMax;
    this.#events = init.events;
  }

  /** Keeps a stream open until `close`. */
  open(): void {
    void keepAlive(() => this.#live(), this.#closing.signal);
  }

  /** Ends the link; the connection is left to its owner. */
  close(): void {
    this.#closing.abort();
    this.#waiting = [];
    this.#waitingBytes = 0;
  }

  /** Since when something waits and nothing has left, ms of a monotonic clock. */
  get stalledSince(): number | undefined {
    return this.#stalledSince;
  }

  get ready(): boolean {
    return this.#stream !== undefined;
  }

  /** False: the queue is full, or the peer is of another network. Before the first stream is open, frames wait. */
  send(frame: Frame): boolean {
    if (this.#refused || this.#closing.signal.aborted) return false;
    if (this.#waitingBytes + frame.byteLength > this.#queueBytesMax) {
      this.#events.onDropped(this);
      return false;
    }
    this.#waiting.push(frame);
    this.#waitingBytes += frame.byteLength;
    this.#flush();
    return true;
  }

  async #live(): Promise<void> {
    const stream = await this.#openStream();
    if (this.#closing.signal.aborted) return stream.abort(new Error("the link was closed meanwhile"));
    this.#stream = stream;
    stream.addEventListener("drain", () => this.#flush());
    // While "idle" is told, the stream does not yet take more.
    stream.addEventListener("idle", () => this.#waiting.length > 0 && queueMicrotask(() => this.#flush()));
    this.#events.onReady(this);
    this.#flush();
    await ended(stream);
    this.#stream = undefined;
    this.#events.onEnded(this);
  }

  async #openStream(): Promise<Stream> {
    try {
      const stream = await this.connection.newStream(this.#protocol, {
        signal: AbortSignal.timeout(limits.dialTimeoutMs),
      });
      this.#refused = false;
      return stream;
    } catch (error) {
      if (error instanceof Error && error.name === "UnsupportedProtocolError") {
        this.#refused = true;
        this.#waiting = [];
        this.#waitingBytes = 0;
        this.#events.onRefused(this);
      }
      throw error;
    }
  }

  /**
   * Sends what waits, as far as the peer's window and the socket take it. The stream's own buffer is filled only when
   * it is empty: a drain event means that something may be sent, not that everything before has been.
   */
  #flush(): void {
    const stream = this.#stream;
    let sent = 0;
    while (stream !== undefined && sent < this.#waiting.length && takesMore(stream)) {
      const frames = chunkOf(this.#waiting, sent);
      const chunk = joined(frames);
      sent += frames.length;
      this.#waitingBytes -= chunk.byteLength;
      try {
        stream.send(chunk);
      } catch {
        // The stream has ended under us: these frames are lost with it, and its close event opens the next one.
        break;
      }
    }
    this.#waiting.splice(0, sent);
    if (this.#waiting.length === 0) this.#stalledSince = undefined;
    else if (sent > 0 || this.#stalledSince === undefined) this.#stalledSince = performance.now();
  }
}

function takesMore(stream: Stream): boolean {
  return !stream.writableNeedsDrain && stream.writeBufferLength === 0;
}

function chunkOf(frames: readonly Frame[], from: number): readonly Frame[] {
  let bytes = 0;
  let end = from;
  for (; end < frames.length; end++) {
    bytes += (frames[end] as Frame).byteLength;
    if (bytes > CHUNK_BYTES && end > from) break;
  }
  return frames.slice(from, end);
}

/** A frame may wait on several links, so it is never itself appended to. */
function joined([first, ...others]: readonly Frame[]): Frame {
  if (others.length === 0) return first as Frame;
  const chunk = (first as Frame).sublist();
  chunk.append(...others);
  return chunk;
}

/** Resolves when a stream or connection is over, for whatever reason. */
export function ended(target: Stream | Connection): Promise<void> {
  return new Promise((resolve) => {
    if (target.status !== "open") return resolve();
    const onClose = (): void => resolve();
    if ("protocol" in target) target.addEventListener("close", onClose, { once: true });
    else target.addEventListener("close", onClose, { once: true });
  });
}
