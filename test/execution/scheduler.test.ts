import { describe, expect, test } from "vitest";
import { genesisAccounts } from "../../src/cluster/genesis.js";
import { verdictsFromResults } from "../../src/execution/apply.js";
import { createExecution } from "../../src/execution/scheduler.js";
import type { Block } from "../../src/types/block.js";
import { type ResultCode, resultNumber } from "../../src/types/codes.js";
import type { AccountId, ClusterId } from "../../src/types/ids.js";
import { limits } from "../../src/types/limits.js";
import type { Result } from "../../src/types/message.js";
import { changeOf, stateOf } from "./states.js";
import {
  BOB,
  blockOf,
  codes,
  engineOf,
  Feeder,
  NOON,
  ONE,
  open,
  pay,
  request,
  THREE,
  TWO,
  worldOf,
  written,
} from "./world.js";

const world = worldOf({ clusters: 3 });
const feederOf = (cluster: ClusterId, of = world) => new Feeder(engineOf(of, cluster));

function resultOf(block: Pick<Block, "digest">, cluster: ClusterId, said: readonly ResultCode[], node = 0): Result {
  return {
    kind: "result",
    cluster,
    node,
    digest: block.digest,
    verdicts: Uint8Array.from(said, resultNumber),
    final: false,
  };
}

describe("a cross-shard block", () => {
  test("is judged by the debit's cluster alone, whose verdict is the result in both", () => {
    const [source, target] = [feederOf(ONE), feederOf(TWO)];
    const block = blockOf([request([pay({ a0: 30 }, { b0: 30 }), pay({ a0: 90 }, { b0: 90 })])]);
    const sent = source.deliver(block);
    expect(sent.executed.map(written)).toEqual([{ a0: 70n }]);
    expect(sent.verdicts.map(({ verdicts }) => codes(verdicts))).toEqual([["ok", "insufficient-funds"]]);
    const waiting = target.deliver(block);
    expect(waiting).toEqual({ verdicts: [], executed: [] });
    expect(target.engine.waitsFor(block.digest)).toEqual([ONE]);
    const { executed } = target.engine.onResult(resultOf(block, ONE, ["ok", "insufficient-funds"]));
    expect(executed.map(written)).toEqual([{ b0: 130n }]);
    expect(executed.flatMap(({ consumed }) => consumed).length).toBe(1);
    expect(target.engine.waitsFor(block.digest)).toEqual([]);
  });

  test("of several validators applies if all say ok", () => {
    const first = feederOf(ONE);
    const block = blockOf([request([pay({ a0: 10, b0: 20 }, { c0: 30 })])]);
    expect(first.deliver(block).executed).toEqual([]);
    expect(first.engine.onResult(resultOf(block, TWO, ["ok"])).executed.map(written)).toEqual([{ a0: 90n }]);
  });

  test("that fails elsewhere is refunded and changes nothing", () => {
    const first = feederOf(ONE);
    const block = blockOf([request([pay({ a0: 10, b0: 999 }, { c0: 1009 })])]);
    first.deliver(block);
    const [executed] = first.engine.onResult(resultOf(block, TWO, ["insufficient-funds"])).executed;
    expect(executed && codes(executed.results)).toEqual(["insufficient-funds"]);
    expect(executed?.accounts).toEqual([]);
  });

  test("that fails in two clusters has the code of the lower", () => {
    const third = feederOf(THREE);
    const block = blockOf([request([pay({ b0: 999, a0: 999 }, { c0: 1998 })])]);
    third.deliver(block);
    third.engine.onResult(resultOf(block, TWO, ["not-owner"]));
    const [executed] = third.engine.onResult(resultOf(block, ONE, ["insufficient-funds"])).executed;
    expect(executed && codes(executed.results)).toEqual(["insufficient-funds"]);
  });

  test("may debit different clusters in different operations: each judges its own", () => {
    const first = feederOf(ONE);
    const block = blockOf([request([pay({ a0: 10 }, { b0: 10 }), pay({ b0: 5 }, { a0: 5 })])]);
    const { verdicts } = first.deliver(block);
    expect(verdicts.map((own) => codes(own.verdicts))).toEqual([["ok", "foreign"]]);
    expect(first.engine.onResult(resultOf(block, TWO, ["foreign", "ok"])).executed.map(written)).toEqual([{ a0: 95n }]);
  });

  test("two transfers that each debit both clusters do not wait for each other", () => {
    const [first, second] = [feederOf(ONE), feederOf(TWO)];
    const both = () => request([pay({ a0: 60, b0: 60 }, { a2: 60, b2: 60 })]);
    const block = blockOf([both(), both()]);
    const [one, two] = [first.deliver(block).verdicts[0], second.deliver(block).verdicts[0]];
    expect(one && codes(one.verdicts)).toEqual(["ok", "insufficient-funds"]);
    expect(two && codes(two.verdicts)).toEqual(["ok", "insufficient-funds"]);
    const result = resultOf(block, TWO, ["ok", "insufficient-funds"]);
    expect(first.engine.onResult(result).executed.map(written)).toEqual([{ a0: 40n, a2: 60n }]);
  });

  test("credits that depend on another cluster cannot be spent within the block, and can in the next", () => {
    const first = feederOf(ONE);
    const bring = request([pay({ b1: 50 }, { a1: 50 })], { client: BOB });
    const spend = () => request([pay({ a1: 150 }, { b1: 150 })], { client: BOB });
    const block = blockOf([bring, spend()]);
    expect(first.deliver(block).verdicts.map(({ verdicts }) => codes(verdicts))).toEqual([
      ["foreign", "insufficient-funds"],
    ]);
    first.engine.onResult(resultOf(block, TWO, ["ok", "foreign"]));
    expect(first.deliver(blockOf([spend()])).executed.map(written)).toEqual([{ a1: 0n }]);
  });
});

