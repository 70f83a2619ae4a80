// I8: what the checker of votes reports, and what it lets pass.

import { describe, expect, test } from "vitest";
import { noOpBlock } from "../../../src/cluster/block.js";
import { checkpointKey, recordKey, verdictKey } from "../../../src/ledger/keys.js";
import { encodeRecord, genesisRecord, recordHash } from "../../../src/ledger/records.js";
import { makeVotes } from "../../../src/sim/checkers/votes.js";
import type { ClusterId, Entry } from "../../../src/types/ids.js";
import type { Accept, Checkpoint, NodeMessage } from "../../../src/types/message.js";
import { certificateSchema } from "../../../src/types/schema.js";
import { commitOf, paymentBlock, signedOf } from "../../support/forge.js";
import { reasonsOf } from "./bent.js";
import { Drawn, digestOf, entryOf, recordRow, slotRow } from "./drawn.js";

const cluster = 1 as ClusterId;
const noOp = noOpBlock(cluster).digest;
const acceptOf = (entry: Entry): Accept => ({ kind: "accept", entry, node: 1 });

/** Node c1n1 of a byzantine cluster stores and says, turn after turn. */
async function drawn(...turns: readonly Parameters<Drawn["turn"]>[1][]): Promise<Drawn> {
  const history = await Drawn.create(makeVotes, { models: ["byzantine"] });
  for (const turn of turns) history.turn("c1n1", turn);
  return history;
}

const accepts = (entry: Entry) => ({ persist: [slotRow(entry.slot, { accepted: entry })], says: [acceptOf(entry)] });
const assigns = (entry: Entry) => ({
  persist: [slotRow(entry.slot, { selfAssigned: entry })],
  says: [acceptOf(entry)],
});
const commits = (entry: Entry, accepted?: Entry) => ({
  persist: [slotRow(entry.slot, { committed: entry, ...(accepted === undefined ? {} : { accepted }) })],
  says: [commitOf(entry, 1)],
});

describe("votes of correct nodes", () => {
  test.each([{ models: ["crash", "crash"] }, { models: ["byzantine", "crash"] }] as const)(
    "in a real run are fine: $models",
    async ({ models }) => {
      expect(await reasonsOf(makeVotes, { models })).toEqual([]);
    },
  );

  test("said again, displaced by round 1, of another view, of no-ops: all fine", async () => {
    const [own, choice] = [entryOf(2, { round: 0, digest: digestOf(9) }), entryOf(2)];
    const next = entryOf(2, { view: 3, digest: digestOf(8) });
    const idle = [3, 4].map((slot) => entryOf(slot, { view: 3, digest: noOp, sequence: entryOf(3).sequence }));
    const history = await drawn(
      assigns(own),
      { says: [acceptOf(own)] },
      { persist: [slotRow(2, { selfAssigned: own, accepted: choice })], says: [acceptOf(choice)] },
      accepts(next),
      ...idle.map(accepts),
    );
    expect(history.reasons()).toEqual([]);
  });

  test("about slots below the stable checkpoint, or decided, of whatever view", async () => {
    const checkpoint: Checkpoint = {
      kind: "checkpoint",
      cluster,
      node: 1,
      slot: 3,
      sequence: entryOf(3).sequence,
      height: 1,
      record: digestOf(1),
      finalSequence: entryOf(3).sequence,
      state: digestOf(2),
    };
    const history = await drawn(accepts(entryOf(7, { view: 2 })));
    const commit = signedOf(history.network, "c1n1", checkpoint);
    const stable = { key: checkpointKey(), value: certificateSchema.encode({ cluster, commits: [commit] }) };
    history.turn("c1n1", { persist: [stable], says: [acceptOf(entryOf(3)), commitOf(entryOf(2), 1)] });
    history.turn("c1n1", { persist: [slotRow(5, { decided: entryOf(5) })], says: [commitOf(entryOf(5), 1)] });
    expect(history.reasons()).toEqual([]);
  });
});

