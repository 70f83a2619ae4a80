// The ledgers of a stopped network as the checks want them: of each cluster one view, its blocks opened, with the
// results of every request beside it. That all nodes of a cluster hold the same view, and that signatures, hashes and
// results are right, is the audit's to say.

import { decodeBlock } from "../cluster/block.js";
import type { Members } from "../cluster/members.js";
import { ed25519Verifier } from "../crypto/signature.js";
import type { AuditedNode } from "../ledger/findings.js";
import { blockKey, prefixRange } from "../ledger/keys.js";
import { decodeRecord } from "../ledger/records.js";
import { type Block, type BlockOperation, requestId } from "../types/block.js";
import { CodedError, type ResultCode, resultCode } from "../types/codes.js";
import type { ClusterId, Digest, Sequence } from "../types/ids.js";
import type { Topology } from "../types/topology.js";

export interface View {
  readonly cluster: ClusterId;
  /** Ascending by height, from 1 on: the genesis record is left out. */
  readonly records: readonly ViewRecord[];
}

export interface ViewRecord {
  readonly height: number;
  readonly sequence: Sequence;
  readonly digest: Digest;
  readonly requests: readonly ViewRequest[];
}

export interface ViewRequest {
  readonly id: string;
  readonly clusters: readonly ClusterId[];
  readonly operations: readonly BlockOperation[];
  readonly results: readonly ResultCode[];
}

interface Ledgers {
  readonly topology: Topology;
  readonly members: Members;
  readonly nodes: readonly AuditedNode[];
}

/** Of each cluster the longest view. Throws CodedError `store-corrupt` for a record without its block. */
export async function viewsOf(ledgers: Ledgers): Promise<readonly View[]> {
  const views: View[] = [];
  for (const { id } of ledgers.topology.clusters) {
    let longest: View = { cluster: id, records: [] };
    for (const node of ledgers.nodes.filter(({ cluster }) => cluster === id)) {
      const view = { cluster: id, records: await recordsOf(node, ledgers) };
      if (view.records.length > longest.records.length) longest = view;
    }
    views.push(longest);
  }
  return views;
}

async function recordsOf(node: AuditedNode, { topology, members }: Ledgers): Promise<readonly ViewRecord[]> {
  const records: ViewRecord[] = [];
  for await (const [, value] of node.store.range(prefixRange("record"))) {
    const { height, finalSequence: sequence, digest, results } = decodeRecord(value);
    if (height === 0) continue;
    const bytes = node.store.get(blockKey(digest));
    // Signatures are the audit's.
    const block = bytes && decodeBlock(bytes, { topology, members, verifier: ed25519Verifier }, false);
    if (block === undefined || !block.ok) {
      throw new CodedError("store-corrupt", `node ${node.name} has no valid block for its record ${height}`);
    }
    records.push({ height, sequence, digest, requests: requestsOf(block.value, results) });
  }
  return records;
}

function requestsOf({ requests }: Block, results: Uint8Array): readonly ViewRequest[] {
  let at = 0;
  return requests.map((request) => {
    const { operations, clusters } = request;
    const own = results.subarray(at, at + operations.length);
    at += operations.length;
    const codes = Array.from(own, (number) => resultCode(number) ?? "foreign");
    return { id: requestId(request), clusters, operations, results: codes };
  });
}

/** Where a request stands in the views. */
export interface Place {
  readonly cluster: ClusterId;
  readonly record: ViewRecord;
  readonly request: ViewRequest;
}

/** All places of each request, by its id; those of one view in its order. */
export function placesOf(views: readonly View[]): ReadonlyMap<string, readonly Place[]> {
  const places = new Map<string, Place[]>();
  for (const { cluster, records } of views) {
    for (const record of records) {
      for (const request of record.requests) {
        const known = places.get(request.id);
        if (known === undefined) places.set(request.id, [{ cluster, record, request }]);
        else known.push({ cluster, record, request });
      }
    }
  }
  return places;
}
