// How often each node of the cluster has rejoined, as one node knows it (protocol 6): by its records, which is state
// and part of the state root, and by the signed words of the nodes themselves, recorded or not, which go into every
// report for a new view. Here is the table; what follows from it for the node itself is gate.ts's business.

import { decidedOf } from "../cluster/certificate.js";
import type { Members } from "../cluster/members.js";
import { decodeClaim } from "../cluster/rejoin.js";
import { type Incarnation, Incarnations } from "../execution/incarnations.js";
import { OK } from "../execution/rules.js";
import { incarnationKey, incarnationSchema } from "../ledger/keys.js";
import type { LedgerRecord } from "../ledger/records.js";
import { type Block, rejoinOf } from "../types/block.js";
import type { Reader, Write } from "../types/effects.js";
import type { ClusterId, Digest, NodeIndex, NodeRef, View } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { RejoinClaim, ViewMessage } from "../types/message.js";
import type { Certificate } from "../types/schema.js";
import type { Standing } from "../viewchange/protocol.js";

/** What became of a request to rejoin. */
export interface RecordedRejoin {
  readonly node: NodeIndex;
  readonly incarnation: number;
  readonly request: Digest;
  readonly isOk: boolean;
  /** In which its block was decided. */
  readonly view: View;
}

export class IncarnationTable {
  readonly #cluster: ClusterId;
  readonly #recorded: Incarnations;
  readonly #claims = new Map<NodeIndex, RejoinClaim>();
  /** Where the recorded numbers of a node were recorded, ascending; the last is the present one. */
  readonly #points = new Map<NodeIndex, readonly RejoinPoint[]>();
  #fresh: RecordedRejoin[] = [];

  constructor({ members, self, reader }: { members: Members; self: NodeRef; reader: Reader }) {
    this.#cluster = self.cluster;
    this.#recorded = new Incarnations(recordedIncarnations(members, self.cluster, { reader }));
    for (const { index } of members.clusterOf(self.cluster).nodes) {
      const row = reader.get(incarnationKey(index));
      const { claim: signed, past = [] } = row === undefined ? NO_ROW : incarnationSchema.decode(row);
      this.#points.set(index, past);
      const claim = signed === undefined ? undefined : decodeClaim(signed, self.cluster);
      if (claim !== undefined) this.#claims.set(index, claim);
    }
  }

