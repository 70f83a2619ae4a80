// Section 5's rules on what a new view keeps, one after the other as they are written, every pair compared: what keep.ts
// is held against. Each rule can be left out, to see what it is good for.

import { fastQuorumOf, sameEntry, voteKey } from "../../src/cluster/quorum.js";
import { compareBallots, type Digest, type Entry, sequenceOf } from "../../src/types/ids.js";
import type { KeepOptions, Kept, KeptEntry, Point, Report } from "../../src/viewchange/keep.js";

/** What a weaker version does otherwise. */
export interface KeepRules {
  /** Reports that a crash cluster's round-0 entry needs. */
  readonly neededReports?: (cluster: KeepOptions["cluster"], reports: number) => number;
  /** A round-0 entry that is the only candidate of its slot is kept without the count. */
  readonly keepsLone?: boolean;
  readonly ignoresBallots?: boolean;
  /** Decided entries are candidates like others. */
  readonly ignoresDecisions?: boolean;
  readonly ignoresOrder?: boolean;
  readonly ignoresBlocks?: boolean;
  readonly ignoresSettled?: boolean;
  readonly ignoresLowSequence?: boolean;
  /** `top` is the highest slot kept. */
  readonly forgetsReported?: boolean;
}

/** Section 2's words. */
export function conflict(a: Entry, b: Entry, noOp: Digest, rules: KeepRules = {}): boolean {
  if (a.slot === b.slot) return !sameEntry(a, b);
  if (a.digest === b.digest && a.digest !== noOp && rules.ignoresBlocks !== true) return true;
  const [lower, higher] = a.slot < b.slot ? [a, b] : [b, a];
  const isOutOfOrder =
    lower.sequence >= higher.sequence && (lower.sequence !== higher.sequence || higher.digest !== noOp);
  return isOutOfOrder && rules.ignoresOrder !== true;
}

/** The order in which candidates are taken. */
function orderOf({ ignoresBallots = false }: KeepRules): (a: Entry, b: Entry) => number {
  const byDigest = (a: Entry, b: Entry) => Number(a.digest > b.digest) - Number(a.digest < b.digest);
  const byPlace = (a: Entry, b: Entry) => a.slot - b.slot || a.sequence - b.sequence || byDigest(a, b);
  return ignoresBallots ? byPlace : (a, b) => compareBallots(b, a) || byPlace(a, b);
}

export function plainKeep({ cluster, view, noOp, reports, placedAt }: KeepOptions, rules: KeepRules = {}): Kept {
  const low = reports.map(({ stable }) => stable).reduce((a, b) => (b.slot > a.slot ? b : a));
  const decided = reports.flatMap((report) => report.decided);
  const candidates = reports.flatMap((report) => report.candidates);
  const kept: KeptEntry[] = [];
  const isNew = (entry: Entry) => !kept.some((other) => sameEntry(other.entry, entry));
  if (rules.ignoresDecisions !== true) {
    for (const entry of decided) if (entry.slot > low.slot && isNew(entry)) kept.push({ entry, isDecided: true });
  }

  const isSettled = (digest: Digest) => digest !== noOp && (placedAt(digest) ?? low.slot + 1) <= low.slot;
  const others = rules.ignoresDecisions === true ? [...decided, ...candidates] : [...candidates];
  for (const entry of others.sort(orderOf(rules))) {
    if (entry.slot <= low.slot || (isSettled(entry.digest) && rules.ignoresSettled !== true)) continue;
    if (isNotAbove(entry, low, noOp) && rules.ignoresLowSequence !== true) continue;
    if (!isCounted(entry, { cluster, reports, rules })) continue;
    if (isNew(entry) && !kept.some((other) => conflict(other.entry, entry, noOp, rules))) {
      kept.push({ entry, isDecided: false });
    }
  }

  const relevant = rules.forgetsReported === true ? kept.map(({ entry }) => entry) : [...decided, ...candidates];
  const top = Math.max(low.slot, ...relevant.map(({ slot }) => slot));
  const entries: KeptEntry[] = [];
  let sequence = low.slot === 0 ? sequenceOf(0, cluster.id) : low.sequence;
  for (let slot = low.slot + 1; slot <= top; slot++) {
    const found = kept.find(({ entry }) => entry.slot === slot);
    if (found !== undefined) sequence = found.entry.sequence;
    const { digest } = found?.entry ?? { digest: noOp };
    const entry: Entry = { cluster: cluster.id, view, round: 1, slot, sequence, digest };
    entries.push({ entry, isDecided: found?.isDecided ?? false });
  }
  const isKept = (digest: Digest) => kept.some(({ entry }) => entry.digest === digest);
  const lost = candidates
    .map(({ digest }) => digest)
    .filter((digest) => digest !== noOp && !isSettled(digest) && !isKept(digest));
  return { low: { slot: low.slot, sequence: low.sequence }, top, entries, lost: [...new Set(lost)].sort() };
}

function isNotAbove({ sequence, digest }: Entry, low: Point, noOp: Digest): boolean {
  return sequence < low.sequence || (sequence === low.sequence && digest !== noOp);
}

function isCounted(
  entry: Entry,
  { cluster, reports, rules }: Pick<KeepOptions, "cluster" | "reports"> & { readonly rules: KeepRules },
): boolean {
  if (cluster.model === "byzantine" || entry.round === 1) return true;
  const reporters = reports.filter(({ candidates }) => candidates.some((each) => voteKey(each) === voteKey(entry)));
  const needed =
    rules.neededReports?.(cluster, reports.length) ?? reports.length - (cluster.nodes.length - fastQuorumOf(cluster));
  if (reporters.length >= needed) return true;
  return rules.keepsLone === true && !reports.some((report) => hasRival(report, entry));
}

function hasRival({ decided, candidates }: Report, entry: Entry): boolean {
  return [...decided, ...candidates].some((other) => other.slot === entry.slot && !sameEntry(other, entry));
}
