// Every message of the protocol (protocol 8), decoded. The table at the end says of each kind its number on the wire,
// whether it is signed, and what its envelope carries; a new kind breaks the build until all tables know it. A message
// that reaches the core was verified at the door (node/ingress.ts): signature, sender, bounds, static validity.

import type { Block, Request } from "./block.js";
import type { Decided } from "./effects.js";
import type { ClusterId, Digest, Entry, NodeIndex, NodeRef, Sequence, Slot, View } from "./ids.js";
import type { AccountState, Certificate, RecordItem, Signed, Statement, WireProof, WireReply } from "./schema.js";
import type { FetchState, State } from "./state-transfer.js";

/** One node's statement about one entry of one cluster's log. */
export interface Vote {
  readonly entry: Entry;
  readonly node: number;
}

export interface Propose extends Vote {
  readonly kind: "propose";
  /** Sequence of the primary's choice for the slot before; 0 for slot 1. */
  readonly previous: Sequence;
  readonly block: Block;
}

export interface Accept extends Vote {
  readonly kind: "accept";
}

export interface SuperPropose extends Vote {
  readonly kind: "super-propose";
  readonly block: Block;
}

export interface SuperAccept extends Vote {
  readonly kind: "super-accept";
  readonly previous: Sequence;
  /** Only from the primary: its choice and the block. Others' are votes. */
  readonly block: Block | undefined;
}

export interface Commit {
  readonly kind: "commit";
  readonly cluster: ClusterId;
  readonly node: number;
  readonly digest: Digest;
  /** Ascending by cluster. Byzantine: one, of the signer's cluster. */
  readonly entries: readonly Entry[];
}

export interface Result {
  readonly kind: "result";
  readonly cluster: ClusterId;
  readonly node: number;
  readonly digest: Digest;
  /** One result number per operation of the block; "foreign" where this cluster has no say. */
  readonly verdicts: Uint8Array;
  /** The cluster's verdicts are not known here any more, and these are the block's results where it has a say. */
  readonly final: boolean;
}

export interface AcceptQuery {
  readonly kind: "accept-query";
  readonly digest: Digest;
  readonly missing: readonly ClusterId[];
  readonly verdicts: readonly ClusterId[];
  readonly body: boolean;
  readonly evidence: Certificate | undefined;
}

export interface Committed {
  readonly kind: "committed";
  readonly digest: Digest;
  readonly certificates: readonly Certificate[];
}

export interface Unknown {
  readonly kind: "unknown";
  readonly digest: Digest;
}

/** Asks for a block, or for what a slot of the own cluster's log holds: exactly one of the two. */
export type Fetch =
  | { readonly kind: "fetch"; readonly digest: Digest; readonly slot?: undefined }
  | { readonly kind: "fetch"; readonly digest?: undefined; readonly slot: Slot };

export interface Chunk {
  readonly kind: "chunk";
  readonly digest: Digest;
  readonly certificates: readonly Certificate[];
  readonly block: Block;
}

export interface Checkpoint {
  readonly kind: "checkpoint";
  readonly cluster: ClusterId;
  readonly node: number;
  readonly slot: Slot;
  readonly sequence: Sequence;
  readonly height: number;
  readonly record: Digest;
  readonly finalSequence: Sequence;
  readonly state: Digest;
}

/** A stable checkpoint, proven: to a node of the same cluster that speaks of, or asks for, what lies below it. */
export interface Stable {
  readonly kind: "stable";
  /** q equal CHECKPOINTs of different nodes. */
  readonly certificate: Certificate;
}

/** Asks for records of the own cluster's view, both ends included. */
export interface FetchRecords {
  readonly kind: "fetch-records";
  readonly from: number;
  readonly to: number;
  /** With blocks and certificates, the lowest first; else the records alone, those at the upper end. */
  readonly blocks: boolean;
  /** With blocks, but those at the upper end. */
  readonly downwards: boolean;
}

export interface Records {
  readonly kind: "records";
  /** Height of the first; the others follow without a gap. */
  readonly from: number;
  readonly items: readonly RecordItem[];
}

/** To one of its cluster that speaks in a higher view: the node lacks the opening of that. */
export interface ViewQuery {
  readonly kind: "view-query";
  /** The highest view whose opening it has. */
  readonly view: View;
}

