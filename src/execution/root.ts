// The state root that checkpoints carry (protocol 6): one digest over every account with balance and owner, every
// unexpired consumed id with its reply, the place of every block in the log, and how often nodes have rejoined. It
// follows the executed blocks one by one, since an engine may have handed out more blocks than a checkpoint covers. Its
// parts are lists of digests of pieces, so that whoever has a list can check each piece by itself; views keep the
// pieces of past checkpoints.

import { type AccountId, type Digest, fromHex } from "../types/ids.js";
import { type AccountBuckets, accountInBucket, type BucketProof } from "./buckets.js";
import type { AccountValue } from "./engine.js";
import { joinParts, joinRoots, type StatePieces } from "./pieces.js";
import { type Position, type Positions, positionsRoot } from "./positions.js";
import { IdSlices, type StoredId, slicesRoot } from "./slices.js";
import { StateView, Undo } from "./views.js";

/** Shows what a state root says of one account. */
export interface AccountProof {
  readonly bucket: BucketProof;
  readonly accounts: Digest;
  /** The roots beside that of the accounts (pieces.ts). */
  readonly others: readonly Digest[];
}

export interface StateContent {
  readonly accounts: AccountBuckets;
  readonly ids: Iterable<StoredId>;
  readonly positions: Positions;
  /** How often nodes have rejoined (incarnations.ts). */
  readonly incarnations: Uint8Array;
  /** Of the last executed block; 0 before the first. */
  readonly recordTime: number;
}

/** What one block changes. */
export interface StateChange {
  readonly accounts: readonly AccountValue[];
  readonly ids: readonly StoredId[];
  readonly position: Position;
  /** As after the block; undefined: as before it. */
  readonly incarnations?: Uint8Array;
  readonly recordTime: number;
}

/** Where a view is. */
export interface ViewPoint {
  readonly slot: number;
  readonly height: number;
}

export class StateRoot {
  readonly #accounts: AccountBuckets;
  readonly #ids = new IdSlices();
  readonly #positions: Positions;
  #incarnations: Uint8Array;
  #recordTime: number;
  /** Ascending by slot; each knows what has changed until the next. */
  #views: StateView[] = [];

  constructor({ accounts, ids, positions, incarnations, recordTime }: StateContent) {
    this.#accounts = accounts;
    for (const id of ids) this.#ids.add(id);
    this.#positions = positions;
    this.#incarnations = incarnations;
    this.#recordTime = recordTime;
  }

  get recordTime(): number {
    return this.#recordTime;
  }

  /** When the block fills a chunk of positions: its number and digest, which must be kept. */
  apply({
    accounts,
    ids,
    position,
    incarnations = this.#incarnations,
    recordTime,
  }: StateChange): ReturnType<Positions["add"]> {
    const undo = this.#views.at(-1)?.undo;
    for (const value of accounts) {
      const before = this.#accounts.set(value, undo !== undefined);
      undo?.note(value.account, before);
    }
    for (const id of ids) this.#ids.add(id);
    this.#incarnations = incarnations;
    this.#recordTime = recordTime;
    return this.#positions.add(position);
  }

  /** After the last applied block. Costs what changed since the last call. */
  root(): Digest {
    return joinParts({
      accounts: this.#accounts.root(),
      ids: slicesRoot(this.#ids.pages(this.#recordTime)),
      positions: positionsRoot(this.#positions.digests()),
      incarnations: this.#incarnations,
    });
  }

  /** The digests of all pieces, after the last applied block. */
  pieces(): StatePieces {
    const ids = this.#ids.pages(this.#recordTime);
    const positions = this.#positions.digests();
    return { accounts: this.#accounts.digests(), ids, positions, incarnations: this.#incarnations };
  }

  get height(): number {
    return this.#positions.height;
  }

  /** Takes accounts as another node gave them. */
  replaceBucket(bucket: number, rows: Uint8Array): void {
    this.#accounts.replace(bucket, rows);
  }

  /** Takes a full chunk of positions, the next one, as another node gave it. */
  takeChunk(digest: Uint8Array): void {
    this.#positions.take(digest);
  }

  /** Bytes of all accounts. */
  get accountBytes(): number {
    return this.#accounts.bytes;
  }

  /** Takes back what a block did, when views are made of the past at a start. */
  revert(values: ReadonlyMap<AccountId, AccountValue | undefined>): void {
    for (const [account, value] of values) {
      if (value === undefined) this.#accounts.remove(account);
      else this.#accounts.set(value);
    }
  }

  // ---- views of the past

  get views(): readonly StateView[] {
    return this.#views;
  }

  /** After the last applied block: what a store must give back after it (restore-state.ts). */
  get accountSum(): number {
    return this.#accounts.sum;
  }

  /** Keeps the present state. */
  freeze(point: ViewPoint): StateView {
    const recordTime = this.#recordTime;
    const ids = this.#ids.freeze(recordTime);
    const pieces = { ...this.pieces(), ids: ids.pages };
    const view = new StateView({ ...point, recordTime, pieces, ids, undo: new Undo(), rows: this.#rowsAt });
    this.#views.push(view);
    return view;
  }

  /** Forgets all views for which this says so. What they knew of changes is handed to the view before. */
  drop(isNeeded: (view: StateView) => boolean): void {
    const kept: StateView[] = [];
    for (const view of this.#views) {
      if (isNeeded(view)) kept.push(view);
      else kept.at(-1)?.undo.take(view.undo);
    }
    this.#views = kept;
  }

  /** The rows of a bucket as a view has them: what changed since is taken back, the newest first. */
  readonly #rowsAt = (view: StateView, bucket: number): Uint8Array => {
    const later = this.#views.slice(this.#views.indexOf(view)).reverse();
    return later.reduce((rows, { undo }) => undo.restore(bucket, rows), this.#accounts.rows(bucket));
  };
}

/** Of one account, as a view has it. */
export function proveAccount(view: StateView, account: AccountId): AccountProof {
  const [accounts, ...others] = view.partRoots();
  return { bucket: view.proveBucket(account), accounts, others };
}

/** The account's value under a state root, or "absent"; undefined if the proof does not show it. */
export function provenAccount(args: {
  readonly account: AccountId;
  readonly root: Digest;
  readonly proof: AccountProof;
}): AccountValue | "absent" | undefined {
  const { account, root, proof } = args;
  if (joinRoots([proof.accounts, ...proof.others].map(fromHex)) !== root) return undefined;
  return accountInBucket({ account, root: fromHex(proof.accounts), proof: proof.bucket });
}
