// The clock of a node's timers (protocol 2.4): monotonic, and slow while the process itself is swamped. What a node
// waits for may then lie unread in its own sockets, so that time says little about its primary; to exchange primaries
// in a burst that keeps all busy only makes it worse. It goes on at a quarter, so no flood makes a node wait for ever.

const SAMPLE_MS = 100;
/**
 * A process that is busy for longer waits for its processor, or makes others wait for theirs: with sixteen on two cores
 * and every client waiting, a node that waits for the votes of the others is busy for six to nine tenths of the time.
 */
const SWAMPED_UTILIZATION = 0.6;
const SWAMPED_RATE = 0.25;

interface Utilization {
  readonly idle: number;
  readonly active: number;
}

export interface TimerClockOptions {
  /** Milliseconds since some start. */
  readonly monotonic: () => number;
  /** Milliseconds since then that the event loop had nothing to do, and something. */
  readonly utilization: () => Utilization;
}

export class TimerClock {
  readonly #options: TimerClockOptions;
  #sampledAt: number;
  #sample: Utilization;
  #tick: number;
  #rate = 1;

  constructor(options: TimerClockOptions = processClock) {
    this.#options = options;
    this.#sampledAt = options.monotonic();
    this.#tick = this.#sampledAt;
    this.#sample = options.utilization();
  }

  /** Milliseconds; never goes back. */
  get tick(): number {
    const elapsed = this.#options.monotonic() - this.#sampledAt;
    if (elapsed >= SAMPLE_MS) this.#resample(elapsed);
    return this.#tick + (this.#options.monotonic() - this.#sampledAt) * this.#rate;
  }

  /** What went by is counted at the rate it was read at; the next rate is what it turned out to be. */
  #resample(elapsed: number): void {
    const before = this.#sample;
    this.#sample = this.#options.utilization();
    this.#tick += elapsed * this.#rate;
    this.#sampledAt += elapsed;
    const active = this.#sample.active - before.active;
    const idle = this.#sample.idle - before.idle;
    this.#rate = active > SWAMPED_UTILIZATION * (active + idle) ? SWAMPED_RATE : 1;
  }
}

const processClock: TimerClockOptions = {
  monotonic: () => performance.now(),
  utilization: () => performance.eventLoopUtilization(),
};