/** Crash: a node asks for the votes of its cluster, to be primary of a view (protocol 5). */
export interface Prepare {
  readonly kind: "prepare";
  readonly cluster: ClusterId;
  readonly node: number;
  readonly view: View;
}

/** A node's own signed word that everything it said before as an older incarnation is void. */
export interface RejoinClaim {
  readonly node: NodeIndex;
  readonly incarnation: number;
  /** The request. */
  readonly signed: Signed;
}

/** What one node reports of its log when a view changes: everything above its stable checkpoint. */
interface LogReport {
  readonly cluster: ClusterId;
  readonly node: number;
  readonly view: View;
  /** Of the sender: how often it has rejoined (protocol 6). */
  readonly incarnation: number;
  /** The newest incarnation of each node of the cluster that the sender knows of; ascending by node. */
  readonly rejoins: readonly RejoinClaim[];
  /** Of the highest stable checkpoint; undefined: none. */
  readonly stable: Certificate | undefined;
  /** Decided entries, each with its proof. */
  readonly decided: readonly Decided[];
}

/** Crash: the answer to PREPARE; the node takes part in no lower view any more. */
export interface ViewPromise extends LogReport {
  readonly kind: "promise";
  /** Accepted and not decided; a slot may have one of each round. */
  readonly candidates: readonly Entry[];
}

/** An entry that a quorum of a byzantine cluster accepted, with the signed messages that say so. */
export interface Prepared {
  readonly entry: Entry;
  readonly proof: readonly Statement[];
}

/** Byzantine: the node wants the view, and takes part in no lower one any more. */
export interface ViewChange extends LogReport {
  readonly kind: "view-change";
  readonly prepared: readonly Prepared[];
}

export interface SignedChange {
  readonly signed: Signed;
  readonly message: ViewChange;
}

/** Opens a view. Any node of the cluster may pass it on; it speaks for the primary of its view. */
export interface NewView {
  readonly kind: "new-view";
  readonly cluster: ClusterId;
  readonly node: number;
  readonly view: View;
  /** One for each slot above the stable checkpoint, without gaps, at (view, round 1). */
  readonly entries: readonly Entry[];
  /** Crash: of the highest stable checkpoint that was reported. */
  readonly stable: Certificate | undefined;
  /** Crash: those of `entries` that are decided, with proof. */
  readonly decided: readonly Decided[];
  /** Crash: what the promises knew of rejoined nodes. */
  readonly rejoins: readonly RejoinClaim[];
  /** Byzantine: what justifies `entries`, of a quorum; ascending by node. */
  readonly changes: readonly SignedChange[];
  /** When it is passed on: what the primary signed. */
  readonly original: Signed | undefined;
}

/** How far a node has spoken in its cluster's log: the highest view, and in it the highest slot. */
export interface Mark {
  readonly view: View;
  readonly slot: Slot;
}

/** One start of a node's process. `cluster/start.ts` says which can have followed which on one data folder. */
export interface StartPoint {
  readonly cluster: ClusterId;
  readonly node: NodeIndex;
  readonly incarnation: number;
  readonly boot: number;
  /** 16 hex digits. */
  readonly nonce: string;
  /** The first boot after the last that was acknowledged, and the nonces from there to this one in a row. */
  readonly since: number;
  readonly nonces: string;
  /** As the node's folder had it before the start. */
  readonly mark: Mark;
}

/** The node is about to take part, and asks whether anyone knows of a later start. */
export interface Start extends StartPoint {
  readonly kind: "start";
}

/** The answer, after what was asked about is durable. */
export interface Started {
  readonly kind: "started";
  readonly cluster: ClusterId;
  readonly boot: number;
  readonly nonce: string;
  /** The sender does not take part itself yet: it may have forgotten. */
  readonly fresh: boolean;
  /** As the sender has heard it from the node that asks. */
  readonly mark: Mark;
  /** The highest START that the sender holds of each node of its cluster; ascending by node. */
  readonly starts: readonly SignedStart[];
  /** The newest incarnation of each node that the sender knows of; ascending by node. */
  readonly rejoins: readonly RejoinClaim[];
}

export interface SignedStart {
  readonly start: StartPoint;
  readonly signed: Signed;
}

export interface ClientRequest {
  readonly kind: "request";
  readonly request: Request;
}

export interface Reply extends Omit<WireReply, "cluster"> {
  readonly kind: "reply";
  readonly cluster: ClusterId;
}

