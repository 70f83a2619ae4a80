// Execution again, for the audit of a ledger: recomputes one cluster's verdicts from genesis, compares them with the
// recorded results as far as one view can tell, and applies what is recorded. Whether a refusal by another cluster was
// right only that cluster's view can tell; the audit compares the verdicts of all.

import { genesisAccounts } from "../cluster/genesis.js";
import type { Members } from "../cluster/members.js";
import type { Block } from "../types/block.js";
import { resultCode } from "../types/codes.js";
import type { ClusterId, Sequence } from "../types/ids.js";
import type { Topology } from "../types/topology.js";
import { Accounts } from "./accounts.js";
import { consumedRequests, settle } from "./apply.js";
import { ConsumedIds } from "./consumed.js";
import type { AccountValue, ConsumedRequest } from "./engine.js";
import { type EvaluationState, evaluate } from "./evaluate.js";
import { Incarnations } from "./incarnations.js";
import { type Part, partsOf } from "./parts.js";
import { FOREIGN, OK } from "./rules.js";

export interface ReplayedRecord {
  readonly height: number;
  readonly time: number;
  readonly finalSequence: Sequence;
  readonly results: Uint8Array;
}

export interface Replayer {
  /** What is wrong with the record's results; undefined: nothing. A ledger that is wrong ends the replay. */
  apply(block: Block, record: ReplayedRecord): string | undefined;
  accounts(): Iterable<AccountValue>;
  /** How often nodes of the cluster have rejoined; ascending by node. */
  incarnations(): Incarnations["all"];
  /** This cluster's own verdicts on the last applied block. */
  verdicts(): Uint8Array;
}

export function replayer(topology: Topology, members: Members, cluster: ClusterId): Replayer {
  const accounts = new Accounts(genesisAccounts(topology, cluster));
  const ids = new ConsumedIds([]);
  const state = {
    isClient: members.isClient.bind(members),
    ids,
    read: accounts.get.bind(accounts),
    incarnations: new Incarnations(),
  };
  let verdicts = new Uint8Array(0);

  return {
    apply(block, record) {
      const replayed = replayRecord({ topology, cluster, block, record, state });
      if (typeof replayed === "string") return replayed;
      for (const value of replayed.accounts) accounts.set(value);
      ids.sweep({ recordTime: record.time, added: block.requests.length });
      verdicts = new Uint8Array(replayed.verdicts);
      return undefined;
    },
    accounts: () => accounts,
    incarnations: () => state.incarnations.all,
    verdicts: () => verdicts,
  };
}

/** What a record does to the state that it meets. */
export interface ReplayedBlock {
  /** Values after it of every account that it changes, ascending by account. */
  readonly accounts: readonly AccountValue[];
  readonly consumed: readonly ConsumedRequest[];
  readonly verdicts: Uint8Array;
  /** Does this cluster have a say on any operation? */
  readonly judges: boolean;
}

/** Executes one recorded block; a text says why its results cannot be right. Ids that it consumes go to the state's. */
export function replayRecord(args: {
  readonly topology: Topology;
  readonly cluster: ClusterId;
  readonly block: Block;
  readonly record: Pick<ReplayedRecord, "time" | "results">;
  readonly state: EvaluationState;
}): ReplayedBlock | string {
  const { topology, cluster, block, state } = args;
  const { time, results } = args.record;
  if (results.length !== block.operations) {
    return `${results.length} results recorded for ${block.operations} operations`;
  }
  const parts = partsOf({ topology, cluster, block });
  const evaluation = evaluate({ block, recordTime: time }, parts, state);
  for (let i = 0; i < parts.length; i++) {
    const verdict = evaluation.verdicts[i] as number;
    const result = results[i] as number;
    if (isConsistent({ part: parts[i] as Part, cluster, verdict, result })) continue;
    return `operation ${i}: ${nameOf(result)} is recorded, cluster ${cluster} finds ${nameOf(verdict)}`;
  }
  const accounts = settle(evaluation, parts, results);
  const judges = parts.some((part) => part.judges);
  return { accounts, consumed: consumedRequests(evaluation, results), verdicts: evaluation.verdicts, judges };
}

/** Can the result be right, given what this cluster alone knows? */
function isConsistent(args: {
  readonly part: Part;
  readonly cluster: ClusterId;
  readonly verdict: number;
  readonly result: number;
}): boolean {
  const { part, cluster, verdict, result } = args;
  if (resultCode(result) === undefined || result === FOREIGN) return false;
  if (part.alone || result === verdict) return result === verdict;
  if (!part.judges || verdict === OK) return true;
  // Refused here, with another code: only a lower cluster's refusal can have given it.
  return result !== OK && part.validators.some((validator) => validator < cluster);
}

function nameOf(result: number): string {
  return resultCode(result) ?? `the unknown code ${result}`;
}
