// Writes records of other nodes to the end of this node's view (protocol 6): executes each block again on what is in
// the store, and writes all rows of its record, so that every turn leaves a whole view, if a shorter one. At the
// checkpoint the state must be the one that a quorum has proven; what was said about the log up to there is then
// history.

import type { BlockContext } from "../cluster/block.js";
import { sameEntry } from "../cluster/quorum.js";
import type { AccountValue } from "../execution/engine.js";
import type { EvaluationState } from "../execution/evaluate.js";
import { Incarnations } from "../execution/incarnations.js";
import { replayRecord } from "../execution/replay.js";
import type { StableCheckpoint } from "../intra/checkpoint.js";
import type { ClusterLog } from "../intra/engine.js";
import { entryOfStored, storedEntry } from "../intra/stored.js";
import {
  accountKey,
  blockKey,
  catchUpKey,
  catchUpSchema,
  checkpointKey,
  placedKey,
  placedSchema,
  replyKey,
  slotKey,
  verdictKey,
} from "../ledger/keys.js";
import { type Request, requestId } from "../types/block.js";
import type { Decided, Effects, Reader } from "../types/effects.js";
import { type AccountId, type ClusterId, type PublicKey, type Slot, toHex } from "../types/ids.js";
import { limits } from "../types/limits.js";
import { certificateSchema, storedAccountSchema, storedReplySchema, storedSlotSchema } from "../types/schema.js";
import type { IncarnationTable } from "./incarnations.js";
import type { Recorder } from "./recorder.js";
import type { CheckedRecord } from "./records.js";

export interface AppenderOptions extends BlockContext {
  readonly cluster: ClusterId;
  readonly reader: Reader;
  readonly recorder: Recorder;
  readonly engine: ClusterLog;
  readonly table: IncarnationTable;
}

export class Appender {
  readonly #options: AppenderOptions;
  /** What this turn has changed, of which the store does not know yet. */
  readonly #accounts = new Map<AccountId, AccountValue>();
  readonly #ids = new Map<string, number>();
  /** Of appended records: what the log holds for them. */
  readonly #decided = new Map<Slot, Decided>();

  /** `decided`: of the records that were appended before a restart. */
  constructor(options: AppenderOptions, decided: readonly Decided[]) {
    this.#options = options;
    for (const each of decided) this.#decided.set(each.entry.slot, each);
  }

  /** The first of a run leaves a mark: whatever happens then, the node goes on from there and does nothing else. */
  begin({ certificate }: StableCheckpoint, from: number, out: Effects): void {
    out.persist.push({ key: catchUpKey(), value: catchUpSchema.encode({ from, certificate }) });
  }

  append({ record, encoded, certificates, block, decided }: CheckedRecord, out: Effects): void {
    const { topology, cluster, recorder } = this.#options;
    const { height, finalSequence } = record;
    const replayed = replayRecord({ topology, cluster, block, record, state: this.#state });
    if (typeof replayed === "string") throw new Error(`record ${height} does not follow from this state: ${replayed}`);
    const { accounts, consumed, verdicts, judges } = replayed;
    for (const value of accounts) this.#accounts.set(value.account, value);
    const { slot, sequence } = decided.entry;
    out.persist.push(
      { key: blockKey(block.digest), value: block.bytes },
      { key: placedKey(block.digest), value: placedSchema.encode({ slot, sequence }) },
    );
    if (judges && block.clusters.length > 1) out.persist.push({ key: verdictKey(block.digest), value: verdicts });
    recorder.append({ record, encoded, certificates, slot, block, accounts, consumed }, out.persist);
    this.#decided.set(slot, decided);
    out.notes.push({ kind: "recorded", height, finalSequence, block });
  }

  /** The view has reached the checkpoint. `forgotten`: the log on disk begins after this slot. */
  finish({ checkpoint, certificate }: StableCheckpoint, forgotten: Slot, out: Effects): void {
    const { recorder, engine } = this.#options;
    const { slot, height, record, state } = checkpoint;
    const above = recorder.reach(slot, out.persist);
    if (recorder.head.hash !== record || recorder.stateRoot() !== state) {
      throw new Error(`the state after record ${height} is not that of the stable checkpoint: the store was damaged`);
    }
    out.persist.push(
      { key: checkpointKey(), value: certificateSchema.encode(certificate) },
      { key: catchUpKey(), value: undefined },
    );
    for (let each = forgotten + 1; each <= Math.min(slot, forgotten + limits.slotsAheadMax); each++) {
      if (engine.stored(each) !== undefined) out.persist.push({ key: slotKey(each), value: undefined });
    }
    for (const each of above) this.#keepDecision(each, out);
  }

  endTurn(): void {
    this.#accounts.clear();
    this.#ids.clear();
  }

  /** A block from above the checkpoint has its record: the log must know that its slot is decided, and by what. */
  #keepDecision(slot: Slot, out: Effects): void {
    const { engine, cluster } = this.#options;
    const decided = this.#decided.get(slot);
    if (decided === undefined) return;
    const known = engine.stored(slot);
    if (known?.decided !== undefined && !sameEntry(entryOfStored(cluster, known.decided), decided.entry)) {
      throw new Error(`slot ${slot} decided twice, differently`);
    }
    const said = { selfAssigned: known?.selfAssigned, accepted: known?.accepted, committed: known?.committed };
    const { entry, certificate } = decided;
    const row = { slot, ...said, decided: storedEntry(entry), certificate, prepared: [], proposal: undefined };
    out.persist.push({ key: slotKey(slot), value: storedSlotSchema.encode(row) });
  }

  readonly #state: EvaluationState = {
    isClient: (key: PublicKey) => this.#options.members.isClient(key),
    ids: {
      has: (request: Pick<Request, "client" | "nonce">, recordTime: number) => this.#isConsumed(request, recordTime),
      add: (request: Pick<Request, "client" | "nonce" | "validUntil">) => {
        this.#ids.set(requestId(request), request.validUntil);
      },
    },
    read: (account: AccountId) => this.#read(account),
    // The recorder is told of each record after it was judged.
    incarnations: {
      rejoin: (rejoin, recordTime) => new Incarnations(this.#options.table.recorded).rejoin(rejoin, recordTime),
    },
  };

  #isConsumed(request: Pick<Request, "client" | "nonce">, recordTime: number): boolean {
    const fresh = this.#ids.get(requestId(request));
    if (fresh !== undefined) return fresh >= recordTime;
    const stored = this.#options.reader.get(replyKey(request.client, request.nonce));
    return stored !== undefined && storedReplySchema.decode(stored).validUntil >= recordTime;
  }

  #read(account: AccountId): AccountValue | undefined {
    const fresh = this.#accounts.get(account);
    if (fresh !== undefined) return fresh;
    const stored = this.#options.reader.get(accountKey(account));
    if (stored === undefined) return undefined;
    const { balance, owner } = storedAccountSchema.decode(stored);
    return { account, balance, owner: owner.length === 0 ? undefined : toHex<PublicKey>(owner) };
  }
}
