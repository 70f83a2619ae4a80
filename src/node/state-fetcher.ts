// Takes the state at a stable checkpoint from other nodes, piece by piece (protocol 6). First the list of the digests
// of all pieces, which must lead to the state root that a quorum has signed; then the pieces that differ from what this
// node has, each checked against the list. It stays with a source as long as that is of use (yield.ts), since each
// holds states of its own; when a source has gone on to a later state, so does this node, keeps what has not changed
// and asks the next one. At last comes the record of the checkpoint. One question is under way at a time.

import type { BlockContext } from "../cluster/block.js";
import { checkpointOf } from "../cluster/checkpoint.js";
import { rootOfPieces, type StatePieces } from "../execution/pieces.js";
import type { StateRoot } from "../execution/root.js";
import { pageDigests } from "../execution/slices.js";
import type { StableCheckpoint } from "../intra/checkpoint.js";
import type { Send } from "../types/effects.js";
import { type NodeRef, toHex } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { Records, Verified } from "../types/message.js";
import type { StateList, StatePiece } from "../types/schema.js";
import type { State, StatePart } from "../types/state-transfer.js";
import type { Rejoined } from "./installer.js";
import { type CheckedRecord, checkRecord } from "./records.js";
import { Sources } from "./sources.js";
import { isDigest, isPieceOf, rejoinedIn } from "./state-pieces.js";
import { Yield } from "./yield.js";

export interface StateFetcherOptions extends BlockContext {
  readonly self: NodeRef;
  readonly root: StateRoot;
  /** Of this node's own view. */
  readonly height: () => number;
}

type Part = Exclude<StatePart, "list">;
const PARTS: readonly Part[] = ["accounts", "positions", "ids"];
const HASH_BYTES = 32;

/** What an answer was good for. */
export type Taken =
  | { readonly kind: "nothing" }
  /** There is no state to be had there, for now. */
  | { readonly kind: "none" }
  /** The source did not keep to what is asked and proven. */
  | { readonly kind: "wrong"; readonly from: NodeRef }
  | { readonly kind: "list"; readonly list: StateList }
  | { readonly kind: "pieces"; readonly part: Part; readonly pieces: readonly StatePiece[] };

interface Asked {
  readonly peer: NodeRef;
  readonly part: StatePart | "record";
  readonly pieces: readonly number[];
}

export class StateFetcher {
  readonly #options: StateFetcherOptions;
  readonly #sources: Sources;
  #target: StableCheckpoint | undefined;
  #list: StatePieces | undefined;
  /** What the list says itself. */
  #rejoined: Rejoined | undefined;
  /** Height of this node's view when it compared what it has with the list. */
  #comparedAt = 0;
  #source: NodeRef | undefined;
  /** Of the source. */
  #yield = new Yield();
  #asked: Asked | undefined;
  /** Numbers of pieces that are still wanted, ascending. */
  readonly #missing = new Map<Part, number[]>();
  #wanted = 0;
  /** Digests of pages of ids that are here already. */
  readonly #pages = new Set<string>();

  constructor(options: StateFetcherOptions) {
    const { self, members } = options;
    const peers = members.nodesOf([self.cluster]).filter(({ node }) => node !== self.node);
    this.#options = options;
    this.#sources = new Sources(peers, self.node);
  }

  /** The checkpoint whose state it takes; undefined: none. */
  get target(): StableCheckpoint | undefined {
    return this.#target;
  }

  /** As the list says, once it is here. */
  get rejoined(): Rejoined | undefined {
    return this.#list === undefined ? undefined : this.#rejoined;
  }

  get isWaiting(): boolean {
    return this.#asked !== undefined;
  }

  /** Is all of the state here? */
  get isComplete(): boolean {
    return this.#list !== undefined && this.#left === 0;
  }

  get source(): NodeRef | undefined {
    return this.#source;
  }

  get percent(): number {
    return this.#wanted === 0 ? 100 : Math.floor((100 * (this.#wanted - this.#left)) / this.#wanted);
  }

  begin(target: StableCheckpoint): void {
    this.#target = target;
    this.#list = undefined;
    this.#asked = undefined;
  }

  stop(): void {
    this.#target = undefined;
    this.#list = undefined;
    this.#asked = undefined;
    this.#source = undefined;
    this.#missing.clear();
    this.#pages.clear();
  }

