// Execution backwards: what accounts were before the last records of a view (protocol 4). Results say which operations
// applied, and those that did not changed nothing. An account is opened by a credit, which is never of zero, or by its
// owner, and an account without an owner is never debited; so one that has neither balance nor owner was not there.

import type { Block } from "../types/block.js";
import type { AccountId, ClusterId } from "../types/ids.js";
import type { Topology } from "../types/topology.js";
import type { AccountValue } from "./engine.js";
import { partsOf } from "./parts.js";
import { OK } from "./rules.js";

export interface RecordedBlock {
  readonly block: Block;
  readonly results: Uint8Array;
}

/** The values before `records`, the newest of which comes first, of every account that they touch. */
export function rollBack(args: {
  readonly topology: Topology;
  readonly cluster: ClusterId;
  readonly records: readonly RecordedBlock[];
  /** After the newest. */
  readonly read: (account: AccountId) => AccountValue | undefined;
}): ReadonlyMap<AccountId, AccountValue | undefined> {
  const { topology, cluster, records, read } = args;
  const values = new Map<AccountId, AccountValue>();
  const change = (account: AccountId, how: (value: AccountValue) => AccountValue): void => {
    const value = values.get(account) ?? read(account);
    if (value === undefined) throw new Error(`account ${account} was changed by a record and is not there`);
    values.set(account, how(value));
  };
  for (const { block, results } of records) {
    for (const [i, { opens, debits, credits }] of partsOf({ topology, cluster, block }).entries()) {
      if (results[i] !== OK) continue;
      for (const { account, amount } of credits) change(account, add(-amount));
      for (const { account, amount } of debits) change(account, add(amount));
      if (opens !== undefined) change(opens, (value) => ({ ...value, owner: undefined }));
    }
  }
  return new Map([...values].map(([account, value]) => [account, isNothing(value) ? undefined : value]));
}

function add(amount: bigint): (value: AccountValue) => AccountValue {
  return (value) => ({ ...value, balance: value.balance + amount });
}

function isNothing({ balance, owner }: AccountValue): boolean {
  return balance === 0n && owner === undefined;
}
