// How far a node has heard each node of its cluster speak (protocol 6): the highest view, and in it the highest
// slot, of anything that binds the speaker. Who comes back from an old copy of its folder does not know of it, and
// is told so.

import { compareMarks } from "../cluster/start.js";
import { heardKey, heardSchema } from "../ledger/keys.js";
import type { Reader, Write } from "../types/effects.js";
import type { NodeIndex, NodeRef } from "../types/ids.js";
import type { Mark, NodeMessage, Verified } from "../types/message.js";

const NOTHING: Mark = { view: 0, slot: 0 };

export class Heard {
  readonly #self: NodeRef;
  readonly #marks: Mark[];
  #isChanged = false;

  constructor({ self, nodes, reader }: { readonly self: NodeRef; readonly nodes: number; readonly reader: Reader }) {
    this.#self = self;
    const row = reader.get(heardKey());
    const { marks } = row === undefined ? { marks: [] } : heardSchema.decode(row);
    this.#marks = Array.from({ length: nodes }, (_, node) => marks[node] ?? NOTHING);
  }

  of(node: NodeIndex): Mark {
    return this.#marks[node] ?? NOTHING;
  }

  /** `incarnation`: that of the speaker, as far as it is known here. What an older one said does not bind it. */
  hear({ from, message }: Verified, incarnation: number): void {
    if (from.cluster !== this.#self.cluster || from.node === this.#self.node) return;
    if ("incarnation" in message && message.incarnation < incarnation) return;
    const mark = markOf(message, this.#self);
    if (mark === undefined || compareMarks(mark, this.of(from.node)) <= 0) return;
    this.#marks[from.node] = mark;
    this.#isChanged = true;
  }

  /** The node speaks as a new incarnation, which starts from nothing. */
  forget(node: NodeIndex): void {
    this.#marks[node] = NOTHING;
    this.#isChanged = true;
  }

  /** With whatever else the turn writes: nothing that follows from a vote is durable before it. */
  persist(persist: Write[]): void {
    if (!this.#isChanged || persist.length === 0) return;
    this.#isChanged = false;
    persist.push({ key: heardKey(), value: heardSchema.encode({ marks: this.#marks }) });
  }
}

/** What the speaker has bound itself to, in the log of its own cluster. */
function markOf(message: NodeMessage, { cluster }: NodeRef): Mark | undefined {
  switch (message.kind) {
    case "propose":
    case "accept":
    case "super-accept":
      return message.entry.cluster === cluster ? message.entry : undefined;
    case "promise":
    case "view-change":
      return { view: message.view, slot: 0 };
    default:
      return undefined;
  }
}