describe("a vote that is not in the store", () => {
  const other = entryOf(1, { digest: digestOf(9) });
  const cases: readonly (readonly [string, NodeMessage, Entry | undefined])[] = [
    ["nothing is", acceptOf(entryOf(1)), undefined],
    ["another block is", acceptOf(entryOf(1)), other],
    ["another sequence is", acceptOf(entryOf(1)), entryOf(1, { sequence: entryOf(5).sequence })],
    ["a lower round is", acceptOf(entryOf(1)), entryOf(1, { round: 0 })],
    ["a lower view is", acceptOf(entryOf(1, { view: 1 })), entryOf(1)],
    ["an accept is, for a COMMIT of a byzantine node", commitOf(entryOf(1), 1), entryOf(1)],
  ];
  test.each(cases)("%s", async (_, message, stored) => {
    const persist = stored === undefined ? [] : [slotRow(1, { accepted: stored })];
    const history = await drawn({ persist, says: [message] });
    expect(history.reasons()).toEqual([
      expect.stringMatching(/^I8 c1n1 says \w+ for slot 1 .*, which it does not store/),
    ]);
  });

  test.each([
    ["propose", { previous: 0 }],
    ["super-accept", { previous: 0 }],
    ["super-propose", {}],
  ] as const)("a %s counts as one", async (kind, more) => {
    const history = await Drawn.create(makeVotes);
    const block = paymentBlock(history.network, 1);
    const message = { kind, entry: entryOf(1, { digest: block.digest }), node: 0, block, ...more } as NodeMessage;
    history.turn("c1n0", { says: [message] });
    expect(history.reasons()).toEqual([expect.stringMatching(new RegExp(`c1n0 says ${kind} for slot 1`))]);
  });

  test("it was there before the restart, and is not any more", async () => {
    const history = await drawn(accepts(entryOf(1)));
    history.network.node("c1n1").store.apply([{ ...slotRow(1, {}), value: undefined }]);
    history.restart("c1n1");
    history.turn("c1n1", { says: [acceptOf(entryOf(1))] });
    expect(history.reasons()).toEqual([expect.stringMatching(/which it does not store/)]);
  });

  test("of a node that may lie it is not asked", async () => {
    const history = await Drawn.create(makeVotes, { isCorrect: () => false });
    history.turn("c1n1", { says: [acceptOf(entryOf(1))] });
    expect(history.reasons()).toEqual([]);
  });
});

describe("votes that contradict each other", () => {
  const cases: readonly (readonly [string, readonly Parameters<Drawn["turn"]>[1][], RegExp])[] = [
    [
      "a slot with two blocks in one round",
      [accepts(entryOf(1)), accepts(entryOf(1, { digest: digestOf(9) }))],
      /and said so before/,
    ],
    [
      "a slot with two sequences",
      [accepts(entryOf(1)), accepts(entryOf(1, { sequence: entryOf(2).sequence }))],
      /and said so before/,
    ],
    ["a block in two slots", [accepts(entryOf(1)), accepts(entryOf(2, { digest: digestOf(1) }))], /and said so before/],
    [
      "two in round 0, the first displaced",
      [
        assigns(entryOf(1, { round: 0 })),
        accepts(entryOf(1, { digest: digestOf(9) })),
        assigns(entryOf(1, { round: 0, digest: digestOf(8) })),
      ],
      /and said so before/,
    ],
    [
      "two COMMITs for a slot",
      [commits(entryOf(1)), commits(entryOf(1, { digest: digestOf(9) }))],
      /says commit .* and said so before/,
    ],
    [
      "sequences against the slots",
      [accepts(entryOf(1, { sequence: entryOf(5).sequence })), accepts(entryOf(2))],
      /accepts slot 1 .* below slot 2/,
    ],
    [
      "sequences against the slots, far apart",
      [accepts(entryOf(1, { sequence: entryOf(9).sequence })), accepts(entryOf(6))],
      /accepts slot 1 .* below slot 6/,
    ],
    [
      "a lower view",
      [accepts(entryOf(1, { view: 2 })), accepts(entryOf(2, { view: 1 }))],
      /ballot 1.1, having voted in view 2/,
    ],
    [
      "a COMMIT of round 0 against an accept of round 1",
      [accepts(entryOf(1)), commits(entryOf(1, { round: 0, digest: digestOf(9) }), entryOf(1))],
      /says commit .* having accepted slot 1/,
    ],
    [
      "a COMMIT of round 0 for a block accepted in another slot in round 1",
      [accepts(entryOf(2, { digest: digestOf(1) })), commits(entryOf(1, { round: 0 }))],
      /says commit .* having accepted slot 2/,
    ],
  ];
  test.each(cases)("%s", async (_, turns, expected) => {
    expect((await drawn(...turns)).reasons()).toContainEqual(expect.stringMatching(expected));
  });

  test("over a restart, even if the store was rewritten meanwhile", async () => {
    const history = await drawn(accepts(entryOf(1)));
    history.restart("c1n1");
    history.turn("c1n1", accepts(entryOf(1, { digest: digestOf(9) })));
    expect(history.reasons()).toEqual([expect.stringMatching(/c1n1 says accept for slot 1 .* and said so before/)]);
  });

  test("in another's name", async () => {
    const history = await drawn({ ...accepts(entryOf(1)), says: [{ ...acceptOf(entryOf(1)), node: 2 }] });
    expect(history.reasons()).toEqual(["I8 c1n1 says accept as node 2 of 1"]);
  });
});

