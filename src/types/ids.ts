// Names of things: clusters, nodes, clients, accounts, digests, ballots, sequences (protocol 1, 2). Branded, so that a
// slot is never taken for a sequence, and plain underneath, so that they are cheap to compare and to send.

import { limits } from "./limits.js";

declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** 1..65,535. Also the low 16 bits of every sequence of that cluster. */
export type ClusterId = Branded<number, "cluster">;
/** Position of a node in its cluster, from 0: the primary of view v is node v mod n. */
export type NodeIndex = number;
/** 32 bytes as 64 lower-case hex digits: key of maps, text of logs. */
export type Digest = Branded<string, "digest">;
/** An Ed25519 public key as 64 lower-case hex digits. */
export type PublicKey = Branded<string, "key">;
/** SHA-256 of the topology's consensus-relevant content, 64 hex digits. */
export type NetworkId = Branded<string, "network">;
/** 1..64 characters of [A-Za-z0-9._:-], beginning with a letter or digit. */
export type AccountId = Branded<string, "account">;
/** A Lamport stamp: counter * 65,536 + cluster (protocol 2). */
export type Sequence = Branded<number, "sequence">;
/** Position in a cluster's log, from 1. */
export type Slot = number;
export type View = number;

export interface NodeRef {
  readonly cluster: ClusterId;
  readonly node: NodeIndex;
}

/** Ordered by view, then round. Round 0 is self-assigned by nodes, round 1 by the primary (protocol 2, 3.1). */
export interface Ballot {
  readonly view: View;
  readonly round: 0 | 1;
}

/** What a slot holds. */
export interface Entry extends Ballot {
  readonly cluster: ClusterId;
  readonly slot: Slot;
  readonly sequence: Sequence;
  readonly digest: Digest;
}

export const NO_SEQUENCE = 0 as Sequence;

export function sequenceOf(counter: number, cluster: ClusterId): Sequence {
  return (counter * 65_536 + cluster) as Sequence;
}

export function counterOf(sequence: Sequence): number {
  return Math.floor(sequence / 65_536);
}

export function clusterOf(sequence: Sequence): ClusterId {
  return (sequence % 65_536) as ClusterId;
}

/** For example "17.3": counter 17, cluster 3. */
export function showSequence(sequence: Sequence): string {
  return `${counterOf(sequence)}.${clusterOf(sequence)}`;
}

export function compareBallots(a: Ballot, b: Ballot): number {
  return a.view - b.view || a.round - b.round;
}

/** One number per node of the network, for maps. */
export function nodeKey({ cluster, node }: NodeRef): number {
  return cluster * 65_536 + node;
}

/** For example "c1n0": how nodes are called in logs and transcripts. */
export function showNode({ cluster, node }: NodeRef): string {
  return `c${cluster}n${node}`;
}

const ACCOUNT = /^[A-Za-z0-9][A-Za-z0-9._:-]*$/;

export function isAccountId(text: string): text is AccountId {
  return text.length > 0 && text.length <= limits.accountBytesMax && ACCOUNT.test(text);
}

const HEX64 = /^[0-9a-f]{64}$/;

export function isDigest(text: string): text is Digest {
  return HEX64.test(text);
}

export function toHex<T extends string>(bytes: Uint8Array): T {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex") as T;
}

export function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, "hex"));
}
