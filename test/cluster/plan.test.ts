// Planning a network: whatever is planned parses, means what was asked for, and has a key file for each of its keys.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { genesisAccounts } from "../../src/cluster/genesis.js";
import { fillTemplate, type Plan, type PlanOptions, planTopology } from "../../src/cluster/plan.js";
import { parseTemplate, parseTopology } from "../../src/cluster/topology.js";
import { ed25519Signer } from "../../src/crypto/signature.js";
import type { FailureModel, Topology } from "../../src/types/topology.js";

/** Seeds from numbers, another one at each call. */
function seeds(): () => Uint8Array {
  let number = 0;
  return () => {
    const seed = Buffer.alloc(32);
    seed.writeUInt32BE(++number);
    return seed;
  };
}

function options(changes: Partial<PlanOptions> = {}): PlanOptions {
  return {
    name: "sharper",
    suffix: "0123abcd",
    makeSeed: seeds(),
    models: ["crash", "byzantine"],
    faults: 1,
    host: "127.0.0.1",
    basePort: 7000,
    clients: 4,
    accounts: 1000,
    balance: 5n,
    shards: "hash",
    ...changes,
  };
}

function expectKeys({ keys }: Plan, topology: Topology): void {
  const nodes = topology.clusters.flatMap((cluster) => cluster.nodes);
  const holders = [
    ...nodes.map(({ id, key }) => ({ kind: "node", id, key })),
    ...topology.clients.map(({ id, key }) => ({ kind: "client", id, key })),
  ];
  expect(keys.map(({ kind, id, seed }) => ({ kind, id, key: ed25519Signer(seed).publicKey }))).toEqual(holders);
}

describe("a network from numbers", () => {
  it("parses, and is what was asked for", () => {
    const model = fc.constantFrom<FailureModel>("crash", "byzantine");
    const asked = fc.record({
      models: fc.array(model, { minLength: 1, maxLength: 6 }),
      faults: fc.integer({ min: 0, max: 3 }),
      host: fc.constantFrom("127.0.0.1", "::1", "node.example"),
      clients: fc.integer({ min: 1, max: 12 }),
      accounts: fc.integer({ min: 6, max: 2000 }),
      balance: fc.bigInt({ min: 0n, max: 1n << 50n }),
      shards: fc.constantFrom("hash" as const, "range" as const),
    });
    fc.assert(
      fc.property(asked, (changes) => {
        const plan = planTopology(options(changes));
        const topology = parseTopology(plan.yaml, "net.yaml");
        expect(topology.name).toBe("sharper-0123abcd");
        expect(topology.clusters.map((cluster) => cluster.model)).toEqual(changes.models);
        for (const { faults, model: of, nodes } of topology.clusters) {
          expect(faults).toBe(changes.faults);
          expect(nodes).toHaveLength((of === "crash" ? 2 : 3) * changes.faults + 1);
        }
        const ports = topology.clusters.flatMap(({ nodes }) => nodes.map(({ address }) => address.split("/").at(-1)));
        expect(ports).toEqual(ports.map((_, i) => String(7000 + i)));
        const accounts = [...genesisAccounts(topology)];
        expect(accounts).toHaveLength(changes.accounts);
        for (const { balance } of accounts) expect(balance).toBe(changes.balance);
        expectKeys(plan, topology);
      }),
      { numRuns: 50 },
    );
  });

  it("spreads accounts evenly over clients, and by range evenly over clusters", () => {
    const even = fc.record({ clusters: fc.integer({ min: 1, max: 9 }), clients: fc.integer({ min: 1, max: 13 }) });
    fc.assert(
      fc.property(even, fc.integer({ min: 9, max: 3000 }), ({ clusters, clients }, accounts) => {
        const models = Array<FailureModel>(clusters).fill("crash");
        const topology = parseTopology(planTopology(options({ models, clients, accounts, shards: "range" })).yaml, "f");
        for (const group of ["owner", "cluster"] as const) {
          const counts = new Map<unknown, number>();
          for (const one of genesisAccounts(topology)) counts.set(one[group], (counts.get(one[group]) ?? 0) + 1);
          const groups = group === "owner" ? Math.min(clients, accounts) : clusters;
          expect(counts.size).toBe(groups);
          expect(Math.max(...counts.values()) - Math.min(...counts.values())).toBeLessThanOrEqual(1);
        }
      }),
      { numRuns: 50 },
    );
  });

  it.each<[why: string, changes: Partial<PlanOptions>, says: string]>([
    ["no clusters", { models: [] }, "the number of clusters is 0; it must be an integer within 1..1024"],
    ["no clients", { clients: 0 }, "the number of clients is 0"],
    ["half an account", { accounts: 1.5 }, "the number of accounts is 1.5"],
    ["negative f", { faults: -1 }, "faults is -1"],
    ["clusters that are too large", { faults: 40 }, "the size of a cluster is 81; it must be an integer within 1..64"],
    ["ports that do not exist", { basePort: 65_530 }, "the highest port is 65536"],
    ["a supply that does not fit", { balance: 1n << 60n }, "all balances together must be within"],
    ["a negative balance", { balance: -1n }, "all balances together must be within"],
    [
      "a host that is none",
      { host: "no host" },
      "the host's address would be /dns4/no host/tcp/7000; it must be a TCP multiaddr",
    ],
    ["a name that is none", { name: "a/b" }, "the network's name would be a/b-0123abcd; it must be 1 to 64"],
    ["fewer accounts than ranges", { accounts: 1, shards: "range" }, "an account for each of the 2 clusters, not 1"],
  ])("refuses %s", (_, changes, says) => {
    expect(() => planTopology(options(changes))).toThrow(
      expect.objectContaining({ code: "usage", message: expect.stringContaining(says) }),
    );
  });
});

