// I12, results: what every operation comes to, judged again in the plainest way, record after record: each cluster by
// its own view alone, then all validators together (protocol 4). A result that nobody's view explains, a refusal
// without a reason or an "ok" without funds, is a violation.

import type { LedgerRecord } from "../../ledger/records.js";
import type { Block, BlockOperation, Request } from "../../types/block.js";
import { rejoinOf, requestId } from "../../types/block.js";
import { RESULTS, type ResultCode } from "../../types/codes.js";
import type { ClusterId, Digest, PublicKey } from "../../types/ids.js";
import { limits } from "../../types/limits.js";
import type { Checker, MakeChecker } from "../observer.js";
import { type Balance, shardOf, validatorsOf } from "./balances.js";
import { historyOf } from "./history.js";
import { reporter, short } from "./report.js";

/** What the clusters that have recorded a block so far say of each operation. */
interface Judged {
  readonly results: Uint8Array;
  readonly validators: readonly (readonly ClusterId[])[];
  readonly verdicts: readonly Map<ClusterId, ResultCode>[];
}

export const makeResults: MakeChecker = (world, report): Checker => {
  const violated = reporter("I12", report);
  const history = historyOf(world);
  const { topology } = world;
  const enrolled = new Set<PublicKey>(topology.clients.map(({ key }) => key));
  const judged = new Map<Digest, Judged>();
  /** By cluster: until when each id is remembered. */
  const used = new Map<ClusterId, Map<string, number>>(topology.clusters.map(({ id }) => [id, new Map()]));
  const done = new Map<ClusterId, number>();
  /** By the node's key. */
  const rejoined = new Map<PublicKey, { readonly number: number; readonly time: number }>();

  function requestVerdict(cluster: ClusterId, time: number, request: Request): ResultCode {
    const { client, validUntil } = request;
    const ids = used.get(cluster) as Map<string, number>;
    const id = requestId(request);
    if (!enrolled.has(client) && rejoinOf(request) === undefined) return "unknown-client";
    if (validUntil < time) return "expired";
    if ((ids.get(id) ?? -1) >= time) return "id-reused";
    ids.set(id, validUntil);
    return validUntil > time + limits.requestLifetimeMs ? "valid-too-long" : "ok";
  }

  function rejoin(client: PublicKey, incarnation: number, time: number): ResultCode {
    const last = rejoined.get(client) ?? { number: 0, time: Number.NEGATIVE_INFINITY };
    if (incarnation !== last.number + 1) return "stale-incarnation";
    if (time - last.time < limits.rejoinEveryMs) return "rejoin-too-soon";
    rejoined.set(client, { number: incarnation, time });
    return "ok";
  }

  /** The verdicts of one cluster on a block; "foreign" where it has no say. */
  function judge(cluster: ClusterId, { height, time }: LedgerRecord, { requests }: Block): ResultCode[] {
    const balances = history.balances(cluster);
    const changed = new Map<string, Balance>();
    const stateOf = (account: string) => changed.get(account) ?? balances.at(account, height - 1);
    const add = (account: string, amount: bigint) => {
      const { balance, owner } = stateOf(account) ?? { balance: 0n, owner: "" };
      changed.set(account, { balance: balance + amount, owner });
    };
    const perform = (operation: BlockOperation, client: PublicKey): ResultCode => {
      if (operation.kind === "rejoin") return rejoin(client, operation.incarnation, time);
      if (operation.kind === "open") {
        const value = stateOf(operation.account);
        if ((value?.owner ?? "") !== "") return "account-exists";
        changed.set(operation.account, { balance: value?.balance ?? 0n, owner: client });
        return "ok";
      }
      const debits = operation.debits.filter(({ account }) => shardOf(topology, account) === cluster);
      for (const { account, amount } of debits) {
        const value = stateOf(account);
        if (value === undefined) return "unknown-account";
        if (value.owner !== client) return "not-owner";
        if (value.balance < amount) return "insufficient-funds";
      }
      for (const { account, amount } of debits) add(account, -amount);
      // Credits that hang on another cluster's word cannot be spent within the block.
      if (validatorsOf(topology, operation).length > 1) return "ok";
      for (const { account, amount } of operation.credits) {
        if (shardOf(topology, account) === cluster) add(account, amount);
      }
      return "ok";
    };
    return requests.flatMap((request) => {
      const verdict = requestVerdict(cluster, time, request);
      return request.operations.map((operation) => {
        if (!validatorsOf(topology, operation).includes(cluster)) return "foreign";
        return verdict === "ok" ? perform(operation, request.client) : verdict;
      });
    });
  }

  function check(cluster: ClusterId, record: LedgerRecord, block: Block): void {
    const { digest, results, height } = record;
    const operations = block.requests.flatMap((request) => request.operations);
    let known = judged.get(digest);
    if (known === undefined) {
      const validators = operations.map((operation) => validatorsOf(topology, operation));
      known = { results, validators, verdicts: operations.map(() => new Map()) };
      judged.set(digest, known);
    }
    const verdicts = judge(cluster, record, block);
    for (let i = 0; i < operations.length; i++) {
      const said = known.verdicts[i] as Map<ClusterId, ResultCode>;
      const validators = known.validators[i] ?? [];
      if (validators.includes(cluster)) said.set(cluster, verdicts[i] as ResultCode);
      if (said.size < validators.length || !validators.includes(cluster)) continue;
      const expected =
        validators.map((each) => said.get(each) as ResultCode).find((verdict) => verdict !== "ok") ?? "ok";
      const result = RESULTS[known.results[i] ?? 255] ?? "none";
      if (result === expected) continue;
      const where = `operation ${i} of record ${height} of cluster ${cluster}, block ${short(digest)}`;
      violated(`${where}: the result is ${result}, by the views of clusters ${validators} it is ${expected}`);
    }
  }

  return {
    onTurn(node, plan) {
      const turn = history.take(node, plan);
      if (turn === undefined || turn.records.length === 0) return;
      const { cluster } = node.ref;
      for (const { record, block } of history.after(cluster, done.get(cluster) ?? 0)) {
        done.set(cluster, record.height);
        check(cluster, record, block);
      }
    },
  };
};
