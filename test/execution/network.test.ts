import fc from "fast-check";
import { expect, test } from "vitest";
import { genesisAccounts } from "../../src/cluster/genesis.js";
import type {
  AccountValue,
  ExecutedBlock,
  ExecutionEngine,
  ExecutionStep,
  OrderedBlock,
} from "../../src/execution/engine.js";
import type { Position } from "../../src/execution/positions.js";
import { replayer } from "../../src/execution/replay.js";
import { rollBack } from "../../src/execution/rollback.js";
import type { StoredId } from "../../src/execution/slices.js";
import { type Block, type BlockOperation, type Request, requestId } from "../../src/types/block.js";
import { type ClusterId, type PublicKey, sequenceOf } from "../../src/types/ids.js";
import { limits } from "../../src/types/limits.js";
import type { Result } from "../../src/types/message.js";
import type { FailureModel } from "../../src/types/topology.js";
import { Reference, validatorsOf } from "./reference.js";
import { changeOf, stateOf } from "./states.js";
import {
  ALICE,
  BOB,
  blockOf,
  codes,
  engineOf,
  homeOf,
  NOON,
  open,
  pay,
  request,
  STRANGER,
  type World,
  worldOf,
} from "./world.js";

const letters = ["a", "b", "c"];

interface Plan {
  readonly world: World;
  readonly blocks: readonly Block[];
  /** Chooses what happens next, as often as asked. */
  readonly dice: readonly number[];
}

const clientArbitrary = fc.oneof(
  { weight: 10, arbitrary: fc.constantFrom<PublicKey>(ALICE, BOB) },
  { weight: 1, arbitrary: fc.constant(STRANGER) },
);

/** All operations of a request involve exactly the clusters of `mask`. */
function operationArbitrary(mask: number): fc.Arbitrary<BlockOperation> {
  const involved = letters.filter((_, i) => (mask & (1 << i)) !== 0);
  const transfer = fc
    .record({
      // Per involved cluster: debit only, credit only, both.
      sides: fc.array(fc.constantFrom("debit", "credit", "both"), { minLength: 3, maxLength: 3 }),
      numbers: fc.array(fc.nat(3), { minLength: 6, maxLength: 6 }),
      unit: fc.integer({ min: 1, max: 40 }),
    })
    .map(({ sides, numbers, unit }) => {
      const from = involved.filter((_, i) => sides[i] !== "credit" || i === 0);
      const to = involved.filter((letter, i) => sides[i] !== "debit" || !from.includes(letter));
      const credited = to.length > 0 ? to : from.slice(-1);
      const debits = from.map((letter, i) => [`${letter}${numbers[i]}`, unit * credited.length]);
      const credits = credited.map((letter, i) => [`${letter}${numbers[3 + i]}`, unit * from.length]);
      return pay(Object.fromEntries(debits), Object.fromEntries(credits));
    });
  if (involved.length > 1) return transfer;
  return fc.oneof(
    { weight: 4, arbitrary: transfer },
    { weight: 1, arbitrary: fc.nat(3).map((n) => open(`${involved[0]}${n}`)) },
  );
}

const blockArbitrary = (clusters: number) =>
  fc.integer({ min: 1, max: 2 ** clusters - 1 }).chain((mask) =>
    fc.record({
      mask: fc.constant(mask),
      step: fc.constantFrom(-50, 0, 1, 10, 100),
      requests: fc.array(
        fc.record({
          operations: fc.array(operationArbitrary(mask), { minLength: 1, maxLength: 3 }),
          client: clientArbitrary,
          nonce: fc.nat(12),
          lifetime: fc.constantFrom(-1, 5, 60, 200, 5000, limits.requestLifetimeMs + 100),
        }),
        { minLength: 1, maxLength: 4 },
      ),
      /** Repeats a request of an earlier block of the same clusters. */
      repeat: fc.option(fc.nat(50)),
    }),
  );

function planArbitrary(model: FailureModel): fc.Arbitrary<Plan> {
  return fc.integer({ min: 1, max: 3 }).chain((clusters) =>
    fc
      .record({
        drafts: fc.array(blockArbitrary(clusters), { minLength: 1, maxLength: 12 }),
        dice: fc.array(fc.nat(1000), { minLength: 20, maxLength: 60 }),
      })
      .map(({ drafts, dice }) => {
        let time = NOON;
        const made: (Block & { mask: number })[] = [];
        for (const { mask, step, requests, repeat } of drafts) {
          time += step;
          const fresh = requests.map(({ operations, client, nonce, lifetime }) =>
            request(operations, { client, nonce, validUntil: time + lifetime }),
          );
          const earlier: Request[] = made.filter((block) => block.mask === mask).flatMap((block) => block.requests);
          const repeated = repeat === null ? undefined : earlier[repeat % Math.max(1, earlier.length)];
          made.push({ ...blockOf(repeated === undefined ? fresh : [...fresh, repeated], time), mask });
        }
        return { world: worldOf({ clusters, model, balance: 100n }), blocks: made, dice };
      }),
  );
}

