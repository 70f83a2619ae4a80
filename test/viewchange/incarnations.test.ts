// A promise of a node that has lost since what it promised does not count (protocol 6), in either failure model. The
// schedule: node 4 promises view 6 and loses its disk; its cluster orders its next incarnation, which takes part in view
// 3, where a quorum with it decides an entry. Of that the promises of 1, 3 and the old 4 know nothing.

import { describe, expect, test } from "vitest";
import type { Entry, NodeIndex } from "../../src/types/ids.js";
import type { RejoinClaim, ViewPromise } from "../../src/types/message.js";
import type { ClusterInfo } from "../../src/types/topology.js";
import { Elections } from "../../src/viewchange/elections.js";
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
