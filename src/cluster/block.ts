// Requests and blocks from bytes, with every check that needs the topology only: static validity (protocol 1). All
// correct nodes of all clusters agree on it, so it may decide about votes; what depends on state or time is decided at
// execution. Here, too, blocks are made.

import { digestOf } from "../crypto/hash.js";
import { merkleRoot } from "../crypto/merkle.js";
import { signingBytes, type Verifier } from "../crypto/signature.js";
import type { AccountPosting, Block, BlockOperation, Request } from "../types/block.js";
import { CodecError } from "../types/codec.js";
import type { Refusal } from "../types/codes.js";
import { type ClusterId, type Digest, isAccountId, type PublicKey, toHex } from "../types/ids.js";
import { limits } from "../types/limits.js";
import { carriage } from "../types/message.js";
import {
  blockHeaderSchema,
  blockSchema,
  type Operation,
  type Posting,
  type rejoinSchema,
  requestBodySchema,
  type Signed,
  signedSchema,
} from "../types/schema.js";
import type { Topology } from "../types/topology.js";
import type { Members } from "./members.js";
import { clusterOfAccount } from "./shards.js";

export interface BlockContext {
  readonly topology: Topology;
  readonly members: Members;
  readonly verifier: Verifier;
}

export type Decoded<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly code: Refusal };

/** A signed request, checked but for its signature when `verify` is false. */
export function decodeRequest(signed: Signed, context: BlockContext, verify = true): Decoded<Request> {
  const { body } = signed;
  if (body.length > limits.requestBytesMax) return { ok: false, code: "malformed" };
  const decoded = tryDecode(() => requestBodySchema.decode(body));
  if (decoded === undefined || decoded.client.length !== 32) return { ok: false, code: "malformed" };
  const client = toHex<PublicKey>(decoded.client);
  const { rejoin } = decoded;
  const checked =
    rejoin === undefined
      ? checkOperations(decoded.operations, context.topology)
      : checkRejoin({ ...rejoin, client, isAlone: decoded.operations.length === 0 }, context.members);
  if (!checked.ok) return checked;
  const { nonce, validUntil } = decoded;
  const request: Request = { client, nonce, validUntil, ...checked.value, hash: digestOf(body), signed };
  if (verify && !isSigned(request, context)) return { ok: false, code: "bad-signature" };
  return { ok: true, value: request };
}

/** Did the client that the request names sign it? */
export function isSigned({ client, signed }: Request, { topology, verifier }: BlockContext): boolean {
  const bytes = signingBytes(topology.networkId, carriage.request.number, signed.body);
  return verifier.verify({ bytes, signature: signed.signature, publicKey: client });
}

/** A block with all its requests. The code is the first fault found. */
export function decodeBlock(bytes: Uint8Array, context: BlockContext, verify = true): Decoded<Block> {
  if (bytes.length > limits.blockBytesMax) return { ok: false, code: "malformed" };
  const decoded = tryDecode(() => blockSchema.decode(bytes));
  if (decoded === undefined || !areClusters(decoded.clusters, context.members)) return { ok: false, code: "malformed" };
  // One empty block per log is valid, its no-op: others would fill slots that nothing ever delivers.
  const isEmpty = decoded.requests.length === 0;
  if (isEmpty && (decoded.clusters.length > 1 || decoded.time !== 0)) return { ok: false, code: "malformed" };
  const requests: Request[] = [];
  const seen = new Set<Digest>();
  for (const signed of decoded.requests) {
    const request = decodeRequest(signed, context, verify);
    if (!request.ok) return request;
    if (!sameClusters(request.value.clusters, decoded.clusters)) return { ok: false, code: "mixed-clusters" };
    // Else a faulty primary and its client could make everyone remember an id for ever (protocol 4).
    const isTooLong = request.value.validUntil > decoded.time + limits.requestLifetimeMs;
    if (isTooLong) return { ok: false, code: "valid-too-long" };
    if (seen.has(request.value.hash)) return { ok: false, code: "id-reused" };
    seen.add(request.value.hash);
    requests.push(request.value);
  }
  const block = assemble({ clusters: decoded.clusters, time: decoded.time, requests, bytes });
  return block.operations > limits.blockOperationsMax ? { ok: false, code: "malformed" } : { ok: true, value: block };
}

/** A new block of checked requests with the same P. */
export function makeBlock(parts: Pick<Block, "clusters" | "time" | "requests">): Block {
  const { clusters, time, requests } = parts;
  const bytes = blockSchema.encode({ clusters, time, requests: requests.map(({ signed }) => signed) });
  return assemble({ ...parts, bytes });
}

/** The one no-op of a cluster: it moves the clock of its log (protocol 3.3) and has no time of its own. */
export function noOpBlock(cluster: ClusterId): Block {
  return makeBlock({ clusters: [cluster], time: 0, requests: [] });
}

