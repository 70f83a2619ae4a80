// Makes a backup: asks one node for its state at a stable checkpoint, piece by piece, and then for all records up to
// there, and hands on the bytes of the file (format.ts). The state of a busy node may be gone before all of it was
// asked for; then it begins anew with a later one. What comes is not judged here: the file is checked as a whole.

import { checkpointOf } from "../cluster/checkpoint.js";
import type { ArchiveAnswer, ArchiveQuestion } from "../node/archive.js";
import { piecesIn } from "../node/state-pieces.js";
import { CodedError } from "../types/codes.js";
import { fromHex, type NetworkId, type NodeRef } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { StateList } from "../types/schema.js";
import type { State } from "../types/state-transfer.js";
import { BACKUP_PARTS } from "./check.js";
import { BackupEncoder } from "./format.js";

/** One node, running or not. */
export interface BackupSource {
  readonly networkId: NetworkId;
  readonly self: NodeRef;
  /** One question at a time. */
  ask(question: ArchiveQuestion): Promise<ArchiveAnswer>;
  close(): Promise<void>;
}

export interface BackupFile {
  /** Drops what was written so far. */
  restart(): Promise<void>;
  write(bytes: Uint8Array): Promise<void>;
}

export interface TakenBackup {
  readonly slot: number;
  readonly height: number;
}

export interface TakeOptions {
  readonly source: BackupSource;
  readonly file: BackupFile;
  /** Called after each answer. */
  readonly onProgress?: ((done: { readonly records: number; readonly height: number }) => void) | undefined;
}

/** So often the state may slip away. */
const ATTEMPTS_MAX = 5;
const LATEST = { kind: "fetch-state", slot: 0, part: "list", height: 0, pieces: [] } as const;

interface Found {
  readonly slot: number;
  readonly list: StateList;
}

/** Throws CodedError: `no-checkpoint`, `history-missing`, `state-gone`, or what the source throws. */
export async function takeBackup(options: TakeOptions): Promise<TakenBackup> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const { source, file } = options;
    const answer = await source.ask(LATEST);
    if (answer.kind !== "state" || answer.list?.certificate === undefined) {
      throw new CodedError(
        "no-checkpoint",
        "the node has no state at a stable checkpoint: its cluster makes the first one after some 64 blocks, and a " +
          "node that is catching up has none meanwhile; try again later",
      );
    }
    await file.restart();
    const taken = await takeFrom(answer, { slot: answer.slot, list: answer.list }, options);
    if (taken !== undefined) return taken;
  }
  throw new CodedError(
    "state-gone",
    `the node's state went on ${ATTEMPTS_MAX} times before all of it was copied; try again when there is less load`,
  );
}

async function takeFrom(first: State, found: Found, options: TakeOptions): Promise<TakenBackup | undefined> {
  const { source, file } = options;
  const encoder = new BackupEncoder();
  const height = heightOf(found);
  const { self, networkId } = source;
  await file.write(encoder.head({ ...self, network: fromHex(networkId), slot: found.slot, height }));
  await file.write(encoder.answer(first));
  if (!(await takePieces(found, encoder, options))) return undefined;
  await takeRecords(height, encoder, options);
  await file.write(encoder.end());
  return { slot: found.slot, height };
}

/** False: the node does not have that state any more. */
async function takePieces({ slot, list }: Found, encoder: BackupEncoder, options: TakeOptions): Promise<boolean> {
  const { source, file, onProgress } = options;
  for (const part of BACKUP_PARTS) {
    const count = piecesIn(list, part);
    for (let next = 0; next < count; ) {
      const length = Math.min(limits.statePiecesMax, count - next);
      const pieces = Array.from({ length }, (_, i) => next + i);
      const answer = await source.ask({ kind: "fetch-state", slot, part, height: 0, pieces });
      if (answer.kind !== "state" || answer.slot !== slot || answer.part !== part || answer.pieces.length === 0) {
        return false;
      }
      next += answer.pieces.length;
      await file.write(encoder.answer(answer));
      onProgress?.({ records: 0, height: heightOf({ slot, list }) });
    }
  }
  return true;
}

async function takeRecords(height: number, encoder: BackupEncoder, options: TakeOptions): Promise<void> {
  const { source, file, onProgress } = options;
  for (let next = 1; next <= height; ) {
    const answer = await source.ask({ kind: "fetch-records", from: next, to: height, blocks: true, downwards: false });
    if (answer.kind !== "records" || answer.from !== next || answer.items.length === 0) {
      throw new CodedError(
        "history-missing",
        `the node does not have record ${next}: it took a state from its cluster and still fetches older records; ` +
          "try again later, or back up another node of its cluster",
      );
    }
    next += answer.items.length;
    await file.write(encoder.answer(answer));
    onProgress?.({ records: next - 1, height });
  }
}

function heightOf({ list }: Found): number {
  return (list.certificate && checkpointOf(list.certificate)?.height) ?? 0;
}
