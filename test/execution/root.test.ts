// The state root that checkpoints carry (protocol 6): it commits to every account, every unexpired id with its reply and
// every block's place, whatever the way there; each piece can be checked by itself; views show the past as it was.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sha256 } from "../../src/crypto/hash.js";
import { BUCKETS, bucketOf, digestOfRows } from "../../src/execution/buckets.js";
import type { AccountValue } from "../../src/execution/engine.js";
import { rootOfPieces } from "../../src/execution/pieces.js";
import { chunkOf } from "../../src/execution/positions.js";
import { type AccountProof, proveAccount, provenAccount, type StateRoot } from "../../src/execution/root.js";
import { pageDigest, pageDigests } from "../../src/execution/slices.js";
import type { StateView } from "../../src/execution/views.js";
import type { AccountId, Digest } from "../../src/types/ids.js";
import { limits } from "../../src/types/limits.js";
import { positionOf, stateOf, storedId } from "./states.js";
import { ALICE, BOB, NOON } from "./world.js";

const value = (account: string, balance = 5n, owner: AccountValue["owner"] = ALICE): AccountValue => ({
  account: account as AccountId,
  balance,
  owner,
});

const unowned = (account: string, balance = 5n): AccountValue => ({ ...value(account, balance), owner: undefined });

function change(root: StateRoot, accounts: readonly AccountValue[], recordTime = NOON): void {
  root.apply({ accounts, ids: [], position: positionOf(root.height + 1), recordTime });
}

const accountArbitrary = fc.record({
  account: fc.integer({ min: 0, max: 60 }).map((n) => `x${n}` as AccountId),
  balance: fc.bigInt({ min: 0n, max: (1n << 63n) - 1n }),
  owner: fc.constantFrom(undefined, ALICE, BOB),
});

const lastOf = (history: readonly AccountValue[]) => [...new Map(history.map((one) => [one.account, one])).values()];

describe("the state root", () => {
  test("depends on what the accounts are, not on how they came to be", () => {
    fc.assert(
      fc.property(fc.array(accountArbitrary, { maxLength: 150, size: "max" }), fc.nat(150), (history, cut) => {
        const grown = stateOf({});
        change(grown, history.slice(0, cut));
        grown.root();
        change(grown, history.slice(cut));
        const positions = [positionOf(1), positionOf(2)];
        const loaded = stateOf({ accounts: lastOf(history).reverse(), positions, recordTime: NOON });
        expect(loaded.root()).toBe(grown.root());
      }),
      { numRuns: 30 },
    );
  });

  test("changes with every balance, owner, name, id, expiry, reply and position", () => {
    const accounts = [value("a")];
    const ids = [storedId(ALICE, 7, NOON + 5)];
    const at = { recordTime: NOON };
    const roots = [
      stateOf({ accounts, ids, ...at }),
      stateOf({ accounts: [value("a", 6n)], ids, ...at }),
      stateOf({ accounts: [value("a", 5n, BOB)], ids, ...at }),
      stateOf({ accounts: [unowned("a")], ids, ...at }),
      stateOf({ accounts: [value("b")], ids, ...at }),
      stateOf({ accounts: [value("a"), value("b")], ids, ...at }),
      stateOf({ accounts, ...at }),
      stateOf({ accounts, ids: [storedId(ALICE, 7, NOON + 6)], ...at }),
      stateOf({ accounts, ids: [storedId(ALICE, 8, NOON + 5)], ...at }),
      stateOf({ accounts, ids: [storedId(BOB, 7, NOON + 5)], ...at }),
      stateOf({ accounts, ids: [storedId(ALICE, 7, NOON + 5, "told otherwise")], ...at }),
      stateOf({ accounts, ids, positions: [positionOf(1)], ...at }),
      stateOf({ accounts, ids, positions: [positionOf(2)], ...at }),
      stateOf({ accounts, ids, positions: [{ ...positionOf(1), slot: 2 }], ...at }),
    ].map((root) => root.root());
    expect(new Set(roots).size).toBe(roots.length);
  });

  test("commits to exactly the ids that are unexpired at the record time", () => {
    const ids = [-2000, -1, 0, 1, 400, 90_000].map((ms, i) => storedId(ALICE, i, NOON + 200 + ms));
    for (const later of [0, 199, 200, 201, 601, 100_000]) {
      const recordTime = NOON + later;
      const root = stateOf({ ids, recordTime: NOON });
      root.root();
      change(root, [], recordTime);
      const left = ids.filter(({ validUntil }) => validUntil >= recordTime).reverse();
      expect(root.root()).toBe(stateOf({ ids: left, positions: [positionOf(1)], recordTime }).root());
    }
  });

  test("takes full chunks of positions by their digests", () => {
    const count = 2 * limits.positionsPerChunk + 3;
    const all = Array.from({ length: count }, (_, i) => positionOf(i + 1));
    const root = stateOf({});
    const chunks = all.flatMap((position) => {
      const chunk = root.apply({ accounts: [], ids: [], position, recordTime: NOON });
      return chunk === undefined ? [] : [chunk];
    });
    expect(chunks.map(({ number }) => number)).toEqual([0, 1]);
    const digests = root.pieces().positions;
    for (const [i, first] of [0, limits.positionsPerChunk, 2 * limits.positionsPerChunk].entries()) {
      const digest = sha256(chunkOf(all.slice(first, first + limits.positionsPerChunk)));
      expect(Buffer.compare(digests.subarray(32 * i, 32 * i + 32), digest)).toBe(0);
    }
    expect(digests).toHaveLength(96);
  });
});

