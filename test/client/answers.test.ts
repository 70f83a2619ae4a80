// Whatever f liars say, in whatever order answers come, an ending is the truth of the correct nodes.

import fc from "fast-check";
import { expect, test } from "vitest";
import { Answers } from "../../src/client/answers.js";
import { REFUSALS, RESULTS } from "../../src/types/codes.js";
import type { ClusterId } from "../../src/types/ids.js";
import type { WireReply } from "../../src/types/schema.js";
import type { ClusterInfo, NodeInfo } from "../../src/types/topology.js";

function clusterOf(faults: number): ClusterInfo {
  const nodes = Array.from({ length: 3 * faults + 1 }, () => ({}) as NodeInfo);
  return { id: 1 as ClusterId, model: "byzantine", faults, nodes };
}

function reply(node: number, says: Partial<WireReply>): WireReply {
  const absent = new Uint8Array(0);
  const nothing = { refusal: 0, results: absent, height: 0, sequence: 0, digest: absent, view: 0, retryAfterMs: 0 };
  return { cluster: 1, node, nonce: 1, request: absent, ...nothing, ...says };
}

const truth = { results: Uint8Array.of(0), height: 3, sequence: 65_537, digest: new Uint8Array(32).fill(1) };

const lies = fc.record(
  {
    refusal: fc.nat(REFUSALS.length + 1),
    results: fc.constantFrom(new Uint8Array(0), Uint8Array.of(0), Uint8Array.of(RESULTS.length), Uint8Array.of(8)),
    height: fc.constantFrom(3, 4),
    digest: fc.constantFrom(truth.digest, new Uint8Array(32).fill(2)),
  },
  { requiredKeys: [] },
);

test("f liars cannot make an executed request end otherwise", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 3 }).chain((faults) =>
        fc.record({
          faults: fc.constant(faults),
          order: fc.array(fc.nat(3 * faults), { maxLength: 60 }),
          lies: fc.array(lies, { minLength: 60, maxLength: 60 }),
        }),
      ),
      (run) => {
        const cluster = clusterOf(run.faults);
        const answers = new Answers({ cluster, operations: 1, sentBefore: false });
        for (let node = 0; node < cluster.nodes.length; node++) answers.onHanded(node);
        const truthful = new Set<number>();
        for (const [step, node] of run.order.entries()) {
          const isLiar = node < run.faults;
          if (!isLiar) truthful.add(node);
          const verdict = answers.onReply(reply(node, isLiar ? (run.lies[step] ?? truth) : truth));
          expect(verdict.kind).not.toBe("refused");
          if (verdict.kind === "executed") {
            expect(verdict.reply).toMatchObject(truth);
            expect(verdict.results).toEqual(["ok"]);
            return;
          }
        }
        expect(truthful.size).toBeLessThan(run.faults + 1);
      },
    ),
  );
});

test("a node's first result stays, whatever it says of later copies", () => {
  const answers = new Answers({ cluster: clusterOf(1), operations: 1, sentBefore: false });
  for (const node of [0, 0, 1]) answers.onHanded(node);
  answers.onReply(reply(0, truth));
  answers.onReply(reply(0, { refusal: REFUSALS.indexOf("expired") }));
  expect(answers.onReply(reply(1, truth)).kind).toBe("executed");
});

test("more refusals of a node than copies it was handed do not count", () => {
  const answers = new Answers({ cluster: clusterOf(1), operations: 1, sentBefore: false });
  for (const node of [0, 0, 1, 2, 3]) answers.onHanded(node);
  const expired = { refusal: REFUSALS.indexOf("expired") };
  answers.onReply(reply(0, expired));
  answers.onReply(reply(1, expired));
  answers.onReply(reply(1, expired));
  expect(answers.settle()).toBeUndefined();
  answers.onReply(reply(0, expired));
  answers.onReply(reply(2, expired));
  expect(answers.settle()).toBe("expired");
});
