// Timers as data: the core asks for none of the host's clocks; it notes what is due when, and a tick event brings what
// has become due (protocol 2.4, 3.4, 5). Delays double with each firing of the same name, capped, and fall back when
// the timer is stopped, that is on progress.

import { limits } from "../types/limits.js";

interface Timer {
  readonly start: number;
  readonly due: number;
  readonly firings: number;
}

export class Timers<Name extends string> {
  readonly #timers = new Map<Name, Timer>();
  #earliest = Number.POSITIVE_INFINITY;

  /** Starts a timer unless it runs. Times in milliseconds of the monotonic clock. */
  start(name: Name, { now, delay }: { readonly now: number; readonly delay: number }): void {
    if (!this.#timers.has(name)) this.#set(name, { start: now, due: now + delay, firings: 0 });
  }

  stop(name: Name): void {
    this.#timers.delete(name);
  }

  /** Stops all timers whose names begin so. */
  stopAll(prefix: string): void {
    for (const name of [...this.#timers.keys()]) if (name.startsWith(prefix)) this.stop(name);
  }

  /** What begins so and has fired before is due at once; that firing is not counted. */
  hasten(prefix: string, now: number): void {
    this.#change(prefix, ({ due, firings }) => firings > 0 && { due: Math.min(due, now), firings: firings - 1 });
  }

  /** What begins so and has not fired is due after `delay` at the latest. */
  hurry(prefix: string, { now, delay }: { readonly now: number; readonly delay: number }): void {
    this.#change(prefix, ({ due, firings }) => firings === 0 && { due: Math.min(due, now + delay) });
  }

  /** What begins so has its first two firings no earlier than if it had been started with this delay. */
  slacken(prefix: string, delay: number): void {
    this.#change(prefix, ({ start, due, firings }) => {
      return firings < 2 && { due: Math.max(due, start + delay * (firings + 1)) };
    });
  }

  isRunning(name: Name): boolean {
    return this.#timers.has(name);
  }

  /** When the timer was started; undefined: it does not run. */
  startedAt(name: Name): number | undefined {
    return this.#timers.get(name)?.start;
  }

  /** How often the timer has fired since it was started. */
  firings(name: Name): number {
    return this.#timers.get(name)?.firings ?? 0;
  }

  /** What has become due, in the order of the start; each goes on to twice the time it has run, until stopped. */
  due(now: number): readonly Name[] {
    if (now < this.#earliest) return [];
    const names: Name[] = [];
    this.#earliest = Number.POSITIVE_INFINITY;
    for (const [name, timer] of [...this.#timers]) {
      if (timer.due <= now) {
        names.push(name);
        const { start, due, firings } = timer;
        const delay = Math.min(due - start, limits.timeoutMaxMs);
        this.#set(name, { start, due: now + delay, firings: firings + 1 });
      } else if (timer.due < this.#earliest) this.#earliest = timer.due;
    }
    return names;
  }

  /** When the next tick is needed; undefined when nothing runs. May be early, never late. */
  get wakeAt(): number | undefined {
    return this.#timers.size === 0 ? undefined : this.#earliest;
  }

  #change(prefix: string, to: (timer: Timer) => Partial<Timer> | false): void {
    for (const [name, timer] of [...this.#timers]) {
      const changed = name.startsWith(prefix) && to(timer);
      if (changed) this.#set(name, { ...timer, ...changed });
    }
  }

  #set(name: Name, timer: Timer): void {
    this.#timers.set(name, timer);
    if (timer.due < this.#earliest) this.#earliest = timer.due;
  }
}
