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
  #fresh: RecordedRejoin[] = [];

  constructor({ members, self, reader }: { members: Members; self: NodeRef; reader: Reader }) {
    this.#cluster = self.cluster;
    this.#recorded = new Incarnations(recordedIncarnations(members, self.cluster, reader));
    for (const { index } of members.clusterOf(self.cluster).nodes) {
      const row = reader.get(incarnationKey(index));
      const signed = row === undefined ? undefined : incarnationSchema.decode(row).claim;
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

  /** For the state root; undefined while no node has rejoined. */
  digest(): Digest | undefined {
    return this.#recorded.digest();
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
      readonly record: Pick<LedgerRecord, "results" | "time" | "digest">;
      readonly block: Block;
      readonly certificates: readonly Certificate[];
    },
    persist: Write[],
  ): void {
    const { record, block, certificates } = made;
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
      persist.push(this.#rowOf(node));
    }
  }

  /** What was recorded since the last call. */
  takeRecorded(): readonly RecordedRejoin[] {
    const fresh = this.#fresh;
    this.#fresh = [];
    return fresh;
  }

  #rowOf(node: NodeIndex): Write {
    const { number, time } = this.#recorded.of(node) ?? { number: 0, time: 0 };
    const claim = this.#claims.get(node)?.signed;
    return { key: incarnationKey(node), value: incarnationSchema.encode({ number, time, claim }) };
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

/** What the store says of the records. */
export function recordedIncarnations(
  members: Members,
  cluster: ClusterId,
  reader: Reader,
): readonly (readonly [NodeIndex, Incarnation])[] {
  return members.clusterOf(cluster).nodes.flatMap(({ index }) => {
    const row = reader.get(incarnationKey(index));
    const { number, time } = row === undefined ? { number: 0, time: 0 } : incarnationSchema.decode(row);
    return number === 0 ? [] : [[index, { number, time }] as const];
  });
}
