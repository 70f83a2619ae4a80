// I1: what the checkers of agreement and of proofs report, and what they let pass.

import { describe, expect, test } from "vitest";
import { noOpBlock } from "../../../src/cluster/block.js";
import { recordKey } from "../../../src/ledger/keys.js";
import { decodeRecord, encodeRecord, genesisRecord } from "../../../src/ledger/records.js";
import { makeAgreement } from "../../../src/sim/checkers/agreement.js";
import { makeProofs } from "../../../src/sim/checkers/proofs.js";
import { type ClusterId, sequenceOf } from "../../../src/types/ids.js";
import { committedSchema } from "../../../src/types/schema.js";
import type { FailureModel } from "../../../src/types/topology.js";
import { certificateOf, commitOf, signedOf } from "../../support/forge.js";
import { type BentOptions, bendRecords, bendRows, bendSlots, reasonsOf } from "./bent.js";
import { certificatesRow, Drawn, digestOf, emptyBlock, entryOf, recordRow, slotRow } from "./drawn.js";

const noOp = noOpBlock(1 as ClusterId).digest;

describe("records", () => {
  test("equal ones are fine, and those of liars are not looked at", async () => {
    expect(await reasonsOf(makeAgreement)).toEqual([]);
    const bend = bendRecords(/c1n1/, () => ({ time: 7 }));
    expect(await reasonsOf(makeAgreement, { bend, isCorrect: (name) => name !== "c1n1" })).toEqual([]);
  });

  test.each([
    ["time", { time: 7 }],
    ["results", { results: Uint8Array.of(8) }],
    ["the vector", { sequences: [65_537] as never }],
    ["the block", { digest: digestOf(9) }],
  ])("one node of a cluster has another record 2, as to %s", async (_, change) => {
    const bend = bendRecords(/c1n1/, ({ height }) => (height === 2 ? change : undefined));
    expect(await reasonsOf(makeAgreement, { bend })).toContainEqual(
      expect.stringMatching(/^I1 c1n\d .*another record 2 than/),
    );
  });

  test("a record that changes in the store behind the turns", async () => {
    const drive: BentOptions["drive"] = (network) => {
      network.pay(1);
      network.settle();
      const { store } = network.node("c1n2");
      const stored = decodeRecord(store.get(recordKey(1)) as Uint8Array);
      store.apply([{ key: recordKey(1), value: encodeRecord({ ...stored, time: 7 }) }]);
    };
    expect(await reasonsOf(makeAgreement, { drive })).toEqual([expect.stringMatching(/c1n2 holds another record 1/)]);
  });

  test("a row that is no record, and one in another's place", async () => {
    const drawn = await Drawn.create(makeAgreement);
    drawn.turn("c1n0", { persist: [{ key: recordKey(1), value: Uint8Array.of(255) }] });
    drawn.deliver(emptyBlock(1, 1), { change: () => ({ height: 4 }) });
    drawn.turn("c1n1", { persist: [{ key: recordKey(2), value: drawn.network.node("c1n1").store.get(recordKey(4)) }] });
    expect(drawn.reasons()).toEqual([
      "I1 c1n0 stores a record 1 that is none",
      "I1 c1n1 stores the record of height 4 at 2",
    ]);
  });
});

describe("decided slots", () => {
  const decided = (n: number, change = {}) => slotRow(n, { decided: entryOf(n, change) });

  test("the same at all nodes, with no-ops that share the sequence before them", async () => {
    const drawn = await Drawn.create(makeAgreement);
    for (const name of ["c1n0", "c1n1"]) {
      drawn.turn(name, { persist: [decided(1), decided(2)] });
      drawn.turn(name, {
        persist: [3, 4].map((slot) => decided(slot, { sequence: entryOf(2).sequence, digest: noOp })),
      });
    }
    expect(drawn.reasons()).toEqual([]);
  });

  test.each([
    ["another block", { digest: digestOf(9) }],
    ["another sequence", { sequence: entryOf(9).sequence }],
  ])("a slot with %s at another node, after a checkpoint made the first forget its own", async (_, change) => {
    const drawn = await Drawn.create(makeAgreement);
    drawn.turn("c1n0", { persist: [decided(1)] });
    drawn.turn("c1n0", { persist: [{ ...decided(1), value: undefined }] });
    drawn.turn("c1n2", { persist: [decided(1, change)] });
    expect(drawn.reasons()).toEqual([expect.stringMatching(/^I1 c1n2 has decided slot 1 .*, c1n0 has decided slot 1/)]);
  });

  test("a slot that is decided again after a restart of the node itself", async () => {
    const drawn = await Drawn.create(makeAgreement);
    drawn.turn("c1n0", { persist: [decided(1)] });
    drawn.restart("c1n0");
    drawn.turn("c1n0", { persist: [decided(1, { view: 3, digest: digestOf(9) })] });
    expect(drawn.reasons()).toEqual([expect.stringMatching(/c1n0 has decided slot 1 .* c1n0 has decided slot 1/)]);
  });

  test("a block in two slots, wherever", async () => {
    const drawn = await Drawn.create(makeAgreement);
    drawn.turn("c1n0", { persist: [decided(1)] });
    drawn.turn("c1n1", { persist: [decided(7, { digest: digestOf(1) })] });
    expect(drawn.reasons()).toEqual([expect.stringMatching(/is decided in slot 7 \(c1n1\) and 1 \(c1n0\)/)]);
  });

  test.each([
    ["neighbours", 2],
    ["slots far apart", 40],
  ])("sequences that do not rise with the slots: %s", async (_, slot) => {
    const drawn = await Drawn.create(makeAgreement);
    drawn.turn("c1n0", { persist: [decided(1)] });
    drawn.turn("c1n1", { persist: [decided(slot, { sequence: entryOf(1).sequence })] });
    expect(drawn.reasons()).toEqual([expect.stringMatching(/slot 1 has sequence 1.1, slot \d+ above it 1.1/)]);
  });
});

