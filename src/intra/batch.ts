// The primary's queue of requests, and when they become blocks. Requests wait by their set of clusters P; a block takes
// all that wait, up to the bound. Few blocks of one P are in flight at a time: alone, a request is proposed at once;
// under load, the next block fills while the others are under way. So batching adapts without a timer.

import { type Request, requestId } from "../types/block.js";
import type { ClusterId, Digest } from "../types/ids.js";
import { limits } from "../types/limits.js";

interface Group {
  readonly clusters: readonly ClusterId[];
  readonly requests: Request[];
  /** Arrival numbers of the requests. */
  readonly waiting: number[];
  inFlight: number;
}

export type Queued = "queued" | "known" | "id-reused" | "busy";

export class Batcher {
  readonly #requestsMax: number;
  readonly #groups = new Map<string, Group>();
  /** Ids that are queued or in flight, with the hash of their request. */
  readonly #known = new Map<string, Digest>();
  readonly #inFlight = new Map<Digest, { readonly group: Group; readonly requests: readonly Request[] }>();
  #queued = 0;
  #arrivals = 0;
  #crossInFlight = 0;

  constructor(options: { readonly requestsMax: number }) {
    this.#requestsMax = options.requestsMax;
  }

  get queued(): number {
    return this.#queued;
  }

  /** Is this very request queued or in flight? */
  has(request: Request): boolean {
    return this.#known.get(requestId(request)) === request.hash;
  }

  add(request: Request): Queued {
    const id = requestId(request);
    const known = this.#known.get(id);
    if (known !== undefined) return known === request.hash ? "known" : "id-reused";
    if (this.#queued >= limits.queuedRequestsMax) return "busy";
    const key = request.clusters.join(",");
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = { clusters: request.clusters, requests: [], waiting: [], inFlight: 0 };
      this.#groups.set(key, group);
    }
    group.requests.push(request);
    group.waiting.push(this.#arrivals++);
    this.#known.set(id, request.hash);
    this.#queued++;
    return "queued";
  }

  /** The clusters whose next block may be proposed now: those of the request that has waited longest. */
  next(): readonly ClusterId[] | undefined {
    let oldest: Group | undefined;
    for (const group of this.#groups.values()) {
      const isNext = oldest === undefined || (group.waiting[0] ?? 0) < (oldest.waiting[0] ?? 0);
      if (group.requests.length > 0 && isNext && this.#mayPropose(group)) oldest = group;
    }
    return oldest?.clusters;
  }

  /** Blocks of several clusters cost more than others, so all of them together share what may be in flight. */
  #mayPropose({ clusters, inFlight }: Group): boolean {
    if (clusters.length === 1) return inFlight < limits.blocksInFlightMax;
    return inFlight === 0 && this.#crossInFlight < limits.crossBlocksInFlightMax;
  }

  /** The requests of the next block of these clusters: all that wait, within the bounds. */
  take(clusters: readonly ClusterId[]): readonly Request[] {
    const group = this.#groups.get(clusters.join(","));
    if (group === undefined) return [];
    let operations = 0;
    let bytes = 0;
    let count = 0;
    for (const request of group.requests) {
      operations += request.operations.length;
      bytes += request.signed.body.length + SIGNED_OVERHEAD_BYTES;
      const isFull = operations > limits.blockOperationsMax || bytes > limits.blockBytesMax - HEADER_BYTES;
      if (count >= this.#requestsMax || (isFull && count > 0)) break;
      count++;
    }
    this.#queued -= count;
    group.waiting.splice(0, count);
    return group.requests.splice(0, count);
  }

  proposed(digest: Digest, clusters: readonly ClusterId[], requests: readonly Request[]): void {
    const group = this.#groups.get(clusters.join(",")) as Group;
    group.inFlight++;
    if (clusters.length > 1) this.#crossInFlight++;
    this.#inFlight.set(digest, { group, requests });
  }

  /** The block is out of the way of the next one. */
  decided(digest: Digest): void {
    const flight = this.#inFlight.get(digest);
    if (flight === undefined) return;
    this.#inFlight.delete(digest);
    const { group } = flight;
    group.inFlight--;
    if (group.clusters.length > 1) this.#crossInFlight--;
    // There are more sets of clusters than anyone can keep.
    if (group.requests.length === 0 && group.inFlight === 0) this.#groups.delete(group.clusters.join(","));
  }

  /** This node is primary no more: all that waits or was in flight, for the next one. */
  clear(): readonly Request[] {
    const waiting = [...this.#inFlight.values(), ...this.#groups.values()].flatMap(({ requests }) => requests);
    this.#groups.clear();
    this.#known.clear();
    this.#inFlight.clear();
    this.#queued = 0;
    this.#crossInFlight = 0;
    return waiting;
  }

  /** The request has its result: its stored reply answers for it from now on. */
  executed(request: Request): void {
    this.#known.delete(requestId(request));
  }
}

/** Signature, tags and lengths of one request in a block; clusters and time of the block. */
const SIGNED_OVERHEAD_BYTES = 80;
const HEADER_BYTES = 8192;
