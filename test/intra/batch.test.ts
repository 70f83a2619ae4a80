// The primary's queue (protocol 1; architecture): alone, a request is proposed at once; under load the next block fills.

import { describe, expect, test } from "vitest";
import { Batcher } from "../../src/intra/batch.js";
import type { BlockOperation, Request } from "../../src/types/block.js";
import type { AccountId, ClusterId, Digest, PublicKey } from "../../src/types/ids.js";
import { limits } from "../../src/types/limits.js";

let made = 0;

function requestOf(
  clusters: readonly number[],
  change: {
    readonly nonce?: number;
    readonly hash?: string;
    readonly operations?: number;
    readonly bytes?: number;
  } = {},
): Request {
  const nonce = change.nonce ?? ++made;
  const operation: BlockOperation = { kind: "open", account: "a" as AccountId };
  return {
    client: "c1" as PublicKey,
    nonce,
    validUntil: 0,
    operations: Array(change.operations ?? 1).fill(operation),
    clusters: clusters as ClusterId[],
    hash: (change.hash ?? `hash ${nonce}`) as Digest,
    signed: { body: new Uint8Array(change.bytes ?? 100), signature: new Uint8Array(64) },
  };
}

/** Proposes the next block; undefined when none may be proposed now. */
function propose(
  batcher: Batcher,
):
  | { readonly digest: Digest; readonly clusters: readonly ClusterId[]; readonly requests: readonly Request[] }
  | undefined {
  const clusters = batcher.next();
  if (clusters === undefined) return undefined;
  const requests = batcher.take(clusters);
  const digest = `block ${++made}` as Digest;
  batcher.proposed(digest, clusters, requests);
  return { digest, clusters, requests };
}

describe("when a block is proposed", () => {
  test("at once for a request that comes alone", () => {
    const batcher = new Batcher({ requestsMax: 100 });
    expect(propose(batcher)).toBeUndefined();
    batcher.add(requestOf([1]));
    expect(propose(batcher)?.requests).toHaveLength(1);
    expect(batcher.queued).toBe(0);
  });

  test("with all that wait, when an earlier one is out of the way", () => {
    const batcher = new Batcher({ requestsMax: 100 });
    const underWay: Digest[] = [];
    for (let i = 0; i < limits.blocksInFlightMax; i++) {
      batcher.add(requestOf([1]));
      underWay.push(propose(batcher)?.digest as Digest);
    }
    for (let i = 0; i < 30; i++) batcher.add(requestOf([1]));
    expect(propose(batcher)).toBeUndefined();
    expect(batcher.queued).toBe(30);
    batcher.decided(underWay[0] as Digest);
    expect(propose(batcher)?.requests).toHaveLength(30);
    expect(propose(batcher)).toBeUndefined();
  });

  test("a decision of somebody else's block changes nothing", () => {
    const batcher = new Batcher({ requestsMax: 100 });
    for (let i = 0; i < limits.blocksInFlightMax; i++) {
      batcher.add(requestOf([1]));
      propose(batcher);
    }
    batcher.add(requestOf([1]));
    batcher.decided("another" as Digest);
    expect(propose(batcher)).toBeUndefined();
  });

  test("only requests of the same clusters share a block, and who waited longest goes first", () => {
    const batcher = new Batcher({ requestsMax: 100 });
    for (const clusters of [[1, 2], [1], [1, 2], [1]]) batcher.add(requestOf(clusters));
    expect(propose(batcher)).toMatchObject({ clusters: [1, 2], requests: [{}, {}] });
    expect(propose(batcher)).toMatchObject({ clusters: [1], requests: [{}, {}] });
  });

  test("blocks of several clusters share what may be under way, one for each set of clusters", () => {
    const batcher = new Batcher({ requestsMax: 100 });
    const first = [1, 2];
    for (const clusters of [first, [1, 3], [1, 4]]) batcher.add(requestOf(clusters));
    const underWay = Array.from({ length: limits.crossBlocksInFlightMax }, () => propose(batcher));
    expect(underWay.every((block) => block !== undefined)).toBe(true);
    expect(propose(batcher)).toBeUndefined();
    batcher.add(requestOf([1]));
    expect(propose(batcher)?.clusters).toEqual([1]);
    batcher.decided(underWay[1]?.digest as Digest);
    batcher.add(requestOf(first));
    expect(propose(batcher)?.clusters).toEqual([1, 4]);
    batcher.decided(underWay[0]?.digest as Digest);
    expect(propose(batcher)?.clusters).toEqual(first);
  });
});

