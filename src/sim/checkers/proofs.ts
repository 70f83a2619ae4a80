// I1, the proofs: whatever a correct node stores as decided or records really was: its certificate holds, by a count of
// its own, and so many nodes voted for that very entry. A record's certificates prove the sequences of all its
// clusters.

import {
  type ClusterId,
  type Digest,
  type Entry,
  fromHex,
  type NodeRef,
  nodeKey,
  type Sequence,
  toHex,
} from "../../types/ids.js";
import { carriage } from "../../types/message.js";
import { type Certificate, commitSchema, type Signed } from "../../types/schema.js";
import type { ClusterInfo } from "../../types/topology.js";
import type { Checker, MakeChecker, SimNode, SimWorld } from "../observer.js";
import { type SlotRow, sameThing, showEntry } from "./facts.js";
import { historyOf } from "./history.js";
import { VotesOfCluster } from "./quorums.js";
import { reporter } from "./report.js";

export const makeProofs: MakeChecker = (world, report): Checker => {
  const violated = reporter("I1", report);
  const history = historyOf(world);
  const clusters = new Map(world.topology.clusters.map((cluster) => [cluster.id, cluster]));
  const votes = new Map<ClusterId, VotesOfCluster>();
  const commitOf = commitReader(world);
  /** Slots of nodes whose decision was checked. */
  const checked = new Map<string, Set<number>>();

  function votesOf(cluster: ClusterId): VotesOfCluster {
    let known = votes.get(cluster);
    if (known === undefined) {
      known = new VotesOfCluster(clusters.get(cluster) as ClusterInfo, world.nodes);
      votes.set(cluster, known);
    }
    return known;
  }

  function checkDecided(node: SimNode, { decided, certificate }: SlotRow): void {
    if (decided === undefined) return;
    const missing = votesOf(decided.cluster).missingFor(decided);
    if (missing !== undefined) violated(`${node.name} has decided ${showEntry(decided)}, yet ${missing}`);
    let slots = checked.get(node.name);
    if (slots === undefined) {
      slots = new Set();
      checked.set(node.name, slots);
    }
    if (slots.has(decided.slot)) return;
    slots.add(decided.slot);
    const proven = certificate === undefined ? "no certificate" : provenBy(certificate, decided.digest, node);
    if (typeof proven === "string") violated(`${node.name} has decided ${showEntry(decided)} on ${proven}`);
    else if (!sameThing(proven, decided))
      violated(`${node.name} has decided ${showEntry(decided)} on a proof of ${showEntry(proven)}`);
  }

  /** The entry that a certificate proves to this node, or what is wrong with it. */
  function provenBy({ cluster, commits }: Certificate, digest: Digest, holder: SimNode): Entry | string {
    const info = clusters.get(cluster as ClusterId);
    if (info === undefined) return `a certificate of cluster ${cluster}, which does not exist`;
    const signers = new Set<number>();
    let proven: Entry | undefined;
    for (const signed of commits) {
      const commit = commitOf(signed);
      if (commit === undefined) return "a COMMIT that its node did not sign";
      const entry = commit.entries.find((each) => each.cluster === cluster && each.digest === digest);
      if (entry === undefined) return "a COMMIT of something else";
      if (!maySpeak(commit.from, info, holder, digest))
        return `the word of c${commit.from.cluster}n${commit.from.node}`;
      const isSame = proven === undefined || (sameThing(proven, entry) && sameBallot(proven, entry));
      if (!isSame) return "COMMITs that differ";
      proven = entry;
      signers.add(nodeKey(commit.from));
    }
    const n = info.nodes.length;
    const isEnough = info.model === "crash" ? signers.size >= 1 : 2 * signers.size > n + info.faults;
    return isEnough && proven !== undefined ? proven : `${signers.size} COMMITs of ${n} nodes`;
  }

  /** Nodes speak for their cluster; crash nodes of P, among crash nodes, for each other's clusters (3, step 4). */
  function maySpeak(from: NodeRef, cluster: ClusterInfo, holder: SimNode, digest: Digest): boolean {
    if (from.cluster === cluster.id) return true;
    if (clusters.get(from.cluster)?.model !== "crash" || cluster.model !== "crash") return false;
    const block = history.findBlock(digest, holder.store);
    return holder.cluster.model === "crash" && (block === undefined || block.clusters.includes(from.cluster));
  }

  function checkRecord(
    node: SimNode,
    args: { height: number; digest: Digest; sequences: readonly Sequence[] },
    certificates: readonly Certificate[],
  ): void {
    const proven = new Map<number, Entry>();
    for (const certificate of certificates) {
      const entry = provenBy(certificate, args.digest, node);
      if (typeof entry === "string") violated(`${node.name} has record ${args.height} on ${entry}`);
      else proven.set(certificate.cluster, entry);
    }
    for (const sequence of args.sequences) {
      const entry = proven.get(sequence % 65_536);
      if (entry?.sequence === sequence) continue;
      violated(`${node.name} has no proof of sequence ${sequence} in record ${args.height}`);
    }
  }

  return {
    onTurn(node, plan) {
      const turn = history.take(node, plan);
      if (turn === undefined) return;
      const { cluster, node: index } = node.ref;
      const own = votesOf(cluster);
      for (const statement of turn.said) {
        if (statement.kind === "vote" && statement.message !== "super-propose") own.accept(index, statement.entry);
        if (statement.kind === "commit" && node.cluster.model === "byzantine") own.commit(index, statement.entries[0]);
      }
      for (const row of turn.slots.values()) {
        own.accept(index, row?.selfAssigned);
        own.accept(index, row?.accepted);
        own.commit(index, row?.committed);
      }
      for (const row of turn.slots.values()) if (row !== undefined) checkDecided(node, row);
      for (const { height, record } of turn.records) {
        if (record === undefined || height === 0) continue;
        const { digest, sequences } = record;
        checkRecord(node, { height, digest, sequences }, turn.certificates.get(height) ?? []);
      }
    },
  };
};

