// `sharper ledger show`: a node's records as a table, or one record with all that belongs to it: requests, operations
// and their results, and who certified it.

import { decodeBlock } from "../cluster/block.js";
import { decodeCommit } from "../cluster/certificate.js";
import { ed25519Verifier } from "../crypto/signature.js";
import { blockKey, certificatesKey } from "../ledger/keys.js";
import { type LedgerRecord, recordClusters } from "../ledger/records.js";
import type { Store } from "../ledger/store.js";
import type { AccountPosting, Block, BlockOperation } from "../types/block.js";
import { CodedError, resultCode } from "../types/codes.js";
import { type Sequence, showNode, showSequence } from "../types/ids.js";
import { committedSchema } from "../types/schema.js";
import { checkRange, lastHeight, type OpenLedgers, openLedgers, readRecords } from "./ledger-data.js";
import { type CommonOptions, printJson, printLine, printTable, type Row } from "./output.js";

export interface ShowOptions extends CommonOptions {
  readonly data: string;
  readonly topology?: string | undefined;
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly height?: number | undefined;
}

/** Without --from the last so many records are shown. */
const SHOWN_RECORDS = 100;

export async function show(options: ShowOptions): Promise<void> {
  checkRange(options);
  const ledgers = await openLedgers([options.data], options.topology);
  try {
    const [node, ...others] = ledgers.nodes;
    if (node === undefined || others.length > 0) {
      const names = ledgers.nodes.map(({ path }) => path).join(", ");
      throw new CodedError("usage", `${options.data} has the data of several nodes; give one of ${names}`);
    }
    const last = await lastHeight(node.store);
    const { height } = options;
    if (height !== undefined) await showHeight(ledgers, node.store, checkHeight(height, last), options);
    else {
      const to = Math.min(options.to ?? last, last);
      const from = checkHeight(options.from ?? Math.max(0, to - SHOWN_RECORDS + 1), last);
      await showRecords(ledgers, node.store, { from, to, last }, options);
    }
  } finally {
    await ledgers.close();
  }
}

function checkHeight(height: number, last: number): number {
  if (Number.isInteger(height) && height >= 0 && height <= last) return height;
  throw new CodedError("usage", `there is no record ${height}; this view has records 0 to ${last}`);
}

async function showRecords(
  ledgers: OpenLedgers,
  store: Store,
  { from, to, last }: { readonly from: number; readonly to: number; readonly last: number },
  { json }: CommonOptions,
): Promise<void> {
  const records = await readRecords(store, from, to);
  const [node] = ledgers.nodes;
  if (json === true) {
    const documents = records.map((record) => describeRecord(record, readBlock(ledgers, store, record)));
    printJson({ node: node?.name, cluster: node?.cluster, last, records: documents });
    return;
  }
  printLine(`${node?.name}, cluster ${node?.cluster} of ${ledgers.topology.name}: records 0 to ${last}`);
  printTable(records.map((record) => rowOf(record, readBlock(ledgers, store, record))));
}

function rowOf(record: LedgerRecord, block: Block | undefined): Row {
  return {
    height: record.height,
    final: showSequence(record.finalSequence),
    clusters: recordClusters(record).join(" "),
    block: record.digest.slice(0, 12),
    requests: block?.requests.length ?? 0,
    results: summary(record.results),
    time: showTime(record.time),
  };
}

/** "12 ok, 1 insufficient-funds". */
function summary(results: Uint8Array): string {
  const counts = new Map<string, number>();
  for (const result of results) counts.set(nameOf(result), (counts.get(nameOf(result)) ?? 0) + 1);
  return [...counts].map(([name, count]) => `${count} ${name}`).join(", ");
}

function describeRecord(record: LedgerRecord, block: Block | undefined): object {
  const { height, parent, digest, time, results, finalSequence, sequences } = record;
  return {
    height,
    parent,
    digest,
    finalSequence: showSequence(finalSequence),
    sequences: sequences.map(showSequence),
    clusters: recordClusters(record),
    time,
    requests: block?.requests.length ?? 0,
    results: [...results].map(nameOf),
  };
}

