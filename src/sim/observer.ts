// What the parts of the simulator know of each other: a world of nodes and clients, checkers that watch it, villains
// that bend what a node says. The world is driven by one seed; nothing here may read a clock or draw a number on its
// own.

import type { Signer, Verifier } from "../crypto/signature.js";
import type { MemoryStore } from "../ledger/memory.js";
import type { Ingress } from "../node/ingress.js";
import type { Replica } from "../node/replica.js";
import type { TurnContext, TurnPlan } from "../node/turn.js";
import type { Request } from "../types/block.js";
import type { Event } from "../types/effects.js";
import type { NodeRef, PublicKey } from "../types/ids.js";
import type { ReadReply, Reply } from "../types/message.js";
import type { ClusterInfo, NodeInfo, Topology } from "../types/topology.js";

/** The invariants of protocol 10; I0: no correct node stops because an invariant of its own broke. */
export type Invariant =
  | "I0"
  | "I1"
  | "I2"
  | "I3"
  | "I4"
  | "I5"
  | "I6"
  | "I7"
  | "I8"
  | "I9"
  | "I10"
  | "I11"
  | "I12"
  | "I13";

export interface Violation {
  readonly invariant: Invariant;
  /** Node, height, slot, digest: what a reader needs to find it in the trace. */
  readonly reason: string;
}

/** A node as the simulator sees it. */
export interface SimNode {
  /** For example "c1n0". */
  readonly name: string;
  readonly ref: NodeRef;
  readonly info: NodeInfo;
  readonly cluster: ClusterInfo;
  readonly signer: Signer;
  /** What is durable: it survives a crash. */
  readonly store: MemoryStore;
  /** Undefined while the node is down. */
  readonly running: { readonly replica: Replica; readonly ingress: Ingress } | undefined;
  /** False: it is byzantine, or was so at any time of the run. Nothing is promised about it. */
  readonly isCorrect: boolean;
}

export interface SimWorld {
  readonly topology: Topology;
  readonly nodes: readonly SimNode[];
  /** What every door checks signatures with. */
  readonly verifier: Verifier;
  /** Virtual milliseconds since the start. */
  readonly now: number;
  /** The same moment in milliseconds since 1970, as blocks and requests tell it. */
  readonly time: number;
}

/** Watches a run. Every method may report violations; none may change anything. */
export interface Checker {
  /** The plan's writes are durable in `node.store`, and nothing of it was sent yet. */
  onTurn?(node: SimNode, plan: TurnPlan): void;
  /** The node stopped, at any point between the effects of a turn; or came back from its store. */
  onCrash?(node: SimNode): void;
  onStart?(node: SimNode): void;
  /** What was durable at a node is gone, or is what it was a while ago. */
  onLost?(node: SimNode): void;
  /** A correct client sent a request for the first time. */
  onRequest?(request: Request): void;
  /** A correct client got enough equal replies to believe the result (one of a crash cluster, f + 1 else). */
  onReply?(client: PublicKey, reply: Reply): void;
  /** A correct client believes a reading of accounts. */
  onRead?(client: PublicKey, reply: ReadReply): void;
  /** The last fault has healed. */
  onHealed?(): void;
  /** The run is over: nothing is under way any more, or the time for liveness has run out. */
  onEnd?(): void;
}

/** How a checker is made: it keeps its state in the closure, and reports through `report`. */
export type MakeChecker = (world: SimWorld, report: (violation: Violation) => void) => Checker;

/** One message that a byzantine node is about to say, after its own honest replica made it. */
export interface Outgoing {
  readonly to: PublicKey;
  readonly envelope: Uint8Array;
  /** Extra delay in virtual ms. */
  readonly delay?: number;
}

/**
 * A byzantine node: an honest node whose words are bent on the way out (and whose durable state may be, too). It has
 * only its own key, and it may look at its own `context.node` only, not at others. The world
 * - gives every event that comes from outside to `hear` before the node's turn; ticks and what the node says to itself
 *   do not pass here;
 * - calls `bend` once in every turn of the node, when its writes are durable, also when there is nothing to send;
 * - calls `remember` when the node starts again, before its store is read;
 * - expects nothing of the node: if its replica throws, which a store that forgot may well lead to, it is down;
 * - makes only nodes of byzantine clusters villains, but for those that merely say or hear less, or later.
 */
export interface Villain {
  readonly name: string;
  /**
   * Two nodes with one identity. The world makes a second node with the same key and name, a store that begins as a
   * copy of the first one's, and a replica of its own, and gives each packet for that key to both. Both speak as the
   * one, neither hears the other, and the words of one to itself stay its own. `bend`, `hear` and `remember` are called
   * for both, with their own `context.node`: its store tells them apart. A crash and a restart concern both, each with
   * its own store.
   */
  readonly twin?: true;
  /** Everything the node is about to send in this turn; returns what it sends instead. */
  bend?(outgoing: readonly Outgoing[], context: VillainContext): readonly Outgoing[];
  /** Sees, changes or drops what reaches the node; undefined drops. */
  hear?(event: Event, context: VillainContext): Event | undefined;
  /** What its store keeps over a restart: the amnesiac forgets. */
  remember?(node: SimNode, below: Below): void;
}

/** A number within 0..count-1, drawn from the run's seed. */
export type Below = (count: number) => number;

/** Makes a villain for one node; what kind of its kind it is, it draws. */
export type MakeVillain = (below: Below) => Villain;

export interface VillainContext {
  readonly world: SimWorld;
  readonly node: SimNode;
  readonly turn: TurnContext;
  readonly below: Below;
}
