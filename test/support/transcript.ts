// What is said in a test network, written down: one line for each message that a node sends, with everyone it goes to,
// and one for each record. Blocks are called X, Y, Z in the order in which they appear, so that transcripts can be
// read, and compared with golden ones. A node's words to itself are not on the network and not in here.

import { noOpBlock } from "../../src/cluster/block.js";
import { checkpointOf } from "../../src/cluster/checkpoint.js";
import type { TurnPlan } from "../../src/node/turn.js";
import { openEnvelope, openMessage } from "../../src/node/wire.js";
import { resultCode } from "../../src/types/codes.js";
import { type Digest, type Entry, showSequence } from "../../src/types/ids.js";
import type { NodeMessage } from "../../src/types/message.js";
import { replyOf, type TestNetwork, type TestNode } from "./network.js";

const NAMES = "XYZUVW";

export class Transcript {
  readonly lines: string[] = [];
  readonly #network: TestNetwork;
  readonly #names = new Map<Digest, string>();

  constructor(network: TestNetwork) {
    this.#network = network;
    for (const { id } of network.topology.clusters) this.#names.set(noOpBlock(id).digest, "no-op");
    network.onTurn = (node, plan) => this.#onTurn(node, plan);
  }

  #onTurn(node: TestNode, { outbound, notes }: TurnPlan): void {
    const receivers = new Map<Uint8Array, string[]>();
    for (const note of notes) {
      if (note.kind === "recorded") {
        const { height, finalSequence, block } = note;
        this.lines.push(
          `${node.name} records ${this.#name(block.digest)}: height ${height}, final ${showSequence(finalSequence)}`,
        );
      } else if (note.kind === "rejected") this.lines.push(`${node.name} refuses ${note.message}: ${note.code}`);
    }
    for (const [to, messages] of outbound) {
      for (const bytes of messages) {
        const known = receivers.get(bytes);
        if (known === undefined) receivers.set(bytes, [this.#network.nameOf(to)]);
        else known.push(this.#network.nameOf(to));
      }
    }
    for (const [bytes, names] of receivers) {
      this.lines.push(`${node.name} -> ${names.join(" ")}: ${this.#describe(bytes)}`);
    }
  }

  #describe(bytes: Uint8Array): string {
    const opened = openEnvelope(bytes);
    if (typeof opened === "string") return opened;
    const kind = opened.kind.toUpperCase();
    if (opened.kind === "reply") {
      const { results, refusal, height } = replyOf({ bytes });
      return refusal === 0 ? `${kind} ${codes(results)}, height ${height}` : `${kind} refusal ${refusal}`;
    }
    const { topology, members } = this.#network;
    const context = {
      topology,
      members,
      verifier: { verify: () => true },
      knownBlock: () => undefined,
      vouched: false,
    };
    const message = opened.kind === "request" ? undefined : openMessage(opened, context);
    return message === undefined || typeof message === "string" ? kind : `${kind} ${this.#content(message)}`;
  }

  #content(message: NodeMessage): string {
    switch (message.kind) {
      case "propose":
      case "super-propose":
        return `${this.#name(message.entry.digest)} ${place(message.entry)}`;
      case "accept":
        return `${this.#name(message.entry.digest)} ${place(message.entry)}`;
      case "super-accept": {
        const block = message.block === undefined ? "" : " with the block";
        return `${this.#name(message.entry.digest)}${block} ${place(message.entry)}`;
      }
      case "commit":
        return `${this.#name(message.digest)} ${message.entries.map(place).join(" and ")}`;
      case "result":
        return `${this.#name(message.digest)} of cluster ${message.cluster}: ${codes(message.verdicts)}`;
      case "accept-query":
        return `${this.#name(message.digest)} missing ${message.missing.join(" ")} verdicts ${message.verdicts.join(" ")}`;
      case "checkpoint":
        return `slot ${message.slot}, height ${message.height}`;
      case "stable":
        return `slot ${checkpointOf(message.certificate)?.slot}`;
      case "fetch-records":
        return `${message.from} to ${message.to}${message.blocks ? " with blocks" : ""}`;
      case "records":
        return `${message.items.length} from ${message.from}`;
      case "fetch-state":
        return `${message.part} at slot ${message.slot}`;
      case "state":
        return `${message.part} at slot ${message.slot}, ${message.pieces.length} pieces`;
      case "fetch":
        return message.slot === undefined ? this.#name(message.digest) : `slot ${message.slot}`;
      case "start":
      case "started":
        return `${message.boot}`;
      case "view-query":
      case "prepare":
      case "promise":
      case "view-change":
      case "new-view":
        return `of view ${message.view}`;
      default:
        return this.#name(message.digest);
    }
  }

  #name(digest: Digest): string {
    let name = this.#names.get(digest);
    if (name === undefined) {
      const noOps = this.#network.topology.clusters.length;
      name = NAMES[this.#names.size - noOps] ?? `B${this.#names.size - noOps}`;
      this.#names.set(digest, name);
    }
    return name;
  }
}

/** For example "c2 slot 1 = 2.2 (0.0)": in cluster 2's log, counter 2, view 0, round 0. */
function place({ cluster, slot, sequence, view, round }: Entry): string {
  return `c${cluster} slot ${slot} = ${showSequence(sequence)} (${view}.${round})`;
}

function codes(results: Uint8Array): string {
  return [...results].map((number) => resultCode(number) ?? `code ${number}`).join(" ");
}
