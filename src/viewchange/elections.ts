// View change of crash clusters (protocol 5, paper §6.3.4): the node that suspects the primary asks for the cluster's
// votes with PREPARE, a quorum of PROMISEs tells it all that may have been decided, and its NEW-VIEW opens the view.
// Which entries that keeps is keep.ts's business.

import { type StablePoint, stableOf } from "../cluster/checkpoint.js";
import { primaryOf, quorumOf } from "../cluster/quorum.js";
import { newestClaims } from "../cluster/rejoin.js";
import type { Digest, NodeIndex, NodeRef, View } from "../types/ids.js";
import type { NewView, Prepare, Verified, ViewMessage, ViewPromise } from "../types/message.js";
import { keep, type Report } from "./keep.js";
import {
  allOf,
  decidedAbove,
  emptyViewStep,
  highest,
  isOpenable,
  missingBlocks,
  type OwnReport,
  openingOf,
  type ViewProtocol,
  type ViewProtocolOptions,
  type ViewStep,
} from "./protocol.js";

export class Elections implements ViewProtocol {
  readonly #options: ViewProtocolOptions;
  /** The view this node asks to be primary of; of it are the promises. */
  #candidacy: View = 0;
  readonly #promises = new Map<NodeIndex, ViewPromise>();
  /** The NEW-VIEW was sent; it comes back like everything a node says to itself. */
  #isOffered = false;

  constructor(options: ViewProtocolOptions) {
    this.#options = options;
  }

  /** Crash nodes open a view wherever they are. */
  get isHolding(): boolean {
    return false;
  }

  /** Takes the next view whose primary this node is. */
  suspect(): ViewStep {
    const { self, cluster, log } = this.#options;
    const step = emptyViewStep();
    let view = log.view + 1;
    while (primaryOf(cluster, view) !== self.node) view++;
    this.#candidacy = view;
    this.#promises.clear();
    this.#isOffered = false;
    step.enter = view;
    const message: Prepare = { kind: "prepare", cluster: cluster.id, node: self.node, view };
    step.send.push({ to: allOf(cluster).filter(({ node }) => node !== self.node), message });
    this.#open(step, view);
    return step;
  }

  onTimer(): ViewStep {
    return this.suspect();
  }

  retry(): ViewStep {
    const step = emptyViewStep();
    this.#open(step, this.#options.log.view);
    return step;
  }

  step(verified: Verified<ViewMessage>): ViewStep {
    const step = emptyViewStep();
    const { message } = verified;
    if (message.kind === "prepare") this.#onPrepare(step, { ...verified, message });
    else if (message.kind === "promise") this.#onPromise(step, { ...verified, message });
    else if (message.kind === "new-view") this.#onNewView(step, { ...verified, message });
    return step;
  }

  #onPrepare(step: ViewStep, { message, from }: Verified<Prepare>): void {
    const { log, self, cluster } = this.#options;
    const { view } = message;
    if (view < log.view || (view === log.view && log.isOpen)) {
      if (log.isOpen) step.lagging.push(from);
      return;
    }
    step.enter = view;
    const { stable, decided, candidates } = log.report();
    const { incarnation, rejoins } = this.#options.standing;
    const report = { incarnation, rejoins, stable: stable.certificate, decided, candidates };
    const promise: ViewPromise = { kind: "promise", cluster: cluster.id, node: self.node, view, ...report };
    step.send.push({ to: [from], message: promise });
  }

  #onPromise(step: ViewStep, { message }: Verified<ViewPromise>): void {
    const { log } = this.#options;
    if (message.view !== this.#candidacy || message.view !== log.view || log.isOpen) return;
    this.#promises.set(message.node, message);
    this.#open(step, log.view);
  }

  /** With a quorum of promises, its own among them as of now, this node opens the view. */
  #open(step: ViewStep, view: View): void {
    const { self, cluster, log, noOp, standing } = this.#options;
    if (view === 0 || view !== this.#candidacy || this.#isOffered || (log.view === view && log.isOpen)) return;
    const own = log.report();
    const others = [...this.#promises.values()].sort((a, b) => a.node - b.node);
    const rejoins = newestClaims([...standing.rejoins, ...others.flatMap((promise) => promise.rejoins)]);
    const last = new Map(rejoins.map((claim) => [claim.node, claim.incarnation]));
    const promises = others.filter(({ node, incarnation }) => incarnation >= (last.get(node) ?? 0));
    if (promises.length + 1 < quorumOf(cluster)) return;
    const low = highest([own.stable, ...promises.map(stableOfPromise)]);
    if (log.frontier.slot < low.slot) {
      step.behind = low;
      return;
    }
    const reports = [reportOf(self.node, own), ...promises.map(reportOfPromise)];
    const kept = keep({ cluster, view, noOp, reports, placedAt: (digest) => log.placedAt(digest) });
    step.wanted.push(...missingBlocks(kept, this.#options, reportersOf(promises)));
    if (step.wanted.length > 0) return;
    this.#isOffered = true;
    const message: NewView = {
      kind: "new-view",
      cluster: cluster.id,
      node: self.node,
      view,
      entries: kept.entries.map(({ entry }) => entry),
      stable: low.certificate,
      decided: decidedAbove(
        low.slot,
        [own, ...promises].flatMap(({ decided }) => decided),
      ),
      rejoins,
      changes: [],
      original: undefined,
    };
    step.send.push({ to: allOf(cluster), message });
  }

  /** Crash nodes do not lie: what the primary keeps is kept. */
  #onNewView(step: ViewStep, newView: Verified<NewView>): void {
    const { message } = newView;
    if (!isOpenable(message, this.#options.log)) return;
    step.enter = message.view;
    step.opening = openingOf(newView);
  }
}

function stableOfPromise({ stable }: ViewPromise): StablePoint {
  return stableOf(stable) as StablePoint;
}

function reportOf(node: NodeIndex, { stable, decided, candidates }: OwnReport): Report {
  return { node, stable, decided: decided.map(({ entry }) => entry), candidates };
}

function reportOfPromise(promise: ViewPromise): Report {
  const { node, decided, candidates } = promise;
  const stable = stableOfPromise(promise);
  return { node, stable, decided: decided.map(({ entry }) => entry), candidates };
}

function reportersOf(promises: readonly ViewPromise[]): ReadonlyMap<Digest, NodeRef> {
  const reporters = new Map<Digest, NodeRef>();
  for (const { cluster, node, candidates } of promises) {
    for (const { digest } of candidates) reporters.set(digest, { cluster, node });
  }
  return reporters;
}
