// All checks of a run, by the names under which they are reported.

import { acknowledged } from "./acknowledged.js";
import type { Check } from "./evidence.js";
import { once } from "./once.js";
import { accountOrder, clusterOrder } from "./order.js";
import { reads } from "./reads.js";
import { refused } from "./refused.js";
import { resolved } from "./resolved.js";
import { supply } from "./supply.js";

export const checks: readonly { readonly name: string; readonly find: Check }[] = [
  { name: "acknowledged requests are in all their ledgers", find: acknowledged },
  { name: "every request is there once", find: once },
  { name: "nothing refused was applied", find: refused },
  { name: "unknown outcomes are resolved", find: resolved },
  { name: "balances sum to the supply at every sequence", find: supply },
  { name: "views keep the order that clients saw", find: clusterOrder },
  { name: "accounts keep the order that clients saw", find: accountOrder },
  { name: "reads are of their record, and never go back", find: reads },
];
