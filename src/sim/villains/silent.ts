// A node that says less than it should: nothing to anyone, nothing to some, nothing of some kinds, or nothing for a
// while. The commonest failure, and the one that hides best: to those whom it answers it looks well. Crash nodes may
// fail like this, too.

import { openEnvelope } from "../../node/wire.js";
import type { PublicKey } from "../../types/ids.js";
import { carriage, type MessageKind } from "../../types/message.js";
import type { Below, Outgoing, Villain, VillainContext } from "../observer.js";
import { happens, oneOf, someOf, within } from "./draw.js";
import { everyone } from "./speech.js";

const SHARE_MIN = 20; // percent of the kinds; fewer would often hit none that is said
const PAUSE_MS = { from: 300, to: 12_000 };

export function silent(below: Below): Villain {
  const kinds = new Set(Object.keys(carriage) as MessageKind[]);
  const share = within(below, { from: SHARE_MIN, to: 100 });
  const muted = new Set([...kinds].filter(() => happens(below, share)));
  const drops = oneOf(below, [
    () => () => true,
    () => toSome(),
    () =>
      ({ envelope }: Outgoing) =>
        muted.has(kindOf(envelope) as MessageKind),
    () => nowAndThen(),
  ])();
  return { name: "silent", bend: (outgoing, context) => outgoing.filter((each) => !drops(each, context)) };
}

/** Some nodes never hear of it. Clients do. */
function toSome(): (each: Outgoing, context: VillainContext) => boolean {
  let shunned: ReadonlySet<PublicKey> | undefined;
  return ({ to }, context) => {
    shunned ??= new Set(someOf(context.below, everyone(context)).map((ref) => context.turn.keyOf(ref)));
    return shunned.has(to);
  };
}

function nowAndThen(): (each: Outgoing, context: VillainContext) => boolean {
  let until = 0;
  let isMute = false;
  return (_, { world, below }) => {
    if (world.now >= until) {
      until = world.now + within(below, PAUSE_MS);
      isMute = !isMute;
    }
    return isMute;
  };
}

function kindOf(envelope: Uint8Array): MessageKind | undefined {
  const opened = openEnvelope(envelope);
  return typeof opened === "string" ? undefined : opened.kind;
}
