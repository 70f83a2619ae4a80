// The end of a primary's turn (protocol 2, 3.3): blocks as far as there is room, a no-op when the clock is behind, and an
// end of it when the log can take no more.

import { expect, test } from "vitest";
import { noOpBlock } from "../../src/cluster/block.js";
import type { Coordinator } from "../../src/cross/coordinator.js";
import { Batcher } from "../../src/intra/batch.js";
import { Proposer } from "../../src/node/proposer.js";
import type { Block } from "../../src/types/block.js";
import { type ClusterId, type Sequence, sequenceOf } from "../../src/types/ids.js";

const ONE = 1 as ClusterId;
const NOW = { time: 0, tick: 0 };

/** A log of so many slots, and what was proposed to it. */
function logOf(slots: number, final: Sequence) {
  const proposed: Block[] = [];
  const counter = () => Math.min(proposed.length, slots);
  const engine = {
    isPrimary: true,
    hasRoom: false,
    get lastSequence() {
      return sequenceOf(counter(), ONE);
    },
  };
  const coordinator = {
    engine,
    get isClockBehind() {
      return final > engine.lastSequence;
    },
    propose: (block: Block) => proposed.push(block),
  } as unknown as Coordinator;
  return { proposed, coordinator };
}

function runAll(slots: number, final: Sequence): number {
  const { proposed, coordinator } = logOf(slots, final);
  const proposer = new Proposer({ coordinator, batcher: new Batcher({ requestsMax: 10 }), noOp: noOpBlock(ONE) });
  for (let i = 0; i < 100; i++) if (!proposer.proposeNext(NOW)) return proposed.length;
  throw new Error("it goes on for ever");
}

test("a clock that is behind a known final is moved by no-ops, and no further", () => {
  expect(runAll(10, sequenceOf(0, ONE))).toBe(0);
  expect(runAll(10, sequenceOf(3, ONE))).toBe(3);
});

test("a log at its end is not asked again in the same turn", () => {
  expect(runAll(2, sequenceOf(5, ONE))).toBe(3);
});
