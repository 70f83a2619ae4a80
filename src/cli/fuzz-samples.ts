// Sound things of a network whose keys are known, to be mutated: a proof of a balance, alone and in a file, a backup
// that decodes, and what may be asked at a node's local entrance.

import { BackupEncoder } from "../backup/format.js";
import { type ProvenAccount, verifyBalance } from "../client/sdk.js";
import { encodeCheckpoint } from "../cluster/checkpoint.js";
import { quorumOf } from "../cluster/quorum.js";
import { clusterOfAccount } from "../cluster/shards.js";
import { AccountBuckets } from "../execution/buckets.js";
import { Positions } from "../execution/positions.js";
import { balanceProofOf, proveAccounts } from "../execution/proof.js";
import { StateRoot } from "../execution/root.js";
import { bodyOf } from "../node/wire.js";
import { type AccountId, type Digest, fromHex, type PublicKey, type Sequence } from "../types/ids.js";
import { type Checkpoint, carriage } from "../types/message.js";
import { type BackupEntry, balanceProofSchema, type Certificate, envelopeSchema } from "../types/schema.js";
import type { ClusterInfo, Topology } from "../types/topology.js";
import { toProofFile } from "./proof-file.js";

export type SignAs = (key: PublicKey) => (kind: number, body: Uint8Array) => Uint8Array;

export interface Samples {
  readonly proof: Uint8Array;
  readonly proofFile: Uint8Array;
  readonly backup: readonly BackupEntry[];
  readonly question: Uint8Array;
}

const NO_BYTES = new Uint8Array(0);
/** What the proof shows, and no mutation of it may show otherwise. */
export const SAMPLE_ACCOUNT = "alice" as AccountId;
export const SAMPLE_BALANCE = 7n;
const SLOT = 64;
const HEIGHT = 60;

export function samplesOf(topology: Topology, signAs: SignAs): Samples {
  const cluster = topology.clusters.find(({ id }) => id === clusterOfAccount(topology, SAMPLE_ACCOUNT)) as ClusterInfo;
  const view = new StateRoot({
    accounts: new AccountBuckets([{ account: SAMPLE_ACCOUNT, balance: SAMPLE_BALANCE, owner: undefined }]),
    ids: [],
    positions: new Positions(NO_BYTES, []),
    incarnations: NO_BYTES,
    recordTime: 0,
  }).freeze({ slot: SLOT, height: HEIGHT });
  const certificate = certificateOf(cluster, view.root(), signAs);
  const proof = balanceProofSchema.encode(
    balanceProofOf(SAMPLE_ACCOUNT, 0, { certificate, ...proveAccounts(view, [SAMPLE_ACCOUNT]) }),
  );
  const shown: ProvenAccount = verifyBalance(proof, topology);
  const { accounts, positions } = view.pieces;
  const list = { certificate, accounts, ids: [], positions, stateBytes: 0, recordsBytes: 0, incarnations: NO_BYTES };
  const said = { slot: SLOT, list: undefined, pieces: [{ number: 0, bytes: view.rows(0) }] };
  const item = { record: NO_BYTES, block: NO_BYTES, certificates: [] };
  const head = { network: fromHex(topology.networkId), cluster: cluster.id, node: 0, slot: SLOT, height: HEIGHT };
  const body = bodyOf({ kind: "fetch-records", from: 1, to: HEIGHT, blocks: true, downwards: false });
  const kind = carriage["fetch-records"].number;
  return {
    proof,
    proofFile: Buffer.from(JSON.stringify(toProofFile(topology.networkId, [shown]))),
    backup: [
      { ...NOTHING, head },
      { ...NOTHING, state: { slot: SLOT, part: 0, list: { ...list, rejoins: [] }, pieces: [] } },
      { ...NOTHING, state: { ...said, part: 1 } },
      { ...NOTHING, records: { from: 1, items: [item] } },
    ],
    question: envelopeSchema.encode({ kind, body, signature: NO_BYTES, block: NO_BYTES }),
  };
}

/** A file of these entries. */
export function backupFileOf(entries: readonly BackupEntry[]): Uint8Array {
  const encoder = new BackupEncoder();
  const parts = entries.map((entry) => encoder.entry(entry));
  return new Uint8Array(Buffer.concat([...parts, encoder.end()]));
}

function certificateOf(cluster: ClusterInfo, state: Digest, signAs: SignAs): Certificate {
  const sequence = (65_536 * SLOT + cluster.id) as Sequence;
  const place = { cluster: cluster.id, slot: SLOT, sequence, height: HEIGHT, finalSequence: sequence };
  const commits = cluster.nodes.slice(0, quorumOf(cluster)).map(({ index, key }) => {
    const said: Checkpoint = { kind: "checkpoint", ...place, node: index, record: "0".repeat(64) as Digest, state };
    const body = encodeCheckpoint(said);
    return { body, signature: signAs(key)(carriage.checkpoint.number, body) };
  });
  return { cluster: cluster.id, commits };
}

const NOTHING: BackupEntry = { head: undefined, state: undefined, records: undefined, end: undefined };
