// Slots of the own log that this node missed and of which it knows nothing but that they are there (protocol 6): others
// have named later ones. It asks one node of its cluster after the other for what they hold; the answer carries a
// certificate, so nobody is trusted. When to ask is catchup.ts's.

import type { Members } from "../cluster/members.js";
import { primaryOf, witnessesOf } from "../cluster/quorum.js";
import type { ClusterLog } from "../intra/engine.js";
import type { Send } from "../types/effects.js";
import type { NodeIndex, NodeRef, Slot } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { Verified } from "../types/message.js";

export interface GapOptions {
  readonly self: NodeRef;
  readonly members: Members;
  readonly engine: ClusterLog;
}

/** What was asked last. */
interface Asked {
  /** Undefined: everyone, and nobody has answered yet. */
  readonly peer: NodeRef | undefined;
  readonly to: Slot;
  /** Nobody has said that there is so much: the answers tell. */
  readonly explores: boolean;
}

/** At start a node asks everyone for the slot after its last, so often: the network may be too quiet to tell it. */
const PROBES_AT_START = 2;
/** Rounds over all peers, without an answer, after which slots that were only named are no longer asked for. */
const ROUNDS_MAX = 2;

export class Gaps {
  readonly #options: GapOptions;
  /** All nodes of the cluster but this one. */
  readonly #peers: readonly NodeRef[];
  /** By node: the highest slot that it has named. */
  readonly #named = new Map<NodeIndex, Slot>();
  /** The highest slot known to be decided. */
  #decided: Slot = 0;
  /** The highest slot that so many have named that one of them is correct. */
  #believed: Slot = 0;
  /** Questions after the slot beyond the last one: what comes last may be missed without a trace. */
  #probes = PROBES_AT_START;
  #isStarting = true;
  /** Position of the next peer to ask. */
  #turn = 0;
  /** How many asks in a row brought nothing. */
  #vain = 0;
  /** The end of the decided prefix when it was last looked at. */
  #seen: Slot = 0;
  #asked: Asked | undefined;

  constructor(options: GapOptions) {
    const { self, members } = options;
    this.#options = options;
    this.#peers = members.nodesOf([self.cluster]).filter(({ node }) => node !== self.node);
    // Not everyone's first question to the same node.
    this.#turn = self.node;
  }

  /** There is something to ask, now or when the timer runs out. */
  get isOpen(): boolean {
    return this.#peers.length > 0 && (this.#probes > 0 || this.isBehind || this.#frontier > this.#seen);
  }

  get isBehind(): boolean {
    return this.#reached > this.#frontier;
  }

  /** So much is missing that a checkpoint lies in between, and what the state says is old. */
  get isFar(): boolean {
    return this.#reached > this.#frontier + limits.checkpointSlots;
  }

  /** Has the decided prefix grown since the last call? */
  hasMoved(): boolean {
    const before = this.#seen;
    this.#seen = this.#frontier;
    if (this.#seen === before) return false;
    this.#vain = 0;
    this.#probes = Math.max(1, this.#probes);
    return true;
  }

  decided(slot: Slot): void {
    this.#decided = Math.max(this.#decided, slot);
  }

  heard({ from, message }: Verified): void {
    const { self, members } = this.#options;
    if (from.cluster !== self.cluster || from.node === self.node) return;
    const asked = this.#asked;
    if (message.kind === "chunk" && asked?.explores) this.#asked = { ...asked, peer: from };
    const slot = slotNamedBy(message, from, (view) => primaryOf(members.clusterOf(self.cluster), view));
    if (slot <= (this.#named.get(from.node) ?? 0)) return;
    this.#named.set(from.node, slot);
    const named = [...this.#named.values()].sort((a, b) => b - a);
    this.#believed = named[witnessesOf(members.clusterOf(self.cluster)) - 1] ?? 0;
  }

  /** What was asked last is here, and more is missing: the same node is asked on at once. */
  goOn(send: Send[]): void {
    const asked = this.#asked;
    if (asked === undefined || this.#frontier < asked.to) return;
    this.#asked = undefined;
    if (asked.peer !== undefined && (this.isBehind || asked.explores)) this.#askFor(asked.peer, asked.explores, send);
  }

  /** FETCHes to the next peer; at start to all of them. */
  ask(send: Send[]): void {
    this.#probes = Math.max(0, this.#probes - 1);
    if (!this.isBehind) return this.#probe(send);
    this.#vain++;
    const isSurelyThere = this.#decided > this.#frontier;
    // A slot of a view that has passed may never be decided.
    if (!isSurelyThere && this.#vain > ROUNDS_MAX * this.#peers.length) {
      this.#vain = 0;
      this.#named.clear();
      this.#believed = 0;
      return;
    }
    const peer = this.#next();
    if (peer !== undefined) this.#askFor(peer, false, send);
  }

  #probe(send: Send[]): void {
    const peer = this.#next();
    if (peer === undefined) return;
    const slot = this.#frontier + 1;
    send.push({ to: this.#isStarting ? this.#peers : [peer], message: { kind: "fetch", slot } });
    this.#asked = { peer: undefined, to: slot, explores: true };
    if (this.#probes === 0) this.#isStarting = false;
  }

  #next(): NodeRef | undefined {
    return this.#peers[this.#turn++ % this.#peers.length];
  }

  #askFor(peer: NodeRef, explores: boolean, send: Send[]): void {
    const { engine } = this.#options;
    const reached = explores ? this.#frontier + limits.slotsPerFetchMax : this.#reached;
    let asked = 0;
    let slot = this.#frontier;
    while (slot < reached && asked < limits.slotsPerFetchMax) {
      slot++;
      if (engine.decisionAt(slot) !== undefined) continue;
      send.push({ to: [peer], message: { kind: "fetch", slot } });
      asked++;
    }
    this.#asked = { peer, to: slot, explores };
  }

  get #frontier(): Slot {
    return this.#options.engine.frontier.slot;
  }

  get #reached(): Slot {
    return Math.max(this.#decided, this.#believed);
  }
}

/** The slot of the own log that a message shows to be in use; 0: none. */
function slotNamedBy(message: Verified["message"], from: NodeRef, primaryIn: (view: number) => NodeIndex): Slot {
  switch (message.kind) {
    case "propose":
    case "accept":
    case "super-accept": {
      const { entry } = message;
      // What a backup has assigned by itself may come to nothing.
      const isChoice = entry.round === 1 || from.node === primaryIn(entry.view);
      return entry.cluster === from.cluster && isChoice ? entry.slot : 0;
    }
    case "commit":
      return message.entries.find(({ cluster }) => cluster === from.cluster)?.slot ?? 0;
    case "checkpoint":
      return message.slot;
    default:
      return 0;
  }
}
