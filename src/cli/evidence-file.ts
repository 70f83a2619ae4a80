// Evidence as a file: one JSON document, so that people can read what they are shown and programs of others can check
// it. Only its statements count; what is said beside them is for the reader, and is worked out again by whoever
// checks.

import { z } from "zod";
import type { Evidence } from "../node/witness.js";
import { CodedError } from "../types/codes.js";
import { fromHex, showNode, toHex } from "../types/ids.js";
import { limits } from "../types/limits.js";
import { carriage, kindOfNumber, type MessageKind } from "../types/message.js";
import type { Statement } from "../types/schema.js";
import { parseDocument } from "./json-document.js";

const hex = (bytesMax: number) =>
  z
    .string()
    .max(2 * bytesMax)
    .regex(/^([0-9a-f]{2})*$/, "is not hex digits");
const statementFile = z.strictObject({
  message: z.string().refine((kind) => Object.hasOwn(carriage, kind), "is not a kind of message"),
  body: hex(limits.frameBytesMax),
  signature: hex(64),
});
const evidenceFile = z.strictObject({
  network: z.string().regex(/^[0-9a-f]{64}$/, "is not a network's id"),
  evidence: z
    .array(
      z.strictObject({
        node: z.string(),
        contradiction: z.string(),
        subject: z.string(),
        statements: z.array(statementFile).length(2),
      }),
    )
    .max(limits.evidencePerNodeMax * limits.nodesPerClusterMax),
});

export interface EvidenceFile {
  readonly network: string;
  readonly evidence: readonly { readonly node: string; readonly statements: readonly Statement[] }[];
}

export function toEvidenceFile(network: string, evidence: readonly Evidence[]): object {
  return {
    network,
    evidence: evidence.map(({ by, kind, subject, statements }) => ({
      node: showNode(by),
      contradiction: kind,
      subject,
      statements: statements.map(({ kind: number, body, signature }) => ({
        message: kindOfNumber(number),
        body: toHex<string>(body),
        signature: toHex<string>(signature),
      })),
    })),
  };
}

/** Throws a coded error that says what is wrong with the text. */
export function parseEvidenceFile(text: string, file: string): EvidenceFile {
  const { network, evidence } = parseDocument(evidenceFile, text, (reason) => malformed(file, reason));
  return {
    network,
    evidence: evidence.map(({ node, statements }) => ({
      node,
      statements: statements.map(({ message, body, signature }) => ({
        kind: carriage[message as MessageKind].number,
        body: fromHex(body),
        signature: fromHex(signature),
      })),
    })),
  };
}

function malformed(file: string, reason: string): CodedError {
  return new CodedError("evidence-malformed", `${file} is no evidence file (${reason}); see: sharper evidence --out`);
}
