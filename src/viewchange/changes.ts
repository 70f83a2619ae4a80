// View change of byzantine clusters (protocol 5, paper §6.4.4): PBFT's. Nodes that suspect the primary say VIEW-CHANGE
// with what they have decided and prepared; the next primary's NEW-VIEW carries a quorum of these, and every node
// computes again what it keeps and refuses one that differs.

import { type StablePoint, stableOf } from "../cluster/checkpoint.js";
import { primaryOf, quorumOf, sameVote, witnessesOf } from "../cluster/quorum.js";
import { countedReports } from "../cluster/rejoin.js";
import type { Digest, NodeIndex, NodeRef, View } from "../types/ids.js";
import type { NewView, SignedChange, Verified, ViewChange, ViewMessage } from "../types/message.js";
import { type Kept, keep } from "./keep.js";
import {
  allOf,
  decidedAbove,
  emptyViewStep,
  highest,
  isOpenable,
  missingBlocks,
  type ViewProtocol,
  type ViewProtocolOptions,
  type ViewStep,
} from "./protocol.js";

export class ViewChanges implements ViewProtocol {
  readonly #options: ViewProtocolOptions;
  /** Of each node the one of the highest view. */
  readonly #changes = new Map<NodeIndex, SignedChange>();
  /** Of a view that this node cannot judge before it has reached the checkpoint below it. */
  #held: Verified<NewView> | undefined;
  /** The view whose NEW-VIEW this node sent; it comes back like everything a node says to itself. */
  #offered: View = 0;

  constructor(options: ViewProtocolOptions) {
    this.#options = options;
  }

  get isHolding(): boolean {
    return this.#held !== undefined;
  }

  suspect(): ViewStep {
    const step = emptyViewStep();
    this.#move(step, this.#options.log.view + 1);
    return step;
  }

  /** A node does not run ahead alone: it goes on to the next view only when a quorum wanted this one. */
  onTimer(): ViewStep {
    const { log, cluster } = this.#options;
    const step = emptyViewStep();
    // The view has begun, and this node has yet to come to where it did.
    if (this.#held?.message.view === log.view) return step;
    const there = [...this.#changes.values()].filter(({ message }) => message.view >= log.view);
    this.#move(step, there.length >= quorumOf(cluster) ? log.view + 1 : log.view);
    return step;
  }

  retry(): ViewStep {
    const step = emptyViewStep();
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined) this.#onNewView(step, held);
    if (step.opening === undefined && step.enter === undefined) this.#open(step);
    return step;
  }

  step(verified: Verified<ViewMessage>): ViewStep {
    const step = emptyViewStep();
    const { message } = verified;
    if (message.kind === "view-change") this.#onViewChange(step, { ...verified, message });
    else if (message.kind === "new-view") this.#onNewView(step, { ...verified, message });
    return step;
  }

  #move(step: ViewStep, view: View): void {
    const { self, cluster, log } = this.#options;
    step.enter = view;
    const { stable, decided, prepared } = log.report();
    const { incarnation, rejoins } = this.#options.standing;
    const report = { incarnation, rejoins, stable: stable.certificate, decided, prepared };
    const message: ViewChange = { kind: "view-change", cluster: cluster.id, node: self.node, view, ...report };
    step.send.push({ to: allOf(cluster), message });
  }

  #onViewChange(step: ViewStep, { message, signed, from }: Verified<ViewChange>): void {
    const { log, cluster, self } = this.#options;
    if (signed === undefined) return;
    if (message.view < log.view || (message.view === log.view && log.isOpen)) {
      if (log.isOpen && from.node !== self.node) step.lagging.push(from);
      return;
    }
    const known = this.#changes.get(message.node);
    if (known !== undefined && isNewer(known.message, message)) return;
    this.#changes.set(message.node, { message, signed });
    // f+1 nodes of higher views: one of them is correct, so this node joins the smallest.
    const higher = [...this.#changes.values()].map((each) => each.message.view).filter((view) => view > log.view);
    if (higher.length >= witnessesOf(cluster)) this.#move(step, Math.min(...higher));
    else this.#open(step);
  }

