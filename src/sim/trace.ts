// The transcript of a run, one line for each frame that arrives, each turn, note and fault, for people who look for the
// reason of a failure. It is built only when asked for: describing a message costs more than handling it.

import type { BlockContext } from "../cluster/block.js";
import type { TurnPlan } from "../node/turn.js";
import { openEnvelope, openMessage } from "../node/wire.js";
import type { Note } from "../types/effects.js";
import { type Entry, showSequence } from "../types/ids.js";
import { type NodeMessage, unreachable } from "../types/message.js";
import { readReplySchema, readSchema, replySchema, requestBodySchema } from "../types/schema.js";
import type { Frame } from "./network.js";

export class Transcript {
  readonly #context: BlockContext;
  readonly #now: () => number;
  readonly #write: (line: string) => void;

  constructor(args: {
    readonly context: BlockContext;
    readonly now: () => number;
    readonly write: (line: string) => void;
  }) {
    this.#context = args.context;
    this.#now = args.now;
    this.#write = args.write;
  }

  note(who: string, text: string): void {
    this.#write(`${this.#now().toFixed(3).padStart(12)} ${who.padEnd(8)} ${text}`);
  }

  frame(from: string, to: string, frame: Frame, isLost: boolean): void {
    for (const envelope of frame) this.note(to, `${isLost ? "LOST" : "<-"} ${from} ${this.#describe(envelope)}`);
  }

  turn(who: string, plan: TurnPlan): void {
    const writes = plan.persist.length === 0 ? "" : `${plan.persist.length} writes`;
    const sends = [...plan.outbound.values()].reduce((sum, frame) => sum + frame.length, 0);
    this.note(who, `turn ${writes} ${sends} sends`);
    for (const note of plan.notes) this.note(who, `* ${describeNote(note)}`);
  }

  #describe(envelope: Uint8Array): string {
    const opened = openEnvelope(envelope);
    if (typeof opened === "string") return opened;
    const { kind, body } = opened;
    try {
      switch (kind) {
        case "request": {
          const { nonce, operations } = requestBodySchema.decode(body);
          return `request ${nonce} of ${operations.length}`;
        }
        case "reply": {
          const { nonce, refusal, results, height, view } = replySchema.decode(body);
          const said = refusal === 0 ? `${results.join(",")} height ${height}` : `refusal ${refusal}`;
          return `reply ${nonce} ${said} v${view}`;
        }
        case "read": {
          const { nonce, accounts } = readSchema.decode(body);
          return `read ${nonce} ${accounts.join(" ")}`;
        }
        case "read-reply": {
          const { nonce, height, accounts } = readReplySchema.decode(body);
          return `read-reply ${nonce} height ${height} ${accounts.map(({ balance }) => balance).join(" ")}`;
        }
        default: {
          const message = openMessage(opened, { ...this.#context, knownBlock: () => undefined, vouched: true });
          return typeof message === "string" ? `${kind} ${message}` : describeMessage(message);
        }
      }
    } catch {
      return `${kind} malformed`;
    }
  }
}

function describeMessage(message: NodeMessage): string {
  const { kind } = message;
  if ("entry" in message) return `${kind} ${describeEntry(message.entry)}`;
  if (kind === "commit") {
    return `${kind} ${message.entries.map((entry) => describeEntry({ ...entry, digest: message.digest })).join(" ")}`;
  }
  if (kind === "checkpoint") return `${kind} slot ${message.slot} height ${message.height}`;
  if (kind === "accept-query") return `${kind} ${message.digest.slice(0, 8)} missing ${message.missing.join(",")}`;
  if (kind === "result") return `${kind} ${message.digest.slice(0, 8)} ${message.verdicts.join(",")}`;
  if (kind === "fetch" && message.slot !== undefined) return `${kind} slot ${message.slot}`;
  if ("view" in message) return `${kind} ${message.view}`;
  return "digest" in message ? `${kind} ${message.digest?.slice(0, 8)}` : kind;
}

function describeEntry({ cluster, view, round, slot, sequence, digest }: Entry): string {
  return `c${cluster} ${view}/${round} slot ${slot} seq ${showSequence(sequence)} ${digest.slice(0, 8)}`;
}

function describeNote(note: Note): string {
  switch (note.kind) {
    case "rejected":
      return `rejected ${note.code} ${note.message}`;
    case "proposed":
      return `proposed ${describeEntry(note.entry)} of ${note.requests} for ${note.clusters.join(",")}`;
    case "super-proposed":
      return `super-proposed ${note.digest.slice(0, 8)} to c${note.cluster}`;
    case "assigned":
      return `assigned ${describeEntry(note.entry)}`;
    case "decided":
      return `decided ${describeEntry(note.entry)}${note.noOp ? " no-op" : ""}`;
    case "recorded":
      return `recorded height ${note.height} seq ${showSequence(note.finalSequence)} ${note.block.digest.slice(0, 8)}`;
    case "queried":
      return `queried ${note.digest.slice(0, 8)}`;
    case "stable":
      return `stable slot ${note.slot} height ${note.height}`;
    case "suspected":
      return `suspected view ${note.view} for ${note.why}`;
    case "takes-part":
      return "takes part from now on";
    case "caught-up":
      return `caught up by ${note.by} to slot ${note.slot} height ${note.height}`;
    case "catching-up":
      return `catching up by ${note.by}, ${note.percent} %`;
    case "view":
      return `${note.isOpen ? "opened" : "entered"} view ${note.view}`;
    default:
      return unreachable(note);
  }
}
