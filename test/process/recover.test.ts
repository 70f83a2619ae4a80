// A node loses its data folder (protocol 6), with real processes: started as if nothing had happened it is refused by
// name; after `sharper node recover` it takes its ledger from its peers, comes back as its next incarnation, and its
// vote counts again, as nothing goes without it.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { freePorts, sharper, sharperJson, withFolder } from "./commands.js";

interface Status {
  readonly node: string;
  readonly pid?: number;
}

interface NodeStatus {
  readonly view: number;
  readonly height: number;
  readonly waitsFor?: string;
}

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

it.each(["crash", "byzantine"])("a node of a %s cluster that lost its data folder comes back", async (model) => {
  await withFolder(async (net) => {
    const port = String(await freePorts(4));
    const args = ["--clusters", "1", "--model", model, "--accounts", "40", "--base-port", port, "--out", net];
    await sharperJson("topology", "new", ...args);
    const topology = join(net, "topology.yaml");
    const data = join(net, "data", "c1n1");
    const node = ["--topology", topology, "--node", "c1n1", "--key", join(net, "nodes", "c1n1.key"), "--data", data];
    const pay = () =>
      sharper(
        ...["transfer", "--topology", topology, "--key", join(net, "clients", "client0.key")],
        ...["--from", "client0-0", "--to", "client1-0", "--amount", "1"],
      );
    let child: ChildProcess | undefined;
    try {
      await sharperJson("devnet", "up", net);
      for (let i = 0; i < 3; i++) expect((await pay()).code).toBe(0);
      await end(net, "c1n1");
      await rm(data, { recursive: true });
      // A mark that is still there says so at once; without it the others do.
      const isMarked = model === "crash";
      if (!isMarked) await rm(`${data}.mark`);

      const refused = await sharper("node", ...node, "--log-level", "error", "--json");
      expect(JSON.parse(refused.stderr)).toMatchObject({
        error: { code: isMarked ? "store-lost" : "stale-storage" },
      });
      expect(refused.code).not.toBe(0);
      const told = await sharper("node", "recover", ...node);
      expect(told).toMatchObject({ code: 0, stderr: "" });
      expect(existsSync(`${data}.damaged-1${isMarked ? ".mark" : ""}`)).toBe(true);

      const file = join(net, "c1n1.status");
      child = spawn(process.execPath, [main, "node", ...node, "--status", file, "--log-level", "error"]);
      const status = async () => JSON.parse(await readFile(file, "utf8").catch(() => "{}")) as Partial<NodeStatus>;
      const isBack = async () => (await status()).height !== undefined && (await status()).waitsFor === undefined;
      await expect.poll(isBack, { timeout: 60_000, interval: 500 }).toBe(true);
      expect((await status()).view).toBeGreaterThan(0);

      await end(net, "c1n2");
      expect((await pay()).code).toBe(0);
    } finally {
      child?.kill("SIGTERM");
      await new Promise((resolve) => (child === undefined ? resolve(undefined) : child.once("exit", resolve)));
      await sharper("devnet", "down", net);
    }
    // What was set aside does not count.
    expect(await sharper("ledger", "verify", "--data", join(net, "data"))).toMatchObject({ code: 0 });
    const shown = await sharper("ledger", "show", "--data", data, "--height", "4");
    expect(shown.stdout).toContain("rejoins as incarnation 1");
  });
});

async function end(net: string, name: string): Promise<void> {
  const { stdout } = await sharper("devnet", "status", net, "--json");
  const { pid } = (JSON.parse(stdout) as { nodes: readonly Status[] }).nodes.find((each) => each.node === name) ?? {};
  if (pid === undefined) throw new Error(`${name} does not run`);
  process.kill(pid, "SIGTERM");
  await expect.poll(() => isUp(pid), { timeout: 20_000, interval: 100 }).toBe(false);
}

function isUp(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
