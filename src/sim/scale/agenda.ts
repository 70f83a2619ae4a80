// The order of events in virtual time: a binary heap by time, and by the order of asking at equal times, so that a run
// is the same each time. Times are microseconds since the start.

export interface Actor<Happening> {
  on(happening: Happening, nowUs: number): void;
}

interface Item<Happening> {
  readonly at: number;
  readonly order: number;
  readonly actor: Actor<Happening>;
  readonly happening: Happening;
}

export class Agenda<Happening> {
  readonly #heap: Item<Happening>[] = [];
  #order = 0;
  #now = 0;

  add(at: number, actor: Actor<Happening>, happening: Happening): void {
    if (at < this.#now) throw new Error(`an event at ${at} is asked for at ${this.#now}`);
    this.#up({ at, order: this.#order++, actor, happening });
  }

  /** Lets everything happen that is due before `endUs`. */
  run(endUs: number): void {
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.at >= endUs) return;
      this.#now = next.at;
      this.#down(this.#heap.pop() as Item<Happening>);
      next.actor.on(next.happening, next.at);
    }
  }

  #up(item: Item<Happening>): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as Item<Happening>;
      if (isBefore(above, item)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = item;
  }

  /** Puts the last item where it belongs, from the top, which is taken. */
  #down(item: Item<Happening>): void {
    const heap = this.#heap;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, heap[child] as Item<Happening>)) child++;
      const below = heap[child] as Item<Happening>;
      if (isBefore(item, below)) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = item;
  }
}

function isBefore(a: Item<unknown>, b: Item<unknown>): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
