// A node that gets its facts wrong at random, each time anew: slots, sequences, rounds, what came before, heights and
// roots. Nothing it says needs to fit to what it said before (protocol 2: votes count together only if all is equal).

import { type Entry, type Sequence, sequenceOf } from "../../types/ids.js";
import type { Checkpoint, NodeMessage } from "../../types/message.js";
import type { Below, Villain } from "../observer.js";
import { happens, oneOf, within } from "./draw.js";
import { about, digestOfNumber, entryIn, moved, once, reword } from "./speech.js";

const FAR_SLOTS = 5000; // beyond what any log takes (slotsAheadMax)

export function liar(below: Below): Villain {
  const share = within(below, { from: 10, to: 80 });
  return {
    name: "liar",
    bend(outgoing, context) {
      const { below: draw } = context;
      const bent = once((message) => (happens(draw, share) ? lied(message, draw) : message));
      // Now and then each hears another lie.
      const isCareful = happens(draw, 70);
      return reword(outgoing, context, (message) => [
        isCareful || !happens(draw, share) ? bent(message) : lied(message, draw),
      ]);
    },
  };
}

function lied(message: NodeMessage, below: Below): NodeMessage {
  if (message.kind === "checkpoint") return liedCheckpoint(message, below);
  const entry = entryIn(message);
  if (entry === undefined) return message;
  if ("previous" in message && happens(below, 15)) {
    return { ...message, previous: moved({ ...entry, sequence: message.previous || entry.sequence }, 1).sequence };
  }
  return about(message, liedEntry(entry, below));
}

function liedEntry(entry: Entry, below: Below): Entry {
  const { slot } = entry;
  return oneOf(below, [
    () => ({ ...entry, slot: slot + 1 + below(3) }),
    () => ({ ...entry, slot: Math.max(1, slot - 1 - below(3)) }),
    () => ({ ...entry, slot: slot + FAR_SLOTS }),
    () => moved(entry, within(below, { from: 1, to: 5 })),
    () => moved(entry, -within(below, { from: 1, to: 5 })),
    () => ({ ...entry, round: (1 - entry.round) as 0 | 1 }),
    () => ({ ...moved(entry, 1), slot: slot + 1 }),
    () => ({ ...entry, view: entry.view + 1 + below(4) }),
  ])();
}

function liedCheckpoint(message: Checkpoint, below: Below): Checkpoint {
  const { slot, height, sequence, finalSequence, cluster } = message;
  const later = (sequence: Sequence) => sequenceOf(Math.floor(sequence / 65_536) + 1 + below(9), cluster);
  return oneOf(below, [
    { ...message, slot: slot + 1 + below(64) },
    { ...message, slot: Math.max(1, slot - 1) },
    { ...message, height: height + 1 },
    { ...message, record: digestOfNumber(below(1000)) },
    { ...message, state: digestOfNumber(below(1000)) },
    { ...message, sequence: later(sequence) },
    { ...message, finalSequence: later(finalSequence) },
  ]);
}
