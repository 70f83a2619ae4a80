// Keeps the log short (protocol 6): signs a checkpoint at each point that is due, and once one is stable and this
// node's own records have reached it, forgets the slots below.

import type { Members } from "../cluster/members.js";
import { Checkpoints, type StableCheckpoint } from "../intra/checkpoint.js";
import type { ClusterLog } from "../intra/engine.js";
import { checkpointKey, slotKey } from "../ledger/keys.js";
import type { Effects } from "../types/effects.js";
import type { Digest, NodeRef, Sequence, Slot } from "../types/ids.js";
import type { Checkpoint, Verified } from "../types/message.js";
import { certificateSchema } from "../types/schema.js";
import type { Recorder } from "./recorder.js";

export interface TruncationOptions {
  readonly self: NodeRef;
  readonly members: Members;
  readonly engine: ClusterLog;
  readonly recorder: Recorder;
  /** Slot of the stable checkpoint on disk; 0: none. */
  readonly stable: Slot;
}

/** A record, and the end of the gapless delivered prefix of the log after it. */
export interface RecordedPoint {
  readonly slot: Slot;
  readonly height: number;
  readonly hash: Digest;
  readonly finalSequence: Sequence;
}

export class Truncation {
  readonly #options: TruncationOptions;
  readonly #checkpoints: Checkpoints;
  /** Stable, but not yet reached by this node's own records. */
  #waiting: StableCheckpoint | undefined;

  constructor(options: TruncationOptions) {
    const { members, self, stable, recorder } = options;
    this.#options = options;
    this.#checkpoints = new Checkpoints({
      cluster: members.clusterOf(self.cluster),
      stable,
      done: recorder.progress.slot,
    });
  }

  onRecord({ slot, height, hash, finalSequence }: RecordedPoint, out: Effects): void {
    const { self, members, engine, recorder } = this.#options;
    if (!this.#checkpoints.advance(slot)) return;
    const decided = engine.decisionAt(slot);
    if (decided === undefined) return;
    const message: Checkpoint = {
      kind: "checkpoint",
      ...self,
      slot,
      sequence: decided.entry.sequence,
      height,
      record: hash,
      finalSequence,
      state: recorder.stateRoot(),
    };
    out.send.push({ to: members.nodesOf([self.cluster]), message });
  }

  onCheckpoint({ message, signed }: Verified<Checkpoint>, out: Effects): void {
    if (signed === undefined || message.cluster !== this.#options.self.cluster) return;
    const stable = this.#checkpoints.onCheckpoint(message, signed);
    if (stable === undefined) return;
    const { slot, height } = stable.checkpoint;
    out.notes.push({ kind: "stable", slot, height });
    this.#waiting = stable;
  }

  /** The slots that were forgotten now, their rows included. */
  forget(out: Effects): readonly Slot[] {
    const { engine, recorder } = this.#options;
    if (this.#waiting === undefined || recorder.progress.slot < this.#waiting.checkpoint.slot) return [];
    const { checkpoint, certificate } = this.#waiting;
    this.#waiting = undefined;
    // Written only now: after a restart the log begins where this says, so nothing above may be missing below it.
    out.persist.push({ key: checkpointKey(), value: certificateSchema.encode(certificate) });
    const slots = engine.forget({ slot: checkpoint.slot, sequence: checkpoint.sequence, certificate });
    for (const slot of slots) out.persist.push({ key: slotKey(slot), value: undefined });
    return slots;
  }
}
