// The links between nodes and clients. What one says to another in a turn travels as one frame: it is delayed, lost,
// duplicated or overtaken as a whole. Links keep their order, as TCP does, but for frames that are drawn to be
// overtaken, as around a reconnection. A link can be cut, in one direction or both, or clogged: what is sent then
// arrives when it is clear again. All is drawn from the seed; what the bytes mean is not known here.

import type { Draw, Range } from "./draw.js";
import type { EventQueue } from "./events.js";

/** A node or a client: its position among all of them. */
export type Endpoint = number;

export type Frame = readonly Uint8Array[];

export interface Weather {
  /** Share of frames that are lost, duplicated, overtaken. */
  readonly loss: number;
  readonly duplicates: number;
  readonly overtaken: number;
  /** Share of frames that take `slowMs` longer. */
  readonly slow: number;
  readonly slowMs: number;
}

export interface NetworkOptions {
  readonly queue: EventQueue;
  readonly draw: Draw;
  readonly endpoints: number;
  /** One way, of each link, in ms. */
  readonly latencyOf: (from: Endpoint, to: Endpoint) => Range;
  readonly weather: Weather;
  readonly deliver: (from: Endpoint, to: Endpoint, frame: Frame) => void;
  /** Called when a link is cut, and when it works again. */
  readonly onCut?: (from: Endpoint, to: Endpoint, isCut: boolean) => void;
  /** Called for what never arrives, for transcripts. */
  readonly onLost?: (from: Endpoint, to: Endpoint, frame: Frame) => void;
}

export const FAIR_WEATHER: Weather = { loss: 0, duplicates: 0, overtaken: 0, slow: 0, slowMs: 0 };

/** A duplicate comes so much later at most. */
const DUPLICATE_DELAY_MS = 200;
/** What is overtaken is so much late at most. */
const OVERTAKEN_DELAY_MS = 100;

export class Network {
  readonly #options: NetworkOptions;
  /** Of each directed link: when its last frame arrives, how many cuts are on it, and until when it is clogged. */
  readonly #lastArrival: Float64Array;
  readonly #cuts: Uint16Array;
  readonly #cloggedUntil: Float64Array;
  weather: Weather;
  /** Frames sent so far, and frames that were lost. */
  sent = 0;
  lost = 0;

  constructor(options: NetworkOptions) {
    this.#options = options;
    const links = options.endpoints ** 2;
    this.#lastArrival = new Float64Array(links);
    this.#cuts = new Uint16Array(links);
    this.#cloggedUntil = new Float64Array(links);
    this.weather = options.weather;
  }

  send(from: Endpoint, to: Endpoint, frame: Frame, extraMs = 0): void {
    const { draw } = this.#options;
    const { loss, duplicates } = this.weather;
    this.sent++;
    if (this.isCut(from, to) || draw.chance(loss)) {
      this.#lose(from, to, frame);
      return;
    }
    this.#travel(from, to, frame, extraMs);
    if (draw.chance(duplicates)) this.#travel(from, to, frame, extraMs + draw.number([0, DUPLICATE_DELAY_MS]));
  }

  isCut(from: Endpoint, to: Endpoint): boolean {
    return (this.#cuts[this.#link(from, to)] as number) > 0;
  }

  /** Cuts add up: a link works again when each was healed. */
  cut(from: Endpoint, to: Endpoint): void {
    this.#addCut(from, to, 1);
    if (this.#cuts[this.#link(from, to)] === 1) this.#options.onCut?.(from, to, true);
  }

  heal(from: Endpoint, to: Endpoint): void {
    if (!this.isCut(from, to)) throw new Error(`link ${from} to ${to} was not cut`);
    this.#addCut(from, to, -1);
    if (!this.isCut(from, to)) this.#options.onCut?.(from, to, false);
  }

  #addCut(from: Endpoint, to: Endpoint, count: number): void {
    const link = this.#link(from, to);
    this.#cuts[link] = (this.#cuts[link] as number) + count;
  }

  clog(from: Endpoint, to: Endpoint, until: number): void {
    const link = this.#link(from, to);
    this.#cloggedUntil[link] = Math.max(this.#cloggedUntil[link] as number, until);
  }

  /** All links: what is under way arrives when it was going to. */
  unclog(): void {
    this.#cloggedUntil.fill(0);
  }

  #travel(from: Endpoint, to: Endpoint, frame: Frame, extraMs: number): void {
    const { queue, draw, latencyOf, deliver } = this.#options;
    const { overtaken, slow, slowMs } = this.weather;
    const link = this.#link(from, to);
    const slowness = draw.chance(slow) ? draw.number([0, slowMs]) : 0;
    const start = Math.max(queue.now, this.#cloggedUntil[link] as number);
    const arrival = start + draw.number(latencyOf(from, to)) + slowness + extraMs;
    // What a liar or the network holds back does not hold back the rest.
    const keepsOrder = extraMs === 0 && !draw.chance(overtaken);
    const inOrder = Math.max(arrival, this.#lastArrival[link] as number);
    if (keepsOrder) this.#lastArrival[link] = inOrder;
    queue.at(keepsOrder ? inOrder : arrival + draw.number([0, OVERTAKEN_DELAY_MS]), () => {
      // What was under way when the link was cut is lost, too.
      if (this.isCut(from, to)) this.#lose(from, to, frame);
      else deliver(from, to, frame);
    });
  }

  #lose(from: Endpoint, to: Endpoint, frame: Frame): void {
    this.lost++;
    this.#options.onLost?.(from, to, frame);
  }

  #link(from: Endpoint, to: Endpoint): number {
    return from * this.#options.endpoints + to;
  }
}