interface Outcome {
  readonly executed: Map<ClusterId, ExecutedBlock[]>;
  readonly engines: Map<ClusterId, ExecutionEngine>;
}

/** Runs one engine per cluster; deliveries and RESULTs happen in an order that the dice choose, some RESULTs twice. */
function run({ world, blocks, dice }: Plan): Outcome {
  const engines = new Map(world.topology.clusters.map(({ id }) => [id, engineOf(world, id)]));
  const executed = new Map<ClusterId, ExecutedBlock[]>([...engines.keys()].map((id) => [id, []]));
  const queues = new Map<ClusterId, OrderedBlock[]>([...engines.keys()].map((id) => [id, ordersOf(blocks, id)]));
  const flying: { to: ClusterId; result: Result; copies: number }[] = [];
  let throws = 0;
  const roll = (sides: number) => (dice[throws++ % dice.length] as number) % sides;

  function take(cluster: ClusterId, step: ExecutionStep): void {
    executed.get(cluster)?.push(...step.executed);
    const info = world.members.clusterOf(cluster);
    for (const { block, verdicts } of step.verdicts) {
      const others = block.clusters.filter((id) => id !== cluster);
      for (const { index } of info.nodes) {
        // f liars in a byzantine cluster: node 0 says the contrary of everything.
        const lies = info.model === "byzantine" && index === 0;
        const said = lies ? verdicts.map((code) => (code === 0 ? 8 : code === 1 ? 1 : 0)) : verdicts;
        for (const to of others) {
          const result: Result = {
            kind: "result",
            cluster,
            node: index,
            digest: block.digest,
            verdicts: said,
            final: false,
          };
          flying.push({ to, result, copies: roll(5) === 0 ? 2 : 1 });
        }
      }
    }
  }

  for (;;) {
    const ready = [...queues].filter(([, queue]) => queue.length > 0).map(([id]) => id);
    if (ready.length === 0 && flying.length === 0) break;
    const choice = roll(ready.length + flying.length);
    const cluster = ready[choice];
    if (cluster !== undefined) {
      take(cluster, (engines.get(cluster) as ExecutionEngine).deliver(queues.get(cluster)?.shift() as OrderedBlock));
      continue;
    }
    const message = flying[choice - ready.length] as (typeof flying)[number];
    if (--message.copies === 0) flying.splice(choice - ready.length, 1);
    const { to, result } = message;
    take(to, (engines.get(to) as ExecutionEngine).onResult(result));
  }
  return { executed, engines };
}

function ordersOf(blocks: readonly Block[], cluster: ClusterId): OrderedBlock[] {
  let recordTime = 0;
  return blocks
    .map((block, i) => ({ block, finalSequence: sequenceOf(i + 1, block.clusters[0] as ClusterId) }))
    .filter(({ block }) => block.clusters.includes(cluster))
    .map(({ block, finalSequence }, i) => {
      recordTime = Math.max(recordTime, block.time);
      return { block, finalSequence, height: i + 1, recordTime };
    });
}

function check(plan: Plan): void {
  const { world, blocks } = plan;
  const { executed, engines } = run(plan);
  const reference = new Reference(world);
  const supply = [...genesisAccounts(world.topology)].reduce((sum, { balance }) => sum + balance, 0n);
  const next = new Map([...engines.keys()].map((id) => [id, 0]));
  for (const block of blocks) {
    const before = new Map([...reference.state].map(([account, row]) => [account, { ...row }]));
    const { results, verdicts } = reference.execute(block);
    for (const cluster of block.clusters) {
      const at = next.get(cluster) as number;
      next.set(cluster, at + 1);
      const got = executed.get(cluster)?.[at];
      expect(got?.ordered.block).toBe(block);
      expect(codes(got?.results as Uint8Array)).toEqual(results);
      const changed = [...reference.state]
        .filter(([account, { balance, owner }]) => {
          const old = before.get(account);
          return homeOf(account) === cluster && !(old && old.balance === balance && old.owner === owner);
        })
        .map(([account, { balance, owner }]) => ({ account, balance, owner }))
        .sort((a, b) => (a.account < b.account ? -1 : 1));
      expect(got?.accounts).toEqual(changed);
      const own = engines.get(cluster)?.verdictsOf(block.digest);
      if (own !== undefined) expect(codes(own)).toEqual(verdicts.get(cluster));
    }
    const balances = [...reference.state.values()].map(({ balance }) => balance);
    expect(balances.every((balance) => balance >= 0n)).toBe(true);
    expect(balances.reduce((sum, balance) => sum + balance, 0n)).toBe(supply);
  }
  for (const [cluster, engine] of engines) {
    expect(engine.pending).toBe(0);
    for (const [account, { balance, owner }] of reference.state) {
      if (homeOf(account) === cluster) expect(engine.account(account as never)).toEqual({ account, balance, owner });
    }
    checkOnce(executed.get(cluster) ?? []);
    checkReplay(world, cluster, executed.get(cluster) ?? [], reference);
  }
}

