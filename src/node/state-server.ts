// Gives pieces of past states to nodes of its cluster that are behind (protocol 6). The state is that of the latest
// stable checkpoint which this node has reached; one that somebody is in the middle of taking is held a little longer.
// It gives at most one bounded answer per asker and turn: whoever asks and asks keeps no vote waiting.

import { sha256 } from "../crypto/hash.js";
import { chunkOf } from "../execution/positions.js";
import { type ProvenAccounts, proveAccounts } from "../execution/proof.js";
import type { StateRoot } from "../execution/root.js";
import type { PagedId } from "../execution/slices.js";
import type { StateView } from "../execution/views.js";
import type { StableCheckpoint } from "../intra/checkpoint.js";
import {
  blockKey,
  certificatesKey,
  positionKey,
  positionSchema,
  recordKey,
  replyKey,
  supersededKey,
} from "../ledger/keys.js";
import { decodeRecord } from "../ledger/records.js";
import type { Reader, Send } from "../types/effects.js";
import { type AccountId, fromHex, type NodeIndex, type Sequence, type Slot, toHex } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { Verified } from "../types/message.js";
import { type Certificate, type StateList, type StatePiece, stateIdsSchema } from "../types/schema.js";
import type { FetchState, State } from "../types/state-transfer.js";
import type { IncarnationTable } from "./incarnations.js";

export interface StateServerOptions {
  readonly reader: Reader;
  readonly root: StateRoot;
  readonly table: IncarnationTable;
  /** The stable checkpoint that this node's records have reached. */
  readonly stable: () => StableCheckpoint | undefined;
}

/** Accounts at the latest stable checkpoint, with all that proves them. */
export interface ProvenState extends ProvenAccounts {
  readonly certificate: Certificate | undefined;
}

interface Held {
  readonly certificate: Certificate;
  askedAt: number;
}

const SAMPLES = 16;
/** What an id costs on its way, beside its results. */
const ID_BYTES = 180;
const POSITION_BYTES = 48;
const NONE: State = { kind: "state", slot: 0, part: "list", list: undefined, pieces: [] };

export class StateServer {
  readonly #options: StateServerOptions;
  /** Who was answered in this turn. */
  readonly #answered = new Set<NodeIndex>();
  /** States that were asked for. */
  readonly #held = new Map<Slot, Held>();

  constructor(options: StateServerOptions) {
    this.#options = options;
  }

