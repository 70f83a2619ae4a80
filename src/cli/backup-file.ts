// A backup on the disk: written under another name, made durable and renamed when it is whole, so that whatever has the
// name of a backup is one; and read through from the begin, entry by entry, each checked before it is used.

import { existsSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { BackupCheck, type BackupContent, type Checked } from "../backup/check.js";
import { BackupDecoder } from "../backup/format.js";
import type { BackupFile } from "../backup/take.js";
import type { BlockContext } from "../cluster/block.js";
import { CodedError } from "../types/codes.js";
import type { NodeInfo } from "../types/topology.js";

const READ_BYTES = 1 << 20;

export interface NewBackup extends BackupFile {
  /** Where it is until it is whole. */
  readonly partPath: string;
  readonly bytes: number;
  /** Durable, under its name. */
  keep(): Promise<void>;
  /** As if it had never been begun; nothing after `keep`. */
  drop(): Promise<void>;
}

/** Refuses a path at which there is something. */
export async function newBackup(path: string): Promise<NewBackup> {
  if (existsSync(path)) throw new CodedError("backup-exists", `${path} is there already; give another path to --out`);
  // Of this process: two at once never write into one file.
  const partPath = `${path}.${process.pid}.part`;
  const file = await open(partPath, "w", 0o600);
  let bytes = 0;
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (isOpen) await file.close();
    isOpen = false;
  };
  return {
    partPath,
    get bytes() {
      return bytes;
    },
    async restart() {
      await file.truncate(0);
      bytes = 0;
    },
    async write(part) {
      for (let at = 0; at < part.length; ) {
        const { bytesWritten } = await file.write(part, at, part.length - at, bytes);
        at += bytesWritten;
        bytes += bytesWritten;
      }
    },
    async keep() {
      await file.sync();
      await close();
      await rename(partPath, path);
      await syncFolder(path);
    },
    async drop() {
      await close();
      await rm(partPath, { force: true });
    },
  };
}

export interface ReadOptions extends BlockContext {
  readonly path: string;
  readonly signal?: AbortSignal | undefined;
  /** Called once, when it is known whose backup it is. */
  readonly onNode?: ((node: NodeInfo) => void) | undefined;
  readonly onChecked?: ((checked: Checked) => Promise<void>) | undefined;
}

/** Reads and checks all of it. Throws CodedError for what is damaged, of another network or not proven. */
export async function readBackup({ path, signal, onNode, onChecked, ...context }: ReadOptions): Promise<BackupContent> {
  const file = await open(path, "r");
  const decoder = new BackupDecoder(path);
  const check = new BackupCheck(context, path);
  const buffer = Buffer.alloc(READ_BYTES);
  try {
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, READ_BYTES);
      if (bytesRead === 0) break;
      for (const entry of decoder.push(buffer.subarray(0, bytesRead))) {
        signal?.throwIfAborted();
        const known = check.node;
        const checked = check.take(entry);
        if (known === undefined && check.node !== undefined) onNode?.(check.node);
        await onChecked?.(checked);
      }
    }
    decoder.finish();
    return check.finish();
  } finally {
    await file.close();
  }
}

/** A name in it is as durable as what is named. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(path), "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