describe("what a block holds", () => {
  test("at most so many requests, in the order in which they came", () => {
    const batcher = new Batcher({ requestsMax: 3 });
    const requests = Array.from({ length: 5 }, () => requestOf([1]));
    for (const request of requests) batcher.add(request);
    expect(propose(batcher)?.requests).toEqual(requests.slice(0, 3));
    expect(propose(batcher)?.requests).toEqual(requests.slice(3));
  });

  test("at most so many operations and bytes", () => {
    const batcher = new Batcher({ requestsMax: 1000 });
    for (let i = 0; i < 5; i++) batcher.add(requestOf([1], { operations: limits.operationsMax }));
    expect(propose(batcher)?.requests).toHaveLength(limits.blockOperationsMax / limits.operationsMax);
    for (let i = 0; i < 5; i++) batcher.add(requestOf([2], { bytes: limits.requestBytesMax }));
    const large = batcher.take([2 as ClusterId]);
    expect(large).toHaveLength(1);
  });

  test("one request of the largest size at least", () => {
    const batcher = new Batcher({ requestsMax: 1000 });
    batcher.add(requestOf([1], { bytes: limits.requestBytesMax, operations: limits.operationsMax }));
    expect(propose(batcher)?.requests).toHaveLength(1);
  });
});

describe("ids", () => {
  test("a request that is queued or under way is known, another one under its id refused", () => {
    const batcher = new Batcher({ requestsMax: 10 });
    const request = requestOf([1], { nonce: 7 });
    expect(batcher.add(request)).toBe("queued");
    expect(batcher.add(request)).toBe("known");
    const block = propose(batcher);
    expect(batcher.add(request)).toBe("known");
    expect(batcher.add(requestOf([1], { nonce: 7, hash: "other" }))).toBe("id-reused");
    batcher.decided(block?.digest as Digest);
    expect(batcher.add(request)).toBe("known");
    batcher.executed(request);
    expect(batcher.add(request)).toBe("queued");
  });

  test("the queue is bounded: busy", () => {
    const batcher = new Batcher({ requestsMax: 10 });
    for (let i = 0; i < limits.queuedRequestsMax; i++) batcher.add(requestOf([1]));
    const one = requestOf([1]);
    expect(batcher.add(one)).toBe("busy");
    propose(batcher);
    expect(batcher.add(one)).toBe("queued");
  });
});

describe("clients share the queue (fault F30)", () => {
  const client = (name: string) => ({ client: name as PublicKey });
  const of = (name: string, operations = 1): Request => ({ ...requestOf([1], { operations }), ...client(name) });
  const count = (requests: readonly Request[], name: string) => requests.filter((each) => each.client === name).length;

  test("a block takes from all in turns, each in its own order", () => {
    const batcher = new Batcher({ requestsMax: 8 });
    const flood = Array.from({ length: 1000 }, () => of("flooder"));
    for (const request of flood) batcher.add(request);
    const honest = [of("a"), of("b"), of("b")];
    for (const request of honest) batcher.add(request);
    const taken = propose(batcher)?.requests ?? [];
    expect(taken).toHaveLength(8);
    for (const request of honest) expect(taken).toContain(request);
    expect(taken.filter((each) => each.client === "flooder")).toEqual(flood.slice(0, 5));
  });

  test("large requests take as many turns as they have operations", () => {
    const batcher = new Batcher({ requestsMax: 2000 });
    for (let i = 0; i < 10; i++) batcher.add(of("gateway", 5000));
    for (let i = 0; i < 300; i++) batcher.add(of("shop"));
    const taken = propose(batcher)?.requests ?? [];
    expect(count(taken, "shop")).toBe(300);
    expect(count(taken, "gateway")).toBeGreaterThan(0);
  });

  test("who floods fills half of the queue, and others find room to the end", () => {
    const batcher = new Batcher({ requestsMax: 100 });
    let flooded = 0;
    while (batcher.add(of("flooder")) === "queued") flooded++;
    expect(flooded).toBe(limits.queuedRequestsMax / 2);
    expect(batcher.hasRoom("flooder" as PublicKey)).toBe(false);
    for (let i = 0; i < 100; i++) for (const name of ["a", "b", "c"]) expect(batcher.add(of(name))).toBe("queued");
    expect(batcher.add(of("flooder"))).toBe("busy");
  });

  test("when all have their share there is still room for one request of whoever has none, within twice the bound", () => {
    const batcher = new Batcher({ requestsMax: 100 });
    for (let i = 0; i < 40; i++) while (batcher.add(of(`flooder ${i}`)) === "queued");
    let newcomers = 0;
    while (batcher.add(of(`newcomer ${newcomers}`)) === "queued") newcomers++;
    expect(newcomers).toBeGreaterThan(limits.queuedRequestsMax / 2);
    expect(batcher.queued).toBe(2 * limits.queuedRequestsMax);
  });

  test("what a backup watches goes first, whatever the share, and moves up if it waits already", () => {
    const batcher = new Batcher({ requestsMax: 2 });
    const waiting = Array.from({ length: 5 }, () => of("a"));
    for (const request of waiting) batcher.add(request);
    const late = waiting[4] as Request;
    expect(batcher.add(late, true)).toBe("known");
    expect(batcher.add(late, true)).toBe("known");
    const fresh = of("a");
    expect(batcher.add(fresh, true)).toBe("queued");
    expect(propose(batcher)?.requests).toEqual([late, fresh]);
    expect(propose(batcher)?.requests).toEqual(waiting.slice(0, 2));
    expect(batcher.queued).toBe(2);
    expect(batcher.clear()).toEqual([late, fresh, ...waiting.slice(0, 4)]);
  });
});
