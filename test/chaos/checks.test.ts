// The outside checker's checks, one by one: a sound run passes all of them, and each kind of lie that is planted in it is
// found by the check whose rule it breaks.

import { describe, expect, test } from "vitest";
import { acknowledged } from "../../src/chaos/checks/acknowledged.js";
import { checks } from "../../src/chaos/checks/all.js";
import type { Check } from "../../src/chaos/checks/evidence.js";
import { once } from "../../src/chaos/checks/once.js";
import { accountOrder, clusterOrder } from "../../src/chaos/checks/order.js";
import { reads, stalenessOf } from "../../src/chaos/checks/reads.js";
import { refused } from "../../src/chaos/checks/refused.js";
import { resolved } from "../../src/chaos/checks/resolved.js";
import { sequencesOf, supply } from "../../src/chaos/checks/supply.js";
import type { Write } from "../../src/chaos/history.js";
import type { ViewRecord } from "../../src/chaos/views.js";
import type { ResultCode } from "../../src/types/codes.js";
import { account, soundWorld, type World } from "./world.js";

/** What a check says of a sound run in which something was falsified. */
function find(check: Check, falsify: (world: World) => void): string {
  const world = soundWorld();
  falsify(world);
  return check(world.evidence).join("\n");
}

function writeOf(world: World, index: number): Write {
  return world.writes[index] as Write;
}

function withResult(code: ResultCode) {
  return (record: ViewRecord): ViewRecord => ({
    ...record,
    requests: record.requests.map((request) => ({ ...request, results: [code] })),
  });
}

test("a sound run passes every check", () => {
  const { evidence } = soundWorld();
  for (const { name, find: check } of checks) expect(check(evidence), name).toEqual([]);
  expect(sequencesOf(evidence)).toBe(4);
  expect(stalenessOf(evidence)).toEqual({ staleReads: 0, staleMaxMs: 0, missedOwn: 0 });
});

describe("acknowledged requests are in their ledgers", () => {
  test("a lost acknowledgement is found", () => {
    expect(find(acknowledged, (world) => world.view(1).records.splice(1, 1))).toContain("cluster 1 lacks it");
  });

  test("half of a cross-shard transfer is found", () => {
    expect(find(acknowledged, (world) => world.view(2).records.splice(0, 1))).toContain("cluster 2 lacks it");
  });

  test("another result than was told is found", () => {
    expect(find(acknowledged, (world) => world.replace(1, 1, withResult("insufficient-funds")))).toContain(
      "told was ok",
    );
  });

  test("another record than was told is found", () => {
    const falsify = (world: World) => {
      const write = writeOf(world, 0);
      if (write.told.kind === "recorded") world.retell(write, { ...write.told, height: 2 });
    };
    expect(find(acknowledged, falsify)).toContain("told was 2");
  });

  test("another transfer under the same id is found", () => {
    const falsify = (world: World) => {
      world.replace(1, 1, (record) => {
        const [request] = record.requests;
        const operation = request?.operations[0];
        if (request === undefined || operation?.kind !== "transfer") throw new Error("no transfer at record 1");
        const credits = operation.credits.map((credit) => ({ ...credit, account: account(1, 0) }));
        return { ...record, requests: [{ ...request, operations: [{ ...operation, credits }] }] };
      });
    };
    expect(find(acknowledged, falsify)).toContain("is not what was ordered");
  });
});

describe("every request is executed once", () => {
  test("a doubled transfer is found, though nobody was told of it", () => {
    const falsify = (world: World) => {
      const { records } = world.view(1);
      records.push({ ...(records[0] as ViewRecord), height: 4 });
      world.writes = [];
    };
    expect(find(once, falsify)).toContain("executed twice in cluster 1, at 1 and 4");
  });

  test("a repetition that the ledger calls one is none", () => {
    const falsify = (world: World) => {
      const { records } = world.view(1);
      const again = { ...(records[0] as ViewRecord), height: 4, sequence: (2 ** 30) as ViewRecord["sequence"] };
      records.push(withResult("id-reused")(again));
    };
    expect(find(once, falsify)).toBe("");
    expect(find(acknowledged, falsify)).toBe("");
  });

  test("a transfer that one of its clusters lacks is found, though nobody was told of it", () => {
    const falsify = (world: World) => {
      world.view(2).records.splice(0, 1);
      world.writes = [];
    };
    expect(find(once, falsify)).toContain("cluster 2 lacks it");
  });

  test("different results in two clusters are found", () => {
    expect(find(once, (world) => world.replace(2, 1, withResult("insufficient-funds")))).toContain("has other results");
  });
});

