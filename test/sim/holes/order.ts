// Other orders of delivery than ours (protocol 3.3), for the scenarios that show what is wrong with them. They keep the
// interface of `Delivery` and none of its assertions, so that the checkers see what comes of them.

import { vi } from "vitest";
import { type Delivered, Delivery } from "../../../src/cross/delivery.js";
import type { Digest, Entry, Sequence } from "../../../src/types/ids.js";

export interface Waiting {
  readonly entry: Entry;
  readonly final: Sequence | undefined;
}

/** `choose`: of what waits, in slot order, the position of what is delivered now. */
export function deliverBy(choose: (waiting: readonly Waiting[]) => number | undefined): void {
  interface Log {
    readonly entries: Entry[];
    readonly finals: Map<Digest, Sequence>;
  }
  const logs = new WeakMap<Delivery, Log>();
  const logOf = (delivery: Delivery): Log => {
    const log = logs.get(delivery) ?? { entries: [], finals: new Map() };
    logs.set(delivery, log);
    return log;
  };
  vi.spyOn(Delivery.prototype, "add").mockImplementation(function (this: Delivery, entry, final) {
    const { entries, finals } = logOf(this);
    entries.push(entry);
    if (final !== undefined) finals.set(entry.digest, final);
  });
  vi.spyOn(Delivery.prototype, "finalize").mockImplementation(function (this: Delivery, digest, final) {
    logOf(this).finals.set(digest, final);
  });
  vi.spyOn(Delivery.prototype, "next").mockImplementation(function (this: Delivery): Delivered | undefined {
    const { entries, finals } = logOf(this);
    const waiting = entries.map((entry) => ({ entry, final: finals.get(entry.digest) }));
    const at = choose(waiting);
    const chosen = at === undefined ? undefined : waiting[at];
    if (at === undefined || chosen?.final === undefined) return undefined;
    entries.splice(at, 1);
    return { entry: chosen.entry, final: chosen.final };
  });
  vi.spyOn(Delivery.prototype, "waiting", "get").mockImplementation(function (this: Delivery) {
    return logOf(this).entries.length;
  });
}

/** §6.3.2: a block is appended when it is committed and everything of lower slots is. */
export function deliverInLogOrder(): void {
  deliverBy(() => 0);
}

/** The smallest final sequence known so far, whatever may still come below it. */
export function deliverAtOnce(): void {
  const keyOf = ({ entry, final }: Waiting) => final ?? entry.sequence;
  deliverBy((waiting) => {
    const smallest = Math.min(...waiting.map(keyOf));
    const at = waiting.findIndex((each) => keyOf(each) === smallest);
    return at < 0 ? undefined : at;
  });
}
