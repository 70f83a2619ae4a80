// What a scale run counts. Within the measured span of virtual time: transfers that ended, how long they took, messages
// that left. Everything a node or client hands to the network is a message, once for each receiver; what a node says to
// itself is none. Over the whole run: what should not happen at all in a network without faults.

import { openEnvelope } from "../../node/wire.js";
import type { Note } from "../../types/effects.js";
import type { Ended } from "./clients.js";

/** Of virtual time, the end excluded. */
export interface Span {
  readonly fromUs: number;
  readonly toUs: number;
}

export interface Latency {
  readonly count: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

export interface Counts {
  readonly transfersPerSecond: number;
  readonly messagesPerTransfer: number;
  /** The same by kind of message. */
  readonly messagesByKind: Readonly<Record<string, number>>;
  readonly intra: Latency;
  readonly cross: Latency;
  /** Entries that a primary turned from round 0 into round 1 for the accepts differed (protocol 3.1). */
  readonly collisionsPerTransfer: number;
  readonly noOpsPerTransfer: number;
  /** Of the whole run: transfers that ended with anything but "ok". */
  readonly failed: number;
  /** Of the whole run: messages that a door rejected. */
  readonly rejected: number;
  /** Of the whole run: blocks of which a node missed something for so long that it asked. */
  readonly queried: number;
}

const MICROSECONDS = 1000;
const SECOND_US = 1_000_000;

export class Meter {
  readonly #span: Span;
  readonly #byKind = new Map<string, number>();
  readonly #intraUs: number[] = [];
  readonly #crossUs: number[] = [];
  #collisions = 0;
  #noOps = 0;
  #failed = 0;
  #rejected = 0;
  #queried = 0;

  constructor(span: Span) {
    this.#span = span;
  }

  onMessages(messages: readonly Uint8Array[], departureUs: number): void {
    if (!this.#isMeasured(departureUs)) return;
    for (const bytes of messages) {
      const opened = openEnvelope(bytes);
      const kind = typeof opened === "string" ? "unknown" : opened.kind;
      this.#byKind.set(kind, 1 + (this.#byKind.get(kind) ?? 0));
    }
  }

  onEnded({ result, cross, startedUs, endedUs }: Ended): void {
    if (result !== "ok") this.#failed++;
    else if (this.#isMeasured(endedUs)) (cross ? this.#crossUs : this.#intraUs).push(endedUs - startedUs);
  }

  onRejected(): void {
    this.#rejected++;
  }

  onNote(note: Note, nowUs: number): void {
    if (note.kind === "queried") this.#queried++;
    if (!this.#isMeasured(nowUs)) return;
    if (note.kind === "assigned") this.#collisions++;
    if (note.kind === "proposed" && note.requests === 0) this.#noOps++;
  }

  counts(): Counts {
    const { fromUs, toUs } = this.#span;
    const transfers = this.#intraUs.length + this.#crossUs.length;
    const each = (count: number) => (transfers === 0 ? 0 : count / transfers);
    const byKind = [...this.#byKind].sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      transfersPerSecond: (transfers * SECOND_US) / (toUs - fromUs),
      messagesPerTransfer: each(byKind.reduce((sum, [, count]) => sum + count, 0)),
      messagesByKind: Object.fromEntries(byKind.map(([kind, count]) => [kind, each(count)])),
      intra: latencyOf(this.#intraUs),
      cross: latencyOf(this.#crossUs),
      collisionsPerTransfer: each(this.#collisions),
      noOpsPerTransfer: each(this.#noOps),
      failed: this.#failed,
      rejected: this.#rejected,
      queried: this.#queried,
    };
  }

  #isMeasured(us: number): boolean {
    return us >= this.#span.fromUs && us < this.#span.toUs;
  }
}

function latencyOf(unsortedUs: readonly number[]): Latency {
  const sorted = Float64Array.from(unsortedUs).sort();
  const at = (share: number) => (sorted[Math.ceil(share * sorted.length) - 1] ?? 0) / MICROSECONDS;
  return { count: sorted.length, p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99) };
}
