// I11: what a node keeps and sends stays within types/limits.ts after every turn, and once everything is quiet nothing
// of finished work is left in memory. Where byzantine nodes may have sent votes for blocks that do not exist, those
// may stay, within their bound.

import { checkpointKey } from "../../ledger/keys.js";
import type { TurnPlan } from "../../node/turn.js";
import type { Slot } from "../../types/ids.js";
import { limits } from "../../types/limits.js";
import type { Checker, MakeChecker, SimNode } from "../observer.js";
import { stableOf } from "./facts.js";
import { historyOf } from "./history.js";
import { isExpected, reporter } from "./report.js";

/** Rows go when a checkpoint is stable, which may be up to a window later than their slots. */
const SLOT_ROWS_MAX = limits.slotsAheadMax + limits.windowSlots;
const GAUGES_MAX: readonly (readonly [gauge: string, max: number])[] = [
  ["queued", limits.queuedRequestsMax],
  ["undelivered", limits.slotsAheadMax],
  ["unexecuted", limits.undeliveredMax],
  ["cross", limits.remoteVotesMax + limits.slotsAheadMax],
];

interface Kept {
  readonly slots: Set<Slot>;
  /** Slot of the stable checkpoint; undefined: to be read from the store. */
  stable: Slot | undefined;
}

export const makeBounds: MakeChecker = (world, report): Checker => {
  const violated = reporter("I11", report);
  const history = historyOf(world);
  const kept = new Map<string, Kept>();
  const hasLiars = world.nodes.some(({ isCorrect }) => !isCorrect);
  let isHealed = false;

  function keptBy(node: SimNode): Kept {
    let known = kept.get(node.name);
    if (known === undefined) {
      known = { slots: new Set(), stable: undefined };
      kept.set(node.name, known);
    }
    return known;
  }

  function checkGauges({ name, running }: SimNode): void {
    const gauges = running?.replica.gauges ?? {};
    for (const [gauge, max] of GAUGES_MAX) {
      const value = gauges[gauge] ?? 0;
      if (value > max) violated(`${name}: ${gauge} is ${value}, at most ${max}`);
    }
  }

  function checkSent({ name }: SimNode, { outbound }: TurnPlan): void {
    for (const [to, envelopes] of outbound) {
      if (envelopes.length > limits.frameMessagesMax)
        violated(`${name} sends ${envelopes.length} messages to ${to.slice(0, 12)} in one turn`);
      let bytes = 0;
      for (const { length } of envelopes) {
        bytes += length;
        if (length > limits.frameBytesMax) violated(`${name} sends a message of ${length} bytes`);
      }
      if (bytes > limits.peerQueueBytesMax) violated(`${name} sends ${bytes} bytes to ${to.slice(0, 12)} in one turn`);
    }
  }

  return {
    onTurn(node, plan) {
      const turn = history.take(node, plan);
      if (turn === undefined) return;
      const kept = keptBy(node);
      const { slots } = kept;
      const stable = turn.stable?.slot ?? kept.stable ?? stableOf(node.store.get(checkpointKey())).slot;
      kept.stable = stable;
      for (const [slot, row] of turn.slots) {
        if (row === undefined) slots.delete(slot);
        else slots.add(slot);
        if (row !== undefined && slot > stable + limits.slotsAheadMax)
          violated(`${node.name} keeps slot ${slot}, its stable checkpoint is at ${stable}`);
      }
      if (slots.size > SLOT_ROWS_MAX) violated(`${node.name} keeps ${slots.size} slots`);
      checkGauges(node);
      checkSent(node, plan);
    },
    onLost(node) {
      kept.delete(node.name);
    },
    onStart(node) {
      keptBy(node).stable = undefined;
    },
    onHealed() {
      isHealed = true;
    },
    onEnd() {
      if (!isHealed) return;
      for (const node of world.nodes) {
        if (!isExpected(node)) continue;
        const gauges = node.running?.replica.gauges ?? {};
        for (const [gauge] of GAUGES_MAX) {
          const value = gauges[gauge] ?? 0;
          if (value > 0 && !(gauge === "cross" && hasLiars)) violated(`${node.name}: ${gauge} is ${value} in the end`);
        }
      }
    },
  };
};
