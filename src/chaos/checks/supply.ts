// I5 and I6: at every sequence S the blocks with a final sequence of at most S leave the supply in all accounts of all
// clusters together, and at no record an account has less than nothing.

import { genesisAccounts } from "../../cluster/genesis.js";
import type { Sequence } from "../../types/ids.js";
import { Balances } from "./balances.js";
import type { Check } from "./evidence.js";

export const supply: Check = ({ topology, views }) => {
  const problems: string[] = [];
  /** By how much the sum of all balances changes at each sequence. */
  const changes = new Map<Sequence, bigint>();
  let initial = 0n;
  for (const view of views) {
    const balances = new Balances(topology, view);
    const sequences = new Map(view.records.map(({ height, sequence }) => [height, sequence]));
    for (const account of balances.accounts) {
      let before = 0n;
      for (const { height, balance } of balances.changes(account)) {
        if (balance < 0n) problems.push(`${account} has ${balance} at record ${height} of cluster ${view.cluster}`);
        const sequence = sequences.get(height);
        if (sequence === undefined) initial += balance - before;
        else changes.set(sequence, (changes.get(sequence) ?? 0n) + balance - before);
        before = balance;
      }
    }
  }
  let expected = 0n;
  for (const { balance } of genesisAccounts(topology)) expected += balance;
  if (initial !== expected) problems.push(`before the first block all balances sum to ${initial}, not ${expected}`);
  let sum = initial;
  for (const sequence of [...changes.keys()].sort((a, b) => a - b)) {
    const change = changes.get(sequence) ?? 0n;
    sum += change;
    if (change !== 0n) problems.push(`at sequence ${sequence} all balances sum to ${sum}, the supply is ${expected}`);
  }
  return problems;
};

/** At how many sequences the supply is counted. */
export function sequencesOf({ views }: Pick<Parameters<Check>[0], "views">): number {
  return new Set(views.flatMap(({ records }) => records.map(({ sequence }) => sequence))).size;
}
