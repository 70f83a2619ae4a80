// Missing decisions, blocks and verdicts are asked for, and questions answered (protocol 3.4). An answer is what the
// node has: certificates, its own present vote again, its verdicts again, or UNKNOWN, upon which the asker shows the
// block.

import { decidedOf, decodeCommit } from "../cluster/certificate.js";
import type { Members } from "../cluster/members.js";
import type { Coordinator } from "../cross/coordinator.js";
import { verdictsFromResults } from "../execution/apply.js";
import type { ExecutionEngine } from "../execution/engine.js";
import { FOREIGN } from "../execution/rules.js";
import { blockKey, certificatesKey, heightKey, heightSchema, recordKey, verdictKey } from "../ledger/keys.js";
import { decodeRecord } from "../ledger/records.js";
import { type Block, isNoOp } from "../types/block.js";
import type { Reader, Send } from "../types/effects.js";
import { type ClusterId, type Digest, type NodeRef, nodeKey, type Slot } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { AcceptQuery, Chunk, Fetch, Result, Unknown, Verified } from "../types/message.js";
import { type Certificate, committedSchema } from "../types/schema.js";
import type { Topology } from "../types/topology.js";

export interface QueryOptions {
  readonly topology: Topology;
  readonly self: NodeRef;
  readonly coordinator: Coordinator;
  readonly execution: ExecutionEngine;
  readonly reader: Reader;
  readonly members: Members;
  readonly decodeBlock: (bytes: Uint8Array) => Block;
}

export class Queries {
  readonly #options: QueryOptions;
  readonly #answered = new Map<number, number>();

  constructor(options: QueryOptions) {
    this.#options = options;
  }

