// Execution as dumb as it can be: one place that sees all clusters, block after block, nothing waits for anything. What
// every engine of every cluster must agree with.

import type { Block, BlockOperation } from "../../src/types/block.js";
import { requestId } from "../../src/types/block.js";
import type { ResultCode } from "../../src/types/codes.js";
import type { ClusterId } from "../../src/types/ids.js";
import { limits } from "../../src/types/limits.js";
import { homeOf, type World } from "./world.js";

interface Row {
  balance: bigint;
  owner: string | undefined;
}

type State = Map<string, Row>;

export class Reference {
  readonly #world: World;
  readonly state: State = new Map();
  readonly #times = new Map<ClusterId, number>();
  /** "cluster id" -> validUntil */
  readonly #consumed = new Map<string, number>();

  constructor(world: World) {
    this.#world = world;
    for (const { prefix, owner, balance } of world.topology.genesis) this.state.set(prefix, { balance, owner });
  }

  /** The final codes, and per cluster the codes it finds. */
  execute(block: Block): { results: ResultCode[]; verdicts: Map<ClusterId, ResultCode[]> } {
    const verdicts = new Map<ClusterId, ResultCode[]>();
    for (const cluster of block.clusters) {
      const time = Math.max(this.#times.get(cluster) ?? 0, block.time);
      this.#times.set(cluster, time);
      verdicts.set(cluster, this.#judge(cluster, time, block));
    }
    const results: ResultCode[] = [];
    const operations = block.requests.flatMap(({ client, operations }) => operations.map((one) => ({ client, one })));
    operations.forEach(({ client, one }, i) => {
      const bad = validatorsOf(one)
        .map((cluster) => verdicts.get(cluster)?.[i] as ResultCode)
        .find((code) => code !== "ok");
      results.push(bad ?? "ok");
      if (bad === undefined) move(this.state, client, one, () => true, true);
    });
    return { results, verdicts };
  }

  #judge(cluster: ClusterId, time: number, block: Block): ResultCode[] {
    const view: State = new Map([...this.state].map(([account, row]) => [account, { ...row }]));
    const mine = (account: string) => homeOf(account) === cluster;
    const found: ResultCode[] = [];
    for (const request of block.requests) {
      const id = `${cluster} ${requestId(request)}`;
      const consumedUntil = this.#consumed.get(id) ?? -1;
      let all: ResultCode = "ok";
      if (!this.#world.members.isClient(request.client)) all = "unknown-client";
      else if (request.validUntil < time) all = "expired";
      else if (consumedUntil >= time) all = "id-reused";
      else if (request.validUntil > time + limits.requestLifetimeMs) all = "valid-too-long";
      if (all === "ok" || all === "valid-too-long") this.#consumed.set(id, request.validUntil);
      for (const operation of request.operations) {
        const validators = validatorsOf(operation);
        if (!validators.includes(cluster)) found.push("foreign");
        else if (all !== "ok") found.push(all);
        else {
          const code = check(view, request.client, operation, mine);
          if (code === "ok") move(view, request.client, operation, mine, validators.length === 1);
          found.push(code);
        }
      }
    }
    return found;
  }
}

export function validatorsOf(operation: BlockOperation): ClusterId[] {
  if (operation.kind === "open") return [homeOf(operation.account)];
  if (operation.kind === "rejoin") return [operation.cluster];
  return [...new Set(operation.debits.map(({ account }) => homeOf(account)))].sort((a, b) => a - b);
}

function check(
  state: State,
  client: string,
  operation: BlockOperation,
  mine: (account: string) => boolean,
): ResultCode {
  if (operation.kind === "open") return state.get(operation.account)?.owner === undefined ? "ok" : "account-exists";
  if (operation.kind === "rejoin") return "ok";
  for (const { account, amount } of operation.debits.filter((debit) => mine(debit.account))) {
    const row = state.get(account);
    if (row === undefined) return "unknown-account";
    if (row.owner !== client) return "not-owner";
    if (row.balance < amount) return "insufficient-funds";
  }
  return "ok";
}

function move(
  state: State,
  client: string,
  operation: BlockOperation,
  mine: (account: string) => boolean,
  creditsToo: boolean,
): void {
  const row = (account: string): Row => {
    const found = state.get(account) ?? { balance: 0n, owner: undefined };
    state.set(account, found);
    return found;
  };
  if (operation.kind === "open") {
    row(operation.account).owner = client;
    return;
  }
  if (operation.kind === "rejoin") return;
  for (const { account, amount } of operation.debits) if (mine(account)) row(account).balance -= amount;
  if (!creditsToo) return;
  for (const { account, amount } of operation.credits) if (mine(account)) row(account).balance += amount;
}
