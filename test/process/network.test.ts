// The real thing: separate processes, real libp2p, real LevelDB, the commands a user types. Nothing is killed but by
// SIGTERM; everything is checked.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { freePorts, sharper, sharperJson, withFolder } from "./commands.js";

interface Demo {
  readonly verdict: string;
  readonly load: {
    readonly result: { readonly failedOtherThanByFunds: number; readonly intra: { readonly count: number } };
  };
  readonly audit: {
    readonly records: number;
    readonly crossBlocks: number;
    readonly nodes: readonly { readonly behind: number }[];
  };
  readonly nodes: readonly { readonly residentBytes: number }[];
}

it.each(["crash", "byzantine"])("a %s network moves money across shards and its ledgers agree", async (model) => {
  await withFolder(async (net) => {
    const args = ["--model", model, "--clusters", "3", "--seconds", "2", "--clients", "48", "--cross", "0.3"];
    const demo = await sharperJson<Demo>("demo", ...args, "--shards-per-cross", "3", "--keep-in", net);
    expect(demo.verdict).toBe("CONSISTENT");
    expect(demo.load.result.failedOtherThanByFunds).toBe(0);
    expect(demo.load.result.intra.count).toBeGreaterThan(0);
    expect(demo.audit.crossBlocks).toBeGreaterThan(0);
    expect(demo.audit.nodes).toHaveLength(model === "crash" ? 9 : 12);

    const verified = await sharperJson<{ readonly verdict: string }>("ledger", "verify", "--data", join(net, "data"));
    expect(verified.verdict).toBe("CONSISTENT");
    const svg = join(net, "ledger.svg");
    expect((await sharper("ledger", "graph", "--data", join(net, "data"), "--format", "svg", "--out", svg)).code).toBe(
      0,
    );
    expect(await readFile(svg, "utf8")).toContain("<svg");
  });
});

it("a network that is stopped and started again goes on where it was", async () => {
  await withFolder(async (net) => {
    const port = String(await freePorts(7));
    const fresh = [
      "topology",
      "new",
      "--mix",
      "crash,byzantine",
      "--accounts",
      "40",
      "--base-port",
      port,
      "--out",
      net,
    ];
    expect((await sharper(...fresh)).code).toBe(0);
    const topology = join(net, "topology.yaml");
    const client = ["--topology", topology, "--key", join(net, "clients", "client0.key")];
    try {
      await sharperJson("devnet", "up", net);
      expect((await sharper("devnet", "up", net)).code).not.toBe(0);
      const before = await balances(client);
      for (const to of ["client1-0", "client1-1", "client1-2", "client1-3"]) {
        expect((await sharper("transfer", ...client, "--from", "client0-0", "--to", to, "--amount", "5")).code).toBe(0);
      }
      const tooMuch = await sharper(
        "transfer",
        ...client,
        "--from",
        "client0-0",
        "--to",
        "client1-0",
        "--amount",
        "9999999999",
      );
      expect(tooMuch.code).toBe(3);
      const others = await sharper("transfer", ...client, "--from", "client1-0", "--to", "client0-0", "--amount", "1");
      expect(others.code).toBe(3);

      await sharperJson("devnet", "down", net);
      expect((await sharper("devnet", "status", net)).code).toBe(1);
      await sharperJson("devnet", "up", net);
      expect(await balances(client)).toEqual(before.map((balance, i) => (i === 0 ? balance - 20n : balance + 5n)));
      expect(
        (await sharper("transfer", ...client, "--from", "client0-1", "--to", "client1-0", "--amount", "7")).code,
      ).toBe(0);
    } finally {
      await sharper("devnet", "down", net);
    }
    const verified = await sharper("ledger", "verify", "--data", join(net, "data"));
    expect(verified).toMatchObject({ code: 0 });
  });
});

