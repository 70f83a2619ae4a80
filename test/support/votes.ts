// Watches every vote of every node of a test network, over restarts: a node never says two different things in one
// ballot about a slot or about a block (protocol 2.3), and says nothing that is not in its durable state (protocol 10,
// I8).

import { noOpBlock } from "../../src/cluster/block.js";
import { sameEntry } from "../../src/cluster/quorum.js";
import { entryOfStored } from "../../src/intra/stored.js";
import { slotKey } from "../../src/ledger/keys.js";
import type { TurnPlan } from "../../src/node/turn.js";
import { openEnvelope, openMessage } from "../../src/node/wire.js";
import type { Entry } from "../../src/types/ids.js";
import { storedSlotSchema } from "../../src/types/schema.js";
import type { TestNetwork, TestNode } from "./network.js";

const VOTES = new Set(["accept", "super-accept", "commit"]);

export class VoteWatch {
  /** What went wrong, in sentences. */
  readonly contradictions: string[] = [];
  count = 0;
  readonly #network: TestNetwork;
  readonly #said = new Map<string, string>();
  readonly #noOps: ReadonlySet<string>;

  constructor(network: TestNetwork) {
    this.#network = network;
    this.#noOps = new Set(network.topology.clusters.map(({ id }) => noOpBlock(id).digest));
    network.onTurn = (node, plan) => this.#onTurn(node, plan);
  }

  #onTurn(node: TestNode, { outbound, inbound }: TurnPlan): void {
    for (const messages of outbound.values()) for (const bytes of messages) this.#onBytes(node, bytes);
    for (const event of inbound) {
      if (event.kind !== "message") continue;
      const { message } = event.verified;
      if (message.kind === "accept" || message.kind === "super-accept") this.#onVote(node, message.kind, message.entry);
    }
  }

  #onBytes(node: TestNode, bytes: Uint8Array): void {
    const opened = openEnvelope(bytes);
    if (typeof opened === "string" || !VOTES.has(opened.kind)) return;
    const { topology, members } = this.#network;
    // Without the block, which is not what is voted with.
    const vote = { ...opened, block: new Uint8Array(0) };
    const context = {
      topology,
      members,
      verifier: { verify: () => true },
      knownBlock: () => undefined,
      vouched: false,
    };
    const message = openMessage(vote, context);
    if (typeof message === "string") throw new Error(`${node.name} sends a ${opened.kind} that is ${message}`);
    const entries = message.kind === "commit" ? message.entries : "entry" in message ? [message.entry] : [];
    for (const entry of entries) if (entry.cluster === node.ref.cluster) this.#onVote(node, message.kind, entry);
  }

  #onVote(node: TestNode, kind: string, entry: Entry): void {
    const { view, round, slot, sequence, digest } = entry;
    this.count++;
    const isCommit = kind === "commit";
    const ballot = `${node.name} ${isCommit ? "commits" : "accepts"} in ${view}.${round}`;
    this.#say(`${ballot} slot ${slot}`, `${sequence} ${digest}`);
    if (!this.#noOps.has(digest)) this.#say(`${ballot} block ${digest}`, `${slot} ${sequence}`);
    if (!isDurable(node, entry)) this.contradictions.push(`${ballot} slot ${slot}, which is not in its store`);
  }

  #say(about: string, what: string): void {
    const before = this.#said.get(about);
    if (before === undefined) this.#said.set(about, what);
    else if (before !== what) this.contradictions.push(`${about}: ${before}, then ${what}`);
  }
}

/** Slots below the node's stable checkpoint are forgotten, as what they hold is in the ledger. */
function isDurable({ store, replica }: TestNode, entry: Entry): boolean {
  const row = store.get(slotKey(entry.slot));
  if (row === undefined) return entry.slot <= replica.coordinator.engine.frontier.slot;
  const { selfAssigned, accepted, committed, decided } = storedSlotSchema.decode(row);
  return [selfAssigned, accepted, committed, decided].some(
    (stored) => stored !== undefined && sameEntry(entryOfStored(entry.cluster, stored), entry),
  );
}