  onFetchState({ from, message }: Verified<FetchState>, tick: number, send: Send[]): void {
    if (this.#answered.has(from.node)) return;
    this.#answered.add(from.node);
    send.push({ to: [from], message: this.answer(message, tick) });
  }

  /** Undefined: there is no state at a stable checkpoint, for now. */
  prove(accounts: readonly AccountId[]): ProvenState | undefined {
    const reached = this.#options.stable();
    const view = this.#latest;
    if (reached === undefined || view === undefined) return undefined;
    return { certificate: reached.certificate, ...proveAccounts(view, accounts) };
  }

  /** Lets go of past states that nobody is in the middle of, or that cost too much. */
  endTurn(tick: number): void {
    this.#answered.clear();
    const { root, stable } = this.#options;
    const reached = stable()?.checkpoint.slot ?? 0;
    if ((root.views[0]?.slot ?? reached) >= reached) return;
    const past = root.views.filter(({ slot }) => slot < reached);
    const isAsked = ({ slot }: StateView) =>
      (this.#held.get(slot)?.askedAt ?? tick - limits.stateHoldMs) > tick - limits.stateHoldMs;
    const isCheap = past.reduce((sum, { undo }) => sum + undo.size, 0) <= limits.stateUndoMax;
    const asked = isCheap ? past.filter(isAsked).slice(-limits.stateViewsMax) : [];
    // After a start there may be no view at a checkpoint that was said before; what a start from there needs is then
    // kept by the one below, until the next is stable.
    const isReached = root.views.some(({ slot }) => slot === reached);
    const kept = isReached ? asked : [...new Set([...asked, ...past.slice(-1)])];
    if (kept.length < past.length) root.drop((view) => view.slot >= reached || kept.includes(view));
    for (const slot of this.#held.keys()) if (!root.views.some((view) => view.slot === slot)) this.#held.delete(slot);
  }

  get #latest(): StateView | undefined {
    const { root, stable } = this.#options;
    const slot = stable()?.checkpoint.slot;
    return root.views.find((view) => view.slot === slot);
  }

  /** What is asked for, as far as there is room; or the list of the latest state, if the one asked for is gone. */
  answer({ slot, part, height, pieces }: FetchState, tick: number): State {
    const { root, stable } = this.#options;
    const asked = slot === 0 ? undefined : root.views.find((view) => view.slot === slot && this.#held.has(slot));
    if (asked !== undefined && part !== "list") {
      (this.#held.get(slot) as Held).askedAt = tick;
      return { kind: "state", slot, part, list: undefined, pieces: this.#pieces(asked, part, pieces) };
    }
    const view = asked ?? this.#latest;
    const certificate = this.#held.get(view?.slot ?? 0)?.certificate ?? stable()?.certificate;
    if (view === undefined || certificate === undefined) return NONE;
    this.#held.set(view.slot, { certificate, askedAt: tick });
    return { ...NONE, slot: view.slot, list: this.#listOf(view, certificate, height) };
  }

  #listOf(view: StateView, certificate: Certificate, height: number): StateList {
    const { root, table } = this.#options;
    const missing = Math.max(0, view.height - height);
    const stateBytes = root.accountBytes + Math.ceil(view.ids.size) * ID_BYTES + missing * POSITION_BYTES;
    const recordsBytes = this.#recordsBytes(height, view.height);
    const rejoins = table.claims.map(({ signed }) => signed);
    return { certificate, ...view.pieces, stateBytes, recordsBytes, rejoins };
  }

  /** By some of them. */
  #recordsBytes(above: number, to: number): number {
    const { reader } = this.#options;
    const count = Math.max(0, to - above);
    const step = Math.max(1, Math.floor(count / SAMPLES));
    let bytes = 0;
    let sampled = 0;
    for (let height = to; height > above; height -= step) {
      const record = reader.get(recordKey(height));
      if (record === undefined) continue;
      const block = reader.get(blockKey(decodeRecord(record).digest));
      bytes += record.length + (block?.length ?? 0) + (reader.get(certificatesKey(height))?.length ?? 0);
      sampled++;
    }
    return sampled === 0 ? 0 : Math.ceil((bytes / sampled) * count);
  }

  /** As many as there is room for; one at least, if it is there. */
  #pieces(view: StateView, part: Exclude<FetchState["part"], "list">, numbers: readonly number[]): StatePiece[] {
    const pieces: StatePiece[] = [];
    let room = limits.stateAnswerBytesMax;
    for (const number of numbers) {
      const bytes = this.#piece(view, part, number);
      if (bytes === undefined) break;
      if (bytes.length > room && pieces.length > 0) break;
      room -= bytes.length;
      pieces.push({ number, bytes });
    }
    return pieces;
  }

  #piece(view: StateView, part: Exclude<FetchState["part"], "list">, number: number): Uint8Array | undefined {
    if (part === "accounts") return number < limits.statePiecesMax ? view.rows(number) : undefined;
    if (part === "positions") return this.#chunk(view, number);
    const ids = view.ids.page(number)?.map((id) => this.#storedId(id));
    if (ids === undefined || ids.includes(undefined)) return undefined;
    return stateIdsSchema.encode({ ids: ids.filter((id) => id !== undefined) });
  }

  #chunk({ height }: StateView, number: number): Uint8Array | undefined {
    const { reader } = this.#options;
    const first = number * limits.positionsPerChunk + 1;
    const last = Math.min(height, first + limits.positionsPerChunk - 1);
    if (first > last) return undefined;
    const positions = [];
    for (let each = first; each <= last; each++) {
      const row = reader.get(positionKey(each));
      if (row === undefined) return undefined;
      const { digest, slot, sequence } = positionSchema.decode(row);
      positions.push({ digest: toHex<never>(digest), slot, sequence: sequence as Sequence });
    }
    return chunkOf(positions);
  }

  /** Its reply as the view has it: an id may have been used again since it expired. */
  #storedId({ client, nonce, validUntil, replyDigest }: PagedId) {
    const { reader } = this.#options;
    const rows = [reader.get(replyKey(client, nonce)), reader.get(supersededKey(client, nonce, validUntil))];
    const reply = rows.find((row) => row !== undefined && Buffer.compare(sha256(row), replyDigest) === 0);
    return reply === undefined ? undefined : { client: fromHex(client), nonce, reply };
  }
}
