// Two nodes with one identity: both honest, each with a state of its own, and neither knowing what the other says. For
// a while each other node talks with the one, with the other, or with both, then the parties are drawn anew. So the two
// contradict each other in every way that honest code can, without a line of evil. What the world does for it is said
// in observer.ts.

import type { MemoryStore } from "../../ledger/memory.js";
import type { Event } from "../../types/effects.js";
import type { PublicKey } from "../../types/ids.js";
import type { Villain, VillainContext } from "../observer.js";
import { oneOf, within } from "./draw.js";

const PHASE_MS = { from: 500, to: 10_000 };
type Party = "first" | "second" | "both";

export function twins(): Villain {
  /** What tells them apart is the store. */
  let first: MemoryStore | undefined;
  let until = 0;
  const parties = new Map<PublicKey, Party>();

  function talks(other: PublicKey, { node, world, below }: VillainContext): boolean {
    first ??= node.store;
    if (world.now >= until) {
      until = world.now + within(below, PHASE_MS);
      parties.clear();
    }
    const party = parties.get(other) ?? oneOf(below, ["first", "second", "both"] as const);
    parties.set(other, party);
    return party === "both" || (party === "first") === (node.store === first);
  }

  return {
    name: "twins",
    twin: true,
    hear(event, context) {
      const sender = senderOf(event, context);
      return sender === undefined || talks(sender, context) ? event : undefined;
    },
    bend: (outgoing, context) => outgoing.filter(({ to }) => talks(to, context)),
  };
}

function senderOf(event: Event, { turn }: VillainContext): PublicKey | undefined {
  switch (event.kind) {
    case "message":
      return turn.keyOf(event.verified.from);
    case "request":
    case "read":
    case "prove":
      return event.from;
    case "refused":
      return event.client;
    case "link":
    case "tick":
      return undefined;
  }
}
