// Keeps the log short (protocol 6): signs a checkpoint at each point that is due, says it again until it is stable, and
// once one is stable and this node's own records have reached it, forgets the slots below. Whoever still speaks of what
// lies below is shown the certificate.

import { encodeCheckpoint, sameCheckpoint } from "../cluster/checkpoint.js";
import type { Members } from "../cluster/members.js";
import { Checkpoints, type StableCheckpoint } from "../intra/checkpoint.js";
import type { ClusterLog } from "../intra/engine.js";
import { checkpointKey, saidKey, slotKey } from "../ledger/keys.js";
import type { Effects, Send } from "../types/effects.js";
import type { Digest, NodeIndex, NodeRef, Sequence, Slot } from "../types/ids.js";
import type { Checkpoint, Stable, Verified } from "../types/message.js";
import { type Certificate, certificateSchema } from "../types/schema.js";
import type { Recorder } from "./recorder.js";

export interface TruncationOptions {
  readonly self: NodeRef;
  readonly members: Members;
  readonly engine: ClusterLog;
  readonly recorder: Recorder;
  /** The stable checkpoint on disk. */
  readonly stable: StableCheckpoint | undefined;
  /** The newest CHECKPOINT that this node has signed. */
  readonly said: Checkpoint | undefined;
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
  /** Shows the highest stable checkpoint that this node knows of. */
  #proof: Stable | undefined;
  /** Stable, but not yet reached by this node's own records. */
  #waiting: StableCheckpoint | undefined;
  #reached: StableCheckpoint | undefined;
  #said: Checkpoint | undefined;
  #forgotten: Slot;
  /** By node: the highest slot at or below the stable one for which it has sent a CHECKPOINT. */
  readonly #late = new Map<NodeIndex, Slot>();
  /** Who was shown the certificate in this turn. */
  readonly #shown = new Set<NodeIndex>();

  constructor(options: TruncationOptions) {
    const { members, self, stable, said, recorder } = options;
    this.#options = options;
    this.#said = said;
    this.#reached = stable;
    this.#forgotten = stable?.checkpoint.slot ?? 0;
    this.#checkpoints = new Checkpoints({
      cluster: members.clusterOf(self.cluster),
      stable: stable?.checkpoint.slot ?? 0,
      done: recorder.progress.slot,
    });
    if (stable !== undefined) this.#know(stable);
  }

  /** Slot of the highest stable checkpoint that is known, reached or not. */
  get stable(): Slot {
    return this.#checkpoints.stable;
  }

  /** Proof of the highest stable checkpoint that is known, reached or not. */
  get certificate(): Certificate | undefined {
    return this.#proof?.certificate;
  }

  /** The log on disk begins after this slot. */
  get forgotten(): Slot {
    return this.#forgotten;
  }

  /** Stable, but not yet reached by this node's own records: it is behind. */
  get waiting(): StableCheckpoint | undefined {
    return this.#waiting;
  }

  /** The stable one that this node's own records have reached. */
  get reached(): StableCheckpoint | undefined {
    return this.#reached;
  }

  /** Is there a CHECKPOINT of this node that is not stable yet? */
  get isUnstable(): boolean {
    return this.#said !== undefined && this.#said.slot > this.#checkpoints.stable;
  }

  onRecord({ slot, height, hash, finalSequence }: RecordedPoint, out: Effects): void {
    const { self, engine, recorder } = this.#options;
    if (!this.#checkpoints.advance(slot)) return;
    const decided = engine.decisionAt(slot);
    if (decided === undefined) return;
    this.#said = {
      kind: "checkpoint",
      ...self,
      slot,
      sequence: decided.entry.sequence,
      height,
      record: hash,
      finalSequence,
      state: recorder.stateRoot(),
    };
    recorder.freeze(slot);
    // Kept, since after a restart the state has moved on and it could not be made again.
    out.persist.push({ key: saidKey(), value: encodeCheckpoint(this.#said) });
    this.repeat(out.send);
  }

  /** Says the newest CHECKPOINT, for the first time or again. */
  repeat(send: Send[]): void {
    const { self, members } = this.#options;
    if (this.#said !== undefined) send.push({ to: members.nodesOf([self.cluster]), message: this.#said });
  }

  onCheckpoint({ from, message, signed }: Verified<Checkpoint>, out: Effects): void {
    if (signed === undefined || message.cluster !== this.#options.self.cluster) return;
    if (message.slot <= this.#checkpoints.stable) return this.#onLate(from, message.slot, out.send);
    const stable = this.#checkpoints.onCheckpoint(message, signed);
    if (stable !== undefined) this.#adopt(stable, out);
  }

  /** A checked certificate, from wherever it came. */
  learn(stable: StableCheckpoint, out: Effects): void {
    if (stable.checkpoint.slot > this.#checkpoints.stable) this.#adopt(stable, out);
  }

  /** Shows the certificate to a node that asks for a slot that is forgotten here. False: it is not. */
  showBelow(slot: Slot, to: NodeRef, send: Send[]): boolean {
    if (this.#proof === undefined || slot > this.#checkpoints.stable) return false;
    if (this.#shown.has(to.node)) return true;
    this.#shown.add(to.node);
    send.push({ to: [to], message: this.#proof });
    return true;
  }

  endTurn(): void {
    this.#shown.clear();
  }

  /** The slots that were forgotten now, their rows included. */
  forget(out: Effects): readonly Slot[] {
    const { engine, recorder } = this.#options;
    if (this.#waiting === undefined || recorder.progress.slot < this.#waiting.checkpoint.slot) return [];
    const { checkpoint, certificate } = this.#waiting;
    this.#reached = this.#waiting;
    this.#waiting = undefined;
    this.#forgotten = checkpoint.slot;
    // Written only now: after a restart the log begins where this says, so nothing above may be missing below it.
    out.persist.push({ key: checkpointKey(), value: certificateSchema.encode(certificate) });
    const slots = engine.forget({ slot: checkpoint.slot, sequence: checkpoint.sequence, certificate });
    for (const slot of slots) out.persist.push({ key: slotKey(slot), value: undefined });
    return slots;
  }

  #adopt(stable: StableCheckpoint, out: Effects): void {
    const { slot, height } = stable.checkpoint;
    // A quorum holds another state than this node, which must not go on.
    if (this.#said?.slot === slot && !sameCheckpoint(this.#said, stable.checkpoint)) {
      throw new Error(`the checkpoint at slot ${slot} is stable with another content than this node's`);
    }
    out.notes.push({ kind: "stable", slot, height });
    this.#waiting = stable;
    this.#know(stable);
  }

  #know({ checkpoint, certificate }: StableCheckpoint): void {
    this.#proof = { kind: "stable", certificate };
    this.#checkpoints.learn(checkpoint.slot);
  }

  /** A CHECKPOINT that is stable here is merely late; whoever says it again has missed the votes of others. */
  #onLate(from: NodeRef, slot: Slot, send: Send[]): void {
    if (from.node === this.#options.self.node) return;
    const before = this.#late.get(from.node) ?? 0;
    this.#late.set(from.node, Math.max(before, slot));
    if (slot <= before) this.showBelow(slot, from, send);
  }
}
