// When a node gives up on its primary, and how patient it is (protocol 2.4, 5): delays double with every view that
// changes, are capped, and fall back as the log goes on. Also who is shown the opening of the view: nodes of the
// cluster that still speak in views that are over.

import type { Members } from "../cluster/members.js";
import type { Coordinator } from "../cross/coordinator.js";
import { viewKey } from "../ledger/keys.js";
import type { Effects, Send } from "../types/effects.js";
import { type ClusterId, type NodeRef, nodeKey, type View } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { NewView, NodeMessage, Verified, ViewQuery } from "../types/message.js";
import { storedViewSchema } from "../types/schema.js";
import type { ClusterInfo } from "../types/topology.js";
import { bodyOf } from "./wire.js";

export interface ViewWatchOptions {
  readonly self: NodeRef;
  readonly members: Members;
  readonly coordinator: Coordinator;
  /** The timer of an entry or a request, ms. */
  readonly intraMs: number;
}

/** So many slots decided without a change of view make the delays fall back by one step. */
const CALM_SLOTS = 16;
/** Under load the time may grow to so many times the topology's. */
const PATIENCE_MAX = 4;
/** So many times the timer may a request wait in the queue of a primary that has others decided meanwhile. */
const QUEUE_PATIENCE = 8;
const NO_BYTES = new Uint8Array(0);

export class ViewWatch {
  readonly #options: ViewWatchOptions;
  readonly #cluster: ClusterInfo;
  #view: View;
  #changes = 0;
  #calm = 0;
  /** Moving average of how long a slot takes to be decided. */
  #usualMs = 0;
  /** When a block was last decided, no no-op. */
  #workedAt = Number.NEGATIVE_INFINITY;
  readonly #shown = new Map<number, number>();
  #asked = Number.NEGATIVE_INFINITY;

  constructor(options: ViewWatchOptions) {
    this.#options = options;
    this.#cluster = options.members.clusterOf(options.self.cluster);
    this.#view = options.coordinator.engine.view;
  }

  /** Half of what an entry or request may take: then it is said again, and at the whole the primary is suspected. */
  get halfMs(): number {
    const half = this.#options.intraMs / 2;
    // A primary that is slow since all are busy is not exchanged for one that would be as slow, within bounds.
    return this.#scaled(Math.min(Math.max(half, 2 * this.#usualMs), PATIENCE_MAX * half), this.#changes);
  }

  /** How long a view that was entered may take to open. Crash nodes take turns, lest all ask for votes at once. */
  get openingMs(): number {
    const stagger = this.#cluster.model === "crash" ? this.#options.self.node * (this.#options.intraMs / 4) : 0;
    return this.#scaled(this.#options.intraMs, this.#changes - 1) + stagger;
  }

