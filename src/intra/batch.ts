// The primary's queue of requests, and when they become blocks. Requests wait by their set of clusters P; a block
// takes all that wait, up to the bound. Few blocks of one P are in flight at a time: alone, a request is proposed at
// once; under load, the next block fills while the others are under way. So batching adapts without a timer. Within a
// P clients take turns, by operations, and each has its share of the queue: who floods it waits for itself and not
// others for it.

import { type Request, requestId } from "../types/block.js";
import type { ClusterId, Digest, PublicKey } from "../types/ids.js";
import { limits } from "../types/limits.js";
import { hasShare } from "../types/share.js";

interface Group {
  readonly clusters: readonly ClusterId[];
  /** Each client's requests; whose turn is next comes first. */
  readonly lines: Map<PublicKey, Line>;
  inFlight: number;
}

interface Item {
  readonly request: Request;
  readonly arrival: number;
  /** It was moved to the urgent ones. */
  isGone: boolean;
}

/** One client's requests of one P: the urgent ones, then, from `head` on, the others. */
interface Line {
  readonly urgent: Item[];
  items: Item[];
  head: number;
  /** Operations that it may have taken before the next client's turn. */
  credit: number;
}

/** What was taken from a line is thrown away in bulk. */
const LINE_SLACK = 1024;

export type Queued = "queued" | "known" | "id-reused" | "busy";

