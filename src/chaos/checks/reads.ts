// I12 for reads. A balance that a client was told is that of the naive model after the record it names; it is not older
// than what the same client was told by that cluster before it asked, and it shows nothing that began after it ended.
// Reads promise no more than that: whoever was answered by another node may see an older state than another client, or
// miss what the client itself was told by another cluster of a credit there. How often and how far is counted, not
// judged.

import type { AccountBalance } from "../../client/sdk.js";
import type { ClusterId } from "../../types/ids.js";
import type { Read } from "../history.js";
import { Balances } from "./balances.js";
import type { Check, Evidence } from "./evidence.js";
import { firstIndex } from "./search.js";

export const reads: Check = (evidence) => judge(evidence).problems;

export interface Staleness {
  /** Answers that another client's answer had overtaken when the question was asked. */
  readonly staleReads: number;
  /** By so much at most. */
  readonly staleMaxMs: number;
  /** Answers that miss a transfer from another cluster of which the same client had been told. */
  readonly missedOwn: number;
}

export function stalenessOf(evidence: Evidence): Staleness {
  const { problems: _, ...staleness } = judge(evidence);
  return staleness;
}

/** That a cluster has reached a record, as somebody heard. */
interface Heard {
  readonly endedMs: number;
  readonly height: number;
  /** The highest of this one and all before it. */
  readonly highest: number;
}

function judge(evidence: Evidence): Staleness & { readonly problems: readonly string[] } {
  const problems: string[] = [];
  let staleReads = 0;
  let staleMaxMs = 0;
  let missedOwn = 0;
  const clusters = new Map(evidence.views.map(({ cluster }) => [cluster, factsOf(evidence, cluster)]));
  for (const read of evidence.history.reads) {
    for (const [cluster, answers] of Map.groupBy(read.answers, (answer) => answer.cluster)) {
      const facts = clusters.get(cluster);
      if (facts === undefined) continue;
      const problem = problemOf({ read, answers, facts });
      if (problem !== undefined) problems.push(problem);
      const late = lateness({ read, answers, facts }, facts.heard);
      if (late > 0) staleReads++;
      staleMaxMs = Math.max(staleMaxMs, late);
      if (lateness({ read, answers, facts }, facts.reportedTo.get(read.client) ?? []) > 0) missedOwn++;
    }
  }
  return { problems, staleReads, staleMaxMs, missedOwn };
}

interface Facts {
  readonly cluster: ClusterId;
  readonly last: number;
  readonly balances: Balances;
  /** What clients heard of this cluster's heights, from whomever, in the order of time. */
  readonly heard: readonly Heard[];
  /** What each client heard from this cluster itself, and from others. */
  readonly heardBy: ReadonlyMap<number, readonly Heard[]>;
  readonly reportedTo: ReadonlyMap<number, readonly Heard[]>;
  /** By height: when the latest request of all records up to it began. */
  readonly begunMs: readonly number[];
}

function factsOf({ topology, history, views, places }: Evidence, cluster: ClusterId): Facts {
  const view = views.find((each) => each.cluster === cluster) ?? { cluster, records: [] };
  const writes = new Map(history.writes.map((write) => [write.id, write]));
  const begunMs = [Number.NEGATIVE_INFINITY];
  for (const { height, requests } of view.records) {
    const starts = requests.map(({ id }) => writes.get(id)?.startedMs ?? Number.NEGATIVE_INFINITY);
    begunMs[height] = Math.max(begunMs[height - 1] ?? Number.NEGATIVE_INFINITY, ...starts);
  }
  const told: Report[] = [];
  const reported: Report[] = [];
  for (const { id, told: answer, endedMs, client } of history.writes) {
    if (answer.kind !== "recorded") continue;
    const height = places.get(id)?.find((place) => place.cluster === cluster)?.record.height;
    if (answer.cluster === cluster) told.push({ endedMs, client, height: answer.height });
    else if (height !== undefined) reported.push({ endedMs, client, height });
  }
  for (const { answers, endedMs, client } of history.reads) {
    const height = answers.find((answer) => answer.cluster === cluster)?.height;
    if (height !== undefined) told.push({ endedMs, client, height });
  }
  const last = view.records.at(-1)?.height ?? 0;
  const heard = ascent([...told, ...reported]);
  const balances = new Balances(topology, view);
  return { cluster, last, balances, heard, heardBy: byClient(told), reportedTo: byClient(reported), begunMs };
}

interface Report {
  readonly endedMs: number;
  readonly height: number;
  readonly client: number;
}

function byClient(reports: readonly Report[]): ReadonlyMap<number, readonly Heard[]> {
  return new Map([...Map.groupBy(reports, ({ client }) => client)].map(([client, own]) => [client, ascent(own)]));
}

function ascent(reports: readonly Report[]): readonly Heard[] {
  let highest = 0;
  const inTime = [...reports].sort((a, b) => a.endedMs - b.endedMs);
  return inTime.map(({ endedMs, height }) => {
    highest = Math.max(highest, height);
    return { endedMs, height, highest };
  });
}

interface Question {
  readonly read: Read;
  readonly answers: readonly AccountBalance[];
  readonly facts: Facts;
}

function problemOf({ read, answers, facts }: Question): string | undefined {
  const { cluster, last, begunMs } = facts;
  const shown = answers.map(({ account, balance, exists }) => `${account} ${exists ? balance : "absent"}`).join(", ");
  const what = `client ${read.client} at ${Math.round(read.startedMs)} ms reads ${shown} of cluster ${cluster}`;
  const own = facts.heardBy.get(read.client) ?? [];
  const floor = own[firstIndex(own, ({ endedMs }) => endedMs >= read.startedMs) - 1]?.highest ?? 0;
  const height = answers[0]?.height;
  if (height === undefined) {
    for (let each = floor; each <= last; each++) if (isStateAt(facts, answers, each)) return undefined;
    return `${what}, and no record from ${floor} to ${last} leaves them so`;
  }
  if (height > last || !isStateAt(facts, answers, height)) return `${what} at record ${height}, which is not so there`;
  if (height < floor) return `${what} at record ${height}, but was told of record ${floor} before`;
  if ((begunMs[height] ?? 0) > read.endedMs) return `${what} at record ${height}, which began after the answer`;
  return undefined;
}

/** How long before the question what this answer does not know had been heard; 0 if it had not. */
function lateness({ read, answers, facts }: Question, known: readonly Heard[]): number {
  const height = answers[0]?.height;
  if (height === undefined) return 0;
  const from = firstIndex(known, ({ highest }) => highest > height);
  for (let i = from; i < known.length; i++) {
    const heard = known[i] as Heard;
    if (heard.endedMs >= read.startedMs) return 0;
    // The first that differs is the longest ago.
    if (heard.height > height && !isStateAt(facts, answers, heard.height)) return read.startedMs - heard.endedMs;
  }
  return 0;
}

function isStateAt({ balances }: Facts, answers: readonly AccountBalance[], height: number): boolean {
  return answers.every(({ account, exists, balance, owner }) => {
    const state = balances.at(account, height);
    if (state === undefined) return !exists && balance === 0n;
    return exists && state.balance === balance && state.owner === owner;
  });
}
