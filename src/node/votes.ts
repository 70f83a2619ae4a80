// PROPOSE, ACCEPT, SUPER-PROPOSE and SUPER-ACCEPT share one body (voteSchema): a node's statement about an entry.

import { type ClusterId, type Entry, fromHex, type Sequence, toHex } from "../types/ids.js";
import type { Vote } from "../types/message.js";
import { voteSchema } from "../types/schema.js";

export function encodeVote({ entry, node }: Vote, previous: number): Uint8Array {
  return voteSchema.encode({ ...entry, node, digest: fromHex(entry.digest), previous });
}

/** Undefined: not a vote of any log. Throws CodecError. */
export function decodeVote(body: Uint8Array): (Vote & { readonly previous: Sequence }) | undefined {
  const { cluster, node, view, round, slot, sequence, digest, previous } = voteSchema.decode(body);
  if (round > 1 || digest.length !== 32 || slot === 0 || sequence % 65_536 !== cluster) return undefined;
  const entry: Entry = {
    cluster: cluster as ClusterId,
    view,
    round: round as 0 | 1,
    slot,
    sequence: sequence as Sequence,
    digest: toHex(digest),
  };
  return { entry, node, previous: previous as Sequence };
}
