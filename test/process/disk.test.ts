// The disk of one node of a real network fills up, then its data is damaged, then it is gone: each time the node ends
// with the exit code and the error code that say so, the others go on, and nothing is changed that could be looked at.
// A limit on the size of files stands for the full disk: writes fail with the system's own error.

import { execFileSync } from "node:child_process";
import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { freePorts, sharper, sharperJson, withFolder } from "./commands.js";
import { connected, heightOf, load, type Node, start } from "./node.js";

/** The log that its store writes now. */
async function logOf(data: string): Promise<string> {
  const logs = (await readdir(data)).filter((name) => name.endsWith(".log")).sort();
  return join(data, logs.at(-1) as string);
}

it("a full disk, damaged data and no data each end one node with a code, and the others go on", async () => {
  await withFolder(async (net) => {
    const port = String(await freePorts(3));
    const fresh = ["--clusters", "1", "--model", "crash", "--accounts", "40", "--base-port", port, "--out", net];
    await sharperJson("topology", "new", ...fresh);
    const data = join(net, "data", "c1n2");
    const nodes = ["c1n0", "c1n1", "c1n2"].map((node) => start(net, node));
    const [, , full] = nodes as [Node, Node, Node];
    try {
      await Promise.all(nodes.map(connected));
      const { size } = await stat(await logOf(data));
      execFileSync("prlimit", ["--pid", String(full.process.pid), `--fsize=${size + 3000}`]);
      await load(net);
      expect(await full.ended).toEqual({ code: 7, error: "disk-full" });

      const again = start(net, "c1n2");
      await connected(again);
      await expect.poll(() => heightOf(net, "c1n2"), { timeout: 30_000 }).toBe(await heightOf(net, "c1n0"));
      again.process.kill("SIGKILL");
      await again.ended;

      const log = await logOf(data);
      const bytes = await readFile(log);
      const damaged = Buffer.from(bytes);
      damaged[bytes.length >> 1] = (damaged[bytes.length >> 1] as number) ^ 1;
      await writeFile(log, damaged);
      expect(await start(net, "c1n2").ended).toMatchObject({ code: 6, error: expect.stringMatching(/^store-/) });
      expect((await readFile(log)).equals(damaged)).toBe(true);
      await writeFile(log, bytes);
      const whole = start(net, "c1n2");
      await connected(whole);
      whole.process.kill("SIGTERM");
      expect((await whole.ended).code).toBe(0);

      await rm(data, { recursive: true });
      expect(await start(net, "c1n2").ended).toEqual({ code: 6, error: "store-lost" });
      await load(net);
    } finally {
      for (const { process: child } of nodes) child.kill("SIGTERM");
      await Promise.all(nodes.map(({ ended }) => ended));
    }
    const verified = await sharper("ledger", "verify", "--data", join(net, "data"));
    expect(verified).toMatchObject({ code: 0 });
  });
});
