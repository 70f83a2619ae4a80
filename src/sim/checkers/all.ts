// The checkers of all invariants of protocol 10, in their order. Each can be made alone; made for one world, they share
// what they have decoded.

import type { MakeChecker } from "../observer.js";
import { makeAgreement } from "./agreement.js";
import { makeBounds } from "./bounds.js";
import { makeCross } from "./cross.js";
import { makeInnocence } from "./innocence.js";
import { makeLinear } from "./linear.js";
import { makeLiveness } from "./liveness.js";
import { makeAcyclic, makeOrder } from "./order.js";
import { makeProofs } from "./proofs.js";
import { makeReplies } from "./replies.js";
import { makeRequests } from "./requests.js";
import { makeResults } from "./results.js";
import { makeNoDebt, makeSupply } from "./supply.js";
import { makeVotes } from "./votes.js";

export const makeCheckers: readonly MakeChecker[] = [
  makeAgreement,
  makeProofs,
  makeOrder,
  makeCross,
  makeAcyclic,
  makeSupply,
  makeNoDebt,
  makeRequests,
  makeVotes,
  makeReplies,
  makeLiveness,
  makeBounds,
  makeLinear,
  makeResults,
  makeInnocence,
];
