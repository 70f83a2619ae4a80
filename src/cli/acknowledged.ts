// What clients were told, to be looked up in the ledgers afterwards (protocol 10, I9): every request that the network
// acknowledged must be where it said, with the results that it said, in the view of every node of that cluster.

import { decodeBlock } from "../cluster/block.js";
import { ed25519Verifier } from "../crypto/signature.js";
import { blockKey, recordKey } from "../ledger/keys.js";
import { decodeRecord, type LedgerRecord } from "../ledger/records.js";
import type { Ending } from "../load/meter.js";
import { type Block, requestId } from "../types/block.js";
import { type ResultCode, resultCode } from "../types/codes.js";
import type { ClusterId, Digest } from "../types/ids.js";
import type { OpenLedgers, OpenNode } from "./ledger-data.js";

export interface Acknowledged {
  /** "client key:nonce". */
  readonly id: string;
  readonly cluster: ClusterId;
  readonly height: number;
  readonly digest: Digest;
  readonly results: readonly ResultCode[];
}

/** What an ending says of the ledger; undefined when it says nothing. */
export function acknowledgedBy({ outcome }: Pick<Ending, "outcome">): Acknowledged | undefined {
  switch (outcome.outcome) {
    case "committed": {
      const { id, cluster, height, digest, results } = outcome;
      return { id, cluster, height, digest, results };
    }
    case "rejected": {
      if (outcome.record === undefined) return undefined;
      const { cluster, height, digest } = outcome.record;
      return { id: outcome.request.id, cluster, height, digest, results: [outcome.code as ResultCode] };
    }
    case "unknown":
      return undefined;
  }
}

/** The acknowledged requests that some node of their cluster does not hold as they were told, and where. */
export function lostOf(acknowledged: readonly Acknowledged[], ledgers: OpenLedgers): readonly string[] {
  const lost: string[] = [];
  for (const [cluster, told] of Map.groupBy(acknowledged, (each) => each.cluster)) {
    const nodes = ledgers.nodes.filter((node) => node.cluster === cluster);
    if (nodes.length === 0) lost.push(`cluster ${cluster} has no ledger, and acknowledged ${told.length} requests`);
    const byHeight = [...Map.groupBy(told, ({ height }) => height)];
    for (const node of nodes) {
      for (const [height, those] of byHeight) {
        const held = requestsAt(node, height, ledgers);
        for (const each of those) {
          if (held?.digest === each.digest && held.results.get(each.id) === each.results.join()) continue;
          lost.push(`${each.id} was told ${each.results.join()} at height ${height}, which node ${node.name} lacks`);
        }
      }
    }
  }
  return lost;
}

interface Held {
  readonly digest: Digest;
  /** The results of each request of the block. */
  readonly results: ReadonlyMap<string, string>;
}

function requestsAt({ store }: OpenNode, height: number, { topology, members }: OpenLedgers): Held | undefined {
  const stored = store.get(recordKey(height));
  const record = stored === undefined ? undefined : decodeRecord(stored);
  const bytes = record === undefined ? undefined : store.get(blockKey(record.digest));
  if (record === undefined || bytes === undefined) return undefined;
  const decoded = decodeBlock(bytes, { topology, members, verifier: ed25519Verifier }, false);
  return decoded.ok ? { digest: record.digest, results: resultsOf(record, decoded.value) } : undefined;
}

function resultsOf({ results }: LedgerRecord, { requests }: Block): ReadonlyMap<string, string> {
  let at = 0;
  return new Map(
    requests.map((request) => {
      const own = results.subarray(at, at + request.operations.length);
      at += request.operations.length;
      return [requestId(request), Array.from(own, (number) => resultCode(number)).join()];
    }),
  );
}
