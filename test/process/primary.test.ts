// The primary of a cluster is killed with SIGKILL while real processes work (protocol 5, 10: I9, I10): its cluster goes
// on under another one, the others never stop, the killed node comes back, and every word to a client is in the
// ledgers. The aims, 2 s and 90 %, are judged by scripts/benchmark-failover, which ends with 1 beyond them, on a machine
// that does nothing else; the bounds here are wide, for those that do.

import { expect, it } from "vitest";
import { sharper } from "./commands.js";

interface Failover {
  readonly verdict: string;
  readonly problems: readonly string[];
  readonly killed: string;
  readonly view: number;
  readonly firstCommitMs: number;
  readonly othersKept: number;
  readonly acknowledged: number;
  readonly lost: number;
  readonly endings: Readonly<Record<string, number>>;
  readonly audit: { readonly crossBlocks: number; readonly nodes: readonly { readonly behind: number }[] };
}

const TRANSFERS = 150;
const FIRST_COMMIT_MAX_MS = 10_000;
const KEPT_MIN = 0.2;

it.each(["crash", "byzantine"])(
  "a %s cluster outlives its primary, and nothing that was told is lost",
  async (model) => {
    const args = ["--model", model, "--clusters", "2", "--rate", "80", "--cross", "0.2", "--transfers", `${TRANSFERS}`];
    const bounds = ["--max-ms", `${FIRST_COMMIT_MAX_MS}`, "--kept", `${KEPT_MIN}`];
    const { code, stdout, stderr } = await sharper("failover", ...args, ...bounds, "--json");
    expect([code, stderr]).toEqual([0, ""]);
    const run = JSON.parse(stdout) as Failover;
    expect(run).toMatchObject({ verdict: "CONSISTENT", problems: [], killed: "c1n0", lost: 0 });
    expect(run.view).toBeGreaterThan(0);
    expect(run.firstCommitMs).toBeLessThan(FIRST_COMMIT_MAX_MS);
    expect(run.othersKept).toBeGreaterThan(KEPT_MIN);
    expect(run.acknowledged).toBeGreaterThan(2 * TRANSFERS);
    // Requests that the kill caught may be answered late, but they are answered.
    expect(Object.keys(run.endings)).toEqual(["ok"]);
    expect(run.audit.crossBlocks).toBeGreaterThan(0);
    expect(run.audit.nodes.map(({ behind }) => behind)).toEqual(run.audit.nodes.map(() => 0));
  },
);
