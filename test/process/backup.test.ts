// A running node is backed up under load, killed, and loses its data folder and its mark (protocol 6), with real
// processes: from the backup it comes back as its next incarnation, takes part again, and all ledgers verify.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { freePorts, main, sharper, sharperJson, withFolder } from "./commands.js";

interface NodeStatus {
  readonly view: number;
  readonly height: number;
  readonly waitsFor?: string;
}

const UNAVAILABLE = 5;

it("a node that was backed up while it ran comes back from the backup", async () => {
  await withFolder(async (net) => {
    const port = String(await freePorts(4));
    const args = ["--clusters", "1", "--model", "byzantine", "--accounts", "40", "--base-port", port, "--out", net];
    await sharperJson("topology", "new", ...args);
    const topology = join(net, "topology.yaml");
    const data = join(net, "data", "c1n1");
    const which = ["--topology", topology, "--node", "c1n1", "--data", data];
    const node = [...which, "--key", join(net, "nodes", "c1n1.key")];
    const client = ["--topology", topology, "--key", join(net, "clients", "client0.key")];
    const pay = () => sharper("transfer", ...client, "--from", "client0-0", "--to", "client1-0", "--amount", "1");
    const load = () =>
      sharper(
        ...["load", "--topology", topology, "--clients", "8", "--duration", "5", "--warmup", "0", "--cross", "0"],
      );
    const file = join(net, "c1n1.backup");
    let child: ChildProcess | undefined;
    try {
      await sharperJson("devnet", "up", net);
      const backUp = async () => {
        const busy = load();
        const result = await sharper("backup", ...which, "--out", file, "--json");
        expect((await busy).code).toBe(0);
        return result;
      };
      // There is nothing to back up before the first checkpoint, and a slow machine may need more than one load for it.
      let taken = await backUp();
      while (taken.code === UNAVAILABLE) taken = await backUp();
      const { height } = JSON.parse(taken.stdout) as { readonly height: number };
      expect(JSON.parse(taken.stdout)).toMatchObject({ node: "c1n1", running: true });
      expect((await readdir(net)).filter((name) => name.endsWith(".part"))).toEqual([]);
      const proven = await sharperJson("backup", "verify", file, "--topology", topology);
      expect(proven).toMatchObject({ verdict: "PROVEN", node: "c1n1", height });
      // Whoever has the running node's folder needs no backup.
      const refused = await sharper("restore", ...node, "--from", file, "--json");
      expect(JSON.parse(refused.stderr)).toMatchObject({ error: { code: "data-exists" } });

      await kill(net, "c1n1");
      await rm(data, { recursive: true });
      await rm(`${data}.mark`);
      const restored = await sharperJson("restore", ...node, "--from", file);
      expect(restored).toMatchObject({ node: "c1n1", height });
      expect(existsSync(`${data}.restoring`)).toBe(false);

      const status = join(net, "c1n1.status");
      child = spawn(process.execPath, [main, "node", ...node, "--status", status, "--log-level", "error"]);
      const read = async () => JSON.parse(await readFile(status, "utf8").catch(() => "{}")) as Partial<NodeStatus>;
      const isBack = async () => (await read()).height !== undefined && (await read()).waitsFor === undefined;
      await expect.poll(isBack, { timeout: 60_000, interval: 300 }).toBe(true);
      expect((await read()).view).toBeGreaterThan(0);
      // Nothing goes without its vote now.
      await kill(net, "c1n2");
      expect((await pay()).code).toBe(0);
    } finally {
      child?.kill("SIGTERM");
      await new Promise((resolve) => (child === undefined ? resolve(undefined) : child.once("exit", resolve)));
      await sharper("devnet", "down", net);
    }
    expect(await sharper("ledger", "verify", "--data", join(net, "data"))).toMatchObject({ code: 0 });
  });
});

async function kill(net: string, name: string): Promise<void> {
  const { stdout } = await sharper("devnet", "status", net, "--json");
  const { nodes } = JSON.parse(stdout) as { readonly nodes: readonly { node: string; pid?: number }[] };
  const pid = nodes.find((each) => each.node === name)?.pid;
  if (pid === undefined) throw new Error(`${name} does not run`);
  process.kill(pid, "SIGKILL");
  await expect.poll(() => isUp(pid), { timeout: 20_000, interval: 100 }).toBe(false);
}

function isUp(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
