import { describe, expect, test } from "vitest";
import { RESULTS } from "../../src/types/codes.js";
import { limits } from "../../src/types/limits.js";
import {
  BOB,
  blockOf,
  engineOf,
  executeAlone,
  Feeder,
  MINUTE,
  NOON,
  ONE,
  open,
  pay,
  request,
  STRANGER,
  worldOf,
  written,
} from "./world.js";

const world = worldOf({ clusters: 1 });
const fresh = () => new Feeder(engineOf(world, ONE));
const lifetime = limits.requestLifetimeMs;

describe("a transfer", () => {
  test("within its owner's funds applies, to the last unit", () => {
    const feeder = fresh();
    const [executed] = feeder.deliver(blockOf([request([pay({ a0: 100 }, { a1: 60, a2: 40 })])])).executed;
    expect(executed && written(executed)).toEqual({ a0: 0n, a1: 160n, a2: 40n });
  });

  test("of one unit more than there is changes nothing", () => {
    const feeder = fresh();
    const [executed] = feeder.deliver(blockOf([request([pay({ a0: 101 }, { a1: 101 })])])).executed;
    expect(executed && Array.from(executed.results)).toEqual([RESULTS.indexOf("insufficient-funds")]);
    expect(executed?.accounts).toEqual([]);
  });

  test("from an account that does not exist is refused, also when it was credited to be opened later", () => {
    expect(executeAlone(fresh(), [request([pay({ a9: 1 }, { a0: 1 })])])).toEqual(["unknown-account"]);
  });

  test("from someone else's account, or nobody's, is refused", () => {
    const feeder = fresh();
    expect(executeAlone(feeder, [request([pay({ a1: 1 }, { a0: 1 })])])).toEqual(["not-owner"]);
    expect(executeAlone(feeder, [request([pay({ a0: 5 }, { a9: 5 }), pay({ a9: 5 }, { a0: 5 })])])).toEqual([
      "ok",
      "not-owner",
    ]);
  });

  test("is judged debit by debit, and the first fault gives the code", () => {
    const feeder = fresh();
    expect(executeAlone(feeder, [request([pay({ a0: 101, a1: 1 }, { a2: 102 })])])).toEqual(["insufficient-funds"]);
    expect(executeAlone(feeder, [request([pay({ a1: 1, a0: 101 }, { a2: 102 })])])).toEqual(["not-owner"]);
  });

  test("may spend what an earlier operation of the block has brought", () => {
    const feeder = fresh();
    const requests = [
      request([pay({ a0: 100 }, { a1: 100 })]),
      request([pay({ a1: 200 }, { a0: 200 })], { client: BOB }),
    ];
    expect(executeAlone(feeder, requests)).toEqual(["ok", "ok"]);
  });

  test("of amounts beyond what a number can hold is exact", () => {
    const rich = worldOf({ clusters: 1, balance: (1n << 62n) - 1n });
    const feeder = new Feeder(engineOf(rich, ONE));
    executeAlone(feeder, [request([pay({ a0: 1 }, { a1: 1 })])]);
    expect(feeder.engine.account("a1" as never)?.balance).toBe(1n << 62n);
    expect(feeder.engine.account("a0" as never)?.balance).toBe((1n << 62n) - 2n);
  });
});

describe("an open", () => {
  test("claims an account that does not exist, or that a credit has opened", () => {
    const feeder = fresh();
    expect(executeAlone(feeder, [request([open("a7")])])).toEqual(["ok"]);
    expect(feeder.engine.account("a7" as never)).toMatchObject({ balance: 0n });
    executeAlone(feeder, [request([pay({ a0: 5 }, { a8: 5 })])]);
    expect(feeder.engine.account("a8" as never)).toEqual({ account: "a8", balance: 5n, owner: undefined });
    expect(executeAlone(feeder, [request([open("a8")], { client: BOB })])).toEqual(["ok"]);
    expect(feeder.engine.account("a8" as never)).toEqual({ account: "a8", balance: 5n, owner: BOB });
  });

  test("of an account that has an owner is refused, also when that is the signer", () => {
    expect(executeAlone(fresh(), [request([open("a0"), open("a1")])])).toEqual(["account-exists", "account-exists"]);
  });
});

