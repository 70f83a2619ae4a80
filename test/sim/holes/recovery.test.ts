// Protocol 9, scenario 11: recovery that breaks sequence order, or lets a lone round-0 accept or a stale duplicate
// displace a decided entry. Three natural ways to choose what a new view keeps: slot by slot, whatever is reported, and
// from the bottom of the log upwards.

import { describe, expect, test, vi } from "vitest";
import { sameEntry } from "../../../src/cluster/quorum.js";
import { Log } from "../../../src/intra/log.js";
import type { Entry } from "../../../src/types/ids.js";
import type { keep as Keep, KeepOptions, Kept } from "../../../src/viewchange/keep.js";
import {
  expectViolated,
  hold,
  isolate,
  lose,
  restoreRules,
  SOUND,
  scenario,
  suspect,
  timeOut,
  wait,
} from "./scenario.js";

const natural = vi.hoisted(() => ({
  rule: undefined as undefined | ((keep: typeof Keep, options: KeepOptions) => Kept),
}));

vi.mock("../../../src/viewchange/keep.js", async (importOriginal) => {
  const ours = await importOriginal<{ readonly keep: typeof Keep }>();
  const keep = (options: KeepOptions) => natural.rule?.(ours.keep, options) ?? ours.keep(options);
  return { ...ours, keep };
});

async function withRule<T>(rule: typeof natural.rule, run: () => Promise<T>): Promise<T> {
  natural.rule = rule;
  try {
    return await run();
  } finally {
    natural.rule = undefined;
  }
}

/** Changes every candidate, or leaves it out. */
function withCandidates(options: KeepOptions, change: (entry: Entry) => Entry | undefined): KeepOptions {
  const reports = options.reports.map((report) => ({
    ...report,
    candidates: report.candidates.flatMap((entry) => change(entry) ?? []),
  }));
  return { ...options, reports };
}

/** Each slot by itself keeps what is decided there, or its candidate of the highest ballot (§6.3.4, for each h). */
function slotBySlot(keep: typeof Keep, options: KeepOptions): Kept {
  const all = keep(options);
  const entries = all.entries.map((kept) => {
    const { slot } = kept.entry;
    const only = withCandidates(options, (entry) => (entry.slot === slot ? entry : undefined));
    const reports = only.reports.map((report) => ({
      ...report,
      decided: report.decided.filter((entry) => entry.slot === slot),
    }));
    return keep({ ...only, reports }).entries.find(({ entry }) => entry.slot === slot) ?? kept;
  });
  return { ...all, entries };
}

/** An accept is an accept, of whichever round. */
function everyAccept(keep: typeof Keep, options: KeepOptions): Kept {
  return keep(withCandidates(options, (entry) => ({ ...entry, round: 1 })));
}

/** From the lowest slot up, whatever the ballot. */
function fromTheBottom(keep: typeof Keep, options: KeepOptions): Kept {
  return keep(withCandidates(options, (entry) => ({ ...entry, view: 0, round: 1 })));
}

/** What the opening of a view keeps is accepted as it is. */
function acceptTheOpening(): void {
  const { refusal } = Log.prototype;
  vi.spyOn(Log.prototype, "refusal").mockImplementation(function (this: Log, entry) {
    const choice = this.slot(entry.slot)?.choice;
    const isKept = this.isReproposed(entry.slot) && choice !== undefined && sameEntry(choice, entry);
    return isKept ? undefined : refusal.call(this, entry);
  });
}

/** Sequences rise from slot to slot, whatever is in them. */
function raiseNoOps(): void {
  const { refusal } = Log.prototype;
  vi.spyOn(Log.prototype, "refusal").mockImplementation(function (this: Log, entry) {
    const isEqual = this.isNoOp(entry.digest) && this.previous(entry.slot) === entry.sequence;
    return isEqual ? "conflict" : refusal.call(this, entry);
  });
}

restoreRules();

