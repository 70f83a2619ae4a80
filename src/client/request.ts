// Builds, checks and signs requests. The checks are the door's own (cluster/block.ts), run on the very bytes that will
// travel: what passes here is refused nowhere for its form, and what fails here is wrong use of the SDK.

import { type BlockContext, decodeRequest } from "../cluster/block.js";
import { type Signer, signingBytes } from "../crypto/signature.js";
import { type Request, requestId } from "../types/block.js";
import { CodecError } from "../types/codec.js";
import { CodedError } from "../types/codes.js";
import { limits } from "../types/limits.js";
import { carriage } from "../types/message.js";
import { envelopeSchema, type Operation, requestBodySchema, type Signed, signedSchema } from "../types/schema.js";
import { explainCode, type RejectionCode, type SentRequest } from "./outcomes.js";

export interface PostingOrder {
  readonly account: string;
  /** In the smallest unit, 1 or more. */
  readonly amount: bigint;
}

/** One operation: opening an account, or moving money from debits to credits of equal sums, all or nothing. */
export type OperationOrder =
  | { readonly kind: "open"; readonly account: string }
  | { readonly kind: "transfer"; readonly debits: readonly PostingOrder[]; readonly credits: readonly PostingOrder[] };

const EMPTY = new Uint8Array(0);

export interface SigningContext extends BlockContext {
  readonly signer: Signer;
  /** The signer's public key, as it stands in requests. */
  readonly clientBytes: Uint8Array;
}

/** Throws CodedError with the code that a node would refuse it with. */
export function signRequest(
  parts: { readonly nonce: number; readonly validUntil: number; readonly operations: readonly OperationOrder[] },
  context: SigningContext,
): Request {
  const { signer, clientBytes, topology } = context;
  const body = encodeBody({ ...parts, client: clientBytes });
  const decoded = decodeRequest({ body, signature: EMPTY }, context, false);
  if (!decoded.ok) throw wrongUse(decoded.code as RejectionCode);
  const signature = signer.sign(signingBytes(topology.networkId, carriage.request.number, body));
  return { ...decoded.value, signed: { body, signature } };
}

/** The request in the bytes of a `SentRequest`. Throws CodedError. */
export function readRequest(bytes: Uint8Array, context: SigningContext): Request {
  let signed: Signed;
  try {
    signed = signedSchema.decode(bytes);
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    throw new CodedError(
      "not-a-request",
      `these bytes are no signed request (${error.message}); use those of an outcome`,
    );
  }
  const decoded = decodeRequest(signed, context);
  if (!decoded.ok) throw wrongUse(decoded.code as RejectionCode);
  if (decoded.value.client !== context.signer.publicKey) {
    throw new CodedError("not-owner", `the request was signed by ${decoded.value.client}; resolve it with that key`);
  }
  return decoded.value;
}

export function sentRequest(request: Request): SentRequest {
  return { id: requestId(request), validUntil: request.validUntil, bytes: signedSchema.encode(request.signed) };
}

/** The message that carries it: the same bytes at every attempt. */
export function requestMessage({ signed }: Request): Uint8Array {
  return envelopeSchema.encode({
    kind: carriage.request.number,
    body: signed.body,
    signature: signed.signature,
    block: EMPTY,
  });
}

interface BodyParts {
  readonly client: Uint8Array;
  readonly nonce: number;
  readonly validUntil: number;
  readonly operations: readonly OperationOrder[];
}

function encodeBody({ operations, ...parts }: BodyParts): Uint8Array {
  try {
    return requestBodySchema.encode({ ...parts, operations: operations.map(toWire), rejoin: undefined });
  } catch (error) {
    // The encoder knows bounds, not their meaning: name what the caller can have got wrong.
    if (!(error instanceof RangeError)) throw error;
    throw new CodedError(
      "malformed",
      `the request exceeds a bound (${error.message}); at most ${limits.operationsMax} operations of ` +
        `${limits.postingsMax} debits and ${limits.postingsMax} credits, names of ${limits.accountBytesMax} bytes, ` +
        "amounts of 64 bits",
    );
  }
}

function toWire(operation: OperationOrder): Operation {
  switch (operation.kind) {
    case "open":
      // An empty name would be left out of the encoding, and the operation taken for a transfer.
      if (operation.account === "") throw wrongUse("bad-account");
      return { open: operation.account, debits: [], credits: [] };
    case "transfer":
      return { open: "", debits: operation.debits, credits: operation.credits };
  }
}

function wrongUse(code: RejectionCode): CodedError {
  return new CodedError(code, explainCode(code));
}