describe("refusals and unknown outcomes", () => {
  test("a request that was refused and applied is found", () => {
    const falsify = (world: World) => world.retell(writeOf(world, 1), { kind: "refused", code: "busy" });
    expect(find(refused, falsify)).toContain("was refused as busy, and is applied in cluster 1 at height 2");
  });

  test("a refused request that failed in the ledger changed nothing, and is none", () => {
    expect(find(refused, (world) => world.retell(writeOf(world, 3), { kind: "refused", code: "expired" }))).toBe("");
  });

  test("an outcome that stayed unknown is found", () => {
    expect(find(resolved, (world) => world.retell(writeOf(world, 2), { kind: "unknown" }))).toContain(
      "it is in the ledger",
    );
  });
});

describe("balances sum to the supply at every sequence", () => {
  test("a credit that never came is found", () => {
    expect(find(supply, (world) => world.view(2).records.splice(0, 1))).toContain("sum to 793, the supply is 800");
  });

  test("a credit that came at another sequence is found, though all is well in the end", () => {
    const falsify = (world: World) => {
      world.replace(2, 1, (record) => ({ ...record, sequence: (record.sequence + 2 ** 16) as ViewRecord["sequence"] }));
    };
    expect(find(supply, falsify)).toContain("sum to 793");
  });

  test("an account below zero is found", () => {
    expect(find(supply, (world) => world.replace(2, 2, withResult("ok")))).toContain("has -899");
  });
});

describe("clients saw the order of the views", () => {
  test("a request that began after an acknowledgement and stands before it is found", () => {
    const falsify = (world: World) => {
      const first = writeOf(world, 0);
      world.writes = [{ ...first, startedMs: 21, endedMs: 25 }, ...world.writes.slice(1)];
    };
    expect(find(clusterOrder, falsify)).toContain("at record 2 was acknowledged (cluster 1)");
    expect(find(accountOrder, falsify)).toContain("at record 2 was acknowledged");
  });

  test("a request that overtakes an acknowledged credit from another cluster is found", () => {
    const falsify = (world: World) => {
      const { records } = world.view(2);
      const [credit, later] = records as [ViewRecord, ViewRecord];
      world.view(2).records = [
        { ...later, height: 1 },
        { ...credit, height: 2 },
      ];
    };
    expect(find(accountOrder, falsify)).toContain("at record 2 was acknowledged");
    expect(find(clusterOrder, falsify)).toBe("");
  });

  test("requests that overlap in time may stand in any order", () => {
    const falsify = (world: World) => {
      world.writes = world.writes.map((write) => ({ ...write, startedMs: 0, endedMs: 100 }));
    };
    expect(find(clusterOrder, falsify)).toBe("");
    expect(find(accountOrder, falsify)).toBe("");
  });
});

describe("reads", () => {
  const at = { client: 0, startedMs: 80, endedMs: 85 };

  test("a balance that no record leaves is found", () => {
    const falsify = (world: World) => world.read({ account: account(1, 1), balance: 109n, height: 3 }, at);
    expect(find(reads, falsify)).toContain("which is not so there");
  });

  test("a balance of an earlier record than the one named is found", () => {
    const falsify = (world: World) => world.read({ account: account(1, 1), balance: 115n, height: 3 }, at);
    expect(find(reads, falsify)).toContain("which is not so there");
  });

  test("a stale read is found: the client was told of a later record before it asked", () => {
    const falsify = (world: World) => world.read({ account: account(1, 1), balance: 115n, height: 2 }, at);
    expect(find(reads, falsify)).toContain("at record 2, but was told of record 3 before");
  });

  test("a stale read without a height is found", () => {
    const falsify = (world: World) => world.read({ account: account(1, 1), balance: 115n, height: undefined }, at);
    expect(find(reads, falsify)).toContain("no record from 3 to 3 leaves them so");
  });

  test("a read that shows what had not begun is found", () => {
    const early = { client: 1, startedMs: 21, endedMs: 25 };
    const falsify = (world: World) => world.read({ account: account(1, 1), balance: 108n, height: 3 }, early);
    expect(find(reads, falsify)).toContain("which began after the answer");
  });

  test("a read that is behind another client's answers is counted, with its lateness", () => {
    const world = soundWorld();
    world.read({ account: account(1, 1), balance: 110n, height: 1 }, { client: 2, startedMs: 26, endedMs: 28 });
    expect(reads(world.evidence)).toEqual([]);
    expect(stalenessOf(world.evidence)).toEqual({ staleReads: 1, staleMaxMs: 6, missedOwn: 0 });
  });

  test("a read that misses a credit of which another cluster told the client is counted", () => {
    const world = soundWorld();
    world.read({ account: account(2, 0), balance: 100n, height: 0 }, { client: 0, startedMs: 41, endedMs: 45 });
    expect(reads(world.evidence)).toEqual([]);
    expect(stalenessOf(world.evidence)).toEqual({ staleReads: 1, staleMaxMs: 1, missedOwn: 1 });
  });
});
