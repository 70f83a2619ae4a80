// A node that pumps sequences: as primary its proposals, in round 0 its accepts carry counters far up, by just what
// others accept, or by more (protocol 9, scenario 7). It keeps to what it claimed: the next proposal names the pumped
// sequence as the one before, else nobody would follow.

import { counterOf, type Entry, type Sequence, type Slot } from "../../types/ids.js";
import { limits } from "../../types/limits.js";
import type { NodeMessage } from "../../types/message.js";
import type { Below, Villain } from "../observer.js";
import { happens, oneOf, Recent, within } from "./draw.js";
import { about, entryIn, moved, once, reword } from "./speech.js";

const CLAIMS_MAX = 4096;

export function pump(below: Below): Villain {
  const share = within(below, { from: 20, to: 100 });
  const isGreedy = happens(below, 30);
  const claims = new Recent<Slot, Sequence>(CLAIMS_MAX);
  let offset = 0;

  function step(draw: Below): number {
    const { counterJumpMax, counterMax } = limits;
    if (!isGreedy) return oneOf(draw, [1, counterJumpMax >> 1, counterJumpMax - 1, counterJumpMax]);
    return oneOf(draw, [counterJumpMax, counterJumpMax + 1, 2 * counterJumpMax, 2 ** 30, counterMax]);
  }

  function claimed(entry: Entry, draw: Below): Sequence {
    const known = claims.get(entry.slot);
    if (known !== undefined) return known;
    const jump = happens(draw, share) ? step(draw) : 0;
    // What it cannot make others believe it does not build upon.
    if (!isGreedy) offset += jump;
    const { sequence } = moved(entry, isGreedy ? jump : offset);
    claims.set(entry.slot, sequence);
    return sequence;
  }

  return {
    name: "pump",
    bend(outgoing, context) {
      const pumped = once((message): NodeMessage => {
        const entry = entryIn(message);
        if (entry?.cluster !== context.node.ref.cluster || message.kind === "super-propose") return message;
        const sequence = claimed(entry, context.below);
        if (counterOf(sequence) === counterOf(entry.sequence) && !("previous" in message)) return message;
        const said = about(message, { ...entry, sequence });
        const previous = claims.get(entry.slot - 1);
        return "previous" in said && previous !== undefined ? { ...said, previous } : said;
      });
      return reword(outgoing, context, (message) => [pumped(message)]);
    },
  };
}
