// What can happen to the data folder of a node that is stopped: bits that flip, files that lose their end or vanish,
// and a folder that is an old copy of itself. Which file and which place are drawn, among the files that hold data:
// LevelDB names its own files by number.

import { cp, open, readdir, rm, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import type { Random } from "../load/random.js";
import type { Damage } from "./schedule.js";

export interface DamageOptions {
  readonly damage: Damage;
  readonly folder: string;
  /** An earlier state of the folder. */
  readonly copy: string;
  readonly random: Random;
}

const FLIPS = 8; // bits, in one file

/** What was done, in words; undefined if there was nothing to do it to. */
export async function damageFolder({ damage, folder, copy, random }: DamageOptions): Promise<string | undefined> {
  if (damage === "old-copy") {
    if (!(await exists(copy))) return undefined;
    await rm(folder, { recursive: true, force: true });
    await cp(copy, folder, { recursive: true });
    return "an old copy put back";
  }
  const names = (await readdir(folder)).filter((name) => /\.(ldb|log)$|^(MANIFEST|CURRENT)/.test(name)).sort();
  const name = names[random.below(names.length)];
  if (name === undefined) return undefined;
  const path = join(folder, name);
  const { size } = await stat(path);
  if (damage === "delete") {
    await rm(path);
    return `${name} deleted`;
  }
  if (size === 0) return undefined;
  if (damage === "truncate") {
    const left = random.below(size);
    await truncate(path, left);
    return `${name} cut to ${left} of ${size} bytes`;
  }
  await flipBits(path, { size, random });
  return `${FLIPS} bits flipped in ${name}`;
}

/** Takes the copy that "old-copy" puts back; of a stopped node. */
export async function copyFolder({ folder, copy }: { readonly folder: string; readonly copy: string }): Promise<void> {
  await rm(copy, { recursive: true, force: true });
  await cp(folder, copy, { recursive: true });
}

async function flipBits(path: string, { size, random }: { readonly size: number; readonly random: Random }) {
  const file = await open(path, "r+");
  try {
    for (let i = 0; i < FLIPS; i++) {
      const at = random.below(size);
      const byte = new Uint8Array(1);
      await file.read(byte, 0, 1, at);
      byte[0] = (byte[0] ?? 0) ^ (1 << random.below(8));
      await file.write(byte, 0, 1, at);
    }
  } finally {
    await file.close();
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
