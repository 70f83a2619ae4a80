// A process that stands still, as under SIGSTOP: what would have happened meanwhile happens afterwards, in its order.

import type { EventQueue } from "./events.js";

export class Pause {
  readonly #queue: EventQueue;
  readonly #postponed: (() => void)[] = [];
  #until = 0;

  constructor(queue: EventQueue) {
    this.#queue = queue;
  }

  get isOn(): boolean {
    return this.#queue.now < this.#until;
  }

  begin(until: number): void {
    this.#until = Math.max(this.#until, until);
    this.#queue.at(until, () => this.#goOn());
  }

  /** Ends it before its time. */
  end(): void {
    this.#until = 0;
    this.#goOn();
  }

  postpone(action: () => void): void {
    this.#postponed.push(action);
  }

  forget(): void {
    this.#postponed.length = 0;
  }

  #goOn(): void {
    if (this.isOn) return;
    for (const action of this.#postponed.splice(0)) action();
  }
}
