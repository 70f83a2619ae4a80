// The mark: a small file beside the data folder that says how many batches are durable. After each synced batch, and
// before anything of its turn leaves, the number is written there; at the next start a folder with fewer batches has
// lost some, or is an older copy (protocol 6). The file is synced once a second, so a power cut may leave an older
// number, which accuses nobody. Two places are written in turn: a torn write harms one of them.

import {
  closeSync,
  existsSync,
  fdatasync,
  fdatasyncSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import { stampKey } from "./keys.js";
import type { FolderCheck } from "./level-check.js";
import { unseal } from "./seal.js";
import { checkMark, decodeStamp, type Marked } from "./stamps.js";
import { storeError } from "./store-errors.js";

const PLACES = 2;
/** A disk writes sectors of at least this size as a whole. */
const PLACE_BYTES = 512;
const LINE = /^sharper (\d{16}) ([0-9a-f]{8}) ([0-9a-f]{8})\n/;
const SYNC_EVERY_MS = 1000;

/** Where the mark of a data folder is. */
export function markPath(dataPath: string): string {
  return `${dataPath.replace(/\/+$/, "")}.mark`;
}

/** "damaged": there is a file, and no mark in it. */
export function readMark(path: string): Marked | "none" | "damaged" {
  if (!existsSync(path)) return "none";
  const text = readFileSync(path, "latin1");
  const marks = Array.from({ length: PLACES }, (_, place) => parseLine(text.slice(place * PLACE_BYTES)));
  return (
    marks.reduce((best, each) => (each !== undefined && (best?.number ?? -1) < each.number ? each : best)) ?? "damaged"
  );
}

/** Told before LevelDB rewrites its files. What is in tables only is compared once the store is open. */
export function checkFolderMark({ stamp }: FolderCheck, mark: Marked, path: string): void {
  const value = stamp === undefined ? undefined : unseal(stampKey(), stamp);
  if (value !== undefined) checkMark(decodeStamp(value), mark, path);
}

export class MarkFile {
  readonly #path: string;
  readonly #file: number;
  #isSyncing = false;
  #syncedAt = 0;
  #failure: unknown;

  /** Makes the file if it is not there, as a whole and durably. */
  constructor(path: string, first: Marked) {
    this.#path = path;
    if (readMark(path) === "none") makeFile(path, first);
    this.#file = openSync(path, "r+");
  }

  write(mark: Marked): void {
    if (this.#failure !== undefined) throw storeError(this.#failure, this.#path);
    try {
      writeSync(this.#file, lineOf(mark), (mark.number % PLACES) * PLACE_BYTES, "latin1");
    } catch (error) {
      throw storeError(error, this.#path);
    }
    this.#sync();
  }

  close(): void {
    fdatasyncSync(this.#file);
    closeSync(this.#file);
  }

  #sync(): void {
    const now = performance.now();
    if (this.#isSyncing || now - this.#syncedAt < SYNC_EVERY_MS) return;
    this.#isSyncing = true;
    this.#syncedAt = now;
    fdatasync(this.#file, (error) => {
      this.#isSyncing = false;
      if (error !== null) this.#failure ??= error;
    });
  }
}

function makeFile(path: string, first: Marked): void {
  const bytes = Buffer.alloc(PLACES * PLACE_BYTES, " ");
  for (let place = 0; place < PLACES; place++) bytes.write(lineOf(first), place * PLACE_BYTES, "latin1");
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, bytes, { flush: true });
  renameSync(`${path}.new`, path);
  const folder = openSync(dirname(path), "r");
  fsyncSync(folder);
  closeSync(folder);
}

function lineOf({ number, chain }: Marked): string {
  const text = `${String(number).padStart(16, "0")} ${hex(chain)}`;
  return `sharper ${text} ${hex(crc32(text))}\n`;
}

function parseLine(text: string): Marked | undefined {
  const [, number = "", chain = "", sum] = LINE.exec(text) ?? [];
  if (sum !== hex(crc32(`${number} ${chain}`))) return undefined;
  return { number: Number(number), chain: Number.parseInt(chain, 16) };
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}