  /** Nobody has answered, or nothing was asked yet. */
  onTimer(tick: number): void {
    if (this.#asked !== undefined) this.#fail(this.#asked.peer, tick);
  }

  ask(tick: number, send: Send[]): void {
    if (this.#target === undefined) return;
    const peer = this.#source ?? this.#sources.next(tick);
    if (peer === undefined) return;
    if (this.#source === undefined) this.#yield = new Yield();
    this.#source = peer;
    const { slot, height } = this.#target.checkpoint;
    const part = this.#list === undefined ? "list" : PARTS.find((each) => (this.#missing.get(each)?.length ?? 0) > 0);
    if (part === undefined) {
      this.#asked = { peer, part: "record", pieces: [] };
      const range = { from: height, to: height, blocks: true, downwards: false };
      send.push({ to: [peer], message: { kind: "fetch-records", ...range } });
      return;
    }
    const pieces = part === "list" ? [] : (this.#missing.get(part) ?? []).slice(0, limits.statePiecesMax);
    this.#asked = { peer, part, pieces };
    const own = this.#options.height();
    send.push({ to: [peer], message: { kind: "fetch-state", slot, part, height: own, pieces } });
  }

  get wantsRecord(): boolean {
    return this.#asked?.part === "record";
  }

  /** The record of the checkpoint, when all of the state is here. */
  onRecords({ from, message }: Verified<Records>, tick: number): CheckedRecord | undefined {
    const [asked, target] = [this.#asked, this.#target];
    if (asked?.part !== "record" || from.node !== asked.peer.node || target === undefined) return undefined;
    this.#asked = undefined;
    const [item] = message.items;
    const context = { ...this.#options, cluster: this.#options.self.cluster };
    const record = item && checkRecord(item, target.checkpoint.record, context);
    if (record === undefined) this.#fail(from, tick);
    return record;
  }

  onState({ from, message }: Verified<State>, tick: number): Taken {
    const asked = this.#asked;
    if (asked === undefined || from.node !== asked.peer.node || this.#target === undefined) return { kind: "nothing" };
    this.#asked = undefined;
    const { slot } = this.#target.checkpoint;
    if (message.part === "list") return this.#onList(message, from, tick);
    if (asked.part === "record") return this.#wrong(from, tick);
    const isAnswer = message.part === asked.part && message.slot === slot && message.pieces.length > 0;
    const isRight =
      isAnswer &&
      message.pieces.every(
        (piece, i) => piece.number === asked.pieces[i] && isPieceOf(this.#list, message.part, piece),
      );
    if (!isRight) return this.#wrong(from, tick);
    // These pieces are good all the same.
    if (!this.#yield.onPieces(asked.pieces.length, message.pieces)) this.#fail(from, tick);
    return { kind: "pieces", part: message.part, pieces: message.pieces };
  }

  /** Has this node's own execution gone on since it knows what it lacks? Then that must be found out again. */
  get isStale(): boolean {
    return this.#list !== undefined && this.#comparedAt !== this.#options.height();
  }

  refresh(): void {
    if (this.#list !== undefined) this.#compare(this.#list);
  }

  /** Pieces that were checked are part of this node's state now. */
  took(part: Part, pieces: readonly StatePiece[]): void {
    this.#missing.set(part, (this.#missing.get(part) ?? []).slice(pieces.length));
    if (part !== "ids" || this.#list === undefined) return;
    const digests = pageDigests(this.#list.ids);
    for (const { number } of pieces) this.#pages.add(toHex(digests[number] as Uint8Array));
  }

  /** A list at a later checkpoint is as good as one at the checkpoint that was asked for. */
  #onList({ slot, list }: State, from: NodeRef, tick: number): Taken {
    if (list === undefined || list.certificate === undefined) {
      // An honest node may have none, for a while.
      this.#source = undefined;
      return { kind: "none" };
    }
    const checkpoint = checkpointOf(list.certificate);
    const isLater = checkpoint !== undefined && slot >= (this.#target?.checkpoint.slot ?? 0);
    if (checkpoint === undefined || (isLater && rootOfPieces(list) !== checkpoint.state))
      return this.#wrong(from, tick);
    if (!isLater || checkpoint.height <= this.#options.height()) {
      this.#source = undefined;
      return { kind: "none" };
    }
    const rejoined = rejoinedIn(list, this.#options.self.cluster);
    if (rejoined === undefined) return this.#wrong(from, tick);
    const kind = this.#yield.onList(slot);
    if (kind === "again") return this.#wrong(from, tick);
    // Another one can give as much of the later state, and may hold it to the end.
    if (kind === "further") this.#source = undefined;
    this.#target = { checkpoint, certificate: list.certificate };
    this.#rejoined = rejoined;
    this.#compare(list);
    return { kind: "list", list };
  }

  /** What this node has, by what it has taken or by itself, need not be asked for. */
  #compare(list: StatePieces): void {
    this.#list = list;
    this.#comparedAt = this.#options.height();
    const own = this.#options.root.pieces();
    this.#missing.set("accounts", differing(list.accounts, own.accounts));
    this.#missing.set("positions", differing(list.positions, own.positions));
    const pages = pageDigests(list.ids);
    this.#missing.set(
      "ids",
      [...pages.keys()].filter((number) => !this.#pages.has(toHex(pages[number] as Uint8Array))),
    );
    this.#wanted = Math.max(this.#left, 1);
  }

  get #left(): number {
    return PARTS.reduce((sum, part) => sum + (this.#missing.get(part)?.length ?? 0), 0);
  }

  #wrong(from: NodeRef, tick: number): Taken {
    this.#fail(from, tick);
    return { kind: "wrong", from };
  }

  #fail(peer: NodeRef, tick: number): void {
    this.#sources.ban(peer, tick);
    this.#asked = undefined;
    this.#source = undefined;
  }

  /** Is there anyone left who has not failed lately? To ask those who have, at once, would go in circles. */
  hasSource(tick: number): boolean {
    return this.#source !== undefined || this.#sources.hasFree(tick);
  }
}

function differing(theirs: Uint8Array, own: Uint8Array): number[] {
  return Array.from({ length: theirs.length / HASH_BYTES }, (_, number) => number).filter((number) => {
    const at = number * HASH_BYTES;
    return !isDigest(own, number, theirs.subarray(at, at + HASH_BYTES));
  });
}