  /** The newest of each node, ascending by node. */
  get claims(): readonly RejoinClaim[] {
    return [...this.#claims.values()].sort((a, b) => a.node - b.node);
  }

  /** As of the last record, ascending by node. */
  get recorded(): Incarnations["all"] {
    return this.#recorded.all;
  }

  recordedOf(node: NodeIndex): Incarnation | undefined {
    return this.#recorded.of(node);
  }

  claimedBy(node: NodeIndex): number {
    return this.#claims.get(node)?.incarnation ?? 0;
  }

  /** As of the last record, for the state root. */
  get bytes(): Uint8Array {
    return this.#recorded.bytes;
  }

  /** Words of the nodes themselves, from wherever they came. */
  learn(claims: Iterable<RejoinClaim>, persist: Write[]): void {
    for (const claim of claims) {
      if (claim.incarnation <= this.claimedBy(claim.node)) continue;
      this.#claims.set(claim.node, claim);
      persist.push(this.#rowOf(claim.node));
    }
  }

  /** What view changes tell. */
  hear(message: ViewMessage, persist: Write[]): void {
    if (message.kind === "prepare") return;
    this.learn(message.rejoins, persist);
    if (message.kind === "new-view") for (const change of message.changes) this.learn(change.message.rejoins, persist);
  }

  /** A block that this node is about to vote for or to record. */
  learnBlock({ requests }: Block, persist: Write[]): void {
    for (const request of requests) {
      if (rejoinOf(request) === undefined) continue;
      const claim = decodeClaim(request.signed, this.#cluster);
      if (claim !== undefined) this.learn([claim], persist);
    }
  }

  /** The next record. */
  record(
    made: {
      readonly record: Pick<LedgerRecord, "results" | "time" | "digest" | "height">;
      readonly block: Block;
      readonly certificates: readonly Certificate[];
      /** Height of the oldest state that is kept. */
      readonly since: number;
    },
    persist: Write[],
  ): void {
    const { record, block, certificates, since } = made;
    this.learnBlock(block, persist);
    let at = 0;
    for (const request of block.requests) {
      const isOk = record.results[at] === OK;
      at += request.operations.length;
      const rejoin = rejoinOf(request);
      if (rejoin === undefined) continue;
      const { node, incarnation } = rejoin;
      const own = certificates.find(({ cluster }) => cluster === this.#cluster);
      const view = own === undefined ? undefined : decidedOf(record.digest, own)?.entry.view;
      this.#fresh.push({ node, incarnation, request: request.hash, isOk, view: view ?? 0 });
      if (!isOk) continue;
      this.#recorded.set(node, { number: incarnation, time: record.time });
      this.#points.set(
        node,
        pointsSince([...this.#pointsOf(node), { height: record.height, time: record.time }], since),
      );
      persist.push(this.#rowOf(node));
    }
  }

  /** What was recorded since the last call. */
  takeRecorded(): readonly RecordedRejoin[] {
    const fresh = this.#fresh;
    this.#fresh = [];
    return fresh;
  }

  /** The state of another node, at a record that this one has not reached, with the nodes' own words. */
  install(
    all: Incarnations["all"],
    { claims, height }: { readonly claims: readonly RejoinClaim[]; readonly height: number },
    persist: Write[],
  ): void {
    this.learn(claims, persist);
    for (const [node, incarnation] of all) {
      this.#recorded.set(node, incarnation);
      this.#points.set(node, [{ height, time: incarnation.time }]);
      persist.push(this.#rowOf(node));
    }
  }

  #pointsOf(node: NodeIndex): readonly RejoinPoint[] {
    return this.#points.get(node) ?? [];
  }

  #rowOf(node: NodeIndex): Write {
    const { number, time } = this.#recorded.of(node) ?? { number: 0, time: 0 };
    const claim = this.#claims.get(node)?.signed;
    return {
      key: incarnationKey(node),
      value: incarnationSchema.encode({ number, time, claim, past: this.#pointsOf(node) }),
    };
  }
}

/** What this node's reports for a new view say of incarnations, at any time. */
export function standingOf(table: IncarnationTable, own: () => number): Standing {
  return {
    get incarnation() {
      return own();
    },
    get rejoins() {
      return table.claims;
    },
  };
}

/** What the store says of the records up to a height, no lower than the oldest state that may be asked for. */
export function recordedIncarnations(
  members: Members,
  cluster: ClusterId,
  { reader, height = Number.POSITIVE_INFINITY }: { readonly reader: Reader; readonly height?: number },
): Incarnations["all"] {
  return members.clusterOf(cluster).nodes.flatMap(({ index }) => {
    const row = reader.get(incarnationKey(index));
    const { number, past } = row === undefined ? NO_ROW : incarnationSchema.decode(row);
    const before = past.filter((point) => point.height <= height);
    const time = before.at(-1)?.time;
    // Numbers follow each other without a gap.
    return time === undefined ? [] : [[index, { number: number - (past.length - before.length), time }] as const];
  });
}

/** Those above a height, and the newest below. */
function pointsSince(points: readonly RejoinPoint[], height: number): readonly RejoinPoint[] {
  const first = points.findLastIndex((point) => point.height <= height);
  return points.slice(Math.max(0, first, points.length - limits.incarnationsKeptMax));
}

interface RejoinPoint {
  readonly height: number;
  /** Record time. */
  readonly time: number;
}

const NO_ROW = { number: 0, claim: undefined, past: [] as readonly RejoinPoint[] };
