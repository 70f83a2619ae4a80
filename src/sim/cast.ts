// Who takes part in simulations: the checkers that watch them and the villains that are drawn from. A run can be given
// another cast, for a test of one checker or one villain.

import type { MakeChecker, MakeVillain } from "./observer.js";

export interface Cast {
  readonly checkers: readonly MakeChecker[];
  readonly villains: Readonly<Record<string, MakeVillain>>;
}

export const fullCast: Cast = { checkers: [], villains: {} };
