// Looks at a LevelDB folder before LevelDB does. What LevelDB cannot read it may drop, and it rewrites its files when
// it opens them, so that afterwards neither the damage nor what it was can be seen. Here every file that it will read
// is checked first, and nothing is changed. A write that a crash cut off at the end of the log is no damage: it was
// never acknowledged, as the mark beside the folder shows (mark.ts).

import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { CodedError } from "../types/codes.js";
import { isHistory } from "./keys.js";
import { type LogRecords, type Manifest, readBatch, readLog, readManifest } from "./level-log.js";
import { damageOfTable } from "./level-table.js";
import { RECOVER } from "./store-errors.js";

export interface FolderCheck {
  /** Bytes of an unfinished write at the end of the log, which LevelDB will drop. */
  readonly tornBytes: number;
  /** Of the newest batch that is in no table yet, with its checksum. */
  readonly stamp: Uint8Array | undefined;
}

/** Throws CodedError "store-corrupt", naming the file. Tables of history alone are left to the scrub (scrub.ts). */
export async function checkFolder(path: string): Promise<FolderCheck> {
  const names = new Set(await readdir(path));
  const manifest = await findManifest(path, names);
  for (const { number, bytes, first, end } of manifest.tables) {
    const name = [fileName(number, "ldb"), fileName(number, "sst")].find((each) => names.has(each));
    if (name === undefined) throw damaged(join(path, fileName(number, "ldb")), "is missing");
    const file = join(path, name);
    if ((await stat(file)).size !== bytes) throw damaged(file, `has not the ${bytes} bytes that it should have`);
    if (!(isHistory(first) && isHistory(end))) await checkTable(file);
  }
  return checkLogs(path, names, manifest);
}

/** Throws CodedError "store-corrupt". */
export async function checkTable(file: string): Promise<void> {
  const at = damageOfTable(await readFile(file));
  if (at !== undefined) throw damaged(file, `is not what was written, from byte ${at}`);
}

async function findManifest(path: string, names: ReadonlySet<string>): Promise<Manifest> {
  const current = join(path, "CURRENT");
  const name = /^(MANIFEST-\d+)\n$/.exec(await readFile(current, "latin1"))?.[1];
  if (name === undefined) throw damaged(current, "does not name a MANIFEST");
  if (!names.has(name)) throw damaged(join(path, name), "is missing");
  const log = readLog(await readFile(join(path, name)));
  refuseHole(join(path, name), log);
  const manifest = readManifest(log.records);
  if (manifest === undefined) throw damaged(join(path, name), "is not a list of tables");
  return manifest;
}

async function checkLogs(path: string, names: ReadonlySet<string>, { log, last }: Manifest): Promise<FolderCheck> {
  const logs = [...names].flatMap((name) => /^(\d+)\.log$/.exec(name)?.[1] ?? []).map(Number);
  const needed = logs.filter((each) => each >= log).sort((a, b) => a - b);
  if (log > 0 && needed[0] !== log) throw damaged(join(path, fileName(log, "log")), "is missing");
  let next: number | undefined;
  let stamp: Uint8Array | undefined;
  let tornBytes = 0;
  /** The first log that ends too early, if anything follows. */
  let short: string | undefined;
  for (const number of needed) {
    const file = join(path, fileName(number, "log"));
    const bytes = await readFile(file);
    const read = readLog(bytes);
    refuseHole(file, read);
    if (read.records.length > 0 && short !== undefined) throw damaged(short, "ends too early");
    for (const record of read.records) {
      const batch = readBatch(record);
      if (batch === undefined) throw damaged(file, "holds something else than writes");
      const isNext = next === undefined ? batch.first <= last + 1 : batch.first === next;
      if (!isNext) throw damaged(file, `does not follow: the writes before number ${batch.first} are missing`);
      next = batch.first + batch.count;
      stamp = batch.stamp ?? stamp;
    }
    if (read.damagedAt !== undefined) tornBytes += bytes.length - read.damagedAt;
    if (read.damagedAt !== undefined || read.records.length === 0) short ??= file;
  }
  return { tornBytes, stamp };
}

function refuseHole(file: string, { isHole, damagedAt }: LogRecords): void {
  if (isHole) throw damaged(file, `is damaged at byte ${damagedAt}, and what follows is not`);
}

function fileName(number: number, ending: string): string {
  return `${String(number).padStart(6, "0")}.${ending}`;
}

function damaged(file: string, what: string): CodedError {
  return new CodedError("store-corrupt", `${file} ${what}; ${RECOVER}`);
}
