// The rules between the fields of a topology: sizes against f (protocol 1), names, keys and addresses that are used
// once, a shard map that gives every account one owner and every cluster something to own, timers in their order. They
// run on a draft: where a field that a rule needs is missing, the rule is silent, since the missing field was reported
// already.

import type { ClusterId } from "../types/ids.js";
import type { FailureModel } from "../types/topology.js";
import type { Path } from "./document.js";
import type { ClusterDraft, Draft, RangeDraft, ShardDraft } from "./draft.js";
import { type Complain, showPath } from "./fields.js";
import { checkGenesis } from "./genesisrules.js";
import { GENERATE } from "./schema.js";

export function checkRules(draft: Draft, complain: Complain): void {
  const clusters = draft.clusters ?? [];
  const clients = draft.clients ?? [];
  const nodes = clusters.flatMap((cluster) => cluster.nodes ?? []);
  const holders = [...nodes, ...clients].filter(({ key }) => key !== GENERATE);

  once(clusters, "id", "give each cluster an id of its own", complain);
  once(nodes, "id", "give each node an id of its own", complain);
  once(clients, "id", "give each client an id of its own", complain);
  once(holders, "key", "give each node and client a key of its own", complain);
  once(nodes, "address", "give each node an address of its own", complain);
  for (const cluster of clusters) checkSize(cluster, complain);
  checkShards(draft.shards, draft.clusters, complain);
  checkGenesis(draft, complain);
  checkTimers(draft.timers, complain);
}

/** The fewest nodes with which a cluster tolerates f failures. */
export function smallestCluster(model: FailureModel, faults: number): number {
  return model === "crash" ? 2 * faults + 1 : 3 * faults + 1;
}

function once<K extends string>(
  items: readonly ({ readonly at: Path } & { readonly [F in K]?: string | number | undefined })[],
  field: K,
  fix: string,
  complain: Complain,
): void {
  const first = new Map<string | number, Path>();
  for (const item of items) {
    const value = item[field] as string | number | undefined;
    if (value === undefined) continue;
    const at = [...item.at, field];
    const other = first.get(value);
    if (other === undefined) first.set(value, at);
    else complain(at, `${showPath(at)} ${value} is also that of ${showPath(other.slice(0, -1))}`, fix);
  }
}

function checkSize({ at, id, model, faults, nodes }: ClusterDraft, complain: Complain): void {
  if (model === undefined || faults === undefined || nodes === undefined) return;
  const which = id === undefined ? showPath(at) : `cluster ${id}`;
  if (faults === 0) {
    // More nodes that may none of them fail are less available than one: surely not what was meant.
    if (nodes.length === 1) return;
    complain(
      [...at, "faults"],
      `${which} has ${nodes.length} nodes, but faults: 0`,
      "write faults: 1 or more, or one node",
    );
    return;
  }
  const needed = smallestCluster(model, faults);
  if (nodes.length >= needed) return;
  const rule = model === "crash" ? "2f+1" : "3f+1";
  complain(
    [...at, "nodes"],
    `${which} has ${nodes.length} nodes, too few for ${model} with faults: ${faults}`,
    `give it at least ${needed} (${rule}) or lower faults`,
  );
}

function checkShards(shards: ShardDraft, clusters: readonly ClusterDraft[] | undefined, complain: Complain): void {
  const owners = ownersOf(shards);
  if (owners === undefined) return;
  if (shards.by === "range") checkOrder(shards.ranges ?? [], complain);

  const ids = clusters?.map(({ id }) => id) ?? [undefined];
  const idsAreKnown = ids.every((id) => id !== undefined);
  for (const { at, cluster } of owners) {
    if (cluster === undefined || !idsAreKnown || ids.includes(cluster)) continue;
    complain(at, `there is no cluster ${cluster}`, `name one of the clusters ${listed(ids)}`);
  }
  if (owners.some(({ cluster }) => cluster === undefined)) return;
  const owning = new Set(owners.map(({ cluster }) => cluster));
  for (const { at, id } of clusters ?? []) {
    if (id === undefined || owning.has(id)) continue;
    complain([...at, "id"], `cluster ${id} owns no accounts`, `name it in shards, or leave the cluster out`);
  }
}

/** Where the map names a cluster as an owner; undefined: by hash, or not readable. */
function ownersOf(shards: ShardDraft): readonly { at: Path; cluster: ClusterId | undefined }[] | undefined {
  if (shards.by === "range") {
    return shards.ranges?.map(({ at, cluster }) => ({ at: [...at, "cluster"], cluster }));
  }
  if (shards.by !== "table") return undefined;
  return [...shards.accounts, { at: ["shards", "others"], cluster: shards.others }];
}

/** From "" upwards, so that the ranges neither overlap nor leave a gap; and none of them empty. */
function checkOrder(ranges: readonly RangeDraft[], complain: Complain): void {
  ranges.forEach(({ at, from }, i) => {
    if (from === undefined) return;
    const place = [...at, "from"];
    const previous = ranges[i - 1]?.from;
    if (i === 0) {
      if (from !== "")
        complain(place, `accounts before "${from}" have no cluster`, 'begin the first range with from: ""');
    } else if (previous !== undefined && from <= previous) {
      const what = from === previous ? "twice" : `after "${previous}"`;
      complain(place, `ranges overlap: "${from}" comes ${what}`, "sort the ranges by from, each once");
    } else if (previous === "" && from <= SMALLEST_ACCOUNT) {
      complain(place, `no account comes before "${from}"`, `let the first range end after "${SMALLEST_ACCOUNT}"`);
    }
  });
}

const SMALLEST_ACCOUNT = "0";

function checkTimers({ intraMs, crossMs }: Draft["timers"], complain: Complain): void {
  if (intraMs === undefined || crossMs === undefined || crossMs > intraMs) return;
  // A cluster must be able to replace its own primary before others give up on it (protocol 3.4).
  complain(["timers", "crossMs"], `timers.crossMs ${crossMs} is not above timers.intraMs ${intraMs}`, "make it larger");
}

function listed(ids: readonly unknown[]): string {
  return ids.length <= 8 ? ids.join(", ") : `${ids.slice(0, 8).join(", ")}, ...`;
}