describe("checkpoints and verdicts", () => {
  async function checkpointed(
    change: Partial<Checkpoint>,
    without: "slot" | "record" | "nothing",
  ): Promise<readonly string[]> {
    const history = await Drawn.create(makeVotes);
    const record = {
      ...genesisRecord(history.network.topology, cluster),
      height: 1,
      finalSequence: entryOf(2).sequence,
    };
    const persist = [slotRow(2, { decided: entryOf(2) })];
    if (without !== "slot") persist.push(slotRow(1, { decided: entryOf(1) }));
    if (without !== "record") persist.push(recordRow(record));
    const message: Checkpoint = {
      kind: "checkpoint",
      cluster,
      node: 1,
      slot: 2,
      sequence: entryOf(2).sequence,
      height: 1,
      record: recordHash(encodeRecord(record)),
      finalSequence: record.finalSequence,
      state: digestOf(2),
    };
    history.turn("c1n1", { persist, says: [message] });
    if (Object.keys(change).length > 0) history.turn("c1n1", { says: [{ ...message, ...change }] });
    return history.reasons();
  }

  test("a checkpoint of what is stored is fine", async () => {
    expect(await checkpointed({}, "nothing")).toEqual([]);
    expect(recordKey(1).length).toBe(9);
  });

  test.each([
    ["another state", { state: digestOf(3) }, "nothing", /signs two checkpoints of slot 2/],
    ["another sequence", { sequence: entryOf(3).sequence }, "nothing", /with a sequence that is not that slot's/],
    ["another final sequence", { finalSequence: entryOf(3).sequence }, "nothing", /record 1, which it does not store/],
    ["another record", { record: digestOf(3) }, "nothing", /record 1, which it does not store/],
    ["no record", {}, "record", /signs a checkpoint of record 1, which it does not store/],
    ["an undecided slot", {}, "slot", /signs a checkpoint of slot 2 without the decision of slot 1/],
  ] as const)("a checkpoint of %s", async (_, change, without, expected) => {
    expect(await checkpointed(change, without)).toContainEqual(expect.stringMatching(expected));
  });

  test("verdicts that are not stored, or others", async () => {
    const history = await Drawn.create(makeVotes);
    const result = {
      kind: "result",
      cluster,
      node: 1,
      digest: digestOf(1),
      verdicts: Uint8Array.of(0),
      final: false,
    } as const;
    history.turn("c1n1", { persist: [{ key: verdictKey(digestOf(1)), value: result.verdicts }], says: [result] });
    expect(history.watched.violations).toEqual([]);
    history.turn("c1n1", { says: [{ ...result, verdicts: Uint8Array.of(8) }] });
    expect(history.reasons()).toEqual([
      expect.stringMatching(/^I8 c1n1 sends verdicts on block 0+ that it does not store/),
    ]);
    history.turn("c1n1", { says: [{ ...result, final: true }] });
    expect(history.reasons()).toContainEqual(
      expect.stringMatching(/^I8 c1n1 sends results of block 0+ that its record/),
    );
  });
});
