// What goes into the pure core and what comes out of it. The order of an effect's fields is the order in which the host
// performs them: what was said must be durable before it is said (protocol 6), so persist comes first, then send, then
// reply; notes carry no obligation. A turn's effects are collected in one object and performed together.

import type { Block, Request } from "./block.js";
import type { Refusal } from "./codes.js";
import type { ClusterId, Digest, Entry, NodeRef, PublicKey, Sequence } from "./ids.js";
import type { ClientMessage, ClientRequest, NodeMessage, Prove, Read, Verified } from "./message.js";
import type { Certificate } from "./schema.js";

export type Event =
  | { readonly kind: "message"; readonly verified: Verified }
  /** `forwarded`: by a backup that watches it, not by its client. */
  | { readonly kind: "request"; readonly request: Request; readonly from: PublicKey; readonly forwarded?: true }
  /** A client's request that the door refused, well-formed enough to be answered. */
  | {
      readonly kind: "refused";
      readonly client: PublicKey;
      readonly nonce: number;
      readonly hash: Digest;
      readonly code: Refusal;
    }
  | { readonly kind: "read"; readonly read: Read; readonly from: PublicKey }
  | { readonly kind: "prove"; readonly prove: Prove; readonly from: PublicKey }
  /** The connection to another node was lost, or is there again. */
  | { readonly kind: "link"; readonly node: NodeRef; readonly isUp: boolean }
  /** Time has reached the `wakeAt` of an earlier turn. */
  | { readonly kind: "tick" };

/** A write of one key; `value` undefined deletes it. */
export interface Write {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

export interface Send {
  /** The node itself included: its own votes come back through the door once they are durable. */
  readonly to: readonly NodeRef[];
  /** A request: forwarded by a backup to its primary. */
  readonly message: NodeMessage | ClientRequest;
}

export interface ReplyTo {
  readonly client: PublicKey;
  readonly message: ClientMessage;
}

/** For logs, metrics and transcripts. */
export type Note =
  | { readonly kind: "rejected"; readonly code: string; readonly from: NodeRef | undefined; readonly message: string }
  | {
      readonly kind: "proposed";
      readonly entry: Entry;
      readonly requests: number;
      readonly clusters: readonly ClusterId[];
    }
  | {
      readonly kind: "super-proposed";
      readonly digest: Digest;
      readonly cluster: ClusterId;
      readonly conflict: boolean;
    }
  | { readonly kind: "assigned"; readonly entry: Entry }
  | { readonly kind: "decided"; readonly entry: Entry; readonly noOp: boolean }
  | { readonly kind: "recorded"; readonly height: number; readonly finalSequence: Sequence; readonly block: Block }
  | { readonly kind: "queried"; readonly digest: Digest }
  | { readonly kind: "stable"; readonly slot: number; readonly height: number }
  | { readonly kind: "suspected"; readonly view: number; readonly why: string }
  | { readonly kind: "view"; readonly view: number; readonly isOpen: boolean }
  /** The cluster knows of this start: the node votes from now on. */
  | { readonly kind: "takes-part" }
  /** The view now reaches a stable checkpoint, by records of other nodes or by their state. */
  | { readonly kind: "caught-up"; readonly by: "records" | "state"; readonly slot: number; readonly height: number }
  /** It takes what it lacks from this node: so much of it is there now, and this answer had so many bytes. */
  | {
      readonly kind: "catching-up";
      readonly by: "records" | "state" | "history";
      readonly from: NodeRef;
      readonly percent: number;
      readonly bytes: number;
    };

/** What one turn asks of the world. */
export interface Effects {
  readonly persist: Write[];
  readonly send: Send[];
  readonly reply: ReplyTo[];
  readonly notes: Note[];
  /** The store now holds more than this object follows: perform the rest, then start anew from the store. */
  reload: boolean;
}

export function noEffects(): Effects {
  return { persist: [], send: [], reply: [], notes: [], reload: false };
}

/** A slot of this cluster's log that is decided: what `cross` knows of an engine. */
export interface Decided {
  readonly entry: Entry;
  readonly certificate: Certificate;
}

/** Reads of durable state as of the last performed turn. Deterministic given the store: the simulator has one, too. */
export interface Reader {
  get(key: Uint8Array): Uint8Array | undefined;
}
