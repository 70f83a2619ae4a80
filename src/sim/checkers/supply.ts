// I5: at every sequence S the balances of all clusters, after exactly the records up to S, sum to the genesis supply,
// by the naive model; and the account rows of every correct node are those of the model. I6: no balance is below zero,
// neither in the model nor, where it would show as more than there is, in a row.

import { accountKey, recordKey } from "../../ledger/keys.js";
import type { ClusterId } from "../../types/ids.js";
import type { Checker, MakeChecker, SimNode } from "../observer.js";
import { type Balance, supplyOf } from "./balances.js";
import { type AccountRow, accountRowOf } from "./facts.js";
import { historyOf } from "./history.js";
import { isExpected, reporter } from "./report.js";

export const makeSupply: MakeChecker = (world, report): Checker => {
  const violated = reporter("I5", report);
  const history = historyOf(world);
  const clusters = world.topology.clusters.map(({ id }) => id);
  /** Accounts whose rows a node wrote. */
  const written = new Map<string, Set<string>>();
  let isHealed = false;

  function checkRow(node: SimNode, account: string, row: AccountRow | undefined, height: number): void {
    const expected = history.balances(node.ref.cluster).at(account, height);
    if (row?.balance === expected?.balance && row?.owner === expected?.owner) return;
    violated(`${node.name} has ${show(row)} for ${account} after record ${height}, the records give ${show(expected)}`);
  }

  function checkRows(node: SimNode): void {
    const { cluster } = node.ref;
    const balances = history.balances(cluster);
    const { height } = balances;
    if (height < history.height(cluster)) {
      violated(`cluster ${cluster}: no correct node has all blocks up to record ${history.height(cluster)}`);
      return;
    }
    if (node.store.get(recordKey(height)) === undefined) return;
    for (const account of new Set([...balances.changed, ...(written.get(node.name) ?? [])])) {
      const row = node.store.get(accountKey(account as never));
      checkRow(node, account, row === undefined ? undefined : accountRowOf(row), height);
    }
  }

  /** After every sequence that some record has, up to where all views are known to be complete. */
  function checkSums(): void {
    const supply = supplyOf(world.topology);
    const ends = clusters.map((cluster) => history.view(cluster).at(-1)?.record.finalSequence ?? 0);
    const last = isHealed ? Number.POSITIVE_INFINITY : Math.min(...ends);
    const sequences = new Set<number>();
    for (const cluster of clusters) {
      for (const seen of history.view(cluster)) if (seen !== undefined) sequences.add(seen.record.finalSequence);
    }
    const heights = new Map<ClusterId, number>(clusters.map((cluster) => [cluster, 0]));
    for (const sequence of [...sequences].sort((a, b) => a - b)) {
      if (sequence > last) return;
      let sum = 0n;
      for (const cluster of clusters) {
        const view = history.view(cluster);
        let height = heights.get(cluster) as number;
        while ((view[height + 1]?.record.finalSequence ?? Number.POSITIVE_INFINITY) <= sequence) height++;
        heights.set(cluster, height);
        sum += history.balances(cluster).sumAt(height);
      }
      if (sum === supply) continue;
      violated(`after sequence ${sequence} all balances are ${sum}, the supply is ${supply}`);
      return;
    }
  }

  return {
    onTurn(node, plan) {
      const turn = history.take(node, plan);
      if (turn === undefined || turn.accounts.size === 0) return;
      let own = written.get(node.name);
      if (own === undefined) {
        own = new Set();
        written.set(node.name, own);
      }
      for (const account of turn.accounts.keys()) own.add(account);
      const height = Math.max(0, ...turn.records.map((record) => record.height));
      // Rows of a state that is taken over in pieces come without records, or with older ones.
      const isHead = height > 0 && node.store.get(recordKey(height + 1)) === undefined;
      if (!isHead || history.balances(node.ref.cluster).height < height) return;
      for (const [account, row] of turn.accounts) checkRow(node, account, row, height);
    },
    onHealed() {
      isHealed = true;
    },
    onEnd() {
      checkSums();
      for (const node of world.nodes) if (isExpected(node)) checkRows(node);
    },
  };
};

export const makeNoDebt: MakeChecker = (world, report): Checker => {
  const violated = reporter("I6", report);
  const history = historyOf(world);
  const supply = supplyOf(world.topology);
  const told = new Map<ClusterId, number>();
  return {
    onTurn(node, plan) {
      const turn = history.take(node, plan);
      if (turn === undefined) return;
      const { cluster } = node.ref;
      const { negatives } = history.balances(cluster);
      for (const negative of negatives.slice(told.get(cluster) ?? 0)) violated(negative);
      told.set(cluster, negatives.length);
      for (const [account, { balance }] of turn.accounts) {
        if (balance > supply) violated(`${node.name} has ${balance} for ${account}, of a supply of ${supply}`);
      }
    },
  };
};

function show(balance: Balance | undefined): string {
  return balance === undefined ? "nothing" : `${balance.balance} of "${balance.owner.slice(0, 12)}"`;
}
