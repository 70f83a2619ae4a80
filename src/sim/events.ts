// What is going to happen, by virtual time: a binary heap of (time, order of arrival). Time jumps to the next event, so
// waiting costs nothing; two events of one moment happen in the order in which they were asked for, so a seed repeats
// its run exactly. It knows nothing of what the events do.

/** What happens. A promise is waited for before the next event: only reading a store at start needs one. */
export type Action = () => void | Promise<void>;

interface Scheduled {
  readonly at: number;
  readonly order: number;
  readonly action: Action;
}

export class EventQueue {
  readonly #heap: Scheduled[] = [];
  #orders = 0;
  #now = 0;
  #performed = 0;

  /** Virtual milliseconds since the start. */
  get now(): number {
    return this.#now;
  }

  get size(): number {
    return this.#heap.length;
  }

  /** How many events have happened. */
  get performed(): number {
    return this.#performed;
  }

  /** The past is over: what is asked for too late happens now. */
  at(time: number, action: Action): void {
    this.#rise({ at: Math.max(time, this.#now), order: this.#orders++, action });
  }

  after(delay: number, action: Action): void {
    this.at(this.#now + delay, action);
  }

  /** Lets everything happen up to and including `time`, or until `isOver`. */
  async runUntil(time: number, isOver: () => boolean = () => false): Promise<void> {
    while (!isOver()) {
      const [next] = this.#heap;
      if (next === undefined || next.at > time) {
        this.#now = Math.max(this.#now, time);
        return;
      }
      this.#removeFirst();
      this.#now = next.at;
      this.#performed++;
      const pending = next.action();
      if (pending !== undefined) await pending;
    }
  }

  #rise(event: Scheduled): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as Scheduled;
      if (!isBefore(event, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop() as Scheduled;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, heap[child] as Scheduled)) child++;
      const below = heap[child] as Scheduled;
      if (!isBefore(below, last)) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Scheduled, b: Scheduled): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
