// From a topology file's text to the network as every node and client knows it. The file is YAML (its fields are
// described in config/README.md); every problem is reported with its line, all of them at once. A file whose keys are
// still to be generated is a template: checked like any other, and no network until `sharper topology new --from` fills
// it in.

import { CodedError } from "../types/codes.js";
import type { PublicKey } from "../types/ids.js";
import type { ClientInfo, ClusterInfo, ShardMap, Topology } from "../types/topology.js";
import { type Document, type Problem, readDocument } from "./document.js";
import { type Draft, readDraft } from "./draft.js";
import { showPath } from "./fields.js";
import { networkIdOf } from "./identity.js";
import { checkRules } from "./rules.js";
import { GENERATE } from "./schema.js";

/** A file that is no topology: code `topology-invalid`, a line of the message for each problem. */
export type TopologyError = CodedError & { readonly problems: readonly Problem[] };

/** Throws a TopologyError, or a CodedError `topology-template` for a template without problems. */
export function parseTopology(text: string, file: string): Topology {
  const { draft } = readSoundDraft(text, file);
  if (isTemplate(draft)) {
    throw new CodedError(
      "topology-template",
      `${file} is a template without keys; make a network of it: sharper topology new --from ${file} --out DIR`,
    );
  }
  const topology = topologyOf(draft);
  return { ...topology, networkId: networkIdOf(topology) };
}

/** What of a template is to be filled in, as it stands in the file. Throws a TopologyError. */
export interface Template {
  readonly text: string;
  readonly network: { readonly name: string; readonly span: Span };
  readonly keys: readonly { readonly kind: "node" | "client"; readonly id: string; readonly span: Span }[];
  readonly addresses: readonly { readonly address: string; readonly span: Span }[];
}

export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Undefined: not a template, but the topology of a network. */
export function parseTemplate(text: string, file: string): Template | undefined {
  const { document, draft } = readSoundDraft(text, file);
  if (!isTemplate(draft)) return undefined;
  const nodes = draft.clusters.flatMap((cluster) => cluster.nodes);
  const holders = [
    ...nodes.map((node) => ({ ...node, kind: "node" as const })),
    ...draft.clients.map((client) => ({ ...client, kind: "client" as const })),
  ];
  return {
    text,
    network: { name: draft.network, span: document.spanOf(["network"]) },
    keys: holders
      .filter(({ key }) => key === GENERATE)
      .map(({ kind, id, at }) => ({ kind, id, span: document.spanOf([...at, "key"]) })),
    addresses: nodes.map(({ at, address }) => ({ address, span: document.spanOf([...at, "address"]) })),
  };
}

/** A draft without problems has all of its fields. */
type Complete<T> = T extends readonly (infer E)[]
  ? readonly Complete<E>[]
  : T extends string | number | bigint
    ? T
    : { readonly [K in keyof T]-?: Complete<Exclude<T[K], undefined>> };
type SoundDraft = Omit<Complete<Draft>, "genesis" | "shards"> & {
  readonly genesis: NonNullable<Draft["genesis"]>;
  readonly shards: Draft["shards"];
};

const PROBLEMS_MAX = 500; // a screenful is read; whatever is wrong a thousand times has one cause

function readSoundDraft(text: string, file: string): { readonly document: Document; readonly draft: SoundDraft } {
  const problems: Problem[] = [];
  const report = (problem: Problem) => void (problems.length < PROBLEMS_MAX && problems.push(problem));
  const document = readDocument(text, report);
  if (document === undefined) throw topologyError(file, problems);

  const complain = (at: readonly (string | number)[], what: string, fix: string, part?: "key" | "value") => {
    if (problems.length < PROBLEMS_MAX) report({ ...document.locate(at, part), path: showPath(at), what, fix });
  };
  const draft = readDraft(document, complain);
  checkRules(draft, complain);
  if (problems.length > 0) throw topologyError(file, problems);
  return { document, draft: draft as SoundDraft };
}

function topologyError(file: string, problems: readonly Problem[]): TopologyError {
  const inOrder = [...problems].sort((a, b) => a.line - b.line || a.column - b.column);
  const lines = inOrder.map(({ line, what, fix }) => `${file}:${line}: ${what}; ${fix}`);
  if (problems.length === PROBLEMS_MAX)
    lines.push(`${file}: only the first ${PROBLEMS_MAX} problems are shown; correct these`);
  return Object.assign(new CodedError("topology-invalid", lines.join("\n")), { problems: inOrder });
}

function isTemplate({ clusters, clients }: SoundDraft): boolean {
  const holders = [...clusters.flatMap(({ nodes }) => nodes), ...clients];
  return holders.some(({ key }) => key === GENERATE);
}

function topologyOf(draft: SoundDraft): Omit<Topology, "networkId"> {
  const clusters = [...draft.clusters]
    .sort((a, b) => a.id - b.id)
    .map(
      ({ id, model, faults, nodes }): ClusterInfo => ({
        id,
        model,
        faults,
        nodes: nodes.map((node, index) => ({
          id: node.id,
          cluster: id,
          index,
          key: node.key as PublicKey,
          address: node.address,
        })),
      }),
    );
  const clients = draft.clients.map(({ id, key }): ClientInfo => ({ id, key: key as PublicKey }));
  const keys = new Map(clients.map(({ id, key }) => [id, key]));
  return {
    name: draft.network,
    clusters,
    shards: shardMapOf(draft.shards),
    clients,
    genesis: draft.genesis.map(({ account, prefix, count, owner, balance }) => ({
      prefix: account ?? (prefix as string),
      count,
      owner: keys.get(owner as string) as PublicKey,
      balance: balance as bigint,
    })),
    cross: draft.cross,
    timers: draft.timers,
    blockRequestsMax: draft.block.requestsMax,
  };
}

function shardMapOf(shards: Draft["shards"]): ShardMap {
  if (shards.by === "range") {
    const ranges = shards.ranges as Complete<NonNullable<typeof shards.ranges>>;
    return { by: "range", ranges: ranges.map(({ from, cluster }) => ({ from, cluster })) };
  }
  if (shards.by === "table") {
    const accounts = shards.accounts as Complete<typeof shards.accounts>;
    const others = shards.others as NonNullable<typeof shards.others>;
    return { by: "table", accounts: new Map(accounts.map(({ account, cluster }) => [account, cluster])), others };
  }
  return { by: "hash" };
}