describe("proofs", () => {
  test.each<readonly FailureModel[][]>([[["crash", "crash"]], [["byzantine", "byzantine"]], [["crash", "byzantine"]]])(
    "of real decisions hold: %s",
    async (models) => {
      expect(await reasonsOf(makeProofs, { models })).toEqual([]);
    },
  );

  test("a decision that too few have accepted", async () => {
    const bend = bendSlots(/c1n1/, ({ decided }) =>
      decided?.slot === 2 ? { decided: { ...decided, view: 6 } } : undefined,
    );
    expect(await reasonsOf(makeProofs, { bend })).toEqual([
      expect.stringMatching(/^I1 c1n1 has decided slot 2 .* in ballot 6.1, yet 0 of 3 nodes accepted it/),
    ]);
  });

  test("a decision that its certificate does not prove", async () => {
    const bend = bendSlots(/c1n1/, ({ decided }) =>
      decided?.slot === 2 ? { decided: { ...decided, sequence: decided.sequence + 65_536 } } : undefined,
    );
    expect(await reasonsOf(makeProofs, { bend })).toContainEqual(
      expect.stringMatching(/c1n1 has decided .* on a proof of slot 2/),
    );
  });

  const named: readonly (readonly [string, (commits: readonly number[]) => readonly number[], RegExp])[] = [
    ["one COMMIT too few", (commits) => commits.slice(1), /on 2 COMMITs of 4 nodes/],
    ["one node's COMMIT twice", ([a, b]) => [a as number, b as number, b as number], /on 2 COMMITs of 4 nodes/],
  ];
  test.each(named)("a certificate of %s", async (_, pick, expected) => {
    const bend = bendSlots(/c1n1/, ({ certificate }) => {
      if (certificate === undefined) return undefined;
      const commits = pick([0, 1, 2]).map((i) => certificate.commits[i] as (typeof certificate.commits)[number]);
      return { certificate: { ...certificate, commits } };
    });
    expect(await reasonsOf(makeProofs, { bend, models: ["byzantine", "byzantine"] })).toContainEqual(
      expect.stringMatching(expected),
    );
  });

  test("a COMMIT that its node did not sign, or that speaks of something else", async () => {
    const drawn = await Drawn.create(makeProofs, { models: ["byzantine"] });
    const { network } = drawn;
    const [right, other] = [entryOf(1), entryOf(1, { digest: digestOf(9) })];
    const forged = { ...signedOf(network, "c1n1", commitOf(right, 1)), signature: new Uint8Array(64) };
    const sound = certificateOf(network, right, [0, 2, 3]);
    const differing = {
      ...sound,
      commits: [...sound.commits, ...certificateOf(network, { ...right, view: 1 }, [1]).commits],
    };
    const proofs = [
      { ...sound, commits: [...sound.commits, forged] },
      certificateOf(network, other, [0, 1, 2]),
      differing,
    ];
    const vote = { accepted: right, committed: right };
    for (const name of ["c1n0", "c1n1", "c1n2"]) drawn.turn(name, { persist: [slotRow(1, vote)] });
    for (const [i, name] of ["c1n0", "c1n1", "c1n2"].entries()) {
      drawn.turn(name, { persist: [slotRow(1, { ...vote, decided: right }, proofs[i])] });
    }
    drawn.turn("c1n3", { persist: [slotRow(1, { decided: right }, sound)] });
    expect(drawn.reasons()).toEqual([
      expect.stringMatching(/c1n0 .* on a COMMIT that its node did not sign/),
      expect.stringMatching(/c1n1 .* on a COMMIT of something else/),
      expect.stringMatching(/c1n2 .* on COMMITs that differ/),
    ]);
  });

  test("a crash cluster's decision is proven to byzantine nodes by its own nodes only", async () => {
    const drawn = await Drawn.create(makeProofs, { models: ["crash", "crash", "byzantine"] });
    const { network } = drawn;
    const [first, second] = [
      entryOf(1),
      entryOf(1, { cluster: 2 as ClusterId, sequence: sequenceOf(1, 2 as ClusterId) }),
    ];
    const commits = [signedOf(network, "c2n0", { ...commitOf(second, 0), entries: [first, second] })];
    const certificates = [1, 2].map((cluster) => ({ cluster, commits }));
    const record = { ...genesisRecord(network.topology, 1 as ClusterId), height: 1, digest: first.digest };
    const persist = [
      recordRow({ ...record, sequences: [first.sequence, second.sequence] }),
      certificatesRow(1, first.digest, certificates),
    ];
    for (const name of ["c1n0", "c2n1"]) drawn.turn(name, { persist });
    expect(drawn.watched.violations).toEqual([]);
    drawn.turn("c3n0", { persist });
    expect(drawn.reasons()).toEqual([
      "I1 c3n0 has record 1 on the word of c2n0",
      "I1 c3n0 has no proof of sequence 65537 in record 1",
    ]);
  });

  test("a record without the proof of one of its clusters", async () => {
    const bend = bendRows(/c2n1/, "certificates", (value, height) => {
      const { digest, certificates } = committedSchema.decode(value);
      return height === 1 ? committedSchema.encode({ digest, certificates: certificates.slice(1) }) : value;
    });
    expect(await reasonsOf(makeProofs, { bend })).toEqual([
      expect.stringMatching(/c2n1 has no proof of sequence \d+ in record 1/),
    ]);
  });
});