  /** A crash node lets those go first whose turn it is to be primary; 0: it is this node's. */
  get standBackMs(): number {
    const { coordinator, self, intraMs } = this.#options;
    if (this.#cluster.model === "byzantine") return 0;
    const count = this.#cluster.nodes.length;
    const distance = (self.node - coordinator.primaryOf(self.cluster).node + count) % count;
    return ((distance - 1) * intraMs) / 2;
  }

  /** How long a request may wait for a primary that is busy with others; then it is being passed over. */
  get queueMs(): number {
    return Math.min(QUEUE_PATIENCE * this.#options.intraMs, limits.timeoutMaxMs);
  }

  /** Were requests ordered lately? */
  isBusy(tick: number): boolean {
    return tick - this.#workedAt < this.halfMs;
  }

  /** A slot was decided, so long after this node began to wait for it. */
  onDecided(tick: number, { elapsedMs, isWork }: { readonly elapsedMs: number; readonly isWork: boolean }): void {
    if (isWork) this.#workedAt = tick;
    this.#usualMs += (elapsedMs - this.#usualMs) / 8;
    this.#calm++;
    if (this.#calm < CALM_SLOTS) return;
    this.#calm = 0;
    this.#changes = Math.max(0, this.#changes - 1);
  }

  /** The view changed: it is written before anything leaves. */
  onChanged(out: Effects): void {
    const { view, opening } = this.#options.coordinator.engine;
    if (view > this.#view) this.#changes++;
    this.#view = view;
    this.#calm = 0;
    const signed = opening === undefined ? undefined : signedOf(opening.message, opening.signed?.signature);
    out.persist.push({ key: viewKey(), value: storedViewSchema.encode({ view, opening: signed }) });
  }

  /** Shows the opening of the present view, to each node at most so often. */
  show(to: readonly NodeRef[], tick: number, send: Send[]): void {
    const { opening, isOpen } = this.#options.coordinator.engine;
    if (opening === undefined || !isOpen) return;
    const due = to.filter((node) => {
      const last = this.#shown.get(nodeKey(node));
      return last === undefined || tick - last >= this.#options.intraMs / 2;
    });
    if (due.length === 0) return;
    for (const node of due) this.#shown.set(nodeKey(node), tick);
    const message: NewView = { ...opening.message, original: opening.signed };
    send.push({ to: due, message });
  }

  /** Others of the cluster speak in a view that this node has no opening of: it asks one who does, now and then. */
  heard({ from, message }: Verified, tick: number, send: Send[]): void {
    const { coordinator, self, intraMs } = this.#options;
    const { engine } = coordinator;
    const isOther = from.cluster === self.cluster && from.node !== self.node;
    const view = (isOther ? spokenView(message, self.cluster) : undefined) ?? 0;
    const isUnknown = view > engine.view || (view === engine.view && !engine.isOpen);
    if (!isUnknown || view === 0 || tick - this.#asked < intraMs / 4) return;
    this.#asked = tick;
    send.push({ to: [from], message: { kind: "view-query", view: engine.isOpen ? engine.view : engine.view - 1 } });
  }

  onQuery({ from, message }: Verified<ViewQuery>, tick: number, send: Send[]): void {
    if (message.view < this.#options.coordinator.engine.view) this.show([from], tick, send);
  }

  /** The primary says the opening again while what the view kept is undecided (2.3). */
  repeat(slot: number, tick: number, send: Send[]): void {
    const { coordinator, self, members } = this.#options;
    const { engine } = coordinator;
    const last = engine.opening?.message.entries.at(-1)?.slot ?? 0;
    if (!engine.isPrimary || slot > last) return;
    this.show(
      members.nodesOf([self.cluster]).filter(({ node }) => node !== self.node),
      tick,
      send,
    );
  }

  #scaled(base: number, doublings: number): number {
    return Math.min(base * 2 ** Math.max(0, doublings), limits.timeoutMaxMs);
  }
}

/** What was to be said in lower views when this turn began is not said any more: nothing of it need be durable. */
export function withdrawVotes(send: Send[], { id, model }: ClusterInfo, view: View): void {
  // A COMMIT of a crash cluster tells what is decided, and is true in whatever view it is said.
  const isVote = ({ kind }: Send["message"]) => kind !== "request" && (kind !== "commit" || model === "byzantine");
  const isOver = ({ message }: Send) => isVote(message) && (spokenView(message as NodeMessage, id) ?? view) < view;
  const kept = send.filter((each) => !isOver(each));
  send.splice(0, send.length, ...kept);
}

/** The view in which the message speaks of an entry of this cluster's log; undefined: in none. */
function spokenView(message: NodeMessage, cluster: ClusterId): View | undefined {
  switch (message.kind) {
    case "propose":
    case "accept":
    case "super-propose":
    case "super-accept":
      return message.entry.cluster === cluster ? message.entry.view : undefined;
    case "commit":
      return message.entries.find((entry) => entry.cluster === cluster)?.view;
    default:
      return undefined;
  }
}

function signedOf(message: NewView, signature: Uint8Array | undefined) {
  return { body: bodyOf(message), signature: signature ?? NO_BYTES };
}
