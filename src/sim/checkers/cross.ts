// I3: a cross-shard block has one and the same content, vector, final sequence and results in all the views that have
// it, its final sequence is the largest of the vector, and once everything has healed it is in the views of all its
// clusters.

import type { LedgerRecord } from "../../ledger/records.js";
import type { ClusterId, Digest } from "../../types/ids.js";
import type { Checker, MakeChecker } from "../observer.js";
import { historyOf } from "./history.js";
import { reporter, short } from "./report.js";

interface Known {
  readonly record: LedgerRecord;
  readonly seenIn: Map<ClusterId, number>;
}

export const makeCross: MakeChecker = (world, report): Checker => {
  const violated = reporter("I3", report);
  const history = historyOf(world);
  const blocks = new Map<Digest, Known>();
  let isHealed = false;

  function check(cluster: ClusterId, record: LedgerRecord): void {
    const { digest, height, sequences, finalSequence, results } = record;
    const where = `record ${height} of cluster ${cluster}, block ${short(digest)}`;
    const clusters = clustersOf(record);
    if (!clusters.includes(cluster)) violated(`${where}: its vector does not name cluster ${cluster}`);
    if (clusters.some((each, i) => i > 0 && each <= (clusters[i - 1] as ClusterId)))
      violated(`${where}: its vector names clusters ${clusters}`);
    if (finalSequence !== Math.max(...sequences)) violated(`${where}: its final sequence is not the largest it names`);
    const block = history.block(digest);
    if (block === undefined) violated(`${where}: the block itself is not stored, or not valid`);
    else if (`${block.clusters}` !== `${clusters}`)
      violated(`${where}: it involves ${block.clusters}, not ${clusters}`);
    const known = blocks.get(digest);
    if (known === undefined) {
      blocks.set(digest, { record, seenIn: new Map([[cluster, height]]) });
      return;
    }
    const other = known.record;
    const before = known.seenIn.get(cluster);
    if (before !== undefined) violated(`${where}: it is record ${before}, too`);
    known.seenIn.set(cluster, height);
    if (other.finalSequence !== finalSequence)
      violated(`${where}: cluster ${clustersOf(other)[0]} has another final sequence`);
    if (`${other.sequences}` !== `${sequences}`) violated(`${where}: the vectors of its clusters differ`);
    if (Buffer.compare(other.results, results) !== 0) violated(`${where}: the results of its clusters differ`);
  }

  return {
    onTurn(node, plan) {
      for (const { height, record, isFresh } of history.take(node, plan)?.records ?? []) {
        if (isFresh && height > 0 && record !== undefined) check(node.ref.cluster, record);
      }
    },
    onHealed() {
      isHealed = true;
    },
    onEnd() {
      if (!isHealed) return;
      for (const [digest, { record, seenIn }] of blocks) {
        for (const cluster of clustersOf(record)) {
          if (seenIn.has(cluster)) continue;
          violated(`block ${short(digest)} of clusters ${clustersOf(record)} has no record in cluster ${cluster}`);
        }
      }
    },
  };
};

function clustersOf({ sequences }: LedgerRecord): readonly ClusterId[] {
  return sequences.map((sequence) => (sequence % 65_536) as ClusterId);
}
