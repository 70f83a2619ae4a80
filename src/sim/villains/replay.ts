// A node that says again, to anyone and at any time, what it or others once said: old votes, proposals, requests,
// answers, in the very bytes in which they came. What is bound to a channel is refused there; what is not must do no
// harm when it comes late, twice, or from a stranger.

import type { Below, Villain } from "../observer.js";
import { Allowance, happens, oneOf, within } from "./draw.js";
import { envelopeOf, everyone, spread } from "./speech.js";

const KEPT_MAX = 512;
const WORDS_PER_SECOND = 60;

export function replay(below: Below): Villain {
  const share = within(below, { from: 10, to: 60 });
  const isHoarder = happens(below, 50);
  const allowance = new Allowance(WORDS_PER_SECOND);
  const kept: Uint8Array[] = [];

  /** A hoarder keeps the oldest, others a sample of all. */
  function keep(envelope: Uint8Array, draw: Below): void {
    if (kept.length < KEPT_MAX) kept.push(envelope);
    else if (!isHoarder) kept[draw(KEPT_MAX)] = envelope;
  }

  return {
    name: "replay",
    hear(event, { below: draw }) {
      const envelope = happens(draw, share) ? envelopeOf(event) : undefined;
      if (envelope !== undefined) keep(envelope, draw);
      return event;
    },
    bend(outgoing, context) {
      const { below: draw, world } = context;
      const again = Array.from({ length: 1 + draw(3) }, () => {
        if (kept.length === 0 || !happens(draw, share) || !allowance.take(world.now)) return [];
        const to = happens(draw, 50) ? [oneOf(draw, everyone(context))] : everyone(context);
        return spread(oneOf(draw, kept), to, context);
      });
      for (const { envelope } of outgoing) if (happens(draw, share)) keep(envelope, draw);
      return [...outgoing, ...again.flat()];
    },
  };
}
