// What no correct node ever signs: the one place that says which two signed statements of one node contradict each
// other, and the check of such a pair by anyone who has the topology (docs/protocol.md, decision 49). It is narrow on
// purpose: whatever a correct node may come to sign, over restarts, rounds, views and checkpoints, is none. Statements
// are told apart by what was signed; a signature covers network and kind, so it is compared within one network.

import { type CertificateContext, decodeCommit } from "../cluster/certificate.js";
import { decodeCheckpoint, sameCheckpoint } from "../cluster/checkpoint.js";
import { sameEntry } from "../cluster/quorum.js";
import { signingBytes } from "../crypto/signature.js";
import { CodecError } from "../types/codec.js";
import { type ClusterId, type Digest, type Entry, type NodeRef, type Slot, showNode, toHex } from "../types/ids.js";
import { type Checkpoint, carriage, kindOfNumber, unreachable, type ViewChange } from "../types/message.js";
import { resultSchema, type Statement } from "../types/schema.js";
import { decodeVote } from "./votes.js";
import { decodeViewChange } from "./wire-views.js";

/** What a signed statement binds its speaker to. */
export type Claim =
  /** PROPOSE, ACCEPT, SUPER-PROPOSE, SUPER-ACCEPT: all of them name the speaker's entry of its own log. */
  | { readonly about: "vote"; readonly entry: Entry }
  /** Of its own cluster; what a crash primary says of other clusters is hearsay. */
  | { readonly about: "commit"; readonly entry: Entry }
  | { readonly about: "checkpoint"; readonly checkpoint: Checkpoint }
  | { readonly about: "view-change"; readonly change: ViewChange }
  | { readonly about: "verdicts"; readonly digest: Digest; readonly verdicts: Uint8Array; readonly final: boolean };

export interface Word {
  readonly by: NodeRef;
  readonly claim: Claim;
  readonly statement: Statement;
}

/** The numbers are part of stored keys: never reuse one. */
export const CONTRADICTIONS = {
  votes: 1, // two entries in one slot and ballot
  commits: 2, // two COMMITs in one slot and ballot
  "vote-and-commit": 3, // a COMMIT in round 1 for another entry than it accepted there
  checkpoints: 4, // two contents of one checkpoint
  "view-changes": 5, // two entries prepared in one slot, as told for one view
  "hidden-commit": 6, // a VIEW-CHANGE that conceals a COMMIT of the view before
  verdicts: 7, // two verdicts on one block
} as const;
export type ContradictionKind = keyof typeof CONTRADICTIONS;

export interface Contradiction {
  readonly kind: ContradictionKind;
  /** Of what: one contradiction of a node, kind and subject is as good as many. */
  readonly subject: string;
}

/** What the statement says; undefined: nothing that binds anybody. Never throws for bad bytes. */
export function wordOf(statement: Statement): Word | undefined {
  try {
    return decodeWord(statement);
  } catch (error) {
    if (error instanceof CodecError) return undefined;
    throw error;
  }
}

function decodeWord(statement: Statement): Word | undefined {
  const { body } = statement;
  switch (kindOfNumber(statement.kind)) {
    case "propose":
    case "accept":
    case "super-propose":
    case "super-accept": {
      const vote = decodeVote(body);
      if (vote === undefined) return undefined;
      const { entry, node } = vote;
      return { by: { cluster: entry.cluster, node }, claim: { about: "vote", entry }, statement };
    }
    case "commit": {
      const commit = decodeCommit(body);
      const entry = commit?.entries.find(({ cluster }) => cluster === commit.cluster);
      if (commit === undefined || entry === undefined) return undefined;
      return { by: { cluster: commit.cluster, node: commit.node }, claim: { about: "commit", entry }, statement };
    }
    case "checkpoint": {
      const checkpoint = decodeCheckpoint(body);
      if (checkpoint === undefined) return undefined;
      const { cluster, node } = checkpoint;
      return { by: { cluster, node }, claim: { about: "checkpoint", checkpoint }, statement };
    }
    case "view-change": {
      const change = decodeViewChange(body);
      if (change === undefined) return undefined;
      const { cluster, node } = change;
      return { by: { cluster, node }, claim: { about: "view-change", change }, statement };
    }
    case "result": {
      const { cluster, node, digest, verdicts, final } = resultSchema.decode(body);
      if (digest.length !== 32) return undefined;
      const claim = { about: "verdicts", digest: toHex<Digest>(digest), verdicts, final } as const;
      return { by: { cluster: cluster as ClusterId, node }, claim, statement };
    }
    default:
      return undefined;
  }
}

/** What no correct node signs both of; undefined: it may. The order of the two does not matter. */
export function contradiction(a: Word, b: Word): Contradiction | undefined {
  if (a.by.cluster !== b.by.cluster || a.by.node !== b.by.node) return undefined;
  return ordered(a.claim, b.claim) ?? ordered(b.claim, a.claim);
}