export interface Read {
  readonly kind: "read";
  readonly nonce: number;
  readonly accounts: readonly string[];
}

export interface ReadReply {
  readonly kind: "read-reply";
  readonly cluster: ClusterId;
  readonly node: number;
  readonly nonce: number;
  readonly height: number;
  readonly accounts: readonly AccountState[];
}

/** Asks for balances that prove themselves, as of a stable checkpoint. */
export interface Prove {
  readonly kind: "prove";
  readonly nonce: number;
  readonly accounts: readonly string[];
}

/** Without a certificate: nothing is stable yet at the node that answers. */
export interface Proof extends Omit<WireProof, "cluster"> {
  readonly kind: "proof";
  readonly cluster: ClusterId;
}

/** What nodes of one cluster say to each other when a view changes (protocol 5). */
export type ViewMessage = Prepare | ViewPromise | ViewChange | NewView;

/** What nodes say to nodes. */
export type NodeMessage =
  | Propose
  | Accept
  | SuperPropose
  | SuperAccept
  | Commit
  | Result
  | AcceptQuery
  | Committed
  | Unknown
  | Fetch
  | Chunk
  | Checkpoint
  | Stable
  | FetchRecords
  | Records
  | FetchState
  | State
  | ViewQuery
  | Start
  | Started
  | ViewMessage;

/** What clients and nodes say to each other. */
export type ClientMessage = ClientRequest | Reply | Read | ReadReply | Prove | Proof;

export type Message = NodeMessage | ClientMessage;
export type MessageKind = Message["kind"];

/** A message of a node, past the door. `signed` are its exact bytes where its kind is signed. */
export interface Verified<M extends NodeMessage = NodeMessage> {
  readonly from: NodeRef;
  readonly message: M;
  readonly signed: Signed | undefined;
}

/** How a kind travels. `signed`: always, never, or in the name of nodes of byzantine clusters only. */
export interface Carriage {
  readonly number: number;
  readonly signed: "always" | "never" | "byzantine";
  readonly block: boolean;
}

/** Numbers are part of the signed bytes: never reuse one. */
export const carriage: Readonly<Record<MessageKind, Carriage>> = {
  request: { number: 1, signed: "always", block: false },
  reply: { number: 2, signed: "never", block: false },
  read: { number: 3, signed: "never", block: false },
  "read-reply": { number: 4, signed: "never", block: false },
  propose: { number: 10, signed: "byzantine", block: true },
  accept: { number: 11, signed: "byzantine", block: false },
  "super-propose": { number: 12, signed: "byzantine", block: true },
  "super-accept": { number: 13, signed: "byzantine", block: true },
  commit: { number: 14, signed: "always", block: false },
  result: { number: 15, signed: "always", block: false },
  "accept-query": { number: 16, signed: "never", block: false },
  committed: { number: 17, signed: "never", block: false },
  unknown: { number: 18, signed: "never", block: false },
  fetch: { number: 19, signed: "never", block: false },
  chunk: { number: 20, signed: "never", block: true },
  prepare: { number: 21, signed: "never", block: false },
  promise: { number: 22, signed: "never", block: false },
  "new-view": { number: 23, signed: "byzantine", block: false },
  checkpoint: { number: 24, signed: "always", block: false },
  "view-change": { number: 25, signed: "always", block: false },
  "fetch-records": { number: 26, signed: "never", block: false },
  records: { number: 27, signed: "never", block: false },
  stable: { number: 28, signed: "never", block: false },
  "view-query": { number: 29, signed: "never", block: false },
  start: { number: 30, signed: "always", block: false },
  started: { number: 31, signed: "never", block: false },
  "fetch-state": { number: 34, signed: "never", block: false },
  state: { number: 35, signed: "never", block: false },
  prove: { number: 36, signed: "never", block: false },
  proof: { number: 37, signed: "never", block: false },
};

export function kindOfNumber(number: number): MessageKind | undefined {
  return byNumber.get(number);
}

const byNumber = new Map(Object.entries(carriage).map(([kind, { number }]) => [number, kind as MessageKind]));

/** Exhaustive switches end here. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}

export function isViewMessage(message: Message): message is ViewMessage {
  const { kind } = message;
  return kind === "prepare" || kind === "promise" || kind === "view-change" || kind === "new-view";
}
