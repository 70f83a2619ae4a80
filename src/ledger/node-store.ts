// The store of a running node: the one on disk, whose every batch is stamped, and whose mark is kept beside the folder.
// Opening it answers the question of protocol 6: may votes be lost? If the folder is gone, has fewer batches than were
// durable, is damaged, or has no mark that could tell, the node must not vote, and does not start.

import { CodedError } from "../types/codes.js";
import type { Write } from "../types/effects.js";
import { stampKey } from "./keys.js";
import { isStoreFolder, type NodeStoreOptions, openLevelStore } from "./level.js";
import type { FolderCheck } from "./level-check.js";
import { checkFolderMark, MarkFile, markPath, readMark } from "./mark.js";
import { checkMark, type Marked, NO_STAMP, Stamper } from "./stamps.js";
import type { RangeOptions, Store, StoredPair } from "./store.js";
import { RECOVER } from "./store-errors.js";

/** Opens the store of a node that runs, or makes it if there was none. */
export async function openNodeStore(options: Omit<NodeStoreOptions, "create" | "inspect">): Promise<NodeStore> {
  const { path } = options;
  const mark = readMark(markPath(path));
  const isThere = isStoreFolder(path);
  if (!isThere && mark !== "none" && (mark === "damaged" || mark.number > 0)) throw lost(path, mark);
  if (!isThere) new MarkFile(markPath(path), NO_STAMP).close();
  let tornBytes = 0;
  const inspect = (check: FolderCheck): void => {
    tornBytes = check.tornBytes;
    if (typeof mark !== "string") checkFolderMark(check, mark, path);
    else if (mark === "damaged" || check.stamp !== undefined) throw unmarked(path);
  };
  const store = await openLevelStore({ ...options, create: true, inspect });
  try {
    const stamper = await Stamper.open(store);
    const known = isThere ? mark : NO_STAMP;
    if (typeof known !== "string") checkMark(stamper.stamp, known, path);
    // A folder of an older version has neither stamp nor mark.
    else if (store.get(stampKey()) !== undefined) throw unmarked(path);
    const isStamped = store.get(stampKey()) !== undefined;
    const opened = new NodeStore({ store, stamper, mark: new MarkFile(markPath(path), stamper.stamp), tornBytes });
    if (!isStamped) await opened.write([]);
    return opened;
  } catch (error) {
    await store.close();
    throw error;
  }
}

export class NodeStore implements Store {
  /** Bytes of an unfinished write that a crash left, and that were dropped. */
  readonly tornBytes: number;
  readonly #store: Store;
  readonly #stamper: Stamper;
  readonly #mark: MarkFile;

  constructor(parts: {
    readonly store: Store;
    readonly stamper: Stamper;
    readonly mark: MarkFile;
    readonly tornBytes: number;
  }) {
    this.#store = parts.store;
    this.#stamper = parts.stamper;
    this.#mark = parts.mark;
    this.tornBytes = parts.tornBytes;
    this.#mark.write(this.#stamper.stamp);
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#store.get(key);
  }

  range(options: RangeOptions): AsyncIterable<StoredPair> {
    return this.#store.range(options);
  }

  batches(options: RangeOptions): AsyncIterable<readonly StoredPair[]> {
    return this.#store.batches(options);
  }

  /** No record was ever written. */
  get isEmpty(): boolean {
    const { height, head } = this.#stamper.stamp;
    return height === 0 && head === 0;
  }

  /** Always synced: a lost batch before a durable one would be a hole. One at a time. */
  async write(batch: readonly Write[]): Promise<void> {
    await this.#store.write(this.#stamper.stamped(batch), { sync: true });
    this.#mark.write(this.#stamper.stamp);
  }

  async close(): Promise<void> {
    await this.#store.close();
    this.#mark.close();
  }
}

function lost(path: string, mark: Marked | "damaged"): CodedError {
  const count = mark === "damaged" ? "some" : String(mark.number);
  return new CodedError(
    "store-lost",
    `${path} is empty or gone, and ${count} batches were durable there, says ${markPath(path)}; the node may have ` +
      "voted, and does not start without them. `sharper node recover` lets the node rejoin safely",
  );
}

function unmarked(path: string): CodedError {
  return new CodedError(
    "store-unmarked",
    `${markPath(path)} is missing or damaged, so nobody can tell whether ${path} is the newest data of the node or ` +
      `an older copy; a folder that was moved needs its mark beside it. ${RECOVER}`,
  );
}