export class Batcher {
  readonly #requestsMax: number;
  readonly #groups = new Map<string, Group>();
  /** Ids that are queued or in flight, with the hash of their request and their place in a line, if any. */
  readonly #known = new Map<string, { readonly hash: Digest; place: { line: Line; item: Item } | undefined }>();
  readonly #inFlight = new Map<Digest, { readonly group: Group; readonly requests: readonly Request[] }>();
  /** By client, what waits. */
  readonly #held = new Map<PublicKey, number>();
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
    return this.#known.get(requestId(request))?.hash === request.hash;
  }

  /** Would one more request of this client be queued? */
  hasRoom(client: PublicKey): boolean {
    const held = this.#held.get(client) ?? 0;
    return hasShare({ held, total: this.#queued, holders: this.#held.size, max: limits.queuedRequestsMax });
  }

  /**
   * `isUrgent`: a backup watches it, and will suspect this primary for it. It goes before what else its client has
   * sent, whatever the client's share: backups watch few requests of one client.
   */
  add(request: Request, isUrgent = false): Queued {
    const id = requestId(request);
    const known = this.#known.get(id);
    if (known !== undefined) {
      if (known.hash !== request.hash) return "id-reused";
      if (isUrgent && known.place !== undefined) hasten(known.place);
      return "known";
    }
    const { client, clusters } = request;
    const isFull = this.#queued >= 2 * limits.queuedRequestsMax;
    if (isFull || (!isUrgent && !this.hasRoom(client))) return "busy";
    const line = this.#lineOf(client, clusters);
    const item = { request, arrival: this.#arrivals++, isGone: false };
    if (isUrgent) line.urgent.push(item);
    else line.items.push(item);
    this.#known.set(id, { hash: request.hash, place: isUrgent ? undefined : { line, item } });
    this.#held.set(client, (this.#held.get(client) ?? 0) + 1);
    this.#queued++;
    return "queued";
  }

  #lineOf(client: PublicKey, clusters: readonly ClusterId[]): Line {
    const key = clusters.join(",");
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = { clusters, lines: new Map(), inFlight: 0 };
      this.#groups.set(key, group);
    }
    let line = group.lines.get(client);
    if (line === undefined) {
      line = { urgent: [], items: [], head: 0, credit: 0 };
      group.lines.set(client, line);
    }
    return line;
  }

  /** The clusters whose next block may be proposed now: those of the request that has waited longest. */
  next(): readonly ClusterId[] | undefined {
    let next: { readonly group: Group; readonly arrival: number } | undefined;
    for (const group of this.#groups.values()) {
      if (group.lines.size === 0 || !this.#mayPropose(group)) continue;
      const arrival = oldestOf(group);
      if (next === undefined || arrival < next.arrival) next = { group, arrival };
    }
    return next?.group.clusters;
  }

  /** Blocks of several clusters cost more than others, so all of them together share what may be in flight. */
  #mayPropose({ clusters, inFlight }: Group): boolean {
    if (clusters.length === 1) return inFlight < limits.blocksInFlightMax;
    return inFlight === 0 && this.#crossInFlight < limits.crossBlocksInFlightMax;
  }

  /** The requests of the next block of these clusters: all that wait, within the bounds. */
  take(clusters: readonly ClusterId[]): readonly Request[] {
    const group = this.#groups.get(clusters.join(","));
    const taken: Request[] = [];
    let operations = 0;
    let bytes = 0;
    let waited = 0;
    while (group !== undefined && taken.length < this.#requestsMax) {
      const [turn] = group.lines;
      if (turn === undefined) break;
      const [client, line] = turn;
      const { request } = headOf(line);
      const cost = request.operations.length;
      if (cost > line.credit) {
        line.credit++;
        group.lines.delete(client);
        group.lines.set(client, line);
        if (++waited < group.lines.size) continue;
        // Nobody has saved up enough: as many turns at once as it takes until somebody has.
        const missing = leastMissing(group);
        for (const each of group.lines.values()) each.credit += missing;
        waited = 0;
        continue;
      }
      waited = 0;
      operations += cost;
      bytes += request.signed.body.length + SIGNED_OVERHEAD_BYTES;
      const isFull = operations > limits.blockOperationsMax || bytes > limits.blockBytesMax - HEADER_BYTES;
      if (isFull && taken.length > 0) break;
      taken.push(request);
      line.credit -= cost;
      this.#drop(group, client, line);
    }
    return taken;
  }

  /** The head of a line is taken. */
  #drop(group: Group, client: PublicKey, line: Line): void {
    const known = this.#known.get(requestId(headOf(line).request));
    if (known !== undefined) known.place = undefined;
    if (line.urgent.shift() === undefined) line.head++;
    skipGone(line);
    if (line.urgent.length === 0 && line.head === line.items.length) group.lines.delete(client);
    const held = (this.#held.get(client) ?? 0) - 1;
    if (held > 0) this.#held.set(client, held);
    else this.#held.delete(client);
    this.#queued--;
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
    if (group.lines.size === 0 && group.inFlight === 0) this.#groups.delete(group.clusters.join(","));
  }

  /** This node is primary no more: all that waits or was in flight, for the next one. */
  clear(): readonly Request[] {
    const inFlight = [...this.#inFlight.values()].flatMap(({ requests }) => requests);
    const lines = [...this.#groups.values()].flatMap((group) => [...group.lines.values()]);
    const items = lines.flatMap((line) => [...line.urgent, ...line.items.slice(line.head)]);
    const queued = items.filter(({ isGone }) => !isGone).sort((a, b) => a.arrival - b.arrival);
    this.#groups.clear();
    this.#known.clear();
    this.#inFlight.clear();
    this.#held.clear();
    this.#queued = 0;
    this.#crossInFlight = 0;
    return [...inFlight, ...queued.map(({ request }) => request)];
  }

  /** The request has its result: its stored reply answers for it from now on. */
  executed(request: Request): void {
    this.#known.delete(requestId(request));
  }
}

/** Of a line that is not empty. */
function headOf({ urgent, items, head }: Line): Item {
  return urgent[0] ?? (items[head] as Item);
}

/** Operations that the line which comes next is short of. */
function leastMissing({ lines }: Group): number {
  let least = Number.POSITIVE_INFINITY;
  for (const line of lines.values()) least = Math.min(least, headOf(line).request.operations.length - line.credit);
  return Math.max(0, least);
}

/** Its time has come, wherever it stands. */
function hasten({ line, item }: { readonly line: Line; readonly item: Item }): void {
  if (item.isGone) return;
  item.isGone = true;
  line.urgent.push({ ...item, isGone: false });
  skipGone(line);
}

function skipGone(line: Line): void {
  while (line.items[line.head]?.isGone === true) line.head++;
  if (line.head < LINE_SLACK) return;
  line.items = line.items.slice(line.head);
  line.head = 0;
}

function oldestOf({ lines }: Group): number {
  let oldest = Number.POSITIVE_INFINITY;
  for (const line of lines.values()) oldest = Math.min(oldest, headOf(line).arrival);
  return oldest;
}

/** Signature, tags and lengths of one request in a block; clusters and time of the block. */
const SIGNED_OVERHEAD_BYTES = 80;
const HEADER_BYTES = 8192;
