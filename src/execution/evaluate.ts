// A cluster's verdicts on a block: operation by operation in block order, on what it knows alone (protocol 4). A debit
// that is ok here is taken at once, so that no later operation spends it again. Credits of operations that this cluster
// alone judges can be spent at once, too; all others wait for `settle`, since two operations of one block that each
// debit both clusters would otherwise wait for each other's verdict.

import type { Request } from "../types/block.js";
import type { AccountId, PublicKey } from "../types/ids.js";
import { WorkingAccounts } from "./accounts.js";
import type { ConsumedIds } from "./consumed.js";
import type { AccountValue, OrderedBlock } from "./engine.js";
import type { Incarnations } from "./incarnations.js";
import type { Part } from "./parts.js";
import { consumesId, debitVerdict, FOREIGN, OK, openVerdict, requestVerdict } from "./rules.js";

export interface Evaluation {
  /** "foreign" where this cluster has no say. */
  readonly verdicts: Uint8Array;
  readonly working: WorkingAccounts;
  /** Requests whose id was consumed, and the index of their first operation. */
  readonly consumed: readonly { readonly request: Request; readonly first: number }[];
}

/** The state that a block meets. Ids and incarnations are added to it at once, accounts only by `settle`'s outcome. */
export interface EvaluationState {
  readonly isClient: (key: PublicKey) => boolean;
  readonly ids: Pick<ConsumedIds, "has" | "add">;
  readonly read: (account: AccountId) => AccountValue | undefined;
  readonly incarnations: Pick<Incarnations, "rejoin">;
}

export function evaluate(
  { block, recordTime }: Pick<OrderedBlock, "block" | "recordTime">,
  parts: readonly Part[],
  { isClient, ids, read, incarnations }: EvaluationState,
): Evaluation {
  const facts = { recordTime, isClient, isConsumed: ids.has.bind(ids) };
  const working = new WorkingAccounts(read);
  const verdicts = new Uint8Array(block.operations);
  const consumed: { request: Request; first: number }[] = [];
  let index = 0;
  for (const request of block.requests) {
    const verdict = requestVerdict(request, facts);
    if (consumesId(verdict)) {
      ids.add(request);
      consumed.push({ request, first: index });
    }
    for (const last = index + request.operations.length; index < last; index++) {
      const part = parts[index] as Part;
      if (!part.judges) verdicts[index] = FOREIGN;
      else if (verdict !== OK) verdicts[index] = verdict;
      else if (part.rejoins !== undefined) verdicts[index] = incarnations.rejoin(part.rejoins, recordTime);
      else verdicts[index] = perform(part, request.client, working);
    }
  }
  return { verdicts, working, consumed };
}

/** Judges one operation and, where it is ok, does what need not wait for other clusters. */
function perform(part: Part, client: PublicKey, working: WorkingAccounts): number {
  const verdict =
    part.opens === undefined ? debitsVerdict(part, client, working) : openVerdict(working.get(part.opens));
  if (verdict !== OK) return verdict;
  if (part.opens !== undefined) working.claim(part.opens, client);
  for (const debit of part.debits) working.debit(debit);
  if (part.alone) for (const credit of part.credits) working.credit(credit);
  return OK;
}

function debitsVerdict(part: Part, client: PublicKey, working: WorkingAccounts): number {
  for (const { account, amount } of part.debits) {
    const { exists, owner, balance } = working.get(account);
    const verdict = debitVerdict({ exists, owner, balance, amount, client });
    if (verdict !== OK) return verdict;
  }
  return OK;
}
