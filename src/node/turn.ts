// One turn: a bounded batch of events through the replica, and what came out of it as a plan: what to write, and which
// bytes go to whom (architecture, rule 2). Pure: the host performs the plan, the simulator may crash a node in the
// middle of it. A message is encoded and signed once, however many nodes it goes to; what a node says to itself comes
// back as an event, after the write. A message beyond the bounds is dropped and counted: it never stops its node.

import { type Signer, signingBytes } from "../crypto/signature.js";
import type { Rejection } from "../types/codes.js";
import { type Effects, type Event, type Note, noEffects, type Write } from "../types/effects.js";
import { type NetworkId, type NodeRef, nodeKey, type PublicKey } from "../types/ids.js";
import { limits } from "../types/limits.js";
import { carriage, type Message, type Verified } from "../types/message.js";
import { envelopeSchema, type Signed } from "../types/schema.js";
import type { FailureModel } from "../types/topology.js";
import type { Now, Replica } from "./replica.js";
import { attachmentOf, bodyOf } from "./wire.js";

export interface TurnPlan {
  /** One atomic batch. */
  readonly persist: readonly Write[];
  /** Envelopes by receiver, in order. Clients' replies are among them, after everything else. */
  readonly outbound: ReadonlyMap<PublicKey, readonly Uint8Array[]>;
  /** What the node said to itself. */
  readonly inbound: readonly Event[];
  readonly notes: readonly Note[];
  /** After all of that the replica is dropped and made anew from the store, as at a start. Events wait meanwhile. */
  readonly reload: boolean;
}

export interface TurnContext {
  readonly self: NodeRef;
  readonly model: FailureModel;
  readonly networkId: NetworkId;
  readonly signer: Signer;
  readonly keyOf: (node: NodeRef) => PublicKey;
}

export function runTurn(
  replica: Replica,
  { now, events }: { readonly now: Now; readonly events: readonly Event[] },
  context: TurnContext,
): TurnPlan {
  const out = noEffects();
  for (const event of events) replica.step(now, event, out);
  replica.finish(now, out);
  return planOf(out, context);
}

function planOf(out: Effects, context: TurnContext): TurnPlan {
  const { self, keyOf } = context;
  const outbound = new Map<PublicKey, Uint8Array[]>();
  const inbound: Event[] = [];
  const notes: Note[] = [...out.notes];
  const sealed = new Map<Message, Sealed | undefined>();
  const sealOnce = (message: Message): Sealed | undefined => {
    if (sealed.has(message)) return sealed.get(message);
    const fresh = sealWithin(message, context);
    if (fresh === undefined) notes.push({ kind: "rejected", code: OVER_LIMIT, from: self, message: message.kind });
    sealed.set(message, fresh);
    return fresh;
  };
  const selfKey = nodeKey(self);
  for (const { to, message } of out.send) {
    if (to.length === 0) continue;
    const ready = sealOnce(message);
    if (ready === undefined) continue;
    const { envelope, signed } = ready;
    for (const node of to) {
      if (nodeKey(node) === selfKey) inbound.push(ownEvent(message, signed, self));
      else push(outbound, keyOf(node), envelope);
    }
  }
  for (const { client, message } of out.reply) {
    const ready = sealOnce(message);
    if (ready !== undefined) push(outbound, client, ready.envelope);
  }
  return { persist: out.persist, outbound, inbound, notes, reload: out.reload };
}

interface Sealed {
  readonly envelope: Uint8Array;
  readonly signed: Signed | undefined;
}

/** Undefined: over a bound. What others say may end up in what this node says, so that need not be its own mistake. */
function sealWithin(message: Message, context: TurnContext): Sealed | undefined {
  try {
    const ready = seal(message, context);
    return ready.envelope.length > limits.messageBytesMax ? undefined : ready;
  } catch (error) {
    // The codec's word for a value beyond its bound.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** The envelope of a message, signed where its kind is (types/message.ts). */
export function seal(message: Message, { model, networkId, signer }: TurnContext): Sealed {
  const { number, signed: rule } = carriage[message.kind];
  const body = bodyOf(message);
  const block = attachmentOf(message)?.bytes ?? NO_BYTES;
  if (message.kind === "request") {
    const { signature } = message.request.signed;
    return { envelope: envelopeSchema.encode({ kind: number, body, signature, block }), signed: undefined };
  }
  if (message.kind === "new-view" && message.original !== undefined) {
    const { signature } = message.original;
    return { envelope: envelopeSchema.encode({ kind: number, body, signature, block }), signed: message.original };
  }
  const isSigned = rule === "always" || (rule === "byzantine" && model === "byzantine");
  const signature = isSigned ? signer.sign(signingBytes(networkId, number, body)) : NO_BYTES;
  const envelope = envelopeSchema.encode({ kind: number, body, signature, block });
  return { envelope, signed: isSigned ? { body, signature } : undefined };
}

function ownEvent(message: Message, signed: Signed | undefined, self: NodeRef): Event {
  if (message.kind === "request") return { kind: "request", request: message.request, from: message.request.client };
  return { kind: "message", verified: { from: self, message, signed } as Verified };
}

function push(map: Map<PublicKey, Uint8Array[]>, key: PublicKey, envelope: Uint8Array): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [envelope]);
  else list.push(envelope);
}

const OVER_LIMIT: Rejection = "over-limit";
const NO_BYTES = new Uint8Array(0);
