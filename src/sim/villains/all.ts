// Every villain by its name. A new one is added here, and from then on simulations draw it.

import type { MakeVillain } from "../observer.js";
import { amnesia } from "./amnesia.js";
import { compositeOf } from "./composite.js";
import { deaf } from "./deaf.js";
import { equivocate } from "./equivocate.js";
import { forge } from "./forge.js";
import { liar } from "./liar.js";
import { misinform } from "./misinform.js";
import { nag } from "./nag.js";
import { pump } from "./pump.js";
import { replay } from "./replay.js";
import { silent } from "./silent.js";
import { slow } from "./slow.js";
import { twins } from "./twins.js";
import { twoFaced } from "./two-faced.js";
import { voteAll } from "./vote-all.js";
import { yesMan } from "./yes-man.js";

const simple = {
  silent,
  deaf,
  slow,
  equivocate,
  "two-faced": twoFaced,
  "vote-all": voteAll,
  "yes-man": yesMan,
  liar,
  pump,
  replay,
  forge,
  misinform,
  nag,
  amnesia,
  twins,
} as const satisfies Readonly<Record<string, MakeVillain>>;

export const villains: Readonly<Record<VillainName, MakeVillain>> = {
  ...simple,
  composite: compositeOf(Object.values(simple)),
};

export type VillainName = keyof typeof simple | "composite";

/** Those that a crash node may be as well: they say or hear less, or later, and never anything false. */
export const crashVillains: readonly VillainName[] = ["silent", "deaf", "slow"];
