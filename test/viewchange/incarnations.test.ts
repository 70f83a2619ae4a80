// A promise of a node that has lost since what it promised does not count (protocol 6), in either failure model. The
// schedule: node 4 promises view 6 and loses its disk; its cluster orders its next incarnation, which takes part in view
// 3, where a quorum with it decides an entry. Of that the promises of 1, 3 and the old 4 know nothing.

import { describe, expect, test } from "vitest";
import type { Entry, NodeIndex } from "../../src/types/ids.js";
import type { RejoinClaim, ViewPromise } from "../../src/types/message.js";
import type { ClusterInfo } from "../../src/types/topology.js";
import { Elections } from "../../src/viewchange/elections.js";
import { keep } from "../../src/viewchange/keep.js";
import type { ViewLog } from "../../src/viewchange/protocol.js";

const NO_BYTES = new Uint8Array(0);
const cluster = {
  id: 1,
  model: "crash",
  faults: 2,
  nodes: [0, 1, 2, 3, 4].map((index) => ({ index, cluster: 1, id: `c1n${index}`, key: "", address: "" })),
} as unknown as ClusterInfo;
const noOp = "0".repeat(64) as Entry["digest"];
const entry: Entry = {
  cluster: 1 as Entry["cluster"],
  view: 3,
  round: 1,
  slot: 1,
  sequence: 65_537 as Entry["sequence"],
  digest: "e".repeat(64) as Entry["digest"],
};
const rejoined: RejoinClaim = { node: 4, incarnation: 1, signed: { body: NO_BYTES, signature: NO_BYTES } };
const stable = { slot: 0, sequence: 0 as Entry["sequence"], certificate: undefined };

/** Node 1, which asks for view 6 and has accepted nothing. */
function candidate(): { readonly elections: Elections; readonly log: { view: number } } {
  const log = { view: 5, isOpen: true };
  const viewLog: ViewLog = {
    get view() {
      return log.view;
    },
    get isOpen() {
      return log.isOpen;
    },
    frontier: { slot: 0 },
    report: () => ({ stable, decided: [], candidates: [], prepared: [] }),
    hasBlock: () => true,
    placedAt: () => undefined,
  };
  const standing = { incarnation: 0, rejoins: [] };
  const self = { cluster: cluster.id, node: 1 };
  const elections = new Elections({ self, cluster, noOp, log: viewLog, standing });
  elections.suspect();
  log.view = 6;
  log.isOpen = false;
  return { elections, log };
}

function promise(node: NodeIndex, said: Partial<ViewPromise>): Parameters<Elections["step"]>[0] {
  const nothing = { incarnation: 0, rejoins: [], stable: undefined, decided: [], candidates: [] };
  const message: ViewPromise = { kind: "promise", cluster: cluster.id, node, view: 6, ...nothing, ...said };
  return { from: { cluster: cluster.id, node }, message, signed: undefined };
}

describe("a crash candidate", () => {
  test("waits for another promise when one is of an incarnation that is over", () => {
    const { elections } = candidate();
    expect(elections.step(promise(4, {})).send).toEqual([]);
    expect(elections.step(promise(3, { rejoins: [rejoined] })).send).toEqual([]);
    const opened = elections.step(promise(0, { candidates: [entry], rejoins: [rejoined] })).send[0]?.message;
    expect(opened).toMatchObject({ kind: "new-view", rejoins: [{ node: 4, incarnation: 1 }] });
    expect(opened?.kind === "new-view" ? opened.entries : []).toMatchObject([{ slot: 1, digest: entry.digest }]);
  });

  test("without that rule opens the view without what was decided", () => {
    const { elections } = candidate();
    elections.step(promise(4, {}));
    const opened = elections.step(promise(3, {})).send[0]?.message;
    expect(opened?.kind === "new-view" ? opened.entries : undefined).toEqual([]);
  });

  test("counts what the node promises as its next incarnation", () => {
    const { elections } = candidate();
    elections.step(promise(3, { rejoins: [rejoined] }));
    const opened = elections.step(promise(4, { incarnation: 1, candidates: [entry] })).send[0]?.message;
    expect(opened?.kind === "new-view" ? opened.entries : []).toMatchObject([{ digest: entry.digest }]);
  });
});

// Why a node that rejoined takes part from the next view on only. In round 0 node 2 places a block in slot 7 and loses its
// disk; its INCARNATION gets slot 6, and the primary and node 1 accept the block in slot 7 as well: with the old vote that
// is the fast quorum, 3 of 3, which the other cluster's primary counts, knowing nothing of slot 6.
describe("a decision that needs an old vote", () => {
  const three = { ...cluster, faults: 1, nodes: cluster.nodes.slice(0, 3) };
  const fast: Entry = { ...entry, view: 0, round: 0 };
  const report = (node: NodeIndex, candidates: readonly Entry[]) => ({ node, stable, decided: [], candidates });
  const kept = (...reports: readonly ReturnType<typeof report>[]) =>
    keep({ cluster: three, view: 1, noOp, reports, placedAt: () => undefined }).entries.map(
      (each) => each.entry.digest,
    );

  test("is lost if the node that forgot it reports in its own view's end", () => {
    expect(kept(report(1, [fast]), report(2, []))).toEqual([noOp]);
  });

  test("is kept when the view is opened without that node", () => {
    expect(kept(report(0, [fast]), report(1, [fast]))).toEqual([fast.digest]);
  });
});
