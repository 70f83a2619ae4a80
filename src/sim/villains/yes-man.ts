// A node that tells each other node what that node wants to hear: the votes for whatever it proposed or voted for, and
// no others. Of a node only the first vote in a ballot counts, so this is how one lying vote serves two sides at once:
// with one more liar than a cluster bears it splits the cluster, with f of them it must not (protocol 1, quorums).

import { voteKey } from "../../cluster/quorum.js";
import { type Entry, type NodeRef, showNode } from "../../types/ids.js";
import type { Accept, Commit } from "../../types/message.js";
import type { Below, Outgoing, Villain, VillainContext } from "../observer.js";
import { Allowance, happens, Recent, within } from "./draw.js";
import { entryIn, everyone, reword, tell } from "./speech.js";

const SAID_MAX = 16_384;
const ANSWERS_PER_SECOND = 400;

export function yesMan(below: Below): Villain {
  const commitsEarly = happens(below, 50);
  const saysItAbroad = within(below, { from: 0, to: 100 });
  const allowance = new Allowance(ANSWERS_PER_SECOND);
  const said = new Recent<string, true>(SAID_MAX);
  let wishes: { readonly to: NodeRef; readonly entry: Entry; readonly commits: boolean }[] = [];

  function sayOnce(what: string, make: () => readonly Outgoing[]): readonly Outgoing[] {
    if (said.has(what)) return [];
    said.set(what, true);
    return make();
  }

  function answer({ to, entry, commits }: (typeof wishes)[number], context: VillainContext): readonly Outgoing[] {
    if (!allowance.take(context.world.now)) return [];
    const { cluster, node } = context.node.ref;
    const accept: Accept = { kind: "accept", entry, node };
    const commit: Commit = { kind: "commit", cluster, node, digest: entry.digest, entries: [entry] };
    const key = `${showNode(to)} ${voteKey(entry)}`;
    const abroad = everyone(context).filter((ref) => ref.cluster !== cluster && happens(context.below, saysItAbroad));
    return [
      ...sayOnce(`${key} accept`, () => tell(accept, [to], context)),
      ...(commits || commitsEarly ? sayOnce(`${key} commit`, () => tell(commit, [to, ...abroad], context)) : []),
    ];
  }

  return {
    name: "yes-man",
    hear(event, context) {
      if (event.kind !== "message") return event;
      const { from, message } = event.verified;
      const entry = entryIn(message);
      const isHome = from.cluster === context.node.ref.cluster && entry?.cluster === from.cluster;
      if (entry !== undefined && isHome) wishes.push({ to: from, entry, commits: message.kind === "commit" });
      return event;
    },
    bend(outgoing, context) {
      const heard = wishes;
      wishes = [];
      const isOwnVote = (kind: string) => kind === "accept" || kind === "commit" || kind === "super-accept";
      const others = reword(outgoing, context, (message) => {
        const isProposal = "block" in message && message.block !== undefined;
        return isOwnVote(message.kind) && !isProposal ? [] : [message];
      });
      return [...others, ...heard.flatMap((wish) => answer(wish, context))];
    },
  };
}
