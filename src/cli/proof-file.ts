// Proofs of balances as a file: one JSON document. What counts are the bytes of each proof; what stands beside them is
// for the reader, and whoever checks the file works it out again and refuses it if it differs.

import { z } from "zod";
import type { ProvenAccount } from "../client/sdk.js";
import { CodedError } from "../types/codes.js";
import { fromHex, toHex } from "../types/ids.js";
import { limits } from "../types/limits.js";
import { parseDocument } from "./json-document.js";

/** Longer files are not read: some thousand proofs of the usual size. */
export const PROOF_FILE_BYTES_MAX = 64 << 20;
const PROOFS_MAX = 10_000;
const PROOF_BYTES_MAX = limits.proofPagesBytesMax + (64 << 10);

const count = z.int().nonnegative();
const proofFile = z.strictObject({
  network: z.string().regex(/^[0-9a-f]{64}$/, "is not a network's id"),
  proofs: z
    .array(
      z.strictObject({
        account: z.string(),
        exists: z.boolean(),
        balance: z.string().regex(/^\d{1,20}$/, "is not an amount"),
        owner: z.string().nullable(),
        cluster: count,
        height: count,
        sequence: count,
        proof: z
          .string()
          .max(2 * PROOF_BYTES_MAX)
          .regex(/^([0-9a-f]{2})*$/, "is not hex digits"),
      }),
    )
    .max(PROOFS_MAX),
});

export type ProofFile = z.infer<typeof proofFile>;
type ProofRow = ProofFile["proofs"][number];

export function toProofFile(network: string, accounts: readonly ProvenAccount[]): ProofFile {
  return { network, proofs: accounts.map(rowOf) };
}

/** What a file says beside a proof, and the proof itself shows otherwise; undefined: nothing. */
export function differenceOf(said: ProofRow, shown: ProvenAccount): string | undefined {
  const row = rowOf(shown);
  const names = Object.keys(row) as readonly (keyof ProofRow)[];
  const name = names.find((each) => row[each] !== said[each]);
  return name === undefined ? undefined : `the file says ${name} ${said[name]}, and the proof shows ${row[name]}`;
}

export function proofBytesOf({ proof }: ProofRow): Uint8Array {
  return fromHex(proof);
}

/** Throws a coded error that says what is wrong with the text. */
export function parseProofFile(text: string, file: string): ProofFile {
  return parseDocument(proofFile, text, (reason) => malformed(file, reason));
}

function rowOf({ account, exists, balance, owner, cluster, height, sequence, proof }: ProvenAccount): ProofRow {
  const said = { account, exists, balance: String(balance), owner: owner ?? null, cluster, height, sequence };
  return { ...said, proof: toHex<string>(proof) };
}

function malformed(file: string, reason: string): CodedError {
  return new CodedError("proof-malformed", `${file} is no file of proofs (${reason}); see: sharper balance --proof`);
}
