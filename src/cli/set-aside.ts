// What a new data folder takes the place of is moved aside, never deleted: the folder and its mark stay together.

import { existsSync } from "node:fs";
import { rename } from "node:fs/promises";
import { openLevelStoreOfAny } from "../ledger/level.js";
import { markPath } from "../ledger/mark.js";
import { CodedError } from "../types/codes.js";

/** More folders set aside than this are a sign of something else. */
const ASIDE_MAX = 1000;

/** Returns where the folder is; undefined: there was none. */
export async function setAside(path: string, isThere: boolean): Promise<string | undefined> {
  for (let i = 1; i <= ASIDE_MAX; i++) {
    const aside = `${path}.damaged-${i}`;
    if (existsSync(aside) || existsSync(markPath(aside))) continue;
    if (isThere) await rename(path, aside);
    if (existsSync(markPath(path))) await rename(markPath(path), markPath(aside));
    return isThere ? aside : undefined;
  }
  throw new CodedError("too-many-folders", `${path}.damaged-1 to -${ASIDE_MAX} are all there; move some away`);
}

/** A running node keeps its folder, wherever that is moved; damage of any other kind is no matter here. */
export async function refuseRunning(path: string): Promise<void> {
  try {
    await (await openLevelStoreOfAny(path)).close();
  } catch (error) {
    if (error instanceof CodedError && error.code === "store-locked") throw error;
  }
}
