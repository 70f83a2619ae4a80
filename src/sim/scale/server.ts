// A simulated server: the real replica, door and turn, on one core. A turn begins when the core is free and takes all
// that has arrived by then, as the host does; what it says leaves when the work is done, one message after the other,
// and a peer gets its messages of one turn together, as one frame.

import type { Signer } from "../../crypto/signature.js";
import type { Ingress } from "../../node/ingress.js";
import type { Replica } from "../../node/replica.js";
import { runTurn, type TurnContext } from "../../node/turn.js";
import type { Event, Note } from "../../types/effects.js";
import type { PublicKey } from "../../types/ids.js";
import { limits } from "../../types/limits.js";
import type { Actor, Agenda } from "./agenda.js";
import { type Core, type CpuCosts, workUs } from "./cpu.js";
import type { RecentStore } from "./recent-store.js";
import type { CountedSignatures } from "./signatures.js";

/** What travels: the messages of one turn to one receiver. */
export interface Frame {
  readonly kind: "frame";
  readonly from: PublicKey;
  readonly messages: readonly Uint8Array[];
}

export type Happening = Frame | { readonly kind: "turn" } | { readonly kind: "timer" } | { readonly kind: "start" };

/** The links of a machine. */
export interface Links {
  /** Lets the frame arrive at its receiver, after the delay of the link. */
  send(to: PublicKey, frame: Frame, departureUs: number): void;
}

export interface ServerParts {
  readonly replica: Replica;
  readonly ingress: Ingress;
  readonly store: RecentStore;
  readonly context: Omit<TurnContext, "signer"> & { readonly signer: Signer };
  readonly core: Core;
  readonly costs: CpuCosts;
  readonly signatures: CountedSignatures;
  readonly agenda: Agenda<Happening>;
  readonly links: Links;
  /** Virtual time 0 in milliseconds since 1970. */
  readonly startTime: number;
  readonly onNote: (note: Note, nowUs: number) => void;
}

interface Arrived {
  readonly from: PublicKey;
  readonly bytes: Uint8Array;
}

const MICROSECONDS = 1000;
const TURN = { kind: "turn" } as const;
const TIMER = { kind: "timer" } as const;

export class Server implements Actor<Happening> {
  readonly #parts: ServerParts;
  /** What the node said to itself, durable by now. */
  #own: readonly Event[] = [];
  #arrived: Arrived[] = [];
  #hasTurn = false;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(parts: ServerParts) {
    this.#parts = parts;
  }

  on(happening: Happening, nowUs: number): void {
    switch (happening.kind) {
      case "frame":
        for (const bytes of happening.messages) this.#arrived.push({ from: happening.from, bytes });
        return this.#askForTurn(nowUs);
      case "start":
        return this.#askForTurn(nowUs);
      case "turn":
        this.#hasTurn = false;
        return this.#turn(nowUs);
      case "timer":
        if (nowUs !== this.#timerAt) return;
        this.#timerAt = Number.POSITIVE_INFINITY;
        if (this.#isTimerDue(nowUs)) this.#askForTurn(nowUs);
        else this.#setTimer(nowUs);
    }
  }

  #isTimerDue(nowUs: number): boolean {
    const { wakeAt } = this.#parts.replica;
    return wakeAt !== undefined && wakeAt <= nowUs / MICROSECONDS;
  }

  #askForTurn(nowUs: number): void {
    if (this.#hasTurn) return;
    this.#hasTurn = true;
    const { agenda, core } = this.#parts;
    agenda.add(Math.max(nowUs, core.freeAt), this, TURN);
  }

  #setTimer(nowUs: number): void {
    const { wakeAt } = this.#parts.replica;
    // A microsecond later, so that no rounding makes the timer early, at which it would be set again without end.
    const wakeAtUs = Math.max(nowUs, (wakeAt ?? Number.POSITIVE_INFINITY) * MICROSECONDS + 1);
    if (wakeAtUs >= this.#timerAt || wakeAtUs === Number.POSITIVE_INFINITY) return;
    this.#timerAt = wakeAtUs;
    this.#parts.agenda.add(this.#timerAt, this, TIMER);
  }

  #turn(nowUs: number): void {
    const { replica, store, context, core, costs, signatures, links, startTime, onNote } = this.#parts;
    signatures.take();
    const { events, received } = this.#events(nowUs);
    const { verified } = signatures.take();
    // What is decided in this turn is decided once its messages are read.
    const readAt = nowUs + workUs({ received, verified, signed: 0 }, costs);
    const tick = readAt / MICROSECONDS;
    const plan = runTurn(replica, { now: { time: startTime + Math.floor(tick), tick }, events }, context);
    const { signed } = signatures.take();
    store.apply(plan.persist, nowUs);
    let departure = nowUs + workUs({ received, verified, signed }, costs);
    for (const [to, messages] of plan.outbound) {
      departure += messages.length * costs.sendUs;
      links.send(to, { kind: "frame", from: context.keyOf(context.self), messages }, departure);
    }
    core.work(nowUs, departure - nowUs);
    this.#own = plan.inbound;
    for (const note of plan.notes) onNote(note, readAt);
    if (this.#own.length > 0 || this.#arrived.length > 0) this.#askForTurn(departure);
    this.#setTimer(departure);
  }

  /** What the node said to itself comes first: it was there before. */
  #events(nowUs: number): { readonly events: readonly Event[]; readonly received: number } {
    const events = [...this.#own];
    this.#own = [];
    const room = Math.max(0, limits.turnEventsMax - events.length);
    const taken = this.#arrived.splice(0, room);
    for (const { from, bytes } of taken) {
      const event = this.#parts.ingress.open(from, bytes);
      if (event !== undefined) events.push(event);
    }
    if (this.#isTimerDue(nowUs)) events.push({ kind: "tick" });
    return { events, received: taken.length };
  }
}
