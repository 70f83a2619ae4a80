// What the correct nodes of a world have recorded, as the checkers remember it: of each cluster one view, made of the
// first record that any correct node stored at each height; the blocks; and the naive balances after every record.
// Checkers of one world share it, so that a turn is decoded once. Whether the nodes agree is for the checkers to say.

import { decodeBlock } from "../../cluster/block.js";
import { Members } from "../../cluster/members.js";
import { blockKey, recordKey } from "../../ledger/keys.js";
import { decodeRecord, type LedgerRecord, recordHash, tryDecode } from "../../ledger/records.js";
import type { TurnPlan } from "../../node/turn.js";
import type { Block } from "../../types/block.js";
import type { Reader } from "../../types/effects.js";
import type { ClusterId, Digest } from "../../types/ids.js";
import type { SimNode, SimWorld } from "../observer.js";
import { Balances } from "./balances.js";
import { type Facts, factsOf } from "./facts.js";

export interface SeenRecord {
  readonly record: LedgerRecord;
  readonly bytes: Uint8Array;
  readonly hash: Digest;
  /** The node that stored it first. */
  readonly from: string;
}

/** A record that a node stored in a turn; `record` is undefined if the bytes are not a record. */
export interface WrittenRecord {
  readonly height: number;
  readonly bytes: Uint8Array;
  readonly record: LedgerRecord | undefined;
  /** The first one at this height in its cluster. */
  readonly isFresh: boolean;
}

export interface Turn extends Omit<Facts, "records"> {
  readonly records: readonly WrittenRecord[];
}

const NOTHING: Turn = {
  slots: new Map(),
  records: [],
  certificates: new Map(),
  accounts: new Map(),
  stable: undefined,
  said: [],
};

const histories = new WeakMap<SimWorld, History>();

export function historyOf(world: SimWorld): History {
  let history = histories.get(world);
  if (history === undefined) {
    history = new History(world);
    histories.set(world, history);
  }
  return history;
}

export class History {
  readonly #world: SimWorld;
  readonly #members: Members;
  readonly #views = new Map<ClusterId, SeenRecord[]>();
  readonly #balances = new Map<ClusterId, Balances>();
  readonly #blocks = new Map<Digest, Block>();
  readonly #known = new Set<string>();
  #last: { readonly plan: TurnPlan; readonly turn: Turn } | undefined;

  constructor(world: SimWorld) {
    this.#world = world;
    this.#members = new Members(world.topology);
    for (const { id } of world.topology.clusters) this.#balances.set(id, new Balances(world.topology, id));
  }

  /** A turn of a correct node, decoded; undefined for others. The same plan again costs nothing. */
  take(node: SimNode, plan: TurnPlan): Turn | undefined {
    if (!node.isCorrect) return undefined;
    if (this.#last?.plan === plan) return this.#last.turn;
    this.#meet(node);
    if (plan.persist.length + plan.outbound.size + plan.inbound.length === 0) return NOTHING;
    const { records, ...facts } = factsOf(node.ref, plan);
    const turn = { ...facts, records: records.map((row) => this.#see(node, row)) };
    if (records.length > 0) this.#advance(node.ref.cluster);
    this.#last = { plan, turn };
    return turn;
  }

  /** By height. An entry is missing where no correct node has stored that record. */
  view(cluster: ClusterId): readonly (SeenRecord | undefined)[] {
    return this.#views.get(cluster) ?? [];
  }

  /** Height of the last record that any correct node of the cluster stored. */
  height(cluster: ClusterId): number {
    return this.view(cluster).length - 1;
  }

  /** The records after a height, as far as there is no gap and their blocks are known. */
  *after(cluster: ClusterId, height: number): Generator<{ readonly record: LedgerRecord; readonly block: Block }> {
    const view = this.view(cluster);
    for (let next = height + 1; next < view.length; next++) {
      const record = view[next]?.record;
      const block = record === undefined ? undefined : this.#blocks.get(record.digest);
      if (record === undefined || block === undefined) return;
      yield { record, block };
    }
  }

  balances(cluster: ClusterId): Balances {
    return this.#balances.get(cluster) as Balances;
  }

  /** A block that some correct node recorded. */
  block(digest: Digest): Block | undefined {
    return this.#blocks.get(digest);
  }

  /** Looks for a block in a node's store, too. Undefined if it is not there, or not what its digest says. */
  findBlock(digest: Digest, store: Reader): Block | undefined {
    const known = this.#blocks.get(digest);
    if (known !== undefined) return known;
    const bytes = store.get(blockKey(digest));
    if (bytes === undefined) return undefined;
    const { topology, verifier } = this.#world;
    const decoded = decodeBlock(bytes, { topology, members: this.#members, verifier }, false);
    if (!decoded.ok || decoded.value.digest !== digest) return undefined;
    this.#blocks.set(digest, decoded.value);
    return decoded.value;
  }

  /** Its genesis record, which no turn writes. */
  #meet(node: SimNode): void {
    if (this.#known.has(node.name)) return;
    this.#known.add(node.name);
    const bytes = node.store.get(recordKey(0));
    if (bytes !== undefined) this.#see(node, { height: 0, bytes });
  }

  #see(node: SimNode, { height, bytes }: { readonly height: number; readonly bytes: Uint8Array }): WrittenRecord {
    const { cluster } = node.ref;
    let view = this.#views.get(cluster);
    if (view === undefined) {
      view = [];
      this.#views.set(cluster, view);
    }
    const first = view[height];
    if (first !== undefined && Buffer.compare(first.bytes, bytes) === 0) {
      if (!this.#blocks.has(first.record.digest)) this.findBlock(first.record.digest, node.store);
      return { height, bytes, record: first.record, isFresh: false };
    }
    const record = tryDecode(() => decodeRecord(bytes));
    if (record === undefined || first !== undefined) return { height, bytes, record, isFresh: false };
    this.findBlock(record.digest, node.store);
    view[height] = { record, bytes: bytes.slice(), hash: recordHash(bytes), from: node.name };
    return { height, bytes, record, isFresh: true };
  }

  #advance(cluster: ClusterId): void {
    const balances = this.balances(cluster);
    for (const { record, block } of this.after(cluster, balances.height)) balances.apply(record, block);
  }
}
