// The ids (client, nonce) that were consumed and have not expired (protocol 4). Whether an id counts depends on the
// record time of the block that asks, never on when old entries happen to be removed. Removal goes round like the hand
// of a clock, a few steps per block, so that no block pays for the memory of all others.

import type { Request } from "../types/block.js";
import type { PublicKey } from "../types/ids.js";

export interface ConsumedId {
  /** As `requestId` makes it. */
  readonly id: string;
  readonly validUntil: number;
}

export class ConsumedIds {
  // Numbers by number: a third of the memory of one map with ids as text.
  readonly #clients = new Map<PublicKey, Map<number, number>>();
  readonly #hand = this.#round();

  constructor(ids: Iterable<ConsumedId>) {
    for (const consumed of ids) this.add(parseConsumed(consumed));
  }

  has({ client, nonce }: Pick<Request, "client" | "nonce">, recordTime: number): boolean {
    const validUntil = this.#clients.get(client)?.get(nonce);
    return validUntil !== undefined && validUntil >= recordTime;
  }

  add({ client, nonce, validUntil }: Pick<Request, "client" | "nonce" | "validUntil">): void {
    let nonces = this.#clients.get(client);
    if (nonces === undefined) {
      nonces = new Map();
      this.#clients.set(client, nonces);
    }
    nonces.set(nonce, validUntil);
  }

  /**
   * Looks at a few more entries than were added and drops those that expired before `recordTime`, which is that of the
   * last executed block, so that no block that is still to be judged can miss one.
   */
  sweep({ recordTime, added }: { readonly recordTime: number; readonly added: number }): void {
    for (let step = 0; step < 2 * added + 8; step++) {
      const entry = this.#hand.next().value;
      if (entry === undefined) return;
      if (entry.validUntil >= recordTime) continue;
      entry.nonces.delete(entry.nonce);
      if (entry.nonces.size === 0) this.#clients.delete(entry.client);
    }
  }

  /** Endless: all entries again and again, and undefined between two rounds. Maps may change under it. */
  *#round(): Generator<ConsumedEntry | undefined, never> {
    for (;;) {
      for (const [client, nonces] of this.#clients) {
        for (const [nonce, validUntil] of nonces) yield { client, nonces, nonce, validUntil };
      }
      yield undefined;
    }
  }
}

interface ConsumedEntry {
  readonly client: PublicKey;
  readonly nonces: Map<number, number>;
  readonly nonce: number;
  readonly validUntil: number;
}

const KEY_DIGITS = 64;

export function parseConsumed({ id, validUntil }: ConsumedId): Pick<Request, "client" | "nonce" | "validUntil"> {
  return { client: id.slice(0, KEY_DIGITS) as PublicKey, nonce: Number(id.slice(KEY_DIGITS + 1)), validUntil };
}
