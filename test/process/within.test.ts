// Faults within one node's process (F10, F45): its disk gives errors, or something throws where nobody catches it. The
// process ends, with the exit code and the error code that say why; nothing was said that is not durable; the others go
// on; and the next start finds everything.

import { join } from "node:path";
import { expect, it } from "vitest";
import { freePorts, sharper, sharperJson, withFolder } from "./commands.js";
import { connected, heightOf, load, start } from "./nodes.js";

interface Unknown {
  readonly outcome: "unknown";
  readonly request: { readonly resume: string };
}

interface Balances {
  readonly accounts: readonly { readonly balance: string }[];
}

it("a disk that gives errors ends its node before a client is told anything that is not durable", async () => {
  await withFolder(async (net) => {
    const port = String(await freePorts(1));
    // Alone, it is all that there is to acknowledge anything.
    const fresh = ["--clusters", "1", "--model", "crash", "--f", "0", "--accounts", "10", "--base-port", port];
    await sharperJson("topology", "new", ...fresh, "--out", net);
    const client = ["--topology", join(net, "topology.yaml"), "--key", join(net, "clients", "client0.key")];
    const movement = ["--from", "client0-0", "--to", "client0-1", "--amount", "5"];
    const pay = (...more: readonly string[]) => sharper("transfer", ...client, ...more, "--json");
    const node = start(net, "c1n0", { plant: "disk" });
    await connected(node);
    expect((await pay(...movement)).code).toBe(0);
    node.process.kill("SIGUSR2");
    const [told, ended] = await Promise.all([pay(...movement, "--deadline", "3"), node.ended]);
    expect(ended).toEqual({ code: 7, error: "disk-failed" });
    expect(told.code).toBe(4);

    const again = start(net, "c1n0");
    try {
      await connected(again);
      expect(await heightOf(net, "c1n0")).toBe(1);
      const { request } = JSON.parse(told.stdout) as Unknown;
      expect((await pay("--resume", request.resume)).code).toBe(0);
      const balances = await sharperJson<Balances>("balance", ...client, "client0-1");
      expect(balances.accounts.map(({ balance }) => balance)).toEqual(["1000010"]);
    } finally {
      again.process.kill("SIGTERM");
      expect((await again.ended).code).toBe(0);
    }
  });
});

it("an exception that nobody catches ends its node with a code, and it comes back", async () => {
  await withFolder(async (net) => {
    const port = String(await freePorts(3));
    const fresh = ["--clusters", "1", "--model", "crash", "--accounts", "40", "--base-port", port, "--out", net];
    await sharperJson("topology", "new", ...fresh);
    const others = ["c1n0", "c1n1"].map((name) => start(net, name));
    try {
      const first = start(net, "c1n2", { plant: "throw" });
      // Each node of a new cluster must have been there before one may be missing.
      await Promise.all([...others, first].map(connected));
      first.process.kill("SIGUSR2");
      expect(await first.ended).toEqual({ code: 70, error: "internal" });
      await load(net);
      const second = start(net, "c1n2", { plant: "reject" });
      await connected(second);
      second.process.kill("SIGUSR2");
      expect(await second.ended).toEqual({ code: 70, error: "internal" });
      await load(net);
      const whole = start(net, "c1n2");
      await connected(whole);
      await expect.poll(() => heightOf(net, "c1n2"), { timeout: 30_000 }).toBe(await heightOf(net, "c1n0"));
      whole.process.kill("SIGTERM");
      expect((await whole.ended).code).toBe(0);
    } finally {
      for (const { process: child } of others) child.kill("SIGTERM");
      await Promise.all(others.map(({ ended }) => ended));
    }
    expect(await sharper("ledger", "verify", "--data", join(net, "data"))).toMatchObject({ code: 0 });
  });
});
