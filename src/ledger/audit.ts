// Verifies any number of nodes' stores offline (protocol 7): each view by itself, the views of one cluster against each
// other, and all of them united. Streams record by record; every block and every signature is checked once, whichever
// nodes store it, so that the cost is about one signature check per request of the network.

import { genesisAccounts } from "../cluster/genesis.js";
import { Members } from "../cluster/members.js";
import { RecentCache } from "../crypto/recent.js";
import type { Verifier } from "../crypto/signature.js";
import type { ClusterId, Digest, Sequence } from "../types/ids.js";
import { toHex } from "../types/ids.js";
import type { Topology } from "../types/topology.js";
import { auditCross } from "./cross-audit.js";
import { type AuditedNode, corruption, type Finding, type Replayer, readOrFault } from "./findings.js";
import { heightOfKey, historyKey, historySchema, prefixRange, recordKey } from "./keys.js";
import { decodeRecord, tryDecode } from "./records.js";
import { type AuditedView, auditView, type Candidate, type ViewContext } from "./view-audit.js";

export interface AuditOptions {
  readonly topology: Topology;
  readonly verifier: Verifier;
  readonly nodes: readonly AuditedNode[];
  /** A fresh replay of a cluster's view. */
  readonly replayer: (cluster: ClusterId) => Replayer;
  /** The network is stopped and quiet: a block that one view has and another lacks is an error however young it is. */
  readonly strict: boolean;
  readonly onProgress?: (progress: AuditProgress) => void;
}

export interface AuditProgress {
  readonly cluster: ClusterId;
  readonly records: number;
  readonly requests: number;
}

export interface AuditReport {
  readonly findings: readonly Finding[];
  readonly nodes: readonly AuditedNodeReport[];
  /** Over one view of each cluster. */
  readonly records: number;
  /** Blocks of the united graph that have a record in some view. */
  readonly crossBlocks: number;
  /** Cross-shard blocks that a view which ends before them does not have yet. */
  readonly notYetThere: number;
  /** The clusters of the topology of which no node was given; with any, the supply is not checked. */
  readonly absent: readonly ClusterId[];
  readonly supply: bigint | undefined;
}

export interface AuditedNodeReport {
  readonly cluster: ClusterId;
  readonly node: string;
  /** The last record; -1 without any. */
  readonly height: number;
  /** How many records the longest view of its cluster has more. */
  readonly behind: number;
  /** Older records that are still to come, since it took a state instead. */
  readonly lacking: number;
}

/** Sequences at which the supply is counted, besides the end. */
const CUTS = 8;
/** Twice so many signatures of certificates are remembered, some 50 MiB: the same ones come from every node. */
const SIGNATURES_GENERATION_MAX = 100_000;

export async function auditLedgers(options: AuditOptions): Promise<AuditReport> {
  const { topology, nodes, strict } = options;
  const findings: Finding[] = [];
  const report = (finding: Finding): void => void findings.push(finding);
  const candidates = await findEnds(nodes, report);
  const cuts = cutsUpTo(Math.max(0, ...candidates.map(({ lastSequence }) => lastSequence)));
  const audited = { ...contextOf(options, report), cuts };
  const views: AuditedView[] = [];
  const clusters = topology.clusters.map(({ id }) => id).filter((id) => nodes.some(({ cluster }) => cluster === id));
  for (const cluster of clusters) {
    const own = candidates.filter((candidate) => candidate.cluster === cluster);
    const best = await auditCluster(cluster, own, options, audited, findings);
    if (best !== undefined) views.push(best);
  }
  const absent = topology.clusters.map(({ id }) => id).filter((id) => !views.some(({ cluster }) => cluster === id));
  const supply = absent.length === 0 ? supplyOf(topology) : undefined;
  const cross = auditCross({ views, cuts, supply, strict, report });
  const records = views.reduce((sum, { entries }) => sum + entries.length, 0);
  return { findings, nodes: describeNodes(nodes, candidates), records, ...cross, absent, supply };
}

type KnownEnd = Candidate & { readonly lastSequence: number };

/** Where each node's view ends. */
async function findEnds(nodes: readonly AuditedNode[], report: (finding: Finding) => void): Promise<KnownEnd[]> {
  const ends: KnownEnd[] = [];
  for (const node of nodes) {
    const end = await findEnd(node);
    if (end !== undefined) ends.push(end);
    else
      report({ cluster: node.cluster, node: node.name, height: 0, code: "empty-view", reason: "no record is stored" });
  }
  return ends;
}