  /** Everything this node lacks of a block, asked of the clusters that have it and of the initiator's. */
  ask(digest: Digest, send: Send[]): void {
    const { coordinator, execution, self, members } = this.#options;
    const known = coordinator.decisions.get(digest);
    const block = known?.block ?? coordinator.body(digest);
    if (block === undefined) {
      const message: Fetch = { kind: "fetch", digest };
      send.push({ to: this.#others(members.nodesOf([self.cluster])), message });
      return;
    }
    const verdicts = execution.waitsFor(digest);
    const missing = verdicts.length > 0 ? [] : this.#undecided(block);
    if (missing.length === 0 && verdicts.length === 0) return;
    const initiator = coordinator.initiatorClusterOf(block);
    const to = this.#others(members.nodesOf([...new Set([...missing, ...verdicts, initiator])]));
    const evidence = this.#certificates(digest)[0];
    send.push({ to, message: { kind: "accept-query", digest, missing, verdicts, body: false, evidence } });
  }

  /** All no-ops are one block: what is asked for is what a slot of the own log holds. */
  askSlot(slot: Slot, send: Send[]): void {
    const { members, self } = this.#options;
    send.push({ to: this.#others(members.nodesOf([self.cluster])), message: { kind: "fetch", slot } });
  }

  onAcceptQuery({ from, message }: Verified<AcceptQuery>, send: Send[]): void {
    const { self } = this.#options;
    const { digest, missing, verdicts, body } = message;
    if (!this.#mayAnswer(from)) return;
    const to = [from];
    const known = this.#certificates(digest).filter(({ cluster }) => missing.some((each) => each === cluster));
    const certificates = known.filter((certificate) => this.#convinces(from, digest, certificate));
    if (certificates.length > 0) send.push({ to, message: { kind: "committed", digest, certificates } });
    if (missing.includes(self.cluster) && !certificates.some(({ cluster }) => cluster === self.cluster)) {
      const own = known.find(({ cluster }) => cluster === self.cluster);
      if (own !== undefined) this.#confirm(digest, own, from, send);
      else this.#restate(digest, from, send);
    }
    if (verdicts.includes(self.cluster)) this.#sendVerdicts(digest, from, send);
    if (body) this.#sendBlock(digest, from, send);
  }

  #restate(digest: Digest, from: NodeRef, send: Send[]): void {
    const { coordinator } = this.#options;
    const statements = coordinator.engine.restate(digest);
    for (const message of statements) send.push({ to: [from], message });
    const isUnknown = statements.length === 0 && coordinator.body(digest) === undefined;
    if (isUnknown) send.push({ to: [from], message: { kind: "unknown", digest } });
  }

  /** Nodes of byzantine clusters take for a cluster only what is signed in it (protocol 3, step 4). */
  #convinces(from: NodeRef, digest: Digest, certificate: Certificate): boolean {
    const { members } = this.#options;
    if (members.clusterOf(from.cluster).model === "crash") return true;
    const signer = decodeCommit(certificate.commits[0]?.body ?? NO_BYTES);
    return signer?.cluster === certificate.cluster && signer.digest === digest;
  }

  /** This crash cluster's decision, proven here by another crash cluster's COMMIT, in this node's own name. */
  #confirm(digest: Digest, certificate: Certificate, to: NodeRef, send: Send[]): void {
    const { cluster, node } = this.#options.self;
    const decided = decidedOf(digest, certificate);
    if (decided === undefined) return;
    send.push({ to: [to], message: { kind: "commit", cluster, node, digest, entries: [decided.entry] } });
  }

  onUnknown({ from, message }: Verified<Unknown>, send: Send[]): void {
    if (this.#mayAnswer(from) && this.#certificates(message.digest).length > 0)
      this.#sendBlock(message.digest, from, send);
  }

  /** Shows a block and what proves that others decided it to one who must place it (3.4). */
  show(digest: Digest, to: NodeRef, send: Send[]): void {
    this.#sendBlock(digest, to, send);
  }

  onFetch({ from, message }: Verified<Fetch>, send: Send[]): void {
    if (!this.#mayAnswer(from)) return;
    if (message.slot === undefined) this.#sendBlock(message.digest, from, send);
    else this.#sendSlot(message.slot, from, send);
  }

  /** Those who ask ask again; no turn spends more than a node's share on its questions. */
  #mayAnswer(from: NodeRef): boolean {
    const answered = 1 + (this.#answered.get(nodeKey(from)) ?? 0);
    this.#answered.set(nodeKey(from), answered);
    return answered <= limits.queriesPerTurnMax;
  }

  endTurn(): void {
    this.#answered.clear();
  }

  /** A block of this node, of whatever age. */
  block(digest: Digest): Block | undefined {
    const { coordinator, reader, decodeBlock } = this.#options;
    const present = coordinator.body(digest);
    if (present !== undefined) return present;
    const stored = reader.get(blockKey(digest));
    return stored === undefined ? undefined : decodeBlock(stored);
  }

  #sendBlock(digest: Digest, to: NodeRef, send: Send[]): void {
    const block = this.block(digest);
    if (block === undefined) return;
    const message: Chunk = { kind: "chunk", digest, certificates: this.#certificates(digest), block };
    send.push({ to: [to], message });
  }

  /** What a slot of this cluster's log holds, if it is decided. All no-ops are one block: the certificate tells. */
  #sendSlot(slot: Slot, to: NodeRef, send: Send[]): void {
    const { coordinator, self } = this.#options;
    const decided = coordinator.engine.decisionAt(slot);
    const block = decided === undefined ? undefined : this.block(decided.entry.digest);
    if (decided === undefined || block === undefined) return;
    const others = isNoOp(block)
      ? []
      : this.#certificates(block.digest).filter(({ cluster }) => cluster !== self.cluster);
    const certificates = [...others, decided.certificate].sort((a, b) => a.cluster - b.cluster);
    send.push({ to: [to], message: { kind: "chunk", digest: block.digest, certificates, block } });
  }

  #sendVerdicts(digest: Digest, to: NodeRef, send: Send[]): void {
    const { coordinator, execution, reader, self } = this.#options;
    // Said to others, and so durable, are only verdicts on blocks that have others to tell.
    const isShared = (coordinator.body(digest)?.clusters.length ?? 0) > 1;
    const own = reader.get(verdictKey(digest)) ?? (isShared ? execution.verdictsOf(digest) : undefined);
    const verdicts = own ?? this.#results(digest);
    if (verdicts === undefined || verdicts.every((verdict) => verdict === FOREIGN)) return;
    const { cluster, node } = self;
    const message: Result = { kind: "result", cluster, node, digest, verdicts, final: own === undefined };
    send.push({ to: [to], message });
  }

  /** Of a block that this node did not judge itself, since its record came from others. */
  #results(digest: Digest): Uint8Array | undefined {
    const { topology, reader, self } = this.#options;
    const height = reader.get(heightKey(digest));
    const record = height === undefined ? undefined : reader.get(recordKey(heightSchema.decode(height).height));
    const block = record === undefined ? undefined : this.block(digest);
    if (record === undefined || block === undefined || block.clusters.length === 1) return undefined;
    return verdictsFromResults({ topology, cluster: self.cluster, block, results: decodeRecord(record).results });
  }

  /** Certificates of a block: all of P once it has a record, what came so far before that. */
  #certificates(digest: Digest): readonly Certificate[] {
    const { coordinator, reader } = this.#options;
    const known = coordinator.decisions.get(digest);
    if (known !== undefined && known.decided.size > 0) {
      return [...known.decided.values()].map(({ certificate }) => certificate).sort((a, b) => a.cluster - b.cluster);
    }
    const own = coordinator.engine.entryOf(digest);
    const decided = own === undefined ? undefined : coordinator.engine.decisionAt(own.slot);
    if (decided?.entry.digest === digest) return [decided.certificate];
    const height = reader.get(heightKey(digest));
    if (height === undefined) return [];
    const stored = reader.get(certificatesKey(heightSchema.decode(height).height));
    return stored === undefined ? [] : committedSchema.decode(stored).certificates;
  }

  #undecided(block: Block): readonly ClusterId[] {
    const { coordinator, self } = this.#options;
    const known = coordinator.decisions.get(block.digest);
    if (known !== undefined) return block.clusters.filter((cluster) => !known.decided.has(cluster));
    const own = coordinator.engine.entryOf(block.digest);
    const isDecided = own !== undefined && coordinator.engine.decisionAt(own.slot)?.entry.digest === block.digest;
    return isDecided ? [] : [self.cluster];
  }

  #others(nodes: readonly NodeRef[]): readonly NodeRef[] {
    const { self } = this.#options;
    return nodes.filter(({ cluster, node }) => cluster !== self.cluster || node !== self.node);
  }
}

const NO_BYTES = new Uint8Array(0);
