// What the clients of a load hear while a cluster loses its primary: everything that was acknowledged, when that
// cluster commits again, and what the other clusters do meanwhile. A commit counts as the first after the kill only if
// its request was made after the kill: answers that were under way prove nothing.

import type { Ending } from "../load/meter.js";
import { CodedError } from "../types/codes.js";
import type { ClusterId } from "../types/ids.js";
import { type Acknowledged, acknowledgedBy } from "./acknowledged.js";

interface Span {
  readonly startedAt: number;
  endedAt: number;
  /** Intra-shard transfers that the other clusters committed. */
  others: number;
  /** The longest time in which one of them committed none. */
  pauseMs: number;
  readonly last: Map<ClusterId, number>;
}

export class LoadWatch {
  readonly acknowledged: Acknowledged[] = [];
  /** The highest record that a cluster named to a client. */
  readonly heights = new Map<ClusterId, number>();
  readonly #cluster: ClusterId;
  readonly #now: () => number;
  #committed = 0;
  #before: Span | undefined;
  #after: Span | undefined;
  #firstCommitMs: number | undefined;
  #hasEnded = false;
  #waiting: { readonly isReached: () => boolean; readonly end: (error?: Error) => void } | undefined;

  constructor(cluster: ClusterId, now = () => performance.now()) {
    this.#cluster = cluster;
    this.#now = now;
  }

  /** Transfers that the cluster has committed in this phase. */
  get committed(): number {
    return this.#committed;
  }

  get firstCommitMs(): number | undefined {
    return this.#firstCommitMs;
  }

  /** Intra-shard transfers of the other clusters, before the kill and from it on. */
  get othersPerSecond(): { readonly before: number; readonly after: number } {
    return { before: perSecond(this.#before), after: perSecond(this.#after) };
  }

  /** The longest time in which one of the other clusters committed nothing of its own, from the kill on. */
  get othersPauseMs(): number {
    return this.#after?.pauseMs ?? Number.NaN;
  }

  begin(): void {
    this.#committed = 0;
    this.#before = spanFrom(this.#now());
  }

  onKill(): void {
    const now = this.#now();
    if (this.#before !== undefined) this.#before.endedAt = now;
    this.#committed = 0;
    this.#after = spanFrom(now);
  }

  finish(): void {
    if (this.#after !== undefined) this.#after.endedAt = this.#now();
    this.#committed = 0;
  }

  onEnding(ending: Ending): void {
    const now = this.#now();
    const told = acknowledgedBy(ending);
    if (told === undefined) return;
    this.acknowledged.push(told);
    this.heights.set(told.cluster, Math.max(told.height, this.heights.get(told.cluster) ?? 0));
    if (told.cluster === this.#cluster) this.#onOwn(ending, now);
    else if (!ending.cross) this.#onOther(told.cluster, now);
    if (this.#waiting?.isReached() === true) this.#endWait();
  }

  onLoadEnd(): void {
    this.#hasEnded = true;
    this.#endWait(new CodedError("check-failed", "the load ended before the cluster had committed enough"));
  }

  /** Resolves when an ending makes it true; fails if the load ends first. */
  async until(isReached: () => boolean): Promise<void> {
    if (isReached()) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting = { isReached, end: (error) => (error === undefined ? resolve() : reject(error)) };
    if (this.#hasEnded) this.onLoadEnd();
    await promise;
  }

  #onOwn({ startedMs, endedMs }: Ending, now: number): void {
    const killedAt = this.#after?.startedAt;
    if (killedAt !== undefined && now - (endedMs - startedMs) < killedAt) return;
    this.#committed++;
    if (killedAt !== undefined) this.#firstCommitMs ??= now - killedAt;
  }

  #onOther(cluster: ClusterId, now: number): void {
    const span = this.#after ?? this.#before;
    if (span === undefined || now > span.endedAt) return;
    span.others++;
    span.pauseMs = Math.max(span.pauseMs, now - (span.last.get(cluster) ?? span.startedAt));
    span.last.set(cluster, now);
  }

  #endWait(error?: Error): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.end(error);
  }
}

function spanFrom(startedAt: number): Span {
  return { startedAt, endedAt: Number.POSITIVE_INFINITY, others: 0, pauseMs: 0, last: new Map() };
}

function perSecond(span: Span | undefined): number {
  return span === undefined ? Number.NaN : (span.others * 1000) / (span.endedAt - span.startedAt);
}
