// Audits one cluster's view (protocol 7) as a leading node stores it, record by record, and lets every other node that
// stores the very same bytes ride along: what is equal to something checked is checked. A node that differs stops
// riding and is audited by itself. Needs nobody's word: the topology's keys and the genesis accounts are all it trusts.

import { decodeBlock } from "../cluster/block.js";
import type { Members } from "../cluster/members.js";
import { clusterOfAccount } from "../cluster/shards.js";
import type { Verifier } from "../crypto/signature.js";
import { type Block, isNoOp } from "../types/block.js";
import { resultCode, resultNumber } from "../types/codes.js";
import { type ClusterId, type Digest, type Sequence, showSequence, toHex } from "../types/ids.js";
import { committedSchema } from "../types/schema.js";
import type { Topology } from "../types/topology.js";
import { judgeCertificates } from "./evidence.js";
import {
  type AuditedNode,
  type Fault,
  type Finding,
  lacksRecord,
  type Replayer,
  readOrFault,
  type SoundView,
  type ViewEntry,
} from "./findings.js";
import { blockKey, certificatesKey, recordKey } from "./keys.js";
import {
  decodeRecord,
  encodeRecord,
  genesisRecord,
  type LedgerRecord,
  recordClusters,
  recordHash,
  tryDecode,
} from "./records.js";
import { ReplyBook } from "./reply-book.js";
import { auditState } from "./state-audit.js";

export interface ViewContext {
  readonly topology: Topology;
  readonly members: Members;
  readonly verifier: Verifier;
  /** Digests of blocks whose every signature was checked, in whatever view: a digest covers the signatures. */
  readonly verifiedBlocks: Set<Digest>;
  /** Sequences at which balances are summed, ascending. */
  readonly cuts: readonly Sequence[];
  readonly report: (finding: Finding) => void;
  readonly onRecord: (requests: number) => void;
}

/** A node whose view is known to end at `last`. */
export interface Candidate extends AuditedNode {
  readonly last: number;
}

export interface AuditedView extends SoundView {
  /** By height, from 0: hashes of the records found sound. */
  readonly hashes: readonly Digest[];
  /** Those who had the same records and blocks up to their own end; their state was checked, too. */
  readonly followers: readonly Candidate[];
}

export async function auditView(
  lead: Candidate,
  others: readonly Candidate[],
  replayer: Replayer,
  context: ViewContext,
): Promise<AuditedView> {
  const walk = new ViewWalk(lead, replayer, context);
  let riding = others;
  let leading: Candidate | undefined = lead;
  const followers: Candidate[] = [];
  for (let height = 0; leading !== undefined; height++) {
    const step = walk.step(height);
    if (step === undefined) break;
    riding = riding.filter(
      (other) => other === leading || lacksRecord(other, height) || rides(other, height, step, context),
    );
    for (const other of new Set([leading, ...riding])) {
      if (other.last !== height) continue;
      await auditState(other, { replayer, replies: walk.replies, record: step.record, report: context.report });
      if (other !== lead) followers.push(other);
    }
    riding = riding.filter(({ last }) => last > height);
    if (leading.last > height) continue;
    // A view with a gap may end later than all complete ones: the walk goes on there.
    leading = riding
      .filter((other) => !lacksRecord(other, height + 1))
      .reduce<Candidate | undefined>(longer, undefined);
    if (leading !== undefined) walk.goOnWith(leading);
  }
  const { hashes, entries } = walk;
  return { cluster: lead.cluster, node: lead.name, hashes, entries, sums: walk.sums(), followers };
}

function longer(a: Candidate | undefined, b: Candidate): Candidate {
  return a === undefined || b.last > a.last ? b : a;
}

interface Step {
  readonly record: LedgerRecord;
  readonly recordBytes: Uint8Array;
  /** Undefined at height 0. */
  readonly block: Block | undefined;
}

/** Has this node the same record and block at this height? Its certificates may be others, so they are checked. */
function rides(other: Candidate, height: number, { record, recordBytes, block }: Step, context: ViewContext): boolean {
  const read = readOrFault(
    () =>
      sameBytes(other.store.get(recordKey(height)), recordBytes) &&
      (block === undefined || sameBytes(other.store.get(blockKey(record.digest)), block.bytes)),
  );
  if ("fault" in read || !read.value) return false;
  const fault = block === undefined ? undefined : checkCertificates(other, record, block, context);
  if (fault !== undefined) context.report({ cluster: other.cluster, node: other.name, height, ...fault });
  return true;
}

/** The leading node's view, one height after the other. */
class ViewWalk {
  readonly hashes: Digest[] = [];
  readonly entries: ViewEntry[] = [];
  readonly replies: ReplyBook;
  readonly #sums: bigint[] = [];
  readonly #seen = new Set<Digest>();
  #node: AuditedNode;
  readonly #replayer: Replayer;
  readonly #context: ViewContext;
  #previous: LedgerRecord | undefined;

