// Proofs of balances as they travel (protocol 6): an account's place in the state at a stable checkpoint, with the
// certificate of the cluster that owns it. Whoever has the topology can check one, with nothing else at hand and
// nobody to ask: the quorum that signed the state root vouches for it, not the node that shows it.

import type { CertificateContext } from "../cluster/certificate.js";
import { provenCheckpoint } from "../cluster/checkpoint.js";
import { clusterOfAccount } from "../cluster/shards.js";
import { CodecError } from "../types/codec.js";
import { type AccountId, fromHex, isAccountId, toHex } from "../types/ids.js";
import type { Checkpoint } from "../types/message.js";
import { type BalanceProof, balanceProofSchema, type Certificate, type WireAccountProof } from "../types/schema.js";
import type { AccountValue } from "./engine.js";
import { type AccountProof, proveAccount, provenAccount } from "./root.js";
import type { StateView } from "./views.js";

/** Accounts of one state: the roots of its parts, one after the other, and what leads from each account to them. */
export interface ProvenAccounts {
  readonly roots: Uint8Array;
  readonly proofs: readonly WireAccountProof[];
}

/** What a proof shows. */
export interface ProvenBalance {
  readonly account: AccountId;
  /** Undefined: there was no such account. */
  readonly value: AccountValue | undefined;
  readonly checkpoint: Checkpoint;
}

const HASH_BYTES = 32;

export function proveAccounts(view: StateView, accounts: readonly AccountId[]): ProvenAccounts {
  const roots = Buffer.concat(view.partRoots().map((root) => fromHex(root)));
  return { roots: new Uint8Array(roots), proofs: accounts.map((account) => toWire(proveAccount(view, account))) };
}

/** A sentence that says why these bytes prove nothing, or what they prove. Never throws. */
export function readBalanceProof(bytes: Uint8Array, context: CertificateContext): ProvenBalance | string {
  try {
    return checkBalanceProof(balanceProofSchema.decode(bytes), context);
  } catch (error) {
    if (error instanceof CodecError) return `it is not the encoding of a proof (${error.message})`;
    throw error;
  }
}

export function checkBalanceProof(
  { account, certificate, roots, proof }: BalanceProof,
  context: CertificateContext,
): ProvenBalance | string {
  if (!isAccountId(account)) return "it names no account";
  const cluster = clusterOfAccount(context.topology, account);
  const checkpoint = certificate && provenCheckpoint(certificate, context, cluster);
  if (checkpoint === undefined) return `its certificate is not that of a quorum of cluster ${cluster}`;
  const parts = proof && fromWire(proof, roots);
  const value = parts && provenAccount({ account, root: checkpoint.state, proof: parts });
  if (value === undefined) return `it does not show what the certified state says of ${account}`;
  return { account, value: value === "absent" ? undefined : value, checkpoint };
}

/** One account of an answer, to be checked or kept by itself. */
export function balanceProofOf(
  account: string,
  at: number,
  { certificate, roots, proofs }: ProvenAccounts & { readonly certificate: Certificate | undefined },
): BalanceProof {
  return { account, certificate, roots, proof: proofs[at] };
}

function toWire({ bucket: { pathInGroup, pathOfGroup, ...bucket } }: AccountProof): WireAccountProof {
  return { ...bucket, pathInGroup: joined(pathInGroup), pathOfGroup: joined(pathOfGroup) };
}

function fromWire(proof: WireAccountProof, roots: Uint8Array): AccountProof | undefined {
  const [accounts, ...others] = hashesIn(roots) ?? [];
  const [pathInGroup, pathOfGroup] = [hashesIn(proof.pathInGroup), hashesIn(proof.pathOfGroup)];
  if (accounts === undefined || pathInGroup === undefined || pathOfGroup === undefined) return undefined;
  const bucket = { ...proof, pathInGroup, pathOfGroup };
  return { bucket, accounts: toHex(accounts), others: others.map((root) => toHex(root)) };
}

function joined(hashes: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(hashes));
}

/** Undefined: there is half of one. */
function hashesIn(bytes: Uint8Array): readonly Uint8Array[] | undefined {
  if (bytes.length % HASH_BYTES !== 0) return undefined;
  const count = bytes.length / HASH_BYTES;
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES));
}
