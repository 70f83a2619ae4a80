// Protocol 9, scenario 14: verdict deadlock. Two transfers of one block that each debit both clusters. If the second one
// is judged on the outcome of the first, each cluster waits for the other's verdicts before it gives its own.

import { describe, expect, test, vi } from "vitest";
import type { ExecutionEngine, ExecutionStep, OwnVerdicts } from "../../../src/execution/engine.js";
import type { createExecution as CreateExecution } from "../../../src/execution/scheduler.js";
import type { Block, BlockOperation } from "../../../src/types/block.js";
import type { AccountId, Digest } from "../../../src/types/ids.js";
import type { TestNetwork } from "../../support/network.js";
import { expectViolated, SOUND, scenario, wait } from "./scenario.js";

const natural = vi.hoisted(() => ({ isInForce: false }));

/** A transfer is judged after those before it on the same accounts, credits and refunds of other clusters' included. */
vi.mock("../../../src/execution/scheduler.js", async (importOriginal) => {
  const ours = await importOriginal<{ readonly createExecution: typeof CreateExecution }>();
  const createExecution: typeof CreateExecution = (options) => {
    const engine = ours.createExecution(options);
    return natural.isInForce ? waiting(engine) : engine;
  };
  return { ...ours, createExecution };
});

/** Verdicts on a block whose transfers depend on each other are given once those of the others are known. */
function waiting(engine: ExecutionEngine): ExecutionEngine {
  const withheld = new Map<Digest, OwnVerdicts>();
  const sift = (step: ExecutionStep): ExecutionStep => {
    for (const each of step.verdicts) if (dependsOnItself(each.block)) withheld.set(each.block.digest, each);
    const given = [...withheld.values()].filter(({ block }) => engine.waitsFor(block.digest).length === 0);
    for (const { block } of given) withheld.delete(block.digest);
    const atOnce = step.verdicts.filter(({ block }) => !dependsOnItself(block));
    return { ...step, verdicts: [...atOnce, ...given] };
  };
  return {
    deliver: (ordered) => sift(engine.deliver(ordered)),
    onResult: (result) => sift(engine.onResult(result)),
    waitsFor: (digest) => engine.waitsFor(digest),
    verdictsOf: (digest) => (withheld.has(digest) ? undefined : engine.verdictsOf(digest)),
    account: (id) => engine.account(id),
    get pending() {
      return engine.pending;
    },
    wants: (result) => engine.wants(result),
  };
}

function dependsOnItself({ requests }: Block): boolean {
  const before = new Set<AccountId>();
  for (const operation of requests.flatMap(({ operations }) => operations)) {
    const accounts = accountsOf(operation);
    if (accounts.some((account) => before.has(account))) return true;
    for (const account of accounts) before.add(account);
  }
  return false;
}

function accountsOf(operation: BlockOperation): readonly AccountId[] {
  if (operation.kind === "open") return [operation.account];
  if (operation.kind === "rejoin") return [];
  return [...operation.debits, ...operation.credits].map(({ account }) => account);
}

/** From an account of cluster 1 and one of cluster 2 to a third. */
function jointPayment(network: TestNetwork) {
  const debits = [1, 2].map((cluster) => ({ account: network.account(cluster), amount: 300n }));
  return { open: "", debits, credits: [{ account: network.account(1, 1), amount: 600n }] };
}

describe("14. verdict deadlock", () => {
  async function run(isInForce: boolean) {
    natural.isInForce = isInForce;
    const outcome = await scenario({ models: ["crash", "crash"] }, (network) => {
      network.send([jointPayment(network), jointPayment(network)]);
      wait(network, 60);
    });
    natural.isInForce = false;
    return outcome;
  }

  test("two clusters that judge on each other's verdicts wait for each other", async () => {
    expectViolated(await run(true), "I10");
  });

  test("a cluster judges on what it knows alone", async () => {
    expect(await run(false)).toEqual(SOUND);
  });
});
