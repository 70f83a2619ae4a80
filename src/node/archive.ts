// What a node can give of its past to whom its cluster does not know: the state at its latest stable checkpoint and the
// records up to it, for a backup, and proofs of balances for clients. What it gives proves itself; who may ask, and how
// often, is decided where the questions come in.

import type { AccountId } from "../types/ids.js";
import type { FetchRecords, Records } from "../types/message.js";
import type { FetchState, State } from "../types/state-transfer.js";
import type { RecordServer } from "./record-server.js";
import type { ProvenState, StateServer } from "./state-server.js";

export type ArchiveQuestion = FetchState | FetchRecords;
export type ArchiveAnswer = State | Records;

export class Archive {
  readonly #states: StateServer;
  readonly #records: RecordServer;

  constructor({ states, records }: { readonly states: StateServer; readonly records: RecordServer }) {
    this.#states = states;
    this.#records = records;
  }

  /** Between two turns, when the store has all that the last one did. */
  answer(question: ArchiveQuestion, tick: number): ArchiveAnswer {
    return question.kind === "fetch-state" ? this.#states.answer(question, tick) : this.#records.answer(question);
  }

  /** Undefined: there is no state at a stable checkpoint, for now. */
  prove(accounts: readonly AccountId[]): ProvenState | undefined {
    return this.#states.prove(accounts);
  }
}
