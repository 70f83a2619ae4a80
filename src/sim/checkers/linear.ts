// I12: clients see one history. A reading that a client believes is the naive model's at one height, not before the one
// it names; a request that starts after a reply was believed is ordered after it in that cluster's view; and a snapshot
// of all accounts at any sequence S sums to the supply, account by account (the bank test). That results are those of a
// sequential execution is in results.ts.

import type { ClusterId, Digest } from "../../types/ids.js";
import { toHex } from "../../types/ids.js";
import type { ReadReply } from "../../types/message.js";
import type { Checker, MakeChecker } from "../observer.js";
import { supplyOf } from "./balances.js";
import { historyOf } from "./history.js";
import { reporter, short } from "./report.js";

const SNAPSHOTS = 8;

interface Started {
  readonly clusters: readonly ClusterId[];
  /** The highest final sequence that was believed of each cluster before. */
  readonly floors: ReadonlyMap<number, number>;
}

export const makeLinear: MakeChecker = (world, report): Checker => {
  const violated = reporter("I12", report);
  const history = historyOf(world);
  const clusters = world.topology.clusters.map(({ id }) => id);
  const started = new Map<Digest, Started>();
  let floors: ReadonlyMap<number, number> = new Map();
  let isHealed = false;

  function isStateAt({ accounts, cluster }: ReadReply, height: number): boolean {
    const balances = history.balances(cluster);
    return accounts.every(({ account, exists, balance, owner }) => {
      const value = balances.at(account, height);
      if (value === undefined) return !exists && balance === 0n;
      return exists && value.balance === balance && value.owner === toHex<string>(owner);
    });
  }

  function checkSnapshot(sequence: number): void {
    let sum = 0n;
    for (const cluster of clusters) {
      const balances = history.balances(cluster);
      const last = history.view(cluster).findLastIndex((seen) => (seen?.record.finalSequence ?? 0) <= sequence);
      for (const account of balances.accounts) sum += balances.at(account, Math.max(0, last))?.balance ?? 0n;
    }
    const supply = supplyOf(world.topology);
    if (sum !== supply) violated(`the snapshot at sequence ${sequence} sums to ${sum}, the supply is ${supply}`);
  }

  return {
    onTurn: (node, plan) => void history.take(node, plan),
    onRequest({ hash, clusters: involved }) {
      if (!started.has(hash)) started.set(hash, { clusters: involved, floors });
    },
    onReply(client, { refusal, request, cluster, sequence, nonce }) {
      if (refusal !== 0) return;
      const start = started.get(toHex(request));
      for (const each of start?.clusters ?? []) {
        const floor = start?.floors.get(each) ?? 0;
        if (sequence > floor) continue;
        const what = `request ${nonce} of ${short(client)}`;
        violated(`${what} has sequence ${sequence}, but began after a reply of cluster ${each} with ${floor}`);
      }
      if (sequence > (floors.get(cluster) ?? 0)) floors = new Map(floors).set(cluster, sequence);
    },
    onRead(client, reply) {
      const { height, cluster } = reply;
      const last = history.balances(cluster).height;
      // Equal answers of several nodes may be of different heights; the lowest is named.
      for (let each = height; each <= last; each++) if (isStateAt(reply, each)) return;
      const what = `${short(client)} reads accounts of cluster ${cluster} at record ${height}`;
      violated(`${what}, and no record from there to ${last} leaves them so`);
    },
    onHealed() {
      isHealed = true;
    },
    onEnd() {
      if (!isHealed) return;
      const ends = clusters.map((cluster) => history.view(cluster).at(-1)?.record.finalSequence ?? 0);
      const last = Math.max(...ends);
      for (let i = 1; i <= SNAPSHOTS; i++) checkSnapshot(Math.floor((last * i) / SNAPSHOTS));
    },
  };
};