async function findEnd(given: AuditedNode): Promise<KnownEnd | undefined> {
  const history = readOrFault(() => given.store.get(historyKey()));
  const row = "fault" in history ? undefined : history.value;
  const node = { ...given, lacks: row && tryDecode(() => historySchema.decode(row)) };
  try {
    for await (const [key, value] of node.store.range({ ...prefixRange("record"), reverse: true, limit: 1 })) {
      return {
        ...node,
        last: heightOfKey(key),
        lastSequence: tryDecode(() => decodeRecord(value))?.finalSequence ?? 0,
      };
    }
    return undefined;
  } catch (error) {
    corruption(error);
    // The last record itself is damaged: it counts, so that the walk through the view meets and names it.
    return { ...node, last: lastHeightByProbing(node), lastSequence: 0 };
  }
}

/** Doubles, then halves the step; damaged records exist. */
function lastHeightByProbing({ store }: AuditedNode): number {
  const exists = (height: number): boolean => {
    const read = readOrFault(() => store.get(recordKey(height)));
    return "fault" in read || read.value !== undefined;
  };
  let step = 1;
  while (exists(step)) step *= 2;
  let last = 0;
  for (; step >= 1; step /= 2) if (exists(last + step)) last += step;
  return last;
}

function cutsUpTo(last: number): readonly Sequence[] {
  const cuts = Array.from({ length: CUTS }, (_, k) => Math.floor((last * (k + 1)) / CUTS));
  return [...new Set(cuts)] as Sequence[];
}

function contextOf(options: AuditOptions, report: (finding: Finding) => void): Omit<ViewContext, "cuts" | "onRecord"> {
  const { topology } = options;
  return {
    topology,
    members: new Members(topology),
    verifier: rememberingVerifier(options.verifier),
    verifiedBlocks: new Set<Digest>(),
    report,
  };
}

/** Audits the nodes of one cluster, complete views first; returns the view that stands for it. */
async function auditCluster(
  cluster: ClusterId,
  nodes: readonly Candidate[],
  { replayer, onProgress }: AuditOptions,
  context: Omit<ViewContext, "onRecord">,
  findings: readonly Finding[],
): Promise<AuditedView | undefined> {
  const gaps = ({ lacks }: Candidate): number => (lacks === undefined ? 0 : 1);
  let waiting = [...nodes].sort((a, b) => gaps(a) - gaps(b) || b.last - a.last || a.node - b.node);
  const views: AuditedView[] = [];
  const progress = { cluster, records: 0, requests: 0 };
  function onRecord(requests: number): void {
    progress.records++;
    progress.requests += requests;
    onProgress?.(progress);
  }
  for (let lead = waiting.shift(); lead !== undefined; lead = waiting.shift()) {
    const view = await auditView(lead, waiting, replayer(cluster), { ...context, onRecord });
    waiting = waiting.filter((node) => !view.followers.includes(node));
    for (const other of views) reportFork(other, view, context.report);
    views.push(view);
  }
  // A view without faults speaks for its cluster before a longer one with any.
  const isClean = ({ node }: AuditedView): boolean => !findings.some((finding) => finding.node === node);
  return views.find(isClean) ?? views.reduce<AuditedView | undefined>(longer, undefined);
}

function longer(a: AuditedView | undefined, b: AuditedView): AuditedView {
  return a === undefined || b.entries.length > a.entries.length ? b : a;
}

function reportFork(a: AuditedView, b: AuditedView, report: (finding: Finding) => void): void {
  const common = Math.min(a.hashes.length, b.hashes.length);
  const height = a.hashes.slice(0, common).findIndex((hash, i) => hash !== b.hashes[i]);
  if (height < 0) return;
  const reason = `its record differs from that of ${a.node}, and both are sound by themselves`;
  report({ cluster: b.cluster, node: b.node, height, code: "fork", reason });
}

function supplyOf(topology: Topology): bigint {
  let supply = 0n;
  for (const { balance } of genesisAccounts(topology)) supply += balance;
  return supply;
}

function describeNodes(nodes: readonly AuditedNode[], ends: readonly KnownEnd[]): readonly AuditedNodeReport[] {
  return nodes.map(({ cluster, name }) => {
    const end = ends.find((each) => each.name === name);
    const height = end?.last ?? -1;
    const lacking = end?.lacks === undefined ? 0 : end.lacks.from - end.lacks.below - 1;
    const longest = Math.max(height, ...ends.filter((each) => each.cluster === cluster).map(({ last }) => last));
    return { cluster, node: name, height, behind: longest - height, lacking };
  });
}

/** Checks a signature once however many nodes store it. Signatures that fail are not remembered. */
function rememberingVerifier(verifier: Verifier): Verifier {
  const good = new RecentCache<string, string>(SIGNATURES_GENERATION_MAX);
  return {
    verify(args) {
      const { bytes, signature, publicKey } = args;
      const signer = toHex(signature);
      const signed = publicKey + Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
      if (good.get(signer) === signed) return true;
      if (!verifier.verify(args)) return false;
      good.set(signer, signed);
      return true;
    },
  };
}