describe("while a block waits for another cluster", () => {
  test("a later block that touches nothing of it is judged, and executed in its turn", () => {
    const first = feederOf(ONE);
    const waiting = blockOf([request([pay({ a0: 10, b0: 10 }, { c0: 20 })])]);
    const free = blockOf([request([pay({ a1: 7 }, { b1: 7 })], { client: BOB })]);
    first.deliver(waiting);
    const step = first.deliver(free);
    expect(step.verdicts.map(({ block }) => block)).toEqual([free]);
    expect(step.executed).toEqual([]);
    expect(first.engine.account("a1" as AccountId)?.balance).toBe(100n);
    expect(first.engine.pending).toBe(2);
    const { executed } = first.engine.onResult(resultOf(waiting, TWO, ["ok"]));
    expect(executed.map(({ ordered }) => ordered.block)).toEqual([waiting, free]);
    expect(executed.map(written)).toEqual([{ a0: 90n }, { a1: 93n }]);
  });

  test("a later block that touches one of its accounts waits, and is judged on what came of it", () => {
    const first = feederOf(ONE);
    const waiting = blockOf([request([pay({ b0: 10 }, { a0: 10 })])]);
    const after = blockOf([request([pay({ a0: 110 }, { b1: 110 })])]);
    first.deliver(waiting);
    expect(first.deliver(after)).toEqual({ verdicts: [], executed: [] });
    const step = first.engine.onResult(resultOf(waiting, TWO, ["ok"]));
    expect(step.verdicts.map(({ verdicts }) => codes(verdicts))).toEqual([["ok"]]);
    expect(step.executed.map(written)).toEqual([{ a0: 110n }, { a0: 0n }]);
  });

  test("a later block with one of its ids waits, and is refused", () => {
    const first = feederOf(ONE);
    const twice = request([pay({ a0: 10, b0: 10 }, { c0: 20 })]);
    const [waiting, repeated] = [blockOf([twice]), blockOf([twice])];
    first.deliver(waiting);
    first.deliver(repeated);
    const step = first.engine.onResult(resultOf(waiting, TWO, ["ok"]));
    expect(step.verdicts.map(({ verdicts }) => codes(verdicts))).toEqual([["id-reused"]]);
    const { executed } = first.engine.onResult(resultOf(repeated, TWO, ["id-reused"]));
    expect(executed.flatMap(({ consumed }) => consumed)).toEqual([]);
  });

  test("a later block with an id of a block that waits with it is refused, whatever the accounts", () => {
    const first = feederOf(ONE);
    const nonce = 8e12;
    const waiting = blockOf([request([pay({ b0: 10 }, { a0: 10 })])]);
    first.deliver(waiting);
    first.deliver(blockOf([request([pay({ a0: 1 }, { a2: 1 })], { nonce })]));
    first.deliver(blockOf([request([open("a8")], { nonce })]));
    const { executed } = first.engine.onResult(resultOf(waiting, TWO, ["ok"]));
    expect(executed.map(({ results }) => codes(results))).toEqual([["ok"], ["ok"], ["id-reused"]]);
  });

  test("an account that resolved blocks ahead of it have changed twice keeps the later value", () => {
    const first = feederOf(ONE);
    const move = (amount: number) => blockOf([request([pay({ a1: amount }, { a3: amount })], { client: BOB })]);
    const waits = [blockOf([request([pay({ b0: 1 }, { a0: 1 })])]), blockOf([request([pay({ c0: 1 }, { a4: 1 })])])];
    first.deliver(waits[0] as Block);
    first.deliver(move(10));
    first.deliver(waits[1] as Block);
    first.deliver(move(20));
    first.engine.onResult(resultOf(waits[0] as Block, TWO, ["ok"]));
    first.deliver(move(30));
    const { executed } = first.engine.onResult(resultOf(waits[1] as Block, THREE, ["ok"]));
    expect(executed.map(written)).toEqual([{ a4: 1n }, { a1: 70n, a3: 30n }, { a1: 40n, a3: 60n }]);
  });

  test("what a block writes does not show what later blocks did to other accounts of it", () => {
    const first = feederOf(ONE);
    const waiting = blockOf([request([pay({ a0: 10, b0: 10 }, { c0: 20 })])]);
    const chain = [1, 2, 3].map((amount) => blockOf([request([pay({ a1: amount }, { a3: amount })], { client: BOB })]));
    first.deliver(waiting);
    for (const block of chain) first.deliver(block);
    const { executed } = first.engine.onResult(resultOf(waiting, TWO, ["ok"]));
    expect(executed.map(written)).toEqual([{ a0: 90n }, { a1: 99n, a3: 1n }, { a1: 97n, a3: 3n }, { a1: 94n, a3: 6n }]);
  });

  test("a long chain that waits for it is executed at once when it ends", () => {
    const first = feederOf(ONE);
    const waiting = blockOf([request([pay({ b0: 10 }, { a0: 10 })])]);
    first.deliver(waiting);
    for (let i = 1; i < limits.undeliveredMax; i++) first.deliver(blockOf([request([pay({ a0: 1 }, { a0: 1 })])]));
    expect(first.engine.pending).toBe(limits.undeliveredMax);
    const { executed } = first.engine.onResult(resultOf(waiting, TWO, ["ok"]));
    expect(executed.length).toBe(limits.undeliveredMax);
    expect(first.engine.pending).toBe(0);
  });

  test("an id that expires meanwhile is still known to it", () => {
    const first = feederOf(ONE);
    const nonce = 9e12;
    const validUntil = NOON + 5;
    first.deliver(blockOf([request([pay({ a0: 1 }, { a2: 1 })], { nonce, validUntil })]));
    const waiting = blockOf([request([pay({ b0: 10 }, { a0: 10 })])]);
    const repeated = blockOf([request([pay({ a0: 2 }, { a2: 2 })], { nonce, validUntil: NOON + 50 })], NOON + 5);
    first.deliver(waiting);
    first.deliver(repeated);
    for (let i = 0; i < 20; i++)
      first.deliver(blockOf([request([pay({ a1: 1 }, { a1: 1 })], { client: BOB })], NOON + 6));
    const { executed } = first.engine.onResult(resultOf(waiting, TWO, ["ok"]));
    expect(executed.map(({ results }) => codes(results)[0]).slice(0, 2)).toEqual(["ok", "id-reused"]);
  });
});