async function showHeight(ledgers: OpenLedgers, store: Store, height: number, { json }: CommonOptions): Promise<void> {
  const [record] = await readRecords(store, height, height);
  if (record === undefined)
    throw new CodedError("store-corrupt", `record ${height} is missing; run sharper ledger verify`);
  const block = readBlock(ledgers, store, record);
  const requests = describeRequests(ledgers, record, block);
  const certificates = describeCertificates(store, record);
  if (json === true) {
    printJson({ ...describeRecord(record, block), requests, certificates });
    return;
  }
  printLine(`record       ${height} of cluster ${ledgers.nodes[0]?.cluster}`);
  printLine(`final        ${showSequence(record.finalSequence)} of ${record.sequences.map(showSequence).join(", ")}`);
  printLine(`block        ${record.digest}`);
  printLine(`parent       ${record.parent}`);
  printLine(`time         ${showTime(record.time)}`);
  for (const { cluster, entry, signers } of certificates) {
    printLine(`certificate  cluster ${cluster}: ${entry}, signed by ${signers.join(", ")}`);
  }
  for (const { client, nonce, validUntil, operations } of requests) {
    printLine();
    printLine(`request ${nonce} of ${client}, valid until ${showTime(validUntil)}`);
    printTable(operations.map(({ operation, result }) => ({ operation, result })));
  }
}

interface ShownRequest {
  readonly client: string;
  readonly nonce: number;
  readonly validUntil: number;
  readonly hash: string;
  readonly operations: readonly { readonly operation: string; readonly result: string }[];
}

function describeRequests(
  { members }: OpenLedgers,
  record: LedgerRecord,
  block: Block | undefined,
): readonly ShownRequest[] {
  let at = 0;
  return (block?.requests ?? []).map(({ client, nonce, validUntil, hash, operations }) => ({
    client: members.clientByKey(client)?.id ?? client,
    nonce,
    validUntil,
    hash,
    operations: operations.map((operation) => ({
      operation: showOperation(operation),
      result: nameOf(record.results[at++] ?? 0),
    })),
  }));
}

function showOperation(operation: BlockOperation): string {
  if (operation.kind === "open") return `open ${operation.account}`;
  if (operation.kind === "rejoin") {
    return `node ${operation.node} of cluster ${operation.cluster} rejoins as incarnation ${operation.incarnation}`;
  }
  return `${showPostings(operation.debits)} -> ${showPostings(operation.credits)}`;
}

function showPostings(postings: readonly AccountPosting[]): string {
  return postings.map(({ account, amount }) => `${account} ${amount}`).join(" + ");
}

interface ShownCertificate {
  readonly cluster: number;
  readonly entry: string;
  readonly signers: readonly string[];
}

function describeCertificates(store: Store, { height }: LedgerRecord): readonly ShownCertificate[] {
  const bytes = store.get(certificatesKey(height));
  if (bytes === undefined) return [];
  return committedSchema.decode(bytes).certificates.map(({ cluster, commits }) => {
    const decoded = commits.map(({ body }) => decodeCommit(body)).filter((commit) => commit !== undefined);
    const entry = decoded[0]?.entries.find((each) => each.cluster === cluster);
    const where = entry === undefined ? "nothing" : `view ${entry.view} round ${entry.round} slot ${entry.slot}`;
    const sequence = entry === undefined ? "" : ` sequence ${showSequence(entry.sequence as Sequence)}`;
    return { cluster, entry: `${where}${sequence}`, signers: decoded.map(showNode) };
  });
}

/** Shown as it is stored; `verify` judges. */
function readBlock({ topology, members }: OpenLedgers, store: Store, { digest }: LedgerRecord): Block | undefined {
  const bytes = store.get(blockKey(digest));
  if (bytes === undefined) return undefined;
  const decoded = decodeBlock(bytes, { topology, members, verifier: ed25519Verifier }, false);
  return decoded.ok ? decoded.value : undefined;
}

function nameOf(result: number): string {
  return resultCode(result) ?? `unknown code ${result}`;
}

function showTime(time: number): string {
  return time === 0 ? "genesis" : new Date(time).toISOString();
}