/** The cluster that initiates a request under the network's rule (protocol 3.2). */
export function initiatorOf(request: Pick<Request, "clusters" | "operations">, topology: Topology): ClusterId {
  const first = request.operations[0] as BlockOperation;
  if (first.kind === "rejoin") return first.cluster;
  if (topology.cross.initiator === "lowest") return request.clusters[0] as ClusterId;
  const account = first.kind === "open" ? first.account : (first.debits[0] as AccountPosting).account;
  return clusterOfAccount(topology, account);
}

export function sameClusters(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((cluster, i) => cluster === b[i]);
}

type Shape = Pick<Request, "operations" | "clusters">;

function checkOperations(operations: readonly Operation[], topology: Topology): Decoded<Shape> {
  if (operations.length === 0) return { ok: false, code: "malformed" };
  const checked: BlockOperation[] = [];
  let clusters: readonly ClusterId[] | undefined;
  for (const operation of operations) {
    const result = checkOperation(operation);
    if (!result.ok) return result;
    const involved = involvedClusters(result.value, topology);
    if (clusters !== undefined && !sameClusters(clusters, involved)) return { ok: false, code: "mixed-clusters" };
    clusters ??= involved;
    checked.push(result.value);
  }
  return { ok: true, value: { operations: checked, clusters: clusters as readonly ClusterId[] } };
}

/** A node speaks for itself, in its own cluster. */
function checkRejoin(
  {
    client,
    isAlone,
    ...rejoin
  }: ReturnType<typeof rejoinSchema.decode> & { readonly client: PublicKey; readonly isAlone: boolean },
  members: Members,
): Decoded<Shape> {
  const node = members.nodeByKey(client);
  const isOwn = node !== undefined && node.cluster === rejoin.cluster && node.node === rejoin.node;
  if (!isAlone || !isOwn || rejoin.incarnation === 0) return { ok: false, code: "malformed" };
  const { cluster } = node;
  return { ok: true, value: { operations: [{ kind: "rejoin", ...rejoin, cluster }], clusters: [cluster] } };
}

function checkOperation({ open, debits, credits }: Operation): Decoded<Exclude<BlockOperation, { kind: "rejoin" }>> {
  if (open !== "") {
    if (debits.length > 0 || credits.length > 0) return { ok: false, code: "malformed" };
    return isAccountId(open)
      ? { ok: true, value: { kind: "open", account: open } }
      : { ok: false, code: "bad-account" };
  }
  if (debits.length === 0 || credits.length === 0) return { ok: false, code: "malformed" };
  const debitSum = checkPostings(debits);
  if (!debitSum.ok) return debitSum;
  const creditSum = checkPostings(credits);
  if (!creditSum.ok) return creditSum;
  if (debitSum.value !== creditSum.value) return { ok: false, code: "unbalanced" };
  // Every name was checked, so the postings are account postings.
  const value = { kind: "transfer", debits, credits } as unknown as Extract<BlockOperation, { kind: "transfer" }>;
  return { ok: true, value };
}

function checkPostings(postings: readonly Posting[]): Decoded<bigint> {
  let sum = 0n;
  for (let i = 0; i < postings.length; i++) {
    const { account, amount } = postings[i] as Posting;
    if (!isAccountId(account)) return { ok: false, code: "bad-account" };
    if (amount === 0n) return { ok: false, code: "zero-amount" };
    for (let j = 0; j < i; j++) {
      if (postings[j]?.account === account) return { ok: false, code: "repeated-account" };
    }
    sum += amount;
    if (sum > limits.supplyMax) return { ok: false, code: "amount-overflow" };
  }
  return { ok: true, value: sum };
}

function involvedClusters(
  operation: Exclude<BlockOperation, { kind: "rejoin" }>,
  topology: Topology,
): readonly ClusterId[] {
  if (operation.kind === "open") return [clusterOfAccount(topology, operation.account)];
  const clusters: ClusterId[] = [];
  for (const { account } of operation.debits) add(clusters, clusterOfAccount(topology, account));
  for (const { account } of operation.credits) add(clusters, clusterOfAccount(topology, account));
  return clusters.sort((a, b) => a - b);
}

function add(clusters: ClusterId[], cluster: ClusterId): void {
  if (!clusters.includes(cluster)) clusters.push(cluster);
}

function areClusters(clusters: readonly number[], members: Members): clusters is readonly ClusterId[] {
  let previous = 0;
  for (const cluster of clusters) {
    if (cluster <= previous || members.findCluster(cluster) === undefined) return false;
    previous = cluster;
  }
  return clusters.length > 0;
}

function assemble(parts: Pick<Block, "clusters" | "time" | "requests" | "bytes">): Block {
  const { clusters, time, requests } = parts;
  const root = merkleRoot(requests.map(({ signed }) => signedSchema.encode(signed)));
  const digest = digestOf(blockHeaderSchema.encode({ clusters, time, count: requests.length, root }));
  const operations = requests.reduce((sum, request) => sum + request.operations.length, 0);
  return { ...parts, digest, operations };
}

function tryDecode<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    if (error instanceof CodecError) return undefined;
    throw error;
  }
}