describe("the ready topologies", () => {
  const folder = join(import.meta.dirname, "../../config");
  const files = readdirSync(folder).filter((name) => name.endsWith(".yaml"));

  it.each<[file: string, shape: string]>([
    ["crash-1x3.yaml", "crash 3"],
    ["crash-4x3.yaml", "crash 3, crash 3, crash 3, crash 3"],
    ["byzantine-1x4.yaml", "byzantine 4"],
    ["byzantine-4x4.yaml", "byzantine 4, byzantine 4, byzantine 4, byzantine 4"],
    ["mixed-2x3-2x4.yaml", "crash 3, crash 3, byzantine 4, byzantine 4"],
  ])("%s is a template of the network it is named after, without a key", (file, shape) => {
    expect(files).toContain(file);
    const text = readFileSync(join(folder, file), "utf8");
    expect(text).not.toMatch(/[0-9a-f]{64}/);
    const template = parseTemplate(text, file);
    if (template === undefined) throw new Error("no template");
    const plan = fillTemplate(template, { suffix: "0123abcd", makeSeed: seeds() });
    const topology = parseTopology(plan.yaml, file);
    expect(topology.clusters.map(({ model, nodes }) => `${model} ${nodes.length}`).join(", ")).toBe(shape);
    expect(topology.name).toBe(`${file.replace(".yaml", "")}-0123abcd`);
    expect([...genesisAccounts(topology)]).toHaveLength(10_000);
    expectKeys(plan, topology);
  });

  it("are all of the README's, and no more", () => {
    const readme = readFileSync(join(folder, "README.md"), "utf8");
    expect([...readme.matchAll(/^\| `(.*\.yaml)`/gm)].map(([, file]) => file).sort()).toEqual(files.sort());
  });

  it("are described field by field in the README by a file that is right", () => {
    const readme = readFileSync(join(folder, "README.md"), "utf8");
    const [, text] = /```yaml\n(network:[\s\S]*?)```/.exec(readme) ?? [];
    expect(parseTemplate(text ?? "", "README.md")?.keys).toHaveLength(5);
  });
});

describe("filling in a template", () => {
  const text = readFileSync(join(import.meta.dirname, "../../config/crash-1x3.yaml"), "utf8");
  const templateOf = (yaml: string) => parseTemplate(yaml, "net.yaml") as NonNullable<ReturnType<typeof parseTemplate>>;

  it("changes keys, the network's name and nothing else", () => {
    const { yaml } = fillTemplate(templateOf(text), { suffix: "s", makeSeed: seeds() });
    const undone = yaml.replaceAll(/key: [0-9a-f]{64}/g, "key: generate").replace("crash-1x3-s", "crash-1x3");
    expect(undone).toBe(text);
  });

  it("keeps keys that are there already", () => {
    const key = ed25519Signer(Buffer.alloc(32, 9)).publicKey;
    const half = text.replace("c1n0, key: generate", `c1n0, key: ${key}`);
    const plan = fillTemplate(templateOf(half), { suffix: "s", makeSeed: seeds() });
    expect(parseTopology(plan.yaml, "f").clusters[0]?.nodes[0]?.key).toBe(key);
    expect(plan.keys.map(({ id }) => id)).not.toContain("c1n0");
  });

  it("moves all ports by as much as the lowest", () => {
    const apart = text
      .replace("tcp/7002", "tcp/7050")
      .replace("/tcp/7001 ", '/tcp/7001" ')
      .replace("/ip4/127.0.0.1/tcp/7001", '"/ip4/127.0.0.1/tcp/7001');
    const { yaml } = fillTemplate(templateOf(apart), { suffix: "s", makeSeed: seeds(), basePort: 9000 });
    const nodes = parseTopology(yaml, "f").clusters[0]?.nodes ?? [];
    expect(nodes.map(({ address }) => address)).toEqual([9000, 9001, 9050].map((port) => `/ip4/127.0.0.1/tcp/${port}`));
  });

  it("refuses ports that do not exist", () => {
    const fill = (basePort: number) => fillTemplate(templateOf(text), { suffix: "s", makeSeed: seeds(), basePort });
    for (const port of [0, -5, 65_534, 7000.5])
      expect(() => fill(port)).toThrow(expect.objectContaining({ code: "usage" }));
  });
});
