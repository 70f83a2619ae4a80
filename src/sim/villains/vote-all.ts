// A node that votes for everything it hears of, in any slot, also for what contradicts what it voted for before; and
// that signs COMMITs for what nobody prepared. It gives every lie of others its voice, which is why votes count by
// quorum, once for each node and ballot, and never by hearsay (protocol 2.3).

import { voteKey } from "../../cluster/quorum.js";
import type { Entry } from "../../types/ids.js";
import type { Commit, NodeMessage } from "../../types/message.js";
import type { Below, Outgoing, Villain, VillainContext } from "../observer.js";
import { Allowance, happens, oneOf, Recent, within } from "./draw.js";
import { entryIn, involvedIn, membersOf, moved, ownCluster, tell } from "./speech.js";

/** So many entries in a second; each is said to all nodes. */
const ENTRIES_PER_SECOND = 100;
const SAID_MAX = 4096;

interface Heard {
  readonly entry: Entry;
  readonly message: NodeMessage;
}

export function voteAll(below: Below): Villain {
  const invention = within(below, { from: 0, to: 60 });
  const commits = within(below, { from: 30, to: 100 });
  const allowance = new Allowance(ENTRIES_PER_SECOND);
  const said = new Recent<string, true>(SAID_MAX);
  let heard: Heard[] = [];

  function words({ entry, message }: Heard, context: VillainContext): readonly Outgoing[] {
    const { node, below: draw } = context;
    const { cluster, node: self } = node.ref;
    if (said.has(voteKey(entry)) || !allowance.take(context.world.now)) return [];
    said.set(voteKey(entry), true);
    const kind = entry.round === 1 && happens(draw, 50) ? "super-accept" : "accept";
    const accept: NodeMessage =
      kind === "accept"
        ? { kind, entry, node: self }
        : { kind, entry, node: self, previous: entry.sequence, block: undefined };
    const commit: Commit = { kind: "commit", cluster, node: self, digest: entry.digest, entries: [entry] };
    const involved = membersOf(context).nodesOf(involvedIn(message, context));
    return [
      ...tell(accept, ownCluster(context), context),
      ...(happens(draw, commits) ? tell(commit, involved, context) : []),
    ];
  }

  /** What it votes for upon hearing this: that entry, or its block elsewhere. */
  function entriesOf(message: NodeMessage, context: VillainContext): readonly Entry[] {
    const entry = entryIn(message);
    if (entry === undefined) return [];
    const { below: draw, node } = context;
    const isMine = entry.cluster === node.ref.cluster;
    const elsewhere = (): Entry => {
      const { frontier, lastSequence } = node.running?.replica.coordinator.engine ?? {
        frontier: entry,
        lastSequence: entry.sequence,
      };
      const slot = Math.max(1, frontier.slot + within(draw, { from: -1, to: 3 }));
      const base: Entry = { ...entry, cluster: node.ref.cluster, slot, round: oneOf(draw, [0, 1] as const) };
      return moved({ ...base, sequence: lastSequence }, 1 + draw(3));
    };
    const mine = isMine ? [entry] : [elsewhere()];
    return happens(draw, invention) ? [...mine, elsewhere()] : mine;
  }

  return {
    name: "vote-all",
    hear(event, context) {
      if (event.kind !== "message") return event;
      const { message } = event.verified;
      for (const entry of entriesOf(message, context)) heard.push({ entry, message });
      return event;
    },
    bend(outgoing, context) {
      const all = heard;
      heard = [];
      return [...outgoing, ...all.flatMap((each) => words(each, context))];
    },
  };
}
