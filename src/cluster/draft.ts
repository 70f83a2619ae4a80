// A topology file, field by field: reads every field that is there, reports each that is wrong, missing or unknown, and
// keeps the rest, so that the rules between fields can report what they find in the same run. A draft is not a
// topology: any of its fields may be undefined.

import type { AccountId, ClusterId } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { Document, Path } from "./document.js";
import { type Complain, type FieldReader, fieldReader, type Sound } from "./fields.js";
import {
  accountRowFields,
  blockFields,
  clientFields,
  clusterFields,
  crossFields,
  headFields,
  nodeFields,
  prefixRowFields,
  rangeFields,
  shardFields,
  tableEntryFields,
  tableFields,
  timerFields,
} from "./schema.js";

export type NodeDraft = Sound<typeof nodeFields> & { readonly at: Path };
export type ClientDraft = Sound<typeof clientFields> & { readonly at: Path };
export type ClusterDraft = Sound<typeof clusterFields> & {
  readonly at: Path;
  readonly nodes: readonly NodeDraft[] | undefined;
};
export type GenesisDraft = {
  readonly at: Path;
  readonly owner: string | undefined;
  readonly balance: bigint | undefined;
  /** One account. */
  readonly account?: AccountId | undefined;
  /** Or many. */
  readonly prefix?: string | undefined;
  readonly count?: number | undefined;
};
export type RangeDraft = Sound<typeof rangeFields> & { readonly at: Path };
export type TableEntryDraft = {
  readonly at: Path;
  readonly account: AccountId | undefined;
  readonly cluster: ClusterId | undefined;
};
export type ShardDraft =
  | { readonly by: "hash" | undefined }
  | { readonly by: "range"; readonly ranges: readonly RangeDraft[] | undefined }
  | { readonly by: "table"; readonly accounts: readonly TableEntryDraft[]; readonly others: ClusterId | undefined };

export interface Draft {
  readonly network: string | undefined;
  readonly clusters: readonly ClusterDraft[] | undefined;
  readonly shards: ShardDraft;
  readonly clients: readonly ClientDraft[] | undefined;
  readonly genesis: readonly GenesisDraft[] | undefined;
  readonly cross: Sound<typeof crossFields>;
  readonly timers: Sound<typeof timerFields>;
  readonly block: Sound<typeof blockFields>;
}

export function readDraft(document: Document, complain: Complain): Draft {
  const reader = fieldReader(document, complain);
  const sections = ["clusters", "shards", "clients", "genesis", "cross", "timers", "block"];
  const { network } = reader.fields([], headFields, sections);
  return {
    network,
    clusters: reader.list(["clusters"], { min: 1, max: limits.clustersMax, what: "clusters" }, (at) => ({
      ...reader.fields(at, clusterFields, ["nodes"]),
      at,
      nodes: reader.list([...at, "nodes"], { min: 1, max: limits.nodesPerClusterMax, what: "nodes" }, (node) => ({
        ...reader.fields(node, nodeFields),
        at: node,
      })),
    })),
    shards: readShards(document, reader),
    clients: reader.list(["clients"], { min: 0, max: limits.clientsMax, what: "clients" }, (at) => ({
      ...reader.fields(at, clientFields),
      at,
    })),
    genesis:
      document.get(["genesis"]) === undefined
        ? []
        : reader.list(["genesis"], { min: 0, max: limits.genesisAccountsMax, what: "rows" }, (at) =>
            readGenesisRow(document, reader, at),
          ),
    cross: reader.optional(["cross"], crossFields),
    timers: reader.optional(["timers"], timerFields),
    block: reader.optional(["block"], blockFields),
  };
}

function readShards(document: Document, reader: FieldReader): ShardDraft {
  const at = ["shards"];
  const way = document.get([...at, "by"]);
  const { by } = reader.fields(at, shardFields, way === "range" ? ["ranges"] : way === "hash" ? [] : TABLE_FIELDS);
  if (by === "range") {
    const list = [...at, "ranges"];
    const ranges = reader.list(list, { min: 1, max: limits.genesisAccountsMax, what: "ranges" }, (range) => ({
      ...reader.fields(range, rangeFields),
      at: range,
    }));
    return { by, ranges };
  }
  if (by === "table") {
    const { others } = reader.fields(at, tableFields, ["by", ...TABLE_FIELDS]);
    const accounts = reader.entries([...at, "accounts"], tableEntryFields).map(({ at, key, value }) => ({
      at,
      account: key,
      cluster: value,
    }));
    return { by, accounts, others };
  }
  return { by };
}

const TABLE_FIELDS = ["accounts", "others"];

function readGenesisRow(document: Document, reader: FieldReader, at: Path): GenesisDraft {
  const fields = document.get([...at, "account"]) === undefined ? prefixRowFields : accountRowFields;
  const { owner, balance, ...accounts } = reader.fields<typeof prefixRowFields | typeof accountRowFields>(at, fields);
  return { at, owner, balance, ...accounts };
}