describe("RESULTs", () => {
  const byzantine = worldOf({ clusters: 2, model: "byzantine" });
  const block = () => blockOf([request([pay({ b0: 10 }, { a0: 10 })])]);

  test("of f + 1 different nodes of a byzantine cluster settle a verdict, of fewer not", () => {
    const first = feederOf(ONE, byzantine);
    const waiting = block();
    first.deliver(waiting);
    expect(first.engine.onResult(resultOf(waiting, TWO, ["ok"], 0)).executed).toEqual([]);
    expect(first.engine.onResult(resultOf(waiting, TWO, ["ok"], 0)).executed).toEqual([]);
    expect(first.engine.onResult(resultOf(waiting, TWO, ["expired"], 1)).executed).toEqual([]);
    expect(first.engine.onResult(resultOf(waiting, TWO, ["ok"], 1)).executed).toEqual([]);
    expect(first.engine.onResult(resultOf(waiting, TWO, ["ok"], 2)).executed.map(written)).toEqual([{ a0: 110n }]);
  });

  test("that tell the results in place of verdicts are counted by themselves", () => {
    const first = feederOf(ONE, byzantine);
    const waiting = block();
    first.deliver(waiting);
    const final = (node: number) => ({ ...resultOf(waiting, TWO, ["ok"], node), final: true });
    expect(first.engine.onResult(resultOf(waiting, TWO, ["ok"], 0)).executed).toEqual([]);
    expect(first.engine.onResult(final(1)).executed).toEqual([]);
    expect(first.engine.onResult(final(0)).executed).toEqual([]);
    expect(first.engine.onResult(final(2)).executed.map(written)).toEqual([{ a0: 110n }]);
  });

  test("that came before their block count when it is delivered", () => {
    const first = feederOf(ONE, byzantine);
    const early = block();
    for (const node of [0, 1]) expect(first.engine.onResult(resultOf(early, TWO, ["ok"], node)).executed).toEqual([]);
    expect(first.deliver(early).executed.map(written)).toEqual([{ a0: 110n }]);
  });

  test("of impossible length or content are ignored and use up nothing", () => {
    const first = feederOf(ONE);
    const waiting = block();
    first.engine.onResult(resultOf(waiting, TWO, ["ok", "ok"]));
    first.deliver(waiting);
    for (const said of [[], ["ok", "ok"], ["foreign"]] as const) {
      expect(first.engine.onResult(resultOf(waiting, TWO, said)).executed).toEqual([]);
    }
    const unknownCode = { ...resultOf(waiting, TWO, []), verdicts: Uint8Array.of(250) };
    expect(first.engine.onResult(unknownCode).executed).toEqual([]);
    expect(first.engine.onResult(resultOf(waiting, TWO, ["ok"])).executed.length).toBe(1);
  });

  test("of clusters that have no say, of the own cluster, and of blocks done with are not wanted", () => {
    const first = feederOf(ONE);
    const waiting = block();
    expect(first.engine.wants({ cluster: TWO, digest: waiting.digest })).toBe(true);
    first.deliver(waiting);
    expect(first.engine.wants({ cluster: TWO, digest: waiting.digest })).toBe(true);
    expect(first.engine.wants({ cluster: ONE, digest: waiting.digest })).toBe(false);
    expect(first.engine.wants({ cluster: THREE, digest: waiting.digest })).toBe(false);
    expect(first.engine.wants({ cluster: 77 as ClusterId, digest: waiting.digest })).toBe(false);
    first.engine.onResult(resultOf(waiting, TWO, ["ok"]));
    expect(first.engine.wants({ cluster: TWO, digest: waiting.digest })).toBe(false);
  });

  test("a node that floods with early ones pushes out its own only", () => {
    const first = feederOf(ONE);
    const early = block();
    first.engine.onResult(resultOf(early, TWO, ["ok"], 1));
    for (let i = 0; i < limits.earlyVerdictsMax; i++) {
      first.engine.onResult(resultOf({ digest: `${i}` as Block["digest"] }, TWO, ["ok"], 0));
    }
    expect(first.deliver(early).executed.length).toBe(1);
    const flooded = block();
    first.engine.onResult(resultOf(flooded, TWO, ["ok"], 0));
    for (let i = 0; i < limits.earlyVerdictsMax; i++) {
      first.engine.onResult(resultOf({ digest: `${i}` as Block["digest"] }, TWO, ["ok"], 0));
    }
    expect(first.deliver(flooded).executed).toEqual([]);
  });

  test("own verdicts are known while their block waits and after, and final results can stand in for them", () => {
    const [first, second] = [feederOf(ONE), feederOf(TWO)];
    const block = blockOf([request([pay({ a0: 10, b1: 10 }, { c0: 20 }), pay({ b0: 1, c0: 1 }, { a0: 2 })])]);
    expect(first.engine.verdictsOf(block.digest)).toBeUndefined();
    first.deliver(block);
    const own = Uint8Array.from(["ok", "foreign"] as const, resultNumber);
    expect(first.engine.verdictsOf(block.digest)).toEqual(own);
    first.engine.onResult(resultOf(block, TWO, ["not-owner", "ok"]));
    const [executed] = first.engine.onResult(resultOf(block, THREE, ["foreign", "ok"])).executed;
    expect(first.engine.verdictsOf(block.digest)).toEqual(own);

    const results = executed?.results as Uint8Array;
    const standIn = verdictsFromResults({ topology: world.topology, cluster: ONE, block, results });
    expect(codes(standIn)).toEqual(["not-owner", "foreign"]);
    second.deliver(block);
    second.engine.onResult({ ...resultOf(block, ONE, []), verdicts: standIn });
    const [elsewhere] = second.engine.onResult(resultOf(block, THREE, ["foreign", "ok"])).executed;
    expect(elsewhere?.results).toEqual(results);
  });
});