/** No request has effects twice, and no id is handed out as consumed twice while it is remembered. */
function checkOnce(executed: readonly ExecutedBlock[]): void {
  const until = new Map<string, number>();
  const applied = new Set<string>();
  for (const { ordered, results, consumed } of executed) {
    for (const { request } of consumed) {
      expect(until.get(requestId(request)) ?? -1).toBeLessThan(ordered.recordTime);
      until.set(requestId(request), request.validUntil);
    }
    let index = 0;
    for (const { hash, operations } of ordered.block.requests) {
      const share = results.subarray(index, index + operations.length);
      index += operations.length;
      if (!share.includes(0)) continue;
      expect(applied.has(hash)).toBe(false);
      applied.add(hash);
    }
  }
}

function checkReplay(world: World, cluster: ClusterId, executed: readonly ExecutedBlock[], reference: Reference): void {
  const replay = replayer(world.topology, world.members, cluster);
  const root = stateOf({ accounts: genesisAccounts(world.topology, cluster) });
  const ids: StoredId[] = [];
  const positions: Position[] = [];
  for (const block of executed) {
    const { ordered, results } = block;
    const { height, recordTime: time, finalSequence } = ordered;
    expect(replay.apply(ordered.block, { height, time, finalSequence, results })).toBeUndefined();
    const change = changeOf(block);
    root.apply(change);
    ids.push(...change.ids);
    positions.push(change.position);
  }
  const accounts = [...replay.accounts()];
  const expected = [...reference.state].filter(([account]) => homeOf(account) === cluster);
  expect(new Map(accounts.map(({ account, balance }) => [account as string, balance]))).toEqual(
    new Map(expected.map(([account, { balance }]) => [account, balance])),
  );
  const recordTime = executed.at(-1)?.ordered.recordTime ?? 0;
  const unexpired = ids.filter(({ validUntil }) => validUntil >= recordTime).reverse();
  const loaded = stateOf({ accounts: accounts.reverse(), ids: unexpired, positions, recordTime });
  expect(loaded.root()).toBe(root.root());
  checkRollBack(world, cluster, executed);
}

/** Backwards from any record to any earlier one, the accounts are what they were. */
function checkRollBack({ topology }: World, cluster: ClusterId, executed: readonly ExecutedBlock[]): void {
  const states: ReadonlyMap<string, AccountValue>[] = [];
  let state = new Map<string, AccountValue>(
    [...genesisAccounts(topology, cluster)].map(({ account, balance, owner }) => [
      account,
      { account, balance, owner },
    ]),
  );
  states.push(state);
  for (const { accounts } of executed) {
    state = new Map(state);
    for (const value of accounts) state.set(value.account, value);
    states.push(state);
  }
  for (const from of [0, Math.floor(executed.length / 2)]) {
    const records = executed.slice(from).map(({ ordered: { block }, results }) => ({ block, results }));
    const before = rollBack({ topology, cluster, records: records.reverse(), read: (account) => state.get(account) });
    const back = new Map(state);
    for (const [account, value] of before) {
      if (value === undefined) back.delete(account);
      else back.set(account, value);
    }
    expect(back).toEqual(states[from]);
  }
}

for (const model of ["crash", "byzantine"] as const) {
  test(`in any order of messages all ${model} clusters do what one sequential executor does`, () => {
    fc.assert(fc.property(planArbitrary(model), check), { numRuns: 200 });
  });
}

test("the plans reach every result code, and operations with no, one and several validators", () => {
  const seen = new Set<string>();
  for (const plan of fc.sample(planArbitrary("crash"), { numRuns: 300, seed: 7 })) {
    const reference = new Reference(plan.world);
    for (const block of plan.blocks) {
      for (const code of reference.execute(block).results) seen.add(code);
      for (const { operations } of block.requests) {
        for (const operation of operations) seen.add(`${validatorsOf(operation).length}/${block.clusters.length}`);
      }
    }
  }
  for (const code of ["ok", "unknown-client", "expired", "valid-too-long", "id-reused"]) expect(seen).toContain(code);
  for (const code of ["unknown-account", "not-owner", "insufficient-funds", "account-exists"])
    expect(seen).toContain(code);
  for (const spread of ["1/1", "1/2", "2/2", "1/3", "2/3", "3/3"]) expect(seen).toContain(spread);
});