describe("a view of a past state", () => {
  /** What a node that has only its pieces would make of it. */
  function rebuilt(view: StateView, ids: readonly ReturnType<typeof storedId>[]): Digest {
    // All that the tests' names fall into, and others.
    const buckets = Array.from({ length: 61 }, (_, i) => bucketOf(`x${i}` as AccountId));
    for (const bucket of [0, BUCKETS - 1, ...buckets]) {
      const expected = view.pieces.accounts.subarray(32 * bucket, 32 * bucket + 32);
      expect(Buffer.compare(digestOfRows(view.rows(bucket)), expected)).toBe(0);
    }
    for (const [number, digest] of pageDigests(view.pieces.ids).entries()) {
      const page = (view.ids.page(number) ?? []).map(({ client, nonce, validUntil, replyDigest }) => {
        const id = ids.find((each) => Buffer.compare(sha256(each.reply), replyDigest) === 0);
        expect(id).toMatchObject({ client, nonce, validUntil });
        return id as (typeof ids)[number];
      });
      expect(Buffer.compare(pageDigest(page), digest)).toBe(0);
    }
    return rootOfPieces(view.pieces);
  }

  test("shows each piece as it was, whatever has changed since, and whichever other views are forgotten", () => {
    const step = fc.record({
      accounts: fc.array(accountArbitrary, { maxLength: 6 }),
      lifetimes: fc.array(fc.nat(5000), { maxLength: 3 }),
      passes: fc.nat(1500),
      freezes: fc.boolean(),
      forgets: fc.option(fc.nat(5), { freq: 3 }),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 2, maxLength: 25, size: "max" }), (steps) => {
        const root = stateOf({ accounts: [value("x1")], recordTime: NOON });
        const roots = new Map<number, Digest>();
        const given: ReturnType<typeof storedId>[] = [];
        let time = NOON;
        for (const [i, { accounts, lifetimes, passes, freezes, forgets }] of steps.entries()) {
          time += passes;
          const ids = lifetimes.map((lifetime, k) => storedId(k % 2 ? ALICE : BOB, i, time + lifetime, `${i}.${k}`));
          given.push(...ids);
          root.apply({ accounts: lastOf(accounts), ids, position: positionOf(i + 1), recordTime: time });
          if (freezes) roots.set(i, root.root());
          if (freezes) root.freeze({ slot: i, height: i + 1 });
          if (forgets !== null) root.drop(({ slot }) => slot % 6 !== forgets);
        }
        for (const view of root.views) expect(rebuilt(view, given)).toBe(roots.get(view.slot));
      }),
      { numRuns: 40 },
    );
  });
});

