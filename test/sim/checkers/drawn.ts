// Histories made by hand for one checker: nodes with real keys and stores whose turns, rows and words a test writes
// itself. Nothing here takes part in any protocol, so that a history may be as wrong as it likes.

import { blockKey, certificatesKey, recordKey, slotKey } from "../../../src/ledger/keys.js";
import { encodeRecord, genesisRecord, type LedgerRecord, recordHash } from "../../../src/ledger/records.js";
import type { TurnPlan } from "../../../src/node/turn.js";
import type { MakeChecker } from "../../../src/sim/observer.js";
import type { Block } from "../../../src/types/block.js";
import type { Write } from "../../../src/types/effects.js";
import { type ClusterId, type Digest, type Entry, fromHex, sequenceOf } from "../../../src/types/ids.js";
import type { Message, Reply } from "../../../src/types/message.js";
import { type Certificate, committedSchema, storedSlotSchema } from "../../../src/types/schema.js";
import type { FailureModel } from "../../../src/types/topology.js";
import { sealAs } from "../../support/forge.js";
import { TestNetwork } from "../../support/network.js";
import { type Watched, type WatchOptions, watch } from "../../support/watched.js";

export interface Turn {
  readonly persist?: readonly Write[];
  readonly says?: readonly Message[];
  /** How often everything is said. */
  readonly times?: number;
}

interface DrawnOptions extends Pick<WatchOptions, "isCorrect"> {
  readonly models?: readonly FailureModel[];
}

export interface Delivery {
  readonly counter?: number;
  readonly results?: readonly number[];
  readonly clusters?: readonly number[];
  readonly nodes?: (name: string) => boolean;
  readonly change?: (cluster: number, name: string) => Partial<LedgerRecord>;
}

export class Drawn {
  readonly network: TestNetwork;
  readonly watched: Watched;
  readonly #heads = new Map<number, LedgerRecord>();
  #counter = 0;

  static async create(make: MakeChecker, { models = ["crash"], ...options }: DrawnOptions = {}): Promise<Drawn> {
    return new Drawn(await TestNetwork.create({ models }), make, options);
  }

  private constructor(network: TestNetwork, make: MakeChecker, options: Pick<WatchOptions, "isCorrect">) {
    this.network = network;
    this.watched = watch(network, { makers: [make], ...options });
    for (const { id } of network.topology.clusters) this.#heads.set(id, genesisRecord(network.topology, id));
  }

  /** A turn of a node, as if it had come out of a replica. */
  turn(name: string, { persist = [], says = [], times = 1 }: Turn): void {
    const node = this.network.node(name);
    const envelopes = says.map((message) => sealAs(this.network, name, message));
    const to = this.network.nodes.find((other) => other !== node) ?? node;
    const outbound = new Map([[to.info.key, Array(times).fill(envelopes).flat()]]);
    const plan: TurnPlan = { persist, outbound, inbound: [], notes: [], reload: false };
    node.store.apply(persist);
    for (const checker of this.watched.checkers) checker.onTurn?.(this.#sim(name), plan);
  }

  restart(name: string): void {
    for (const checker of this.watched.checkers) checker.onStart?.(this.#sim(name));
  }

  /** The next record of the views of a block's clusters, in the stores of all their nodes. */
  deliver(block: Block, { counter = ++this.#counter, ...delivery }: Delivery = {}): void {
    const { results = Array(block.operations).fill(0), clusters = block.clusters, change = () => ({}) } = delivery;
    const sequences = block.clusters.map((cluster) => sequenceOf(counter, cluster));
    for (const cluster of clusters) {
      const before = this.#heads.get(cluster) as LedgerRecord;
      const record: LedgerRecord = {
        height: before.height + 1,
        parent: recordHash(encodeRecord(before)),
        finalSequence: sequences.at(-1) ?? sequenceOf(0, 1 as ClusterId),
        sequences,
        digest: block.digest,
        time: Math.max(before.time, block.time),
        results: Uint8Array.from(results),
      };
      for (const { name } of this.network.nodesOf(cluster)) {
        if (delivery.nodes?.(name) === false) continue;
        const changed = { ...record, ...change(cluster, name) };
        this.#heads.set(cluster, changed);
        this.turn(name, { persist: [...blockRows(block), recordRow(changed)] });
      }
    }
  }

  reply(reply: Partial<Reply>): void {
    const client = this.network.clients[0]?.publicKey as never;
    const empty = new Uint8Array(0);
    const kind = { kind: "reply", cluster: 1 as ClusterId, node: 0, nonce: 1, view: 0, retryAfterMs: 0 } as const;
    const told = { ...kind, request: empty, refusal: 0, results: empty, height: 0, sequence: 0, digest: empty };
    for (const checker of this.watched.checkers) checker.onReply?.(client, { ...told, ...reply });
  }

  /** What was reported, the end included. */
  reasons(options?: { readonly healed?: boolean }): readonly string[] {
    return this.watched.end(options).map(({ invariant, reason }) => `${invariant} ${reason}`);
  }

  #sim(name: string) {
    const node = this.watched.nodes.get(name);
    if (node === undefined) throw new Error(`no node ${name}`);
    return node;
  }
}

export function recordRow(record: LedgerRecord): Write {
  return { key: recordKey(record.height), value: encodeRecord(record) };
}

export function blockRows(block: Block): readonly Write[] {
  return block.bytes.length === 0 ? [] : [{ key: blockKey(block.digest), value: block.bytes }];
}

export function certificatesRow(height: number, digest: Digest, certificates: readonly Certificate[]): Write {
  return { key: certificatesKey(height), value: committedSchema.encode({ digest: fromHex(digest), certificates }) };
}

type SlotParts = Partial<Record<"selfAssigned" | "accepted" | "committed" | "decided", Entry>>;

export function slotRow(slot: number, parts: SlotParts, certificate?: Certificate): Write {
  const stored = (entry: Entry | undefined) =>
    entry === undefined ? undefined : { ...entry, digest: fromHex(entry.digest) };
  const value = storedSlotSchema.encode({
    slot,
    selfAssigned: stored(parts.selfAssigned),
    accepted: stored(parts.accepted),
    committed: stored(parts.committed),
    decided: stored(parts.decided),
    certificate,
    prepared: [],
    proposal: undefined,
  });
  return { key: slotKey(slot), value };
}

export function digestOf(n: number): Digest {
  return n.toString(16).padStart(64, "0") as Digest;
}

/** Slot, counter and block `n` of cluster 1 in ballot 0.1, unless told otherwise. */
export function entryOf(n: number, change: Partial<Entry> = {}): Entry {
  const cluster = 1 as ClusterId;
  return { cluster, view: 0, round: 1, slot: n, sequence: sequenceOf(n, cluster), digest: digestOf(n), ...change };
}

/** A block that nobody looks into. */
export function emptyBlock(n: number, ...clusters: readonly number[]): Block {
  return {
    digest: digestOf(n),
    clusters: clusters as readonly ClusterId[],
    time: 0,
    requests: [],
    operations: 0,
    bytes: new Uint8Array(0),
  };
}
