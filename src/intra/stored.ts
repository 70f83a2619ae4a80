// The durable form of a slot (storedSlotSchema): what the node said about it and knows of it.

import { type ClusterId, type Digest, type Entry, fromHex, type Sequence, toHex } from "../types/ids.js";
import type { LogEntry, StoredSlot } from "../types/schema.js";
import type { SlotState } from "./slot.js";

export function storedSlot(state: SlotState): StoredSlot {
  return {
    slot: state.slot,
    selfAssigned: storedEntry(state.selfAssigned),
    accepted: storedEntry(state.accepted),
    committed: storedEntry(state.committed),
    decided: storedEntry(state.decided?.entry),
    certificate: state.decided?.certificate,
    prepared: state.decided === undefined ? (state.prepared?.proof ?? []) : [],
    proposal: state.decided === undefined ? state.proposal?.statement : undefined,
  };
}

export function entryOfStored(cluster: ClusterId, stored: LogEntry): Entry {
  const { view, slot } = stored;
  const round = stored.round === 0 ? 0 : 1;
  return { cluster, view, round, slot, sequence: stored.sequence as Sequence, digest: toHex<Digest>(stored.digest) };
}

export function storedEntry(entry: Entry | undefined): LogEntry | undefined {
  if (entry === undefined) return undefined;
  const { view, round, slot, sequence, digest } = entry;
  return { view, round, slot, sequence, digest: fromHex(digest) };
}
