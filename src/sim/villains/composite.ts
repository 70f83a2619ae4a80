// Most attacks combine: one to three villains in one node, of whom some act for a while, then others, and sometimes
// none. All of them listen all the time.

import type { Event } from "../../types/effects.js";
import type { Below, MakeVillain, Villain, VillainContext } from "../observer.js";
import { happens, within } from "./draw.js";

const PHASE_MS = { from: 500, to: 15_000 };
const PARTS_MAX = 3;

export function compositeOf(makers: readonly MakeVillain[]): MakeVillain {
  return (below) => {
    const rest = [...makers];
    const count = 1 + below(PARTS_MAX);
    const parts = Array.from({ length: count }, () => rest.splice(below(rest.length), 1))
      .flat()
      .map((make) => make(below));
    return combined(parts, below);
  };
}

function combined(parts: readonly Villain[], below: Below): Villain {
  let acting = parts;
  let until = within(below, PHASE_MS);

  function look({ world, below: draw }: VillainContext): void {
    if (world.now < until) return;
    until = world.now + within(draw, PHASE_MS);
    acting = parts.filter(() => happens(draw, 60));
  }

  return {
    name: `composite (${parts.map(({ name }) => name).join(", ")})`,
    ...(parts.some(({ twin }) => twin === true) ? { twin: true } : {}),
    hear(event, context) {
      look(context);
      let heard: Event | undefined = event;
      for (const part of parts) {
        if (heard === undefined) break;
        const other: Event | undefined = part.hear === undefined ? heard : part.hear(heard, context);
        if (acting.includes(part)) heard = other;
      }
      return heard;
    },
    bend(outgoing, context) {
      look(context);
      return acting.reduce((words, part) => part.bend?.(words, context) ?? words, outgoing);
    },
    remember(node, draw) {
      for (const part of acting) part.remember?.(node, draw);
    },
  };
}