interface ReadCommit {
  readonly from: NodeRef;
  readonly entries: readonly Entry[];
}

/** Opens signed COMMITs; undefined: not signed by the node it names. The same bytes are checked once. */
function commitReader({ topology, verifier }: SimWorld): (signed: Signed) => ReadCommit | undefined {
  const known = new Map<number, { readonly signed: Signed; readonly read: ReadCommit | undefined }[]>();
  const prefix = Buffer.concat([fromHex(topology.networkId), Uint8Array.of(carriage.commit.number)]);
  const nodes = topology.clusters.flatMap((cluster) => cluster.nodes);
  const keys = new Map(nodes.map(({ cluster, index, key }) => [nodeKey({ cluster, node: index }), key]));
  const open = ({ body, signature }: Signed): ReadCommit | undefined => {
    const { cluster, node, digest, entries } = commitSchema.decode(body);
    const from = { cluster: cluster as ClusterId, node };
    const publicKey = keys.get(nodeKey(from));
    const bytes = Buffer.concat([prefix, body]);
    if (publicKey === undefined || !verifier.verify({ bytes, signature, publicKey })) return undefined;
    const hex = toHex<Digest>(digest);
    const named = entries.map(({ round, sequence, ...entry }) => ({
      ...entry,
      cluster: entry.cluster as ClusterId,
      round: round as 0 | 1,
      sequence: sequence as Sequence,
      digest: hex,
    }));
    return { from, entries: named };
  };
  return (signed) => {
    const { body, signature } = signed;
    const [a = 0, b = 0, c = 0, d = 0] = signature;
    const start = ((a * 256 + b) * 256 + c) * 256 + d;
    let candidates = known.get(start);
    if (candidates === undefined) {
      candidates = [];
      known.set(start, candidates);
    }
    for (const each of candidates) {
      if (isEqual(each.signed.signature, signature) && isEqual(each.signed.body, body)) return each.read;
    }
    const read = open(signed);
    candidates.push({ signed: { body: body.slice(), signature: signature.slice() }, read });
    return read;
  };
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function sameBallot(a: Entry, b: Entry): boolean {
  return a.view === b.view && a.round === b.round;
}
