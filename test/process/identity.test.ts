// Two real processes with one node's key, each on a copy of its data folder. Where the second has another address, so
// that it cannot meet the first, the cluster hears both, and the first stops as soon as it is told. Where it would take
// the same address it finds the first at home, and is refused before it has changed anything.

import { cp, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { withPorts } from "../../src/chaos/mesh.js";
import { loadTopology } from "../../src/client/sdk.js";
import { freePorts, sharper, sharperJson, withFolder } from "./commands.js";
import { connected, heightOf, load, type Node, start } from "./nodes.js";

const NODES = ["c1n0", "c1n1", "c1n2"];
const DUPLICATE = { code: 6, error: "duplicate-identity" };

/** Of a running node at rest; its mark first, which may be the older of the two. */
async function copied(data: string, copy: string): Promise<string> {
  await cp(`${data}.mark`, `${copy}.mark`);
  await cp(data, copy, { recursive: true, filter: (source) => !source.endsWith("LOCK") });
  return copy;
}

async function contentOf(data: string): Promise<readonly string[]> {
  const names = (await readdir(data)).sort();
  const files = [`${data}.mark`, ...names.map((name) => join(data, name))];
  return Promise.all(files.map(async (file) => `${file} ${(await readFile(file)).toString("hex")}`));
}

it("of two processes with one identity one goes on, and the other ends and says why", async () => {
  await withFolder(async (net) => {
    const port = await freePorts(4);
    const shape = ["--clusters", "1", "--model", "crash", "--accounts", "40"];
    await sharperJson("topology", "new", ...shape, "--base-port", String(port), "--out", net);
    const topology = await loadTopology(join(net, "topology.yaml"));
    // Of two nodes the one with the smaller key dials: this one reaches both others, whatever they think its address is.
    const [twin] = topology.clusters.flatMap(({ nodes }) => nodes).sort((a, b) => (a.key < b.key ? -1 : 1));
    if (twin === undefined) throw new Error("no nodes");
    const running: Node[] = NODES.map((node) => start(net, node));
    try {
      await Promise.all(running.map(connected));
      const first = running[NODES.indexOf(twin.id)] as Node;
      const elsewhere = join(net, "elsewhere.yaml");
      const moved = new Map([[Number(twin.address.split("/").at(-1)), port + 3]]);
      await writeFile(elsewhere, withPorts(await readFile(join(net, "topology.yaml"), "utf8"), moved));
      const data = await copied(join(net, "data", twin.id), join(net, "copy", twin.id));
      const second = start(net, twin.id, { topology: elsewhere, data });
      running.push(second);
      expect(await first.ended).toEqual(DUPLICATE);
      await connected(second);

      const copy = await copied(data, join(net, "again", twin.id));
      const before = await contentOf(copy);
      expect(await start(net, twin.id, { topology: elsewhere, data: copy }).ended).toEqual(DUPLICATE);
      expect(await contentOf(copy)).toEqual(before);

      await load(net);
      const others = NODES.filter((node) => node !== twin.id);
      const heights = () => Promise.all([...others.map((node) => heightOf(net, node)), heightOf(net, twin.id, data)]);
      await expect.poll(async () => new Set(await heights()).size, { timeout: 30_000 }).toBe(1);
      expect(Math.min(...(await heights()))).toBeGreaterThan(0);
    } finally {
      for (const { process: child } of running) child.kill("SIGTERM");
      await Promise.all(running.map(({ ended }) => ended));
    }
    expect(await sharper("ledger", "verify", "--data", join(net, "data"))).toMatchObject({ code: 0 });
    expect(await sharper("ledger", "verify", "--data", join(net, "copy"))).toMatchObject({ code: 0 });
  });
});
