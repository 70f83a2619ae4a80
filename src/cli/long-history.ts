// Makes the data folder of a node that has run for long, without running it: so many accounts, and so many blocks of
// one transfer each, written row by row as a node writes them. What a start reads is all there and true, but for the
// signatures of requests and COMMITs, which no start looks at and which would take most of the time.

import { makeBlock } from "../cluster/block.js";
import { encodeCommit } from "../cluster/certificate.js";
import { encodeCheckpoint } from "../cluster/checkpoint.js";
import { genesisAccounts } from "../cluster/genesis.js";
import { Members } from "../cluster/members.js";
import { quorumOf } from "../cluster/quorum.js";
import { digestOf } from "../crypto/hash.js";
import { type Signer, signingBytes } from "../crypto/signature.js";
import type { AccountValue } from "../execution/engine.js";
import { blockKey, checkpointKey, placedKey, placedSchema } from "../ledger/keys.js";
import { encodeRecord, type LedgerRecord } from "../ledger/records.js";
import type { Store } from "../ledger/store.js";
import { IncarnationTable } from "../node/incarnations.js";
import { Recorder } from "../node/recorder.js";
import { genesisWrites, type Restored } from "../node/restore.js";
import type { Block, Request } from "../types/block.js";
import { CodedError } from "../types/codes.js";
import type { Write } from "../types/effects.js";
import { type ClusterId, fromHex, type PublicKey, sequenceOf } from "../types/ids.js";
import { carriage } from "../types/message.js";
import { certificateSchema, requestBodySchema } from "../types/schema.js";
import type { ClusterInfo, Topology } from "../types/topology.js";

export interface HistoryOptions {
  readonly topology: Topology;
  readonly topologyText: string;
  readonly cluster: ClusterInfo;
  /** Of the cluster's nodes, by index: the last checkpoint is signed by a quorum of them. */
  readonly signers: readonly Signer[];
  readonly blocks: number;
  /** Time of the last block. */
  readonly now: number;
  /** Makes the start of a node of what is in the store. */
  readonly restore: (store: Store) => Promise<Restored>;
}

const BATCH_BLOCKS = 500;
const BLOCK_EVERY_MS = 100;
const VALID_FOR_MS = 30_000;
const NO_SIGNATURE = new Uint8Array(64).fill(1);

export async function writeHistory(store: Store, options: HistoryOptions): Promise<void> {
  const { topology, topologyText, cluster, blocks, now } = options;
  await store.write(genesisWrites(topology, cluster.id, topologyText), { sync: true });
  const { head, progress, root } = await options.restore(store);
  const recorder = new Recorder({
    cluster: cluster.id,
    reader: store,
    head,
    progress,
    root,
    isNoOp: () => false,
    recorded: new Map(),
    incarnations: new IncarnationTable({
      members: new Members(topology),
      self: { cluster: cluster.id, node: 0 },
      reader: store,
    }),
  });
  const purse = new Purse(topology, cluster.id);
  for (let first = 1; first <= blocks; first += BATCH_BLOCKS) {
    const writes: Write[] = [];
    const last = Math.min(blocks, first + BATCH_BLOCKS - 1);
    for (let height = first; height <= last; height++) {
      const time = now - (blocks - height) * BLOCK_EVERY_MS;
      appendBlock({ recorder, cluster, writes, height, transfer: purse.transfer(height, time) }, time);
    }
    recorder.reach(last, writes);
    recorder.endTurn();
    if (last === blocks) writes.push(checkpointRow(recorder, options));
    await store.write(writes, { sync: last === blocks });
  }
}

interface Transfer {
  readonly request: Request;
  readonly accounts: readonly AccountValue[];
}

interface AppendArgs {
  readonly recorder: Recorder;
  readonly cluster: ClusterInfo;
  readonly writes: Write[];
  readonly height: number;
  readonly transfer: Transfer;
}

