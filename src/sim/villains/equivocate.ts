// A node that says one thing to one half of the nodes and another to the other half: as primary another block, another
// sequence or another slot, as backup another accept or COMMIT. What it told whom it keeps to, as the lie is only
// dangerous if each half can believe it; or it tells a half both (protocol 2.3, scenario 10).

import type { Block } from "../../types/block.js";
import type { Digest, Entry, NodeRef, PublicKey } from "../../types/ids.js";
import type { NodeMessage } from "../../types/message.js";
import type { Below, Villain, VillainContext } from "../observer.js";
import { happens, oneOf, Recent, someOf, within } from "./draw.js";
import { about, entryIn, everyone, moved, once, ownCluster, reword, variantOf } from "./speech.js";

interface Lie {
  /** What is claimed instead, in whatever ballot. */
  readonly entry: Entry;
  readonly block: Block | undefined;
  /** Who is told. */
  readonly side: ReadonlySet<PublicKey>;
  readonly manner: "lie" | "lie-first" | "truth-first";
}

const LIES_MAX = 4096;
const DIGESTS_MAX = 64;

export function equivocate(below: Below): Villain {
  const share = within(below, { from: 20, to: 100 });
  const lies = new Recent<string, Lie | undefined>(LIES_MAX);
  /** The latest lie about a slot: the next proposal has to name its sequence. */
  const bySlot = new Recent<number, Lie | undefined>(LIES_MAX);
  const digests = new Recent<Digest, Digest>(DIGESTS_MAX);

  function lieAbout(message: NodeMessage, entry: Entry, context: VillainContext): Lie | undefined {
    const key = `${entry.slot} ${entry.digest}`;
    digests.set(entry.digest, entry.digest);
    if (!lies.has(key)) {
      const lie = happens(context.below, share) ? drawLie(message, entry, context) : undefined;
      lies.set(key, lie);
      bySlot.set(entry.slot, lie);
    }
    return lies.get(key);
  }

  function drawLie(message: NodeMessage, entry: Entry, context: VillainContext): Lie {
    const { turn, node, below: draw } = context;
    const keys = (refs: readonly NodeRef[]) => refs.map((ref) => turn.keyOf(ref));
    const home = keys(ownCluster(context));
    const abroad = keys(everyone(context)).filter((key) => !home.includes(key) && happens(draw, 50));
    const side = new Set([
      ...abroad,
      ...someOf(
        draw,
        home.filter((key) => key !== node.info.key),
      ),
    ]);
    const block = "block" in message && message.block !== undefined ? variantOf(message.block, draw) : undefined;
    const others = digests.values().filter((digest) => digest !== entry.digest);
    const digest = block?.digest ?? others.at(-1) ?? entry.digest;
    const counters = within(draw, { from: 1, to: 8 });
    const told = oneOf(draw, [
      { entry: digest === entry.digest ? moved(entry, counters) : { ...entry, digest }, block },
      { entry: moved(entry, counters), block: undefined },
      { entry: moved({ ...entry, slot: entry.slot + 1 }, draw(2)), block: undefined },
    ]);
    return { ...told, side, manner: oneOf(draw, ["lie", "lie", "lie-first", "truth-first"] as const) };
  }

  return {
    name: "equivocate",
    bend(outgoing, context) {
      const lieOf = once((message) => {
        const entry = entryIn(message);
        // What is said to one cluster and not to another is the business of the two-faced.
        if (entry?.cluster !== context.node.ref.cluster || message.kind === "super-propose") return undefined;
        const lie = lieAbout(message, entry, context);
        if (lie === undefined) return undefined;
        const { view, round } = entry;
        return { ...lie, message: about(message, { ...lie.entry, view, round }, lie.block) };
      });
      const withPrevious = once((message) => {
        if (!("previous" in message)) return undefined;
        const before = bySlot.get(message.entry.slot - 1);
        return before === undefined
          ? undefined
          : { ...before, message: { ...message, previous: before.entry.sequence } };
      });
      return reword(outgoing, context, (message, to) => {
        const key = context.turn.keyOf(to);
        const lie = lieOf(message);
        if (lie?.side.has(key) === true) {
          if (lie.manner === "lie") return [lie.message];
          return lie.manner === "lie-first" ? [lie.message, message] : [message, lie.message];
        }
        const follow = withPrevious(message);
        return follow?.side.has(key) === true ? [follow.message] : [message];
      });
    },
  };
}
