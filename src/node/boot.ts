// The row that tells one start of a node from another (protocol 6), and what may be said with it: written anew
// before anything else at every start of the process, and by `sharper node recover` into the folder of a node that
// has lost what it said.

import { bootKey, bootSchema, startKey } from "../ledger/keys.js";
import type { Reader, Write } from "../types/effects.js";
import type { NodeRef } from "../types/ids.js";
import { limits } from "../types/limits.js";
import { carriage } from "../types/message.js";
import { envelopeSchema, signedSchema } from "../types/schema.js";

export type Boot = ReturnType<typeof bootSchema.decode>;

const NEVER: Boot = {
  incarnation: 0,
  boot: 0,
  nonce: new Uint8Array(0),
  isStarted: false,
  wasStarted: false,
  rejoin: false,
  claim: undefined,
  view: 0,
  mark: undefined,
  since: 0,
  nonces: new Uint8Array(0),
};

export function bootOf(reader: Reader): Boot {
  const row = reader.get(bootKey());
  return row === undefined ? NEVER : bootSchema.decode(row);
}

export function bootWrite(boot: Boot): Write {
  return { key: bootKey(), value: bootSchema.encode(boot) };
}

/** The process starts. The nonce has 8 random bytes. */
export function startWrite(reader: Reader, nonce: Uint8Array): Write {
  const last = bootOf(reader);
  // What the folder held before a start that nobody acknowledged tells how old it is; what it learned since hides that.
  const mark = last.isStarted ? undefined : last.mark;
  const isUnheard = !last.isStarted && last.nonces.length > 0;
  // Then it is the last start once more: what was not heard so often has bound nobody.
  const isFull = isUnheard && last.nonces.length >= last.nonce.length * limits.unheardStartsMax;
  if (isFull) return bootWrite({ ...last, mark });
  const boot = last.boot + 1;
  const since = isUnheard ? last.since : boot;
  const nonces = isUnheard ? Buffer.concat([last.nonces, nonce]) : nonce;
  return bootWrite({ ...last, boot, nonce, since, nonces, isStarted: false, mark });
}

/** The folder is new, and its node is not: it comes back as its next incarnation. */
export function rejoinWrite(): Write {
  return bootWrite({ ...NEVER, rejoin: true });
}

/** The START that this node has said, to be said again; undefined when it has not said any. */
export function ownStart(reader: Reader, { node }: NodeRef): Uint8Array | undefined {
  const row = reader.get(startKey(node));
  if (row === undefined) return undefined;
  const { body, signature } = signedSchema.decode(row);
  return envelopeSchema.encode({ kind: carriage.start.number, body, signature, block: new Uint8Array(0) });
}
