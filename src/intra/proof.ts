// What proves to others that an entry of a byzantine cluster is prepared (protocol 2.2): a quorum's signed accepts, and
// in round 1 the primary's signed proposal as well, which a SUPER-ACCEPT of the primary is, too.

import { primaryOf, sameVote } from "../cluster/quorum.js";
import type { Count } from "../cluster/tally.js";
import { carriage } from "../types/message.js";
import type { Statement } from "../types/schema.js";
import type { ClusterInfo } from "../types/topology.js";
import type { SlotState } from "./slot.js";

/** Undefined while the proposal is not here: without it nobody would believe that the entry is prepared. */
export function preparedProof(
  cluster: ClusterInfo,
  { proposal }: SlotState,
  { entry, signed }: Count,
): readonly Statement[] | undefined {
  const accepts = [...signed.values()] as Statement[];
  const ofPrimary = signed.get(primaryOf(cluster, entry.view)) as Statement | undefined;
  if (entry.round === 0 || ofPrimary?.kind === carriage["super-accept"].number) return accepts;
  return proposal !== undefined && sameVote(proposal.entry, entry) ? [proposal.statement, ...accepts] : undefined;
}