  constructor(node: AuditedNode, replayer: Replayer, context: ViewContext) {
    this.#node = node;
    this.#replayer = replayer;
    this.#context = context;
    this.replies = new ReplyBook(context.members);
  }

  /** Another node has the same view, and more of it. */
  goOnWith(node: AuditedNode): void {
    this.#node = node;
  }

  /** Judges one height. Undefined: a fault after which the rest of this view says nothing; it was reported. */
  step(height: number): Step | undefined {
    const read = readOrFault(() => this.#judge(height));
    const judged = "fault" in read ? read.fault : read.value;
    if (!("code" in judged)) return judged;
    const { cluster, name } = this.#node;
    this.#context.report({ cluster, node: name, height, ...judged });
    return undefined;
  }

  /** Sums of the balances at every cut; the view's end counts for cuts beyond it. */
  sums(): readonly bigint[] {
    const { cuts } = this.#context;
    const rest = cuts.length - this.#sums.length;
    return rest === 0 ? this.#sums : [...this.#sums, ...Array<bigint>(rest).fill(this.#sum())];
  }

  #judge(height: number): Step | Fault {
    const recordBytes = this.#node.store.get(recordKey(height));
    if (recordBytes === undefined && lacksRecord(this.#node, height)) {
      const reason = `its records below ${this.#node.lacks?.from} are still to come: give another node of its cluster`;
      return { code: "incomplete-view", reason };
    }
    if (recordBytes === undefined)
      return { code: "missing-record", reason: "there is no record, yet there are later ones" };
    const record = tryDecode(() => decodeRecord(recordBytes));
    if (record === undefined) return { code: "malformed-record", reason: "not the encoding of a record" };
    const block = height === 0 ? undefined : this.#judgeBlock(record, height);
    if (block !== undefined && "code" in block) return block;
    const fault = block === undefined ? this.#judgeGenesis(recordBytes) : this.#judgeRecord(record, block);
    if (fault !== undefined) return fault;
    this.hashes.push(recordHash(recordBytes));
    this.#previous = record;
    this.#context.onRecord(block?.requests.length ?? 0);
    return { record, recordBytes, block };
  }

  #judgeGenesis(recordBytes: Uint8Array): Fault | undefined {
    const expected = encodeRecord(genesisRecord(this.#context.topology, this.#node.cluster));
    if (sameBytes(recordBytes, expected)) return undefined;
    return { code: "wrong-genesis", reason: "record 0 is not the genesis record of this topology and cluster" };
  }

  /** The record's place in the chain, then its block's body. */
  #judgeBlock(record: LedgerRecord, height: number): Block | Fault {
    if (record.height !== height) return { code: "malformed-record", reason: `it says height ${record.height}` };
    const parent = this.hashes[height - 1] as Digest;
    if (record.parent !== parent) {
      const reason = `its parent is ${short(record.parent)}, the hash of record ${height - 1} is ${short(parent)}`;
      return { code: "broken-chain", reason };
    }
    const bytes = this.#node.store.get(blockKey(record.digest));
    if (bytes === undefined) return { code: "missing-block", reason: `block ${short(record.digest)} is not stored` };
    const { verifiedBlocks } = this.#context;
    const verify = !verifiedBlocks.has(record.digest);
    const decoded = decodeBlock(bytes, this.#context, verify);
    if (!decoded.ok)
      return { code: "invalid-block", reason: `block ${short(record.digest)} is not valid: ${decoded.code}` };
    const block = decoded.value;
    if (block.digest !== record.digest) {
      const reason = `the stored block has digest ${short(block.digest)}, the record says ${short(record.digest)}`;
      return { code: "wrong-block", reason };
    }
    verifiedBlocks.add(block.digest);
    return block;
  }

  #judgeRecord(record: LedgerRecord, block: Block): Fault | undefined {
    const fault = judgeSequences(record, block, this.#node.cluster) ?? this.#judgeOrder(record, block);
    if (fault !== undefined) return fault;
    this.#seen.add(record.digest);
    const certificates = readOrFault(() => checkCertificates(this.#node, record, block, this.#context));
    const unproven = "fault" in certificates ? certificates.fault : certificates.value;
    if (unproven !== undefined) this.#reportOnly(record.height, unproven);
    return this.#execute(record, block);
  }

  #judgeOrder(record: LedgerRecord, block: Block): Fault | undefined {
    const previous = this.#previous as LedgerRecord;
    if (this.#seen.has(record.digest)) {
      return { code: "repeated-block", reason: `block ${short(record.digest)} is recorded a second time` };
    }
    if (record.finalSequence <= previous.finalSequence) {
      const [before, after] = [previous, record].map(({ finalSequence }) => showSequence(finalSequence));
      const reason = `final sequence ${after} follows ${before}`;
      return { code: "sequence-order", reason };
    }
    const time = Math.max(block.time, previous.time);
    if (record.time === time) return undefined;
    return { code: "wrong-time", reason: `record time is ${record.time}, should be ${time}` };
  }

  /** Execution, and what it means for balances, replies and the other views. */
  #execute(record: LedgerRecord, block: Block): Fault | undefined {
    if (record.results.length !== block.operations) {
      const reason = `${record.results.length} results for ${block.operations} operations`;
      return { code: "wrong-results", reason };
    }
    const strange = record.results.find((result) => result === FOREIGN || resultCode(result) === undefined);
    if (strange !== undefined) return { code: "wrong-results", reason: `${strange} is no final result` };
    const { cuts, topology } = this.#context;
    while (this.#sums.length < cuts.length && (cuts[this.#sums.length] as Sequence) < record.finalSequence) {
      this.#sums.push(this.#sum());
    }
    const wrong = this.#replayer.apply(block, record);
    if (wrong !== undefined) return { code: "wrong-results", reason: wrong };
    this.replies.note(record, block);
    const isCross = block.clusters.length > 1;
    const { parent, time, ...rest } = record;
    this.entries.push({
      ...rest,
      verdicts: isCross ? this.#replayer.verdicts?.() : undefined,
      changes: isCross ? balanceChanges(block, record.results, topology) : undefined,
    });
    return undefined;
  }

  #sum(): bigint {
    let sum = 0n;
    for (const { balance } of this.#replayer.accounts()) sum += balance;
    return sum;
  }

  #reportOnly(height: number, fault: Fault): void {
    this.#context.report({ cluster: this.#node.cluster, node: this.#node.name, height, ...fault });
  }
}

function judgeSequences(record: LedgerRecord, block: Block, cluster: ClusterId): Fault | undefined {
  if (isNoOp(block)) return { code: "invalid-block", reason: "a no-op is never part of a ledger" };
  const clusters = recordClusters(record);
  if (!sameNumbers(clusters, block.clusters)) {
    const reason = `the vector is of clusters ${clusters.join(", ")}, the block's are ${block.clusters.join(", ")}`;
    return { code: "wrong-vector", reason };
  }
  if (!clusters.includes(cluster))
    return { code: "wrong-vector", reason: `the block does not involve cluster ${cluster}` };
  const final = Math.max(...record.sequences) as Sequence;
  if (record.finalSequence === final) return undefined;
  const reason = `final sequence is ${showSequence(record.finalSequence)}, the vector's largest ${showSequence(final)}`;
  return { code: "wrong-final", reason };
}

/** One certificate for every cluster of P, each proving what the vector says (protocol 7). */
function checkCertificates(
  node: AuditedNode,
  record: LedgerRecord,
  block: Block,
  context: ViewContext,
): Fault | undefined {
  const read = readOrFault(() => node.store.get(certificatesKey(record.height)));
  if ("fault" in read) return read.fault;
  const bytes = read.value;
  if (bytes === undefined) return { code: "missing-certificate", reason: "no certificates are stored" };
  const stored = tryDecode(() => committedSchema.decode(bytes));
  if (stored === undefined) return { code: "wrong-certificate", reason: "not the encoding of certificates" };
  if (toHex(stored.digest) !== record.digest) {
    return { code: "wrong-certificate", reason: `certificates of block ${short(toHex(stored.digest))}` };
  }
  const { certificates } = stored;
  return judgeCertificates(
    { certificates, record, block, holder: context.members.clusterOf(node.cluster).model },
    context,
  );
}

/** What a block's applied transfers add to the balances of each cluster; all of them together add nothing. */
function balanceChanges(block: Block, results: Uint8Array, topology: Topology): ReadonlyMap<ClusterId, bigint> {
  const changes = new Map<ClusterId, bigint>(block.clusters.map((cluster) => [cluster, 0n]));
  let at = 0;
  for (const operation of block.requests.flatMap(({ operations }) => operations)) {
    if (results[at++] !== OK || operation.kind !== "transfer") continue;
    for (const { account, amount } of operation.debits) add(account, -amount);
    for (const { account, amount } of operation.credits) add(account, amount);
  }
  return changes;

  function add(account: Parameters<typeof clusterOfAccount>[1], amount: bigint): void {
    const cluster = clusterOfAccount(topology, account);
    changes.set(cluster, (changes.get(cluster) ?? 0n) + amount);
  }
}

const OK = resultNumber("ok");
const FOREIGN = resultNumber("foreign");

function sameBytes(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && Buffer.compare(a, b) === 0;
}

function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((each, i) => each === b[i]);
}

function short(digest: string): string {
  return digest.slice(0, 12);
}