test("a height that does not follow, or a block delivered twice while it waits, stops the node", () => {
  const first = feederOf(ONE);
  const waiting = blockOf([request([pay({ b0: 10 }, { a0: 10 })])]);
  const ordered = first.order(waiting);
  first.engine.deliver(ordered);
  expect(() => first.engine.deliver({ ...ordered, height: 3 })).toThrow("height 3");
  expect(() => first.engine.deliver({ ...ordered, height: 2 })).toThrow("twice");
});

test("an engine that restarts from accounts and consumed ids goes on as if it had not", () => {
  const before = feederOf(ONE);
  const payment = request([pay({ a0: 60 }, { a1: 60 })]);
  const { executed } = before.deliver(blockOf([payment]));
  const accounts = new Map([...genesisAccounts(world.topology, ONE)].map((value) => [value.account, value]));
  for (const value of executed.flatMap((block) => block.accounts))
    accounts.set(value.account, { ...value, cluster: ONE } as never);
  const consumedIds = [{ id: `${payment.client}:${payment.nonce}`, validUntil: payment.validUntil }];
  const restarted = createExecution({ ...world, cluster: ONE, accounts: accounts.values(), consumedIds });
  const next = before.order(
    blockOf([payment, request([pay({ a0: 50 }, { a1: 50 })]), request([pay({ a0: 40 }, { a1: 40 })])]),
  );
  expect(restarted.deliver(next)).toEqual(before.engine.deliver(next));
  const grown = stateOf({ accounts: genesisAccounts(world.topology, ONE) });
  const changes = executed.map(changeOf);
  for (const change of changes) grown.apply(change);
  const ids = changes.flatMap((change) => change.ids);
  const positions = changes.map(({ position }) => position);
  const loaded = stateOf({ accounts: accounts.values(), ids, positions, recordTime: NOON });
  expect(loaded.root()).toBe(grown.root());
});
