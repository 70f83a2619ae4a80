// The clock of a crash cluster's primary runs ahead of everybody's by more than requests are valid for (fault F24): it
// takes all of them for expired. It is right about none, so the cluster must exchange it and serve its clients.

import { join } from "node:path";
import { expect, it } from "vitest";
import { connect, loadTopology } from "../../src/client/sdk.js";
import { freePorts, sharperJson, withFolder } from "./commands.js";
import { connected, start, statusOf } from "./nodes.js";

/** A time-out and a view change, many times over. */
const WITHIN_MS = 10_000;

it("a crash primary whose clock is minutes ahead does not keep clients from paying", async () => {
  await withFolder(async (net) => {
    const port = String(await freePorts(3));
    const fresh = ["--clusters", "1", "--model", "crash", "--accounts", "10", "--base-port", port, "--out", net];
    await sharperJson("topology", "new", ...fresh);
    const nodes = [start(net, "c1n0", { plant: "clock" }), start(net, "c1n1"), start(net, "c1n2")];
    const payment = { from: "client0-0", to: "client0-1", amount: 1n };
    try {
      await Promise.all(nodes.map(connected));
      const topology = await loadTopology(join(net, "topology.yaml"));
      const client = await connect({ topology, key: join(net, "clients", "client0.key") });
      try {
        expect(await client.transfer(payment)).toMatchObject({ outcome: "committed" });
        nodes[0]?.process.kill("SIGUSR2");
        // It has a clock of its own; that it is ahead is seen when the others have left its view.
        const end = performance.now() + WITHIN_MS;
        while ((await statusOf(net, "c1n1")).view === 0 && performance.now() < end) {
          expect(await client.transfer(payment)).toMatchObject({ outcome: "committed" });
        }
        expect(performance.now()).toBeLessThan(end);
        expect(await client.transfer(payment)).toMatchObject({ outcome: "committed" });
      } finally {
        await client.close();
      }
    } finally {
      for (const { process: child } of nodes) child.kill("SIGTERM");
      await Promise.all(nodes.map(({ ended }) => ended));
    }
  });
});