describe("pages of ids", () => {
  test("are bounded by ids and by the bytes of their replies", () => {
    const long = "x".repeat(limits.idPageBytes / 4);
    const few = stateOf({ ids: Array.from({ length: 9 }, (_, i) => storedId(ALICE, i, NOON + 500, `${i}${long}`)) });
    expect(pageDigests(few.pieces().ids)).toHaveLength(3);
    const many = stateOf({ ids: Array.from({ length: 2049 }, (_, i) => storedId(ALICE, i, NOON + 500)) });
    expect(pageDigests(many.pieces().ids)).toHaveLength(3);
  });
});

describe("an account proof", () => {
  const accounts = Array.from({ length: 6000 }, (_, i) =>
    i % 3 === 0 ? unowned(`acc${i}`, BigInt(i)) : value(`acc${i}`, BigInt(i)),
  );
  const state = stateOf({ accounts, ids: [storedId(ALICE, 1, NOON)], recordTime: NOON });
  const view = state.freeze({ slot: 1, height: 0 });
  const root = state.root();
  const account = "acc77" as AccountId;

  test("shows the value of an account, or that there is none", () => {
    expect(provenAccount({ account, root, proof: proveAccount(view, account) })).toEqual(value("acc77", 77n));
    const nobodys = "acc99" as AccountId;
    expect(provenAccount({ account: nobodys, root, proof: proveAccount(view, nobodys) })).toEqual(
      unowned("acc99", 99n),
    );
    for (let i = 0; i < 300; i++) {
      const absent = `none${i}` as AccountId;
      expect(provenAccount({ account: absent, root, proof: proveAccount(view, absent) })).toBe("absent");
    }
    const empty = stateOf({}).freeze({ slot: 1, height: 0 });
    expect(provenAccount({ account, root: empty.root(), proof: proveAccount(empty, account) })).toBe("absent");
  });

  test("of a large bucket holds a page or two of it", () => {
    const names = Array.from({ length: 150_000 }, (_, i) => `n${i}`).filter(
      (name) => bucketOf(name as AccountId) === 5,
    );
    const large = stateOf({ accounts: names.map((name) => value(name)) }).freeze({ slot: 1, height: 0 });
    for (const name of names.flatMap((each) => [each, `${each}x`])) {
      const proof = proveAccount(large, name as AccountId);
      expect(proof.bucket.rows.length).toBeLessThan(2300);
      const shown = provenAccount({ account: name as AccountId, root: large.root(), proof });
      if (bucketOf(name as AccountId) === 5 || !name.endsWith("x")) expect(shown).toBeDefined();
      expect(typeof shown === "object").toBe(!name.endsWith("x"));
      const elsewhere = { ...proof, bucket: { ...proof.bucket, first: proof.bucket.first + 1 } };
      expect(provenAccount({ account: name as AccountId, root: large.root(), proof: elsewhere })).toBeUndefined();
    }
  });

  test("with any byte changed, or for another bucket or root, shows nothing", () => {
    const proof = proveAccount(view, account);
    const rows = new Uint8Array(proof.bucket.rows);
    rows[rows.length - 40] = 1;
    const group = new Uint8Array(proof.bucket.group);
    group[0] = (group[0] as number) ^ 1;
    const forged: AccountProof[] = [
      { ...proof, bucket: { ...proof.bucket, rows } },
      { ...proof, bucket: { ...proof.bucket, rows: new Uint8Array(0) } },
      { ...proof, bucket: { ...proof.bucket, group } },
      { ...proof, bucket: { ...proof.bucket, pages: new Uint8Array(32) } },
      { ...proof, bucket: { ...proof.bucket, pathInGroup: proof.bucket.pathOfGroup } },
      { ...proof, others: [] },
      { ...proof, accounts: "00".repeat(32) as Digest },
      proveAccount(view, "acc78" as AccountId),
    ];
    for (const bad of forged) expect(provenAccount({ account, root, proof: bad })).toBeUndefined();
    expect(provenAccount({ account, root: "ee".repeat(32) as Digest, proof })).toBeUndefined();
  });
});