it("a node that was down while its cluster's log was cut comes back by records", async () => {
  await withFolder(async (net) => {
    const port = String(await freePorts(6));
    const args = ["--clusters", "2", "--model", "crash", "--accounts", "40", "--base-port", port, "--out", net];
    await sharperJson("topology", "new", ...args);
    const topology = join(net, "topology.yaml");
    try {
      await sharperJson("devnet", "up", net);
      const down = (await statusOf(net)).find(({ node }) => node === "c1n2");
      if (down?.pid === undefined) throw new Error("c1n2 does not run");
      process.kill(down.pid, "SIGTERM");
      // Single requests, one after the other: each a block, so that checkpoints come soon.
      const load = ["--topology", topology, "--clients", "2", "--duration", "3", "--warmup", "0", "--cross", "0"];
      let height = 0;
      for (let i = 0; i < 20 && height < RECORDS_MIN; i++) {
        await sharperJson("load", ...load, "--seed", String(i));
        height = Math.min(...(await statusOf(net)).filter(isOther).map((each) => each.height ?? 0));
      }
      expect(height).toBeGreaterThanOrEqual(RECORDS_MIN);
      await sharperJson("devnet", "down", net);
      await sharperJson("devnet", "up", net);
      await expect.poll(() => heightsOf(net), { timeout: 60_000, interval: 500 }).toHaveLength(1);
      await sharperJson("devnet", "down", net);
      const log = (await readFile(join(net, "logs", "c1n2.log"), "utf8")).trim().split("\n");
      expect(log.map((line) => (JSON.parse(line) as { by?: string }).by)).toContain("records");
    } finally {
      await sharper("devnet", "down", net);
    }
    const { nodes } = await sharperJson<Demo["audit"]>("ledger", "verify", "--data", join(net, "data"));
    expect(nodes.map(({ behind }) => behind)).toEqual(nodes.map(() => 0));
  });
});

it("a node refuses another node's key, an unknown id and a template", async () => {
  await withFolder(async (net) => {
    const port = String(await freePorts(3));
    await sharper("topology", "new", "--clusters", "1", "--model", "crash", "--base-port", port, "--out", net);
    const topology = join(net, "topology.yaml");
    const run = (node: string, key: string) =>
      sharper("node", "--topology", topology, "--node", node, "--key", key, "--data", join(net, "data"), "--json");
    const code = ({ stderr }: { readonly stderr: string }) =>
      (JSON.parse(stderr) as { error: { code: string } }).error.code;
    const wrongKey = await run("c1n0", join(net, "nodes", "c1n1.key"));
    expect([wrongKey.code, code(wrongKey)]).toEqual([2, "wrong-key"]);
    const unknown = await run("c9n9", join(net, "nodes", "c1n1.key"));
    expect([unknown.code, code(unknown)]).toEqual([2, "unknown-node"]);
    await writeFile(topology, (await readFile(topology, "utf8")).replace(/key: [0-9a-f]{64}/, "key: generate"));
    const template = await run("c1n0", join(net, "nodes", "c1n0.key"));
    expect([template.code, code(template)]).toEqual([2, "topology-template"]);
  });
});

interface Status {
  readonly node: string;
  readonly cluster: number;
  readonly pid?: number;
  readonly height?: number;
}

/** More than two checkpoints. */
const RECORDS_MIN = 200;

function isOther({ cluster, node }: Status): boolean {
  return cluster === 1 && node !== "c1n2";
}

async function statusOf(net: string): Promise<readonly Status[]> {
  const { stdout } = await sharper("devnet", "status", net, "--json");
  return (JSON.parse(stdout) as { readonly nodes: readonly Status[] }).nodes;
}

/** The different heights in cluster 1. */
async function heightsOf(net: string): Promise<readonly (number | undefined)[]> {
  const own = (await statusOf(net)).filter(({ cluster }) => cluster === 1);
  return [...new Set(own.map(({ height }) => height))];
}

async function balances(client: readonly string[]): Promise<readonly bigint[]> {
  const accounts = ["client0-0", "client1-0", "client1-1", "client1-2", "client1-3"];
  const shown = await sharperJson<{ readonly accounts: readonly { readonly balance: string }[] }>(
    "balance",
    ...client,
    ...accounts,
  );
  return shown.accounts.map(({ balance }) => BigInt(balance));
}
