// Missing decisions, blocks and verdicts are asked for, and questions answered (protocol 3.4). An answer is what the node
// has: certificates, its own present vote again, its verdicts again, or UNKNOWN, upon which the asker shows the block.

import type { Coordinator } from "../cross/coordinator.js";
import type { ExecutionEngine } from "../execution/engine.js";
import { blockKey, certificatesKey, heightKey, heightSchema, verdictKey } from "../ledger/keys.js";
import type { Block } from "../types/block.js";
import type { Reader, Send } from "../types/effects.js";
import type { ClusterId, Digest, NodeRef } from "../types/ids.js";
import type { AcceptQuery, Chunk, Fetch, Result, Unknown, Verified } from "../types/message.js";
import { type Certificate, committedSchema } from "../types/schema.js";

export interface QueryOptions {
  readonly self: NodeRef;
  readonly coordinator: Coordinator;
  readonly execution: ExecutionEngine;
  readonly reader: Reader;
  readonly nodesOf: (clusters: readonly ClusterId[]) => readonly NodeRef[];
  readonly decodeBlock: (bytes: Uint8Array) => Block;
}

export class Queries {
  readonly #options: QueryOptions;

  constructor(options: QueryOptions) {
    this.#options = options;
  }

  /** Everything this node lacks of a block, asked of the clusters that have it and of the initiator's. */
  ask(digest: Digest, send: Send[]): void {
    const { coordinator, execution, self, nodesOf } = this.#options;
    const known = coordinator.decisions.get(digest);
    const block = known?.block ?? coordinator.body(digest);
    if (block === undefined) {
      const message: Fetch = { kind: "fetch", digest };
      send.push({ to: this.#others(nodesOf([self.cluster])), message });
      return;
    }
    const verdicts = execution.waitsFor(digest);
    const missing = verdicts.length > 0 ? [] : this.#undecided(block);
    if (missing.length === 0 && verdicts.length === 0) return;
    const initiator = coordinator.initiatorClusterOf(block);
    const to = this.#others(nodesOf([...new Set([...missing, ...verdicts, initiator])]));
    const evidence = this.#certificates(digest)[0];
    send.push({ to, message: { kind: "accept-query", digest, missing, verdicts, body: false, evidence } });
  }

  /** The nodes that sent votes for a block this node has not: they can show it. */
  fetch(digest: Digest, from: readonly NodeRef[], send: Send[]): void {
    send.push({ to: from, message: { kind: "fetch", digest } });
  }

  onAcceptQuery({ from, message }: Verified<AcceptQuery>, send: Send[]): void {
    const { coordinator, self } = this.#options;
    const { digest, missing, verdicts, body } = message;
    const to = [from];
    const certificates = this.#certificates(digest).filter(({ cluster }) => missing.some((each) => each === cluster));
    if (certificates.length > 0) send.push({ to, message: { kind: "committed", digest, certificates } });
    const isOwnMissing = missing.includes(self.cluster) && !certificates.some(({ cluster }) => cluster === self.cluster);
    if (isOwnMissing) {
      const vote = coordinator.engine.restate(digest);
      if (vote !== undefined) send.push({ to, message: vote });
      else if (coordinator.body(digest) === undefined) send.push({ to, message: { kind: "unknown", digest } });
    }
    if (verdicts.includes(self.cluster)) this.#sendVerdicts(digest, from, send);
    if (body) this.#sendBlock(digest, from, send);
  }

  onUnknown({ from, message }: Verified<Unknown>, send: Send[]): void {
    if (this.#certificates(message.digest).length > 0) this.#sendBlock(message.digest, from, send);
  }

  onFetch({ from, message }: Verified<Fetch>, send: Send[]): void {
    this.#sendBlock(message.digest, from, send);
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

  #sendVerdicts(digest: Digest, to: NodeRef, send: Send[]): void {
    const { execution, reader, self } = this.#options;
    const verdicts = execution.verdictsOf(digest) ?? reader.get(verdictKey(digest));
    if (verdicts === undefined) return;
    const message: Result = { kind: "result", cluster: self.cluster, node: self.node, digest, verdicts };
    send.push({ to: [to], message });
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