function ordered(a: Claim, b: Claim): Contradiction | undefined {
  switch (a.about) {
    case "vote":
      if (b.about === "vote") return differing("votes", a.entry, b.entry);
      // Round 0: a node may prepare what the others and the primary accepted, and have placed something else itself.
      if (b.about === "commit" && a.entry.round === 1) return differing("vote-and-commit", a.entry, b.entry);
      return undefined;
    case "commit":
      if (b.about === "commit") return differing("commits", a.entry, b.entry);
      return b.about === "view-change" ? concealed(a.entry, b.change) : undefined;
    case "checkpoint": {
      if (b.about !== "checkpoint" || a.checkpoint.slot !== b.checkpoint.slot) return undefined;
      if (sameCheckpoint(a.checkpoint, b.checkpoint)) return undefined;
      return { kind: "checkpoints", subject: `checkpoint of slot ${a.checkpoint.slot}` };
    }
    case "view-change":
      return b.about === "view-change" ? differingReports(a.change, b.change) : undefined;
    case "verdicts":
      // Who has lost its own verdict on an operation that others refused tells the result instead.
      if (b.about !== "verdicts" || a.digest !== b.digest || a.final !== b.final) return undefined;
      if (Buffer.compare(a.verdicts, b.verdicts) === 0) return undefined;
      return { kind: "verdicts", subject: `block ${a.digest}` };
    default:
      return unreachable(a);
  }
}

/**
 * In one view and round a node accepts one entry of a slot, and says COMMIT for one: both are durable before they are
 * said, and bind until a checkpoint puts an end to the slot (2.3). The same block in two slots, or slots out of order,
 * is no proof: of slots below a stable checkpoint a correct node remembers nothing.
 */
function differing(kind: ContradictionKind, a: Entry, b: Entry): Contradiction | undefined {
  if (a.view !== b.view || a.round !== b.round || a.slot !== b.slot || sameEntry(a, b)) return undefined;
  return { kind, subject: `slot ${a.slot} in ballot ${a.view}.${a.round}` };
}

/** Of one view a node tells again and again; what it has decided meanwhile it may tell instead of prepared. */
function differingReports(a: ViewChange, b: ViewChange): Contradiction | undefined {
  if (a.view !== b.view) return undefined;
  const known = new Map(a.prepared.map(({ entry }) => [entry.slot, entry]));
  for (const { entry } of b.prepared) {
    const other = known.get(entry.slot);
    const isSame = other === undefined || (sameEntry(other, entry) && sameBallot(other, entry));
    if (!isSame) return { kind: "view-changes", subject: `slot ${entry.slot} for view ${a.view}` };
  }
  return undefined;
}

/**
 * Who says COMMIT in a view has prepared the entry, and tells so in the next view's VIEW-CHANGE unless the slot is
 * decided or below its checkpoint. Of later views nothing follows: one in between may have dropped the slot.
 */
function concealed(entry: Entry, { view, stable, decided, prepared }: ViewChange): Contradiction | undefined {
  if (view !== entry.view + 1 || entry.slot <= stableSlot(stable)) return undefined;
  if (decided.some((each) => each.entry.slot === entry.slot)) return undefined;
  const told = prepared.find((each) => each.entry.slot === entry.slot)?.entry;
  if (told !== undefined && (told.round > entry.round || sameEntry(told, entry)) && told.view === entry.view) {
    return undefined;
  }
  return { kind: "hidden-commit", subject: `slot ${entry.slot} in view ${entry.view}` };
}

function stableSlot(stable: ViewChange["stable"]): Slot {
  const [first] = stable?.commits ?? [];
  return (first === undefined ? undefined : decodeCheckpoint(first.body))?.slot ?? 0;
}

function sameBallot(a: Entry, b: Entry): boolean {
  return a.view === b.view && a.round === b.round;
}

export interface Proven extends Contradiction {
  readonly by: NodeRef;
}

/** Is this a proof that the node it names broke the protocol? Needs the topology and nothing else. */
export function provenBy(statements: readonly Statement[], context: CertificateContext): Proven | string {
  const [first, second, ...rest] = statements;
  if (first === undefined || second === undefined || rest.length > 0) return "evidence is two statements";
  const [a, b] = [wordOf(first), wordOf(second)];
  if (a === undefined || b === undefined) return "a statement is not one that binds its speaker";
  const found = contradiction(a, b);
  if (found === undefined) return "the two statements do not contradict each other";
  for (const word of [a, b]) {
    if (!isSigned(word, context)) return `a statement is not signed by ${showNode(word.by)} of this network`;
  }
  return { ...found, by: a.by };
}

/** Signed by whom it names, who is a node of the network that signs such messages. */
export function isSigned({ by, statement }: Word, { members, topology, verifier }: CertificateContext): boolean {
  const publicKey = members.node(by)?.key;
  const kind = kindOfNumber(statement.kind);
  if (publicKey === undefined || kind === undefined) return false;
  const { signed } = carriage[kind];
  if (signed === "never" || (signed === "byzantine" && members.clusterOf(by.cluster).model === "crash")) return false;
  const bytes = signingBytes(topology.networkId, statement.kind, statement.body);
  return verifier.verify({ bytes, signature: statement.signature, publicKey });
}