function appendBlock({ recorder, cluster, writes, height, transfer }: AppendArgs, time: number): void {
  const { request, accounts } = transfer;
  const block = makeBlock({ clusters: [cluster.id], time, requests: [request] });
  const sequence = sequenceOf(height, cluster.id);
  const results = Uint8Array.of(0);
  const placing = { finalSequence: sequence, sequences: [sequence], digest: block.digest };
  const record: LedgerRecord = { height, parent: recorder.head.hash, ...placing, time, results };
  writes.push(
    { key: blockKey(block.digest), value: block.bytes },
    { key: placedKey(block.digest), value: placedSchema.encode({ slot: height, sequence }) },
  );
  const changes = { accounts, consumed: [{ request, results }] };
  const certificates = [certificateOf(cluster, block, height)];
  recorder.append({ record, encoded: encodeRecord(record), certificates, slot: height, block, ...changes }, writes);
}

function certificateOf(cluster: ClusterInfo, { digest }: Block, slot: number) {
  const sequence = sequenceOf(slot, cluster.id);
  const entry = { cluster: cluster.id, view: 0, round: 1 as const, slot, sequence, digest };
  const commits = cluster.nodes.slice(0, cluster.model === "crash" ? 1 : quorumOf(cluster)).map(({ index: node }) => ({
    body: encodeCommit({ kind: "commit", cluster: cluster.id, node, digest, entries: [entry] }),
    signature: NO_SIGNATURE,
  }));
  return { cluster: cluster.id, commits };
}

function checkpointRow(recorder: Recorder, { topology, cluster, signers }: HistoryOptions): Write {
  const { height, hash: record, finalSequence } = recorder.head;
  const state = recorder.stateRoot();
  const point = { cluster: cluster.id, slot: height, sequence: finalSequence, height, record, finalSequence, state };
  const commits = signers.slice(0, quorumOf(cluster)).map((signer, node) => {
    const body = encodeCheckpoint({ kind: "checkpoint", node, ...point });
    return { body, signature: signer.sign(signingBytes(topology.networkId, carriage.checkpoint.number, body)) };
  });
  return { key: checkpointKey(), value: certificateSchema.encode({ cluster: cluster.id, commits }) };
}

/** Moves one unit from each account of the cluster to the next one, round and round. */
class Purse {
  readonly #accounts: AccountValue[];
  readonly #cluster: ClusterId;

  constructor(topology: Topology, cluster: ClusterId) {
    this.#cluster = cluster;
    this.#accounts = [...genesisAccounts(topology, cluster)];
    if (this.#accounts.length < 2) throw new CodedError("usage", "a history needs two accounts at least");
  }

  transfer(height: number, time: number): Transfer {
    const at = height % this.#accounts.length;
    const from = this.#accounts[at] as AccountValue;
    const next = (at + 1) % this.#accounts.length;
    const to = this.#accounts[next] as AccountValue;
    const after = { ...from, balance: from.balance - 1n };
    const credited = { ...to, balance: to.balance + 1n };
    this.#accounts[at] = after;
    this.#accounts[next] = credited;
    const accounts = [after, credited].sort((a, b) => (a.account < b.account ? -1 : 1));
    return { request: this.#request(from, to, { nonce: height, validUntil: time + VALID_FOR_MS }), accounts };
  }

  #request(from: AccountValue, to: AccountValue, id: { readonly nonce: number; readonly validUntil: number }): Request {
    const client = from.owner as PublicKey;
    const [debits, credits] = [from, to].map(({ account }) => [{ account, amount: 1n }]) as [
      { account: typeof from.account; amount: bigint }[],
      { account: typeof from.account; amount: bigint }[],
    ];
    const operation = { open: "", debits, credits };
    const body = requestBodySchema.encode({
      client: fromHex(client),
      ...id,
      operations: [operation],
      rejoin: undefined,
    });
    const signed = { body, signature: NO_SIGNATURE };
    const operations = [{ kind: "transfer" as const, debits, credits }];
    return { client, ...id, operations, clusters: [this.#cluster], hash: digestOf(body), signed };
  }
}
