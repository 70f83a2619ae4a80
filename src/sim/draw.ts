// Drawing from the seed. Each part of a run has a stream of its own, so that what one part draws does not depend on how
// much another has drawn: a change of the clients' habits leaves the weather as it was.

import { hashNumber } from "../crypto/hash.js";
import { type Random, randomOf } from "../load/random.js";

/** From the first to the second, both included. */
export type Range = readonly [low: number, high: number];

export class Draw {
  readonly #random: Random;

  constructor(seed: number, part: string) {
    this.#random = randomOf(hashNumber(`${seed} ${part}`));
  }

  readonly below = (count: number): number => this.#random.below(count);

  fraction(): number {
    return this.#random.fraction();
  }

  /** True with this probability. */
  chance(share: number): boolean {
    return share > 0 && this.#random.fraction() < share;
  }

  /** A whole number. */
  integer([low, high]: Range): number {
    return low + this.#random.below(high - low + 1);
  }

  number([low, high]: Range): number {
    return low + this.#random.fraction() * (high - low);
  }

  /** Small values as likely as large ones: a pause of 1 to 10 s is as likely as one of 10 to 100 s. `low` > 0. */
  magnitude([low, high]: Range): number {
    return low * (high / low) ** this.#random.fraction();
  }

  /** With a mean; most waits are short and a few are long. */
  wait(mean: number): number {
    return -Math.log(1 - this.#random.fraction()) * mean;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.#random.below(from.length)] as T;
  }

  /** Some of them, in their order, each with this probability. */
  some<T>(from: readonly T[], share: number): T[] {
    return from.filter(() => this.chance(share));
  }

  /** So many different ones, in a drawn order. */
  sample<T>(from: readonly T[], count: number): T[] {
    const rest = [...from];
    for (let i = 0; i < Math.min(count, rest.length); i++) {
      const other = i + this.#random.below(rest.length - i);
      [rest[i], rest[other]] = [rest[other] as T, rest[i] as T];
    }
    return rest.slice(0, count);
  }
}