  /** The primary of the view, with a quorum of VIEW-CHANGEs, its own among them. */
  #open(step: ViewStep): void {
    const { self, cluster, log } = this.#options;
    const { view } = log;
    if (log.isOpen || this.#offered === view || primaryOf(cluster, view) !== self.node) return;
    const there = [...this.#changes.values()].filter(({ message }) => message.view === view);
    const counted = new Set(countedReports(there.map(({ message }) => message)));
    const ready = there.filter(({ message }) => counted.has(message));
    const own = ready.find(({ message }) => message.node === self.node);
    if (own === undefined || ready.length < quorumOf(cluster)) return;
    const others = ready.filter((each) => each !== own).sort((a, b) => a.message.node - b.message.node);
    const changes = [own, ...others.slice(0, quorumOf(cluster) - 1)].sort((a, b) => a.message.node - b.message.node);
    const kept = this.#judge(step, view, changes);
    if (kept === undefined) return;
    step.wanted.push(...missingBlocks(kept, this.#options, reportersOf(changes)));
    if (step.wanted.length > 0) return;
    this.#offered = view;
    const message: NewView = {
      kind: "new-view",
      cluster: cluster.id,
      node: self.node,
      view,
      entries: kept.entries.map(({ entry }) => entry),
      stable: undefined,
      decided: [],
      rejoins: [],
      changes,
      original: undefined,
    };
    step.send.push({ to: allOf(cluster), message });
  }

  /** What these keep; undefined when this node must first reach the checkpoint below. */
  #judge(step: ViewStep, view: View, changes: readonly SignedChange[]): Kept | undefined {
    const { cluster, log, noOp } = this.#options;
    const low = highest(changes.map(({ message }) => stableOf(message.stable) as StablePoint));
    if (log.frontier.slot < low.slot) {
      step.behind = low;
      return undefined;
    }
    const reports = changes.map(({ message: { node, stable, decided, prepared } }) => ({
      node,
      stable: stableOf(stable) as StablePoint,
      decided: decided.map(({ entry }) => entry),
      candidates: prepared.map(({ entry }) => entry),
    }));
    return keep({ cluster, view, noOp, reports, placedAt: (digest) => log.placedAt(digest) });
  }

  #onNewView(step: ViewStep, newView: Verified<NewView>): void {
    const { log } = this.#options;
    const { message, from } = newView;
    if (!isOpenable(message, log)) return;
    const { view, changes, entries } = message;
    const kept = this.#judge(step, view, changes);
    if (kept === undefined) {
      this.#held = newView;
      return;
    }
    const isSame = kept.entries.every(({ entry }, at) => {
      const said = entries[at];
      return said !== undefined && sameVote(entry, said);
    });
    if (!isSame || kept.entries.length !== entries.length) {
      step.notes.push({ kind: "rejected", code: "bad-new-view", from, message: "new-view" });
      this.#move(step, view + 1);
      return;
    }
    step.enter = view;
    const decided = decidedAbove(
      kept.low.slot,
      changes.flatMap(({ message: change }) => change.decided),
    );
    step.opening = { kept, decided, newView };
  }
}

/** What a node says as an older incarnation does not stand against what it says as the next. */
function isNewer(known: ViewChange, message: ViewChange): boolean {
  return known.incarnation > message.incarnation || (sameIncarnation(known, message) && known.view > message.view);
}

function sameIncarnation(a: ViewChange, b: ViewChange): boolean {
  return a.incarnation === b.incarnation;
}

function reportersOf(changes: readonly SignedChange[]): ReadonlyMap<Digest, NodeRef> {
  const reporters = new Map<Digest, NodeRef>();
  for (const { message } of changes) {
    const { cluster, node, prepared } = message;
    for (const { entry } of prepared) reporters.set(entry.digest, { cluster, node });
  }
  return reporters;
}
