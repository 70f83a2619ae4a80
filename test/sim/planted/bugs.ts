// Five planted bugs, each small and easy to write by mistake: patches of production prototypes, for one test each. Two
// of them need functions of the quorum file, which a test file must replace as a whole: `sizeLess` and `isViewless` tell
// it what to do.

import { vi } from "vitest";
import { Delivery } from "../../../src/cross/delivery.js";
import { ConsumedIds } from "../../../src/execution/consumed.js";
import { Batcher } from "../../../src/intra/batch.js";
import type { EngineEvent } from "../../../src/intra/engine.js";
import { Paxos } from "../../../src/intra/paxos.js";
import { Pbft } from "../../../src/intra/pbft.js";
import { TABLES } from "../../../src/ledger/keys.js";
import { Replica } from "../../../src/node/replica.js";
import type { Profile } from "../../../src/sim/plan.js";
import type { Sequence, View } from "../../../src/types/ids.js";

export interface QuorumBug {
  sizeLess: number;
  isViewless: boolean;
}

export interface Bug {
  readonly name: string;
  /** In which kind of run it shows soonest. */
  readonly profile: Profile;
  readonly plant: (quorum: QuorumBug) => void;
}

export const bugs: readonly Bug[] = [
  { name: "a vote leaves without being written", profile: "calm", plant: forgetVotes },
  { name: "a quorum is smaller by one", profile: "calm", plant: shrinkQuorums },
  { name: "a repeated request is not told from a new one", profile: "weather", plant: repeatRequests },
  { name: "votes of an older view count", profile: "crossfire", plant: countOldVotes },
  { name: "a block is delivered before its sequence has passed", profile: "crossfire", plant: deliverAtOnce },
];

function forgetVotes(): void {
  const { finish } = Replica.prototype;
  vi.spyOn(Replica.prototype, "finish").mockImplementation(function (this: Replica, now, out) {
    finish.call(this, now, out);
    const kept = out.persist.filter(({ key }) => key[0] !== TABLES.slot);
    out.persist.splice(0, out.persist.length, ...kept);
  });
}

function shrinkQuorums(quorum: QuorumBug): void {
  quorum.sizeLess = 1;
}

function repeatRequests(): void {
  const { add } = Batcher.prototype;
  vi.spyOn(Batcher.prototype, "add").mockImplementation(function (this: Batcher, request) {
    this.executed(request);
    return add.call(this, request);
  });
  vi.spyOn(ConsumedIds.prototype, "has").mockImplementation(() => false);
}

function countOldVotes(quorum: QuorumBug): void {
  quorum.isViewless = true;
  const paxos = Paxos.prototype.step;
  vi.spyOn(Paxos.prototype, "step").mockImplementation(function (this: Paxos, event) {
    return paxos.call(this, ofThisView(event, this.view));
  });
  const pbft = Pbft.prototype.step;
  vi.spyOn(Pbft.prototype, "step").mockImplementation(function (this: Pbft, event) {
    return pbft.call(this, ofThisView(event, this.view));
  });
}

function ofThisView(event: EngineEvent, view: View): EngineEvent {
  if (event.kind !== "accept" || event.verified.message.entry.view >= view) return event;
  const { message } = event.verified;
  return {
    kind: "accept",
    verified: { ...event.verified, message: { ...message, entry: { ...message.entry, view } } },
  };
}

function deliverAtOnce(): void {
  const { next } = Delivery.prototype;
  vi.spyOn(Delivery.prototype, "next").mockImplementation(function (this: Delivery, { slot }) {
    return next.call(this, { slot, sequence: Number.MAX_SAFE_INTEGER as Sequence });
  });
}
