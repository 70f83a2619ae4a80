// The way from one process to another as a TCP proxy on loopback, whose two directions can be blocked one by one. What
// comes in a blocked direction is not read: it waits in the socket and its sender, as what TCP sends again and again
// waits for a path that is broken, and so does the news that the other end is gone. Nobody can connect while either
// direction is blocked, since that takes both. Knows nothing of what is said.

import { createServer, type Server, Socket } from "node:net";

export interface ProxyOptions {
  readonly targetPort: number;
  /** From the process that dials to the one that listens, and back. */
  readonly isBlocked: (direction: Direction) => boolean;
}

export type Direction = "there" | "back";

const HOST = "127.0.0.1";

export class LoopbackProxy {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();

  constructor(options: ProxyOptions) {
    // A connection that nobody may make yet is accepted here and answered by silence.
    this.#server = createServer({ pauseOnConnect: true, noDelay: true }, (dialer) => {
      const pair: Pair = new Pair({ ...options, dialer, onEnd: () => this.#pairs.delete(pair) });
      this.#pairs.add(pair);
      pair.update();
    });
  }

  /** The port that it listens on. */
  async open(): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once("error", reject);
    this.#server.listen(0, HOST, resolve);
    await promise;
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("a proxy listens without a port");
    return address.port;
  }

  /** After what `isBlocked` says has changed. `reset`: connections end now. */
  update({ reset }: { readonly reset: boolean }): void {
    for (const pair of [...this.#pairs]) {
      if (reset) pair.reset();
      else pair.update();
    }
  }

  /** Connections that are open at the moment. */
  get connections(): number {
    return this.#pairs.size;
  }

  async close(): Promise<void> {
    for (const pair of [...this.#pairs]) pair.reset();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    await promise;
  }
}

/** One connection: the dialer's socket, and ours to the target once that may be made. */
class Pair {
  readonly #options: ProxyOptions & { readonly onEnd: () => void };
  readonly #dialer: Socket;
  #target: Socket | undefined;
  readonly #gone = new Set<Socket>();

  constructor({ dialer, ...options }: ProxyOptions & { readonly dialer: Socket; readonly onEnd: () => void }) {
    this.#options = options;
    this.#dialer = dialer;
    this.#prepare(dialer);
  }

  /** Does what is allowed by now: connects, lets flow, passes ends on. */
  update(): void {
    const { isBlocked, targetPort } = this.#options;
    const thereBlocked = isBlocked("there");
    const backBlocked = isBlocked("back");
    if (this.#target === undefined) {
      if (this.#gone.has(this.#dialer)) return this.reset();
      if (thereBlocked || backBlocked) return;
      this.#target = new Socket();
      this.#prepare(this.#target);
      this.#join(this.#target);
      this.#target.connect({ port: targetPort, host: HOST }).setNoDelay();
    }
    this.#flow({ from: this.#dialer, to: this.#target, blocked: thereBlocked });
    this.#flow({ from: this.#target, to: this.#dialer, blocked: backBlocked });
  }

  reset(): void {
    this.#dialer.resetAndDestroy();
    this.#target?.destroy();
    this.#options.onEnd();
  }

  #prepare(socket: Socket): void {
    socket.on("error", () => undefined); // "close" follows
    socket.on("close", () => {
      this.#gone.add(socket);
      this.update();
    });
  }

  #join(target: Socket): void {
    const { isBlocked } = this.#options;
    const ways = [
      { from: this.#dialer, to: target, direction: "there" },
      { from: target, to: this.#dialer, direction: "back" },
    ] as const;
    for (const { from, to, direction } of ways) {
      from.on("data", (bytes: Buffer) => {
        if (!to.destroyed && !to.write(bytes)) from.pause();
      });
      to.on("drain", () => {
        if (!isBlocked(direction)) from.resume();
      });
    }
  }

  #flow({ from, to, blocked }: { readonly from: Socket; readonly to: Socket; readonly blocked: boolean }): void {
    if (blocked) from.pause();
    else if (this.#gone.has(from)) {
      if (to.destroyed) this.#options.onEnd();
      else to.destroySoon();
    } else if (!to.writableNeedDrain) from.resume();
  }
}