describe("11. recovery that breaks sequence order", () => {
  const run = () =>
    scenario({ models: ["crash", "crash"] }, (network) => {
      for (let i = 0; i < 8; i++) network.pay(2);
      network.settle();
      // View 0: c1n0 alone has A in slot 1 and X in slot 2.
      const requests = [0, 2].map((n) => network.request([network.payment([1], n)]));
      const view0 = isolate(network, ["c1n1", "c1n2"]);
      for (const request of requests) {
        network.sendBytes(request, "c1n0");
        network.deliver({ receiver: "c1n0", kind: "request" });
      }
      network.settle();
      view0.heal();
      // View 1 knows nothing of them and decides C in slot 1, with a sequence that it has from cluster 2's block.
      const view1 = isolate(network, ["c1n0"]);
      suspect(network, "c1n1");
      network.settle();
      network.pay(2, 1);
      network.settle();
      timeOut(network, "c1n1", 1000);
      network.settle();
      view1.heal();
      // View 2 hears of X.
      const view2 = isolate(network, ["c1n1"]);
      suspect(network, "c1n2");
      network.settle();
      timeOut(network, "c1n2", 200);
      network.settle();
      view2.heal();
      wait(network, 30);
      // Clients that heard nothing ask everyone.
      for (const { name } of network.nodesOf(1)) for (const request of requests) network.sendBytes(request, name);
      wait(network, 60);
    });

  test("each slot's highest ballot, and a lower slot has the greater sequence", async () => {
    acceptTheOpening();
    expectViolated(await withRule(slotBySlot, run), "I1");
  });

  test("no sequence is free for the no-op in between, if it may not share the one below", async () => {
    raiseNoOps();
    expectViolated(await run(), "I10");
  });

  test("what is kept conflicts with nothing kept", async () => {
    expect(await run()).toEqual(SOUND);
  });
});

describe("11. a lone round-0 accept", () => {
  const run = () =>
    scenario({ models: ["crash", "crash", "crash"], faults: 2 }, (network) => {
      for (let i = 0; i < 8; i++) network.pay(1);
      network.settle();
      // Four of five nodes of cluster 2 give slot 1 to X, the fifth to Y, with a smaller sequence.
      network.pay(1, 2);
      network.pay(3, 2);
      for (const receiver of ["c1n0", "c3n0"]) network.deliver({ receiver, kind: "request" });
      for (const receiver of ["c2n0", "c2n1", "c2n2", "c2n3"]) network.deliver({ sender: "c1n0", receiver });
      network.deliver({ sender: "c3n0", receiver: "c2n4" });
      lose(network, ({ receiver }) => receiver.startsWith("c2"));
      // Cluster 1 knows that X is decided, and cluster 2 hears of nothing.
      const cut = isolate(network, ["c2n0", "c2n1", "c2n2", "c2n3", "c2n4"]);
      for (const sender of ["c2n0", "c2n1", "c2n2", "c2n3"])
        network.deliver({ sender, receiver: "c1n0", kind: "accept" });
      network.settle();
      cut.heal();
      const crashed = isolate(network, ["c2n0", "c2n2", "c1n0"]);
      suspect(network, "c2n1");
      network.settle();
      wait(network, 20);
      crashed.heal();
      wait(network, 60);
    });

  test("one node's own choice, and it displaces what four decided", async () => {
    expectViolated(await withRule(everyAccept, run), "I3");
  });

  test("a round-0 accept counts if so many report it that it may be decided", async () => {
    expect(await run()).toEqual(SOUND);
  });
});

describe("11. a stale duplicate", () => {
  const run = () =>
    scenario({ models: ["crash", "crash"] }, (network) => {
      // View 0: X reaches c1n0 alone, which takes slot 1 for it in round 1.
      network.pay(2, 1);
      network.deliver({ receiver: "c2n0", kind: "request" });
      network.deliver({ sender: "c2n0", receiver: "c1n0", kind: "propose" });
      const view0 = isolate(network, ["c1n0"]);
      timeOut(network, "c1n0", 1000);
      // View 1: c1n1 gives slot 1 to W, of which nobody hears, and slot 2 to X, which is decided.
      suspect(network, "c1n1");
      for (const [receiver, kind] of [
        ["c1n2", "prepare"],
        ["c1n1", "promise"],
        ["c1n2", "new-view"],
      ] as const) {
        network.deliver({ receiver, kind });
      }
      network.send([network.payment([1])], { to: "c1n1" });
      network.deliver({ receiver: "c1n1", kind: "request" });
      lose(network, ({ sender, kind }) => sender === "c1n1" && kind === "propose");
      const commits = hold(network, ({ receiver, kind }) => receiver === "c1n2" && kind === "commit");
      network.settle();
      view0.heal();
      // View 2: c1n2 and c1n0.
      const view2 = isolate(network, ["c1n1"]);
      suspect(network, "c1n2");
      network.settle();
      timeOut(network, "c1n2", 200);
      network.settle();
      view2.heal();
      commits.release();
      wait(network, 60);
    });

  test("the lowest slot first, and it displaces the one that is decided", async () => {
    expectViolated(await withRule(fromTheBottom, run), "I1");
  });

  test("the highest ballot goes first", async () => {
    expect(await run()).toEqual(SOUND);
  });
});
