// Members of the network that say anything: a byzantine node that sends what it heard and what it would say with fields
// changed and its own signature put under it, and a client that does so with requests. Whatever they send, no correct
// node may stop, and everything that the checkers watch must hold.

import { signingBytes } from "../../crypto/signature.js";
import { openEnvelope } from "../../node/wire.js";
import { fromHex, type PublicKey, toHex } from "../../types/ids.js";
import { carriage, type MessageKind } from "../../types/message.js";
import { blockSchema, envelopeSchema, requestBodySchema } from "../../types/schema.js";
import type { Topology } from "../../types/topology.js";
import type { Below, MakeVillain } from "../observer.js";
import type { MakeRogue } from "../rogues.js";
import { happens, oneOf, Recent } from "../villains/draw.js";
import { envelopeOf, everyone } from "../villains/speech.js";
import { bodySchemas, mutateBytes, mutateMessage, noise } from "./mutate.js";

/** How many inputs there were, and one of each kind of message to make others of. */
export interface Tally {
  inputs: number;
}

const HEARD_MAX = 200;
const PER_TURN = 8;
const PER_WORD = 20;

export type Sign = (kind: number, body: Uint8Array) => Uint8Array;

/** A message made of another one. `sign`: with the key of whoever sends it. */
export function mutateEnvelope(bytes: Uint8Array, other: Uint8Array, sign: Sign, below: Below): Uint8Array {
  const opened = openEnvelope(bytes);
  if (typeof opened === "string" || happens(below, 20)) return mutateBytes(bytes, other, below);
  const kind = happens(below, 8) ? oneOf(below, Object.keys(bodySchemas) as MessageKind[]) : opened.kind;
  const mutated = happens(below, 85) ? mutateMessage(opened.body, bodySchemas[kind], below) : undefined;
  const body = mutated ?? mutateBytes(opened.body, other, below);
  const block = happens(below, 10) ? mutateBlock(opened.block, below) : opened.block;
  const { number } = carriage[kind];
  const signature = happens(below, 90) ? sign(number, body) : noise(64, below);
  try {
    return envelopeSchema.encode({ kind: number, body, signature, block });
  } catch {
    return mutateBytes(bytes, other, below);
  }
}

function mutateBlock(block: Uint8Array, below: Below): Uint8Array {
  return mutateMessage(block, blockSchema, below) ?? mutateBytes(block, block, below);
}

export function makeLiar(tally: Tally): MakeVillain {
  return () => {
    const heard = new Recent<string, Uint8Array>(HEARD_MAX);
    const remember = (envelope: Uint8Array) => heard.set(toHex(envelope.subarray(0, 24)), envelope);
    return {
      name: "fuzzer",
      hear(event) {
        const envelope = envelopeOf(event);
        if (envelope !== undefined) remember(envelope);
        return event;
      },
      bend(outgoing, context) {
        const { below, turn, node, world } = context;
        for (const { envelope } of outgoing) remember(envelope);
        const known = heard.values();
        if (known.length === 0) return outgoing;
        const sign: Sign = (kind, body) => node.signer.sign(signingBytes(world.topology.networkId, kind, body));
        const others = everyone(context).map((ref) => turn.keyOf(ref));
        const lies = Array.from({ length: PER_TURN }, () => ({
          to: oneOf(below, others),
          envelope: mutateEnvelope(oneOf(below, known), oneOf(below, known), sign, below),
        }));
        tally.inputs += lies.length;
        return [...outgoing, ...lies];
      },
    };
  };
}

export function makeRogue(tally: Tally): MakeRogue {
  return () => {
    let nonce = 0;
    return ({ topology, signer, time, below }) => {
      const nodes = topology.clusters.flatMap((each) => each.nodes);
      const sign: Sign = (kind, body) => signer.sign(signingBytes(topology.networkId, kind, body));
      return Array.from({ length: PER_WORD }, () => {
        tally.inputs++;
        const { cluster, index } = oneOf(below, nodes);
        const request = requestOf(topology, signer.publicKey, { nonce: ++nonce, validUntil: time + 60_000 }, below);
        const whole = envelopeSchema.encode({ kind: 1, body: request, signature: sign(1, request), block: NO_BYTES });
        return { to: { cluster, node: index }, envelope: mutateEnvelope(whole, whole, sign, below), delay: 0 };
      });
    };
  };
}

/** A payment out of an account of this client, to whoever it may be. */
export function requestOf(
  { genesis }: Pick<Topology, "genesis">,
  client: PublicKey,
  terms: { readonly nonce: number; readonly validUntil: number },
  below: Below,
): Uint8Array {
  const own = genesis.filter(({ owner }) => owner === client);
  const posting = (rows: Topology["genesis"]) => {
    const { prefix, count } = oneOf(below, rows);
    return { account: count === undefined ? prefix : `${prefix}${below(count)}`, amount: 1n };
  };
  const operation = { open: "", debits: [posting(own.length > 0 ? own : genesis)], credits: [posting(genesis)] };
  return requestBodySchema.encode({ client: fromHex(client), ...terms, operations: [operation], rejoin: undefined });
}

const NO_BYTES = new Uint8Array(0);