describe("a request", () => {
  test("of someone who is not enrolled is refused and consumes nothing", () => {
    const feeder = fresh();
    const strange = request([open("a7")], { client: STRANGER });
    const [executed] = feeder.deliver(blockOf([strange])).executed;
    expect(executed?.results[0]).toBe(RESULTS.indexOf("unknown-client"));
    expect(executed?.consumed).toEqual([]);
    expect(executeAlone(feeder, [strange])).toEqual(["unknown-client"]);
  });

  test("is valid at its validUntil, and expired a millisecond later", () => {
    const validUntil = NOON;
    expect(executeAlone(fresh(), [request([open("a7")], { validUntil })], NOON)).toEqual(["ok"]);
    expect(executeAlone(fresh(), [request([open("a7")], { validUntil })], NOON + 1)).toEqual(["expired"]);
  });

  test("is judged by record time, which never goes back, not by its block's clock", () => {
    const feeder = fresh();
    executeAlone(feeder, [request([open("a7")], { validUntil: NOON + MINUTE })], NOON + MINUTE);
    expect(executeAlone(feeder, [request([open("a8")], { validUntil: NOON })], NOON)).toEqual(["expired"]);
  });

  test("may live as long as the limit says and not a millisecond longer", () => {
    expect(executeAlone(fresh(), [request([open("a7")], { validUntil: NOON + lifetime })])).toEqual(["ok"]);
    expect(executeAlone(fresh(), [request([open("a7")], { validUntil: NOON + lifetime + 1 })])).toEqual([
      "valid-too-long",
    ]);
  });
});

describe("an id is consumed once", () => {
  test("a repeated request changes nothing and is not listed as consumed", () => {
    const feeder = fresh();
    const once = request([pay({ a0: 60 }, { a1: 60 }), pay({ a0: 10 }, { a2: 10 })]);
    const [first] = feeder.deliver(blockOf([once])).executed;
    expect(first?.consumed).toEqual([{ request: once, results: Uint8Array.of(0, 0) }]);
    const [second] = feeder.deliver(blockOf([once])).executed;
    expect(second).toMatchObject({ accounts: [], consumed: [] });
    expect(Array.from(second?.results ?? [])).toEqual([5, 5]);
  });

  test("also by other content, and within one block", () => {
    const requests = [request([open("a7")], { nonce: 1e12 }), request([open("a8")], { nonce: 1e12 })];
    expect(executeAlone(fresh(), requests)).toEqual(["ok", "id-reused"]);
  });

  test("by different clients independently", () => {
    const requests = [request([open("a7")], { nonce: 2e12 }), request([open("a8")], { nonce: 2e12, client: BOB })];
    expect(executeAlone(fresh(), requests)).toEqual(["ok", "ok"]);
  });

  test("by a refused payment, which funds that arrive later do not revive", () => {
    const feeder = fresh();
    const refused = request([pay({ a0: 150 }, { a2: 150 })]);
    expect(executeAlone(feeder, [refused])).toEqual(["insufficient-funds"]);
    expect(executeAlone(feeder, [request([pay({ a1: 100 }, { a0: 100 })], { client: BOB })])).toEqual(["ok"]);
    expect(executeAlone(feeder, [refused])).toEqual(["id-reused"]);
  });

  test("by a request that was valid for too long, which time does not revive", () => {
    const feeder = fresh();
    const early = request([open("a7")], { validUntil: NOON + 2 * lifetime });
    expect(executeAlone(feeder, [early])).toEqual(["valid-too-long"]);
    for (let block = 0; block < 50; block++) executeAlone(feeder, [request([open(`a7${block}`)])], NOON);
    expect(executeAlone(feeder, [early], NOON + 2 * lifetime)).toEqual(["id-reused"]);
  });

  test("until its validUntil has passed in record time, whenever memory is swept", () => {
    for (const blocksBetween of [0, 3, 100]) {
      const feeder = fresh();
      const options = { nonce: 3e12, validUntil: NOON + 10 };
      executeAlone(feeder, [request([open("a7")], options)]);
      for (let block = 0; block < blocksBetween; block++)
        executeAlone(feeder, [request([open(`a7${block}`)])], NOON + 10);
      const again = { nonce: 3e12, validUntil: NOON + MINUTE };
      expect(executeAlone(feeder, [request([open("a8")], again)], NOON + 10)).toEqual(["id-reused"]);
      expect(executeAlone(feeder, [request([open("a9")], again)], NOON + 11)).toEqual(["ok"]);
    }
  });
});
