// A cluster's part of each operation of a block: what it must judge and what it will move (protocol 4). Depends on the
// block and the shard map alone. Operations of a request share P but not their validators: one may debit cluster 1 and
// credit cluster 2, the next the other way round.

import { clusterOfAccount } from "../cluster/shards.js";
import type { AccountPosting, Block, BlockOperation } from "../types/block.js";
import { resultCode } from "../types/codes.js";
import type { AccountId, ClusterId, NodeIndex } from "../types/ids.js";
import type { Topology } from "../types/topology.js";
import { FOREIGN } from "./rules.js";

export interface Part {
  /** Clusters that judge the operation, ascending. */
  readonly validators: readonly ClusterId[];
  /** This cluster is one of them. */
  readonly judges: boolean;
  /** This cluster is the only one: its verdict is the result. */
  readonly alone: boolean;
  readonly opens: AccountId | undefined;
  readonly rejoins: { readonly node: NodeIndex; readonly incarnation: number } | undefined;
  /** Of this cluster's accounts. */
  readonly debits: readonly AccountPosting[];
  /** Of this cluster's accounts. */
  readonly credits: readonly AccountPosting[];
}

/** One part per operation, in block order. */
export function partsOf(args: {
  readonly topology: Topology;
  readonly cluster: ClusterId;
  readonly block: Block;
}): readonly Part[] {
  const { topology, cluster, block } = args;
  // Within one shard everything is local, so no account needs to be looked up.
  const part =
    block.clusters.length === 1
      ? (operation: BlockOperation) => wholePart(operation, block.clusters)
      : (operation: BlockOperation) => localPart(operation, cluster, topology);
  return block.requests.flatMap(({ operations }) => operations.map(part));
}

/** Other clusters whose verdicts a block needs, ascending. */
export function foreignValidators(parts: readonly Part[], cluster: ClusterId): readonly ClusterId[] {
  const foreign = new Set<ClusterId>();
  for (const { validators, alone } of parts) {
    if (alone) continue;
    for (const validator of validators) if (validator !== cluster) foreign.add(validator);
  }
  return foreign.size === 0 ? NONE : [...foreign].sort((a, b) => a - b);
}

/** Could a correct node of the cluster say this? One code per operation, "foreign" where the cluster has no say. */
export function areVerdictsOf(cluster: ClusterId, verdicts: Uint8Array, parts: readonly Part[]): boolean {
  if (verdicts.length !== parts.length) return false;
  return parts.every(({ validators }, i) => {
    const verdict = verdicts[i] as number;
    return resultCode(verdict) !== undefined && (verdict !== FOREIGN) === validators.includes(cluster);
  });
}

function wholePart(operation: BlockOperation, validators: readonly ClusterId[]): Part {
  const whole = { validators, judges: true, alone: true, opens: undefined, rejoins: undefined };
  switch (operation.kind) {
    case "open":
      return { ...whole, opens: operation.account, debits: NONE, credits: NONE };
    case "rejoin":
      return { ...whole, rejoins: operation, debits: NONE, credits: NONE };
    default:
      return { ...whole, debits: operation.debits, credits: operation.credits };
  }
}

function localPart(operation: BlockOperation, cluster: ClusterId, topology: Topology): Part {
  // A block over several clusters cannot hold what concerns one (static validity).
  if (operation.kind !== "transfer") throw new Error(`an operation of kind ${operation.kind} over several clusters`);
  const validators: ClusterId[] = [];
  const debits = operation.debits.filter(({ account }) => {
    const owner = clusterOfAccount(topology, account);
    if (!validators.includes(owner)) validators.push(owner);
    return owner === cluster;
  });
  validators.sort((a, b) => a - b);
  const judges = debits.length > 0;
  return {
    validators,
    judges,
    alone: judges && validators.length === 1,
    opens: undefined,
    rejoins: undefined,
    debits,
    credits: operation.credits.filter(({ account }) => clusterOfAccount(topology, account) === cluster),
  };
}

const NONE: readonly never[] = [];
