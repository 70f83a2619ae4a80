import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AccountValue } from "../../src/execution/engine.js";
import { type AccountProof, provenAccount, StateRoot } from "../../src/execution/root.js";
import type { AccountId, Digest } from "../../src/types/ids.js";
import { ALICE, BOB, NOON } from "./world.js";

const EXTRA = ["ee".repeat(32) as Digest];

function rootOf(accounts: readonly AccountValue[], ids: readonly { id: string; validUntil: number }[] = [], at = NOON) {
  return new StateRoot({ accounts, consumedIds: ids, recordTime: at });
}

const value = (account: string, balance = 5n, owner: AccountValue["owner"] = ALICE): AccountValue => ({
  account: account as AccountId,
  balance,
  owner,
});

const unowned = (account: string, balance = 5n): AccountValue => ({ ...value(account, balance), owner: undefined });

const changes = (root: StateRoot, accounts: readonly AccountValue[]) =>
  root.apply({ ordered: { recordTime: NOON } as never, accounts, consumed: [] });

const accountArbitrary = fc.record({
  account: fc.integer({ min: 0, max: 60 }).map((n) => `x${n}` as AccountId),
  balance: fc.bigInt({ min: 0n, max: (1n << 63n) - 1n }),
  owner: fc.constantFrom(undefined, ALICE, BOB),
});

describe("the state root", () => {
  test("depends on what the accounts are, not on how they came to be", () => {
    fc.assert(
      fc.property(fc.array(accountArbitrary, { maxLength: 150, size: "max" }), fc.nat(150), (history, cut) => {
        const grown = rootOf([]);
        changes(grown, history.slice(0, cut));
        grown.root([]);
        changes(grown, history.slice(cut));
        const last = [...new Map(history.map((one) => [one.account, one])).values()].reverse();
        expect(rootOf(last).root(EXTRA)).toBe(grown.root(EXTRA));
      }),
      { numRuns: 30 },
    );
  });

  test("changes with every balance, owner, name, id, expiry and extra digest", () => {
    const id = { id: `${ALICE}:7`, validUntil: NOON + 5 };
    const roots = [
      rootOf([value("a")], [id]).root(EXTRA),
      rootOf([value("a", 6n)], [id]).root(EXTRA),
      rootOf([value("a", 5n, BOB)], [id]).root(EXTRA),
      rootOf([unowned("a")], [id]).root(EXTRA),
      rootOf([value("b")], [id]).root(EXTRA),
      rootOf([value("a"), value("b")], [id]).root(EXTRA),
      rootOf([value("a")]).root(EXTRA),
      rootOf([value("a")], [{ ...id, validUntil: NOON + 6 }]).root(EXTRA),
      rootOf([value("a")], [{ ...id, id: `${ALICE}:8` }]).root(EXTRA),
      rootOf([value("a")], [{ ...id, id: `${BOB}:7` }]).root(EXTRA),
      rootOf([value("a")], [id]).root([]),
      rootOf([value("a")], [id]).root(["ef".repeat(32) as Digest]),
    ];
    expect(new Set(roots).size).toBe(roots.length);
  });

  test("commits to exactly the ids that are unexpired at the record time", () => {
    const ids = [-2000, -1, 0, 1, 400, 90_000].map((ms, i) => ({ id: `${ALICE}:${i}`, validUntil: NOON + 200 + ms }));
    for (const later of [0, 199, 200, 201, 601, 100_000]) {
      const at = NOON + later;
      const root = rootOf([], ids);
      root.root([]);
      root.apply({ ordered: { recordTime: at } as never, accounts: [], consumed: [] });
      const left = ids.filter(({ validUntil }) => validUntil >= at).reverse();
      expect(root.root([])).toBe(rootOf([], left, at).root([]));
    }
  });
});

describe("an account proof", () => {
  const state = rootOf(
    Array.from({ length: 5000 }, (_, i) => (i % 3 === 0 ? unowned(`acc${i}`, BigInt(i)) : value(`acc${i}`, BigInt(i)))),
    [{ id: `${ALICE}:1`, validUntil: NOON }],
  );
  const root = state.root(EXTRA);
  const account = "acc77" as AccountId;

  test("shows the value of an account, or that there is none", () => {
    expect(provenAccount({ account, root, proof: state.prove(account, EXTRA) })).toEqual(value("acc77", 77n));
    const nobodys = "acc99" as AccountId;
    const shown = provenAccount({ account: nobodys, root, proof: state.prove(nobodys, EXTRA) });
    expect(shown).toEqual(unowned("acc99", 99n));
    const absent = "nobody" as AccountId;
    expect(provenAccount({ account: absent, root, proof: state.prove(absent, EXTRA) })).toBe("absent");
  });

  test("with any byte changed, or for another bucket or root, shows nothing", () => {
    const proof = state.prove(account, EXTRA);
    const rows = new Uint8Array(proof.bucket.rows);
    rows[rows.length - 40] = 1;
    const group = new Uint8Array(proof.bucket.group);
    group[0] = (group[0] as number) ^ 1;
    const forged: AccountProof[] = [
      { ...proof, bucket: { ...proof.bucket, rows } },
      { ...proof, bucket: { ...proof.bucket, group } },
      { ...proof, bucket: { ...proof.bucket, pathInGroup: proof.bucket.pathOfGroup } },
      { ...proof, others: [] },
      { ...proof, accounts: "00".repeat(32) as Digest },
      state.prove("acc78" as AccountId, EXTRA),
    ];
    for (const bad of forged) expect(provenAccount({ account, root, proof: bad })).toBeUndefined();
    expect(provenAccount({ account, root: EXTRA[0] as Digest, proof })).toBeUndefined();
  });
});
