// What clients have sent and nobody has looked at yet: bytes, in one line for each sender. Lines are served in turns,
// so that a flood waits for itself; each has its share of a bounded space, and a rate, so that what is refused is
// refused before anything of it was checked. It knows nothing of what the bytes mean.

import type { PublicKey } from "../types/ids.js";
import { limits } from "../types/limits.js";
import { hasShare } from "../types/share.js";

export interface Waiting {
  readonly from: PublicKey;
  readonly message: Uint8Array;
  /** What it will cost, in the caller's terms; zero: what any message does. */
  readonly weight: number;
}

interface Lane {
  messages: Pick<Waiting, "message" | "weight">[];
  /** Those before it were served. */
  head: number;
  bytes: number;
}

interface Bucket {
  tokens: number;
  tick: number;
}

/** What was served is thrown away in bulk. */
const SLACK = 256;
/** What a message costs beside its bytes: lines of tiny ones are bounded as well. */
const MESSAGE_BYTES = 128;
/** A second is owed at most, and a second may be saved up. */
const FULL_AFTER_MS = 2000;

export class Lanes {
  readonly #perSecond: number;
  readonly #lanes = new Map<PublicKey, Lane>();
  readonly #buckets = new Map<PublicKey, Bucket>();
  #bytes = 0;
  #count = 0;

  /** `perSecond`: messages of one sender, or their weight if that is more; it may save up those of one second. */
  constructor(options: { readonly perSecond: number }) {
    this.#perSecond = options.perSecond;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** False: the sender is over its rate or its share, and nothing was kept. `tick`: ms of a monotonic clock. */
  offer({ from, message, weight }: Waiting, tick: number): boolean {
    if (!this.#mayCome(from, weight, tick)) return false;
    let lane = this.#lanes.get(from);
    if (lane !== undefined && lane.messages.length - lane.head >= limits.laneMessagesMax) return false;
    const held = lane?.bytes ?? 0;
    if (!hasShare({ held, total: this.#bytes, holders: this.#lanes.size, max: limits.lanesBytesMax })) return false;
    if (lane === undefined) {
      lane = { messages: [], head: 0, bytes: 0 };
      this.#lanes.set(from, lane);
    }
    // A copy: what waits must not keep the whole frame that it came in.
    lane.messages.push({ message: message.slice(), weight });
    this.#count++;
    this.#addBytes(lane, message.length + MESSAGE_BYTES);
    return true;
  }

  /**
   * What is to be looked at in a turn, as long as it is asked for: of each sender one, and then one again. When the
   * weight is used up, a line whose first message has any keeps its place, so that it is among the first in the next
   * turn, and the other lines go on.
   */
  *take(weightMax: number): Generator<Waiting, void> {
    let weighed = 0;
    // Whoever is put at the end of the map is visited again.
    for (const [from, lane] of this.#lanes) {
      const { message, weight } = lane.messages[lane.head] as Lane["messages"][number];
      if (weight > 0 && weighed >= weightMax) continue;
      weighed += weight;
      lane.head++;
      this.#count--;
      this.#addBytes(lane, -(message.length + MESSAGE_BYTES));
      // The next one's turn.
      this.#lanes.delete(from);
      if (lane.head < lane.messages.length) this.#lanes.set(from, lane);
      if (lane.head >= SLACK) {
        lane.messages = lane.messages.slice(lane.head);
        lane.head = 0;
      }
      yield { from, message, weight };
    }
  }

  #addBytes(lane: Lane, bytes: number): void {
    lane.bytes += bytes;
    this.#bytes += bytes;
  }

  /** The last message may cost more than is left, which then is owed; at most what one second brings. */
  #mayCome(from: PublicKey, weight: number, tick: number): boolean {
    const cost = Math.min(Math.max(1, weight), this.#perSecond);
    const bucket = this.#buckets.get(from);
    if (bucket === undefined) {
      this.#makeRoom(tick);
      this.#buckets.set(from, { tokens: this.#perSecond - cost, tick });
      return true;
    }
    bucket.tokens = Math.min(this.#perSecond, bucket.tokens + ((tick - bucket.tick) * this.#perSecond) / 1000);
    bucket.tick = tick;
    if (bucket.tokens < 1) return false;
    bucket.tokens -= cost;
    return true;
  }

  /** A bucket that is full again need not be remembered. */
  #makeRoom(tick: number): void {
    if (this.#buckets.size < limits.clientConnectionsMax) return;
    for (const [from, bucket] of this.#buckets) if (tick - bucket.tick >= FULL_AFTER_MS) this.#buckets.delete(from);
  }
}
