// How a new data folder gets into its place (protocol 6). What was there is kept aside, never deleted, and there is a
// mark at every moment: without one a node that is started after this process died would begin as if it had never
// voted.

import { constants, existsSync, lstatSync } from "node:fs";
import { copyFile, readdir, rename, rm, rmdir, writeFile } from "node:fs/promises";
import { openLevelStoreOfAny } from "../ledger/level.js";
import { markPath } from "../ledger/mark.js";
import { CodedError } from "../types/codes.js";
import { syncFolder } from "./backup-file.js";

/** More folders set aside than this are a sign of something else. */
const ASIDE_MAX = 1000;
/** No mark, but a file in its place, so that neither the folder nor its absence passes for new. */
const BEING_REPLACED = "the data folder is being replaced\n";

/** Refuses what is not to be replaced, or cannot be; an empty folder is removed. */
export async function clearPlace(path: string): Promise<void> {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there === undefined) return;
  if (!there.isDirectory()) {
    throw new CodedError("data-exists", `${path} is a link or a file; give the path of the folder itself`);
  }
  if ((await readdir(path)).length > 0) {
    throw new CodedError(
      "data-exists",
      `${path} is not empty; a backup never takes the place of data. If the node cannot use it, move it away with ` +
        `its mark, ${markPath(path)}`,
    );
  }
  try {
    await rmdir(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const advice = "a new folder takes its place; where a disk is mounted, give the path of a folder within";
    throw new CodedError("data-exists", `${path} cannot be removed: ${reason}; ${advice}`);
  }
}

/** The new folder with its mark. Returns where the old one is now; undefined: there was none. */
export async function takePlace(of: { readonly fresh: string; readonly path: string }): Promise<string | undefined> {
  const { fresh, path } = of;
  const aside = asideOf(path);
  const isThere = lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  if (existsSync(markPath(path))) await copyFile(markPath(path), markPath(aside), constants.COPYFILE_EXCL);
  else if (isThere) await writeFile(markPath(path), BEING_REPLACED, { flush: true });
  // What the disk has must hold as well, should the machine stop.
  await syncFolder(path);
  if (isThere) await rename(path, aside);
  await rename(markPath(fresh), markPath(path));
  await rename(fresh, path);
  await syncFolder(path);
  return isThere ? aside : undefined;
}

function asideOf(path: string): string {
  for (let i = 1; i <= ASIDE_MAX; i++) {
    const aside = `${path}.damaged-${i}`;
    if (!existsSync(aside) && !existsSync(markPath(aside))) return aside;
  }
  throw new CodedError("too-many-folders", `${path}.damaged-1 to -${ASIDE_MAX} are all there; move some away`);
}

/** A folder that was begun and never got into its place; after `refuseRunning`, as it may be somebody's work. */
export async function removeUnfinished(fresh: string): Promise<void> {
  await rm(fresh, { recursive: true, force: true });
  await rm(markPath(fresh), { force: true });
}

/** A running node keeps its folder, wherever that is moved; damage of any other kind is no matter here. */
export async function refuseRunning(path: string): Promise<void> {
  if (!existsSync(path)) return;
  try {
    await (await openLevelStoreOfAny(path)).close();
  } catch (error) {
    if (error instanceof CodedError && error.code === "store-locked") throw error;
  }
}
