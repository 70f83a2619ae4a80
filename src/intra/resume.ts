// How a node goes on after a start (protocol 6): it takes back what it had made durable about each slot, and
// contradicts nothing of it; and when it may take part again it says what it had said of slots that are undecided,
// since others' count of it, or its own of others, may be lost.

import type { Entry } from "../types/ids.js";
import type { LogEntry, StoredSlot } from "../types/schema.js";
import type { EngineStep } from "./engine.js";
import type { Log } from "./log.js";
import type { SlotState } from "./slot.js";
import { entryOfStored } from "./stored.js";

export interface Resuming {
  readonly log: Log;
  /** Is this node primary of its view, whether it may take part yet or not? */
  readonly isInOffice: boolean;
  /** Sends this node's accept of an entry to all who count it. */
  readonly cast: (step: EngineStep, entry: Entry) => void;
}

export function restoreSlot(step: EngineStep, stored: StoredSlot, resuming: Resuming): void {
  const { log, isInOffice } = resuming;
  const state = log.slot(stored.slot);
  if (state === undefined) return;
  const take = (entry: LogEntry | undefined) => (entry === undefined ? undefined : entryOfStored(log.cluster, entry));
  const selfAssigned = take(stored.selfAssigned);
  const accepted = take(stored.accepted);
  const committed = take(stored.committed);
  state.proposal =
    stored.proposal === undefined || accepted === undefined
      ? undefined
      : { entry: accepted, statement: stored.proposal };
  const isPresent = (entry: Entry | undefined) => log.isOpen && log.present(entry) !== undefined;
  if (selfAssigned !== undefined && isPresent(selfAssigned)) {
    if (isInOffice) log.choose(state, selfAssigned);
    log.recordSelfAssigned(state, selfAssigned);
  } else state.selfAssigned = selfAssigned;
  if (accepted !== undefined && isPresent(accepted)) {
    log.choose(state, accepted);
    log.accept(state, accepted);
  } else state.accepted = accepted;
  if (committed !== undefined && isPresent(committed)) log.prepare(state, committed, stored.prepared);
  else if (committed !== undefined) {
    state.committed = committed;
    state.prepared = { entry: committed, proof: stored.prepared };
  }
  const decided = take(stored.decided);
  if (decided === undefined || stored.certificate === undefined) {
    step.changed.add(stored.slot);
    castOwn(step, state, resuming);
    return;
  }
  const decision = { entry: decided, certificate: stored.certificate };
  if (log.decide(state, decision)) step.decided.push(decision);
}

/** As if the view opened for this node now. */
export function beginVoting(step: EngineStep, resuming: Resuming): void {
  const { log } = resuming;
  step.view = "opened";
  for (let slot = log.frontier.slot + 1; slot <= log.last; slot++) {
    const state = log.peek(slot);
    if (state === undefined || state.decided !== undefined) continue;
    step.changed.add(slot);
    castOwn(step, state, resuming);
  }
}

function castOwn(step: EngineStep, { accepted, selfAssigned }: SlotState, { log, cast }: Resuming): void {
  const accept = accepted ?? selfAssigned;
  if (accept !== undefined && log.takesPart && log.present(accept) !== undefined) cast(step, accept);
}
