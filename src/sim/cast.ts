// Who takes part in simulations: the checkers that watch them, the villains and byzantine clients that are drawn from.
// A run can be given another cast, for a test of one checker or one villain.

import { makeCheckers } from "./checkers/all.js";
import type { MakeChecker, MakeVillain } from "./observer.js";
import type { MakeRogue } from "./rogues.js";
import { villains } from "./villains/all.js";
import { villainClients } from "./villains/clients.js";

export interface Cast {
  readonly checkers: readonly MakeChecker[];
  readonly villains: Readonly<Record<string, MakeVillain>>;
  readonly rogues: Readonly<Record<string, MakeRogue>>;
}

export const fullCast: Cast = { checkers: makeCheckers, villains, rogues: villainClients };
