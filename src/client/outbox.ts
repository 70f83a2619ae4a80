// Messages on their way out: all that are made while one batch of input is handled go to a node together, since a frame
// costs far more than a message in it. Knows which nodes are connected; what the transport drops is sent again by the
// time-outs of whoever sent it.

import type { Transport } from "../net/transport.js";
import type { PublicKey } from "../types/ids.js";
import type { Time } from "./time.js";

export class Outbox {
  readonly #transport: Pick<Transport, "send">;
  readonly #time: Time;
  readonly #connected = new Set<PublicKey>();
  readonly #waiting = new Map<PublicKey, Uint8Array[]>();
  #flushing = false;

  constructor(transport: Pick<Transport, "send">, time: Time) {
    this.#transport = transport;
    this.#time = time;
  }

  onConnect(peer: PublicKey): void {
    this.#connected.add(peer);
  }

  onDisconnect(peer: PublicKey): void {
    this.#connected.delete(peer);
    this.#waiting.delete(peer);
  }

  isConnected(peer: PublicKey): boolean {
    return this.#connected.has(peer);
  }

  /** False: the peer is out of reach, and nothing will be sent. */
  push(to: PublicKey, message: Uint8Array): boolean {
    if (!this.#connected.has(to)) return false;
    const waiting = this.#waiting.get(to);
    if (waiting === undefined) this.#waiting.set(to, [message]);
    else waiting.push(message);
    if (!this.#flushing) {
      this.#flushing = true;
      this.#time.soon(() => this.flush());
    }
    return true;
  }

  flush(): void {
    this.#flushing = false;
    for (const [to, messages] of this.#waiting) this.#transport.send(to, messages);
    this.#waiting.clear();
  }
}
