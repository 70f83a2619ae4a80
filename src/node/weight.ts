// What a client's message costs, told from its bytes before anything of it is checked: a reading by the accounts that
// it names, a question for proofs by theirs, which cost far more each (docs/protocol.md, decision 48). Requests weigh
// nothing here, since their number and size bound what they cost. Whether a message is sound is for the door to say.

import { readVarint } from "../types/bytes.js";
import { CodecError } from "../types/codec.js";
import { limits } from "../types/limits.js";
import { carriage } from "../types/message.js";
import { openEnvelope } from "./wire.js";

/** In accounts that are read. Never throws; of bytes that the door refuses it counts what the door reads of them. */
export function weightOf(message: Uint8Array): number {
  const number = message[0] === KIND_TAG ? message[1] : undefined;
  if (number === carriage.read.number) return accountsIn(message, limits.accountsPerReadMax);
  if (number !== carriage.prove.number) return 0;
  return limits.proofWeight * accountsIn(message, limits.accountsPerProofMax);
}

/** At least one, and at most as many as the door reads before it refuses. */
function accountsIn(message: Uint8Array, max: number): number {
  const opened = openEnvelope(message);
  if (typeof opened === "string") return 1;
  const { body } = opened;
  const from = { bytes: body, at: 0, end: body.length };
  let count = 0;
  try {
    if (body[0] === NONCE_TAG) {
      from.at++;
      readVarint(from);
    }
    while (count < max && body[from.at] === ACCOUNT_TAG) {
      from.at++;
      const length = readVarint(from);
      from.at += length;
      count++;
    }
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
  }
  return Math.max(1, count);
}

// The first byte of an Envelope, and the tags of a Read and of a Prove (types/wire.proto).
const KIND_TAG = 0x08;
const NONCE_TAG = 0x08;
const ACCOUNT_TAG = 0x12;
