import { expect, it } from "vitest";
import { Batcher } from "../../src/intra/batch.js";
import type { Request } from "../../src/types/block.js";
import type { ClusterId, Digest, PublicKey } from "../../src/types/ids.js";
import { limits } from "../../src/types/limits.js";

let nonces = 0;

function request(
  clusters: readonly number[],
  options: { readonly nonce?: number; readonly operations?: number } = {},
): Request {
  const nonce = options.nonce ?? ++nonces;
  const operation = { kind: "open", account: "a" } as unknown as Request["operations"][number];
  return {
    client: "c" as PublicKey,
    nonce,
    validUntil: 0,
    operations: Array.from({ length: options.operations ?? 1 }, () => operation),
    clusters: clusters as readonly ClusterId[],
    hash: `${nonce}.${options.operations ?? 1}` as Digest,
    signed: { body: new Uint8Array(100), signature: new Uint8Array(64) },
  };
}

function propose(batcher: Batcher, digest: string): readonly Request[] {
  const clusters = batcher.next() as readonly ClusterId[];
  const requests = batcher.take(clusters);
  batcher.proposed(digest as Digest, clusters, requests);
  return requests;
}

it("alone, a request is proposed at once", () => {
  const batcher = new Batcher({ requestsMax: 100 });
  expect(batcher.next()).toBeUndefined();
  batcher.add(request([1]));
  expect(batcher.next()).toEqual([1]);
});

it("under load the next block takes all that has waited, up to the bound", () => {
  const batcher = new Batcher({ requestsMax: 5 });
  for (let i = 0; i < limits.blocksInFlightMax; i++) {
    batcher.add(request([1]));
    expect(propose(batcher, `b${i}`)).toHaveLength(1);
  }
  for (let i = 0; i < 8; i++) batcher.add(request([1]));
  expect(batcher.next()).toBeUndefined();
  batcher.decided("b0" as Digest);
  expect(propose(batcher, "full")).toHaveLength(5);
  expect(batcher.queued).toBe(3);
});

it("requests of other clusters make other blocks, the one that has waited longest first", () => {
  const batcher = new Batcher({ requestsMax: 100 });
  const first = request([1, 2]);
  batcher.add(first);
  batcher.add(request([1]));
  expect(propose(batcher, "cross")).toEqual([first]);
  expect(batcher.next()).toEqual([1]);
});

it("blocks of several clusters share what may be in flight, and none of one set overtakes its own", () => {
  const batcher = new Batcher({ requestsMax: 1 });
  for (const clusters of [
    [1, 2],
    [1, 2],
    [1, 3],
    [1, 4],
    [1, 5],
  ])
    batcher.add(request(clusters));
  const proposed: (readonly number[])[] = [];
  for (let next = batcher.next(); next !== undefined; next = batcher.next()) {
    proposed.push(next);
    propose(batcher, `b${proposed.length}`);
  }
  expect(proposed).toHaveLength(limits.crossBlocksInFlightMax);
  expect(new Set(proposed.map(String)).size).toBe(proposed.length);
});

it("a request that is queued or in flight is known; its id with other content is refused", () => {
  const batcher = new Batcher({ requestsMax: 100 });
  const one = request([1], { nonce: 7_000 });
  expect(batcher.add(one)).toBe("queued");
  expect(batcher.add(one)).toBe("known");
  propose(batcher, "b");
  expect(batcher.add(one)).toBe("known");
  expect(batcher.add(request([1], { nonce: 7_000, operations: 2 }))).toBe("id-reused");
  batcher.executed(one);
  expect(batcher.add(one)).toBe("queued");
});

it("over the bound it says busy", () => {
  const batcher = new Batcher({ requestsMax: 100 });
  for (let i = 0; i < limits.queuedRequestsMax; i++) expect(batcher.add(request([1]))).toBe("queued");
  expect(batcher.add(request([1]))).toBe("busy");
});

it("a block's operations are bounded, and a request alone always fits", () => {
  const batcher = new Batcher({ requestsMax: 100 });
  for (let i = 0; i < 3; i++) batcher.add(request([1], { operations: limits.operationsMax }));
  expect(propose(batcher, "b")).toHaveLength(Math.floor(limits.blockOperationsMax / limits.operationsMax));
});
