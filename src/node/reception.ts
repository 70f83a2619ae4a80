// Who is served first: what nodes say is opened as it comes and goes into the next turn; what clients say waits in
// lanes and fills what room a turn has left, a few at a time at the least (docs/protocol.md, decision 48). Whoever is
// over its share is told "busy" at once, before its signature was checked: that is the expensive part.

import type { Members } from "../cluster/members.js";
import { digestOf } from "../crypto/hash.js";
import { readVarint } from "../types/bytes.js";
import { CodecError } from "../types/codec.js";
import type { Rejection } from "../types/codes.js";
import type { Event } from "../types/effects.js";
import type { PublicKey } from "../types/ids.js";
import { limits } from "../types/limits.js";
import { carriage } from "../types/message.js";
import type { Ingress } from "./ingress.js";
import { Lanes } from "./lanes.js";
import { weightOf } from "./weight.js";
import { openEnvelope } from "./wire.js";

export interface ReceptionOptions {
  readonly members: Members;
  readonly ingress: Pick<Ingress, "open">;
  /** Would one more request of this client be queued? */
  readonly hasRoom: (client: PublicKey) => boolean;
  readonly onRejected: (code: Rejection | "busy") => void;
  /** Messages of one client in a second, or their weight if that is more. */
  readonly clientRate: number;
}

type Refused = Extract<Event, { kind: "refused" }>;

export class Reception {
  readonly #options: ReceptionOptions;
  readonly #lanes: Lanes;
  #inbox: Event[] = [{ kind: "tick" }];
  #refused: Refused[] = [];

  constructor(options: ReceptionOptions) {
    this.#options = options;
    this.#lanes = new Lanes({ perSecond: options.clientRate });
  }

  get isEmpty(): boolean {
    return this.#inbox.length === 0 && this.#refused.length === 0 && this.#lanes.count === 0;
  }

  /** Messages of clients that wait to be looked at, and their bytes. */
  get waiting(): { readonly count: number; readonly bytes: number } {
    return this.#lanes;
  }

  /** A message from an authenticated peer. */
  take(from: PublicKey, message: Uint8Array, tick: number): void {
    const { members, ingress, onRejected } = this.#options;
    // A backup's forwarded requests are clients' requests: they wait as the forwarder's.
    if (members.nodeByKey(from) === undefined || isRequest(message)) {
      if (!this.#lanes.offer({ from, message, weight: weightOf(message) }, tick)) this.#refuse(from, message);
      return;
    }
    if (this.#inbox.length >= limits.inboxMessagesMax) {
      onRejected("over-limit");
      return;
    }
    const event = ingress.open(from, message);
    if (event !== undefined) this.#inbox.push(event);
  }

  /** For what is not heard from others. */
  push(event: Event): void {
    this.#inbox.push(event);
  }

  /** What comes before all that waits. */
  putFirst(events: readonly Event[]): void {
    if (events.length > 0) this.#inbox = [...events, ...this.#inbox];
  }

  /**
   * The events of a turn. What is done for clients is bounded by number, size and weight, not by the clock: a crowded
   * machine would take few requests in each turn and make small blocks, which cost all nodes more, so that all get
   * ever slower. Readings that are too heavy for what is left of a turn do not keep others' requests waiting.
   */
  next(): Event[] {
    const events = this.#inbox.splice(0, limits.turnEventsMax);
    const room = Math.max(limits.clientEventsMin, limits.clientEventsMax - events.length);
    events.push(...this.#refused.splice(0, room));
    let bytes = 0;
    let opened = 0;
    for (const { from, message } of this.#lanes.take(limits.clientTurnWeightMax)) {
      opened++;
      if (this.#isCrowdedBy(from, message)) this.#refuse(from, message);
      else {
        bytes += message.length;
        const event = this.#options.ingress.open(from, message);
        if (event !== undefined) events.push(event);
      }
      // Before the next one is taken out of its line.
      if (opened >= room || bytes >= limits.clientTurnBytesMax) break;
    }
    return events;
  }

  /** Its queue here is full: there is no use in checking its signature. */
  #isCrowdedBy(from: PublicKey, message: Uint8Array): boolean {
    const { members, hasRoom } = this.#options;
    return members.isClient(from) && isRequest(message) && !hasRoom(from);
  }

  /** Told to the client itself only, as far as telling is cheap; whoever forwards will repeat what is not executed. */
  #refuse(from: PublicKey, message: Uint8Array): void {
    const { members, onRejected } = this.#options;
    const head = members.isClient(from) && this.#refused.length < limits.refusalsMax ? headOf(message) : undefined;
    // A told refusal is counted when it is told.
    if (head === undefined) onRejected("busy");
    else this.#refused.push({ kind: "refused", client: from, code: "busy", ...head });
  }
}

/** Of an envelope, whose first field is its kind. */
function isRequest(message: Uint8Array): boolean {
  return message[0] === KIND_TAG && message[1] === carriage.request.number;
}

/** What an answer must name of the request it answers; nothing is checked. */
function headOf(message: Uint8Array): Pick<Refused, "nonce" | "hash"> | undefined {
  const opened = openEnvelope(message);
  if (typeof opened === "string" || opened.kind !== "request") return undefined;
  const { body } = opened;
  const from = { bytes: body, at: NONCE_AT, end: body.length };
  if (body.length > limits.requestBytesMax || body[0] !== CLIENT_TAG || body[1] !== CLIENT_BYTES) return undefined;
  try {
    return readVarint(from) === NONCE_TAG ? { nonce: readVarint(from), hash: digestOf(body) } : undefined;
  } catch (error) {
    if (error instanceof CodecError) return undefined;
    throw error;
  }
}

// The first bytes of an Envelope and of a RequestBody (types/wire.proto).
const KIND_TAG = 0x08;
const CLIENT_TAG = 0x0a;
const CLIENT_BYTES = 32;
const NONCE_AT = 2 + CLIENT_BYTES;
const NONCE_TAG = 0x10;
