// Reading topology files: what a valid one means, how problems are reported, what a template is.

import { describe, expect, it } from "vitest";
import { parseTemplate, parseTopology } from "../../src/cluster/topology.js";
import { limits } from "../../src/types/limits.js";
import { changed, errorOf, faultsOf, keyOf, problemsOf, valid } from "./files.js";

const hash = "shards: { by: hash }";
const firstNode = `{ id: c1n0, key: ${keyOf(10)}, address: /ip4/127.0.0.1/tcp/7000 }`;

describe("a valid file", () => {
  it("becomes the network it describes", () => {
    const topology = parseTopology(valid, "net.yaml");
    expect(topology).toMatchObject({
      name: "trade-1",
      shards: { by: "hash" },
      clients: [
        { id: "client0", key: keyOf(1) },
        { id: "client1", key: keyOf(2) },
      ],
      genesis: [
        { prefix: "acct-", count: 1000, owner: keyOf(1), balance: 1_000_000n },
        { prefix: "treasury", count: undefined, owner: keyOf(2), balance: 9_007_199_254_740_993n },
      ],
      cross: { dissemination: "flattened", initiator: "lowest" },
      timers: { intraMs: 500, crossMs: 2000 },
      blockRequestsMax: 1,
    });
    expect(topology.clusters.map(({ id, model, faults, nodes }) => [id, model, faults, nodes.length])).toEqual([
      [1, "crash", 1, 3],
      [2, "byzantine", 1, 4],
    ]);
    expect(topology.clusters[1]?.nodes[3]).toEqual({
      id: "c2n3",
      cluster: 2,
      index: 3,
      key: keyOf(23),
      address: "/ip4/127.0.0.1/tcp/7006",
    });
  });

  it("may leave out what has a default", () => {
    const short = valid.replace(/\ngenesis:[\s\S]*$/, "\n");
    const { genesis, cross, timers, blockRequestsMax } = parseTopology(short, "net.yaml");
    expect({ genesis, cross, timers, blockRequestsMax }).toEqual({
      genesis: [],
      cross: { dissemination: "adaptive", initiator: "source" },
      timers: { intraMs: limits.intraTimeoutMs, crossMs: limits.crossTimeoutMs },
      blockRequestsMax: 1000,
    });
  });

  it("lists clusters in any order; they are ascending from then on", () => {
    const { clusters } = parseTopology(changed(["- id: 1\n", "- id: 9\n"]), "net.yaml");
    expect(clusters.map(({ id }) => id)).toEqual([2, 9]);
    expect(clusters[1]?.nodes[0]).toMatchObject({ id: "c1n0", cluster: 9 });
  });

  it("keeps names as they are written, those that look like numbers, too", () => {
    const table = [hash, "shards: { by: table, accounts: { 007: 1, true: 2, 1e3: 2 }, others: 1 }"] as const;
    const { shards } = parseTopology(changed(table), "net.yaml");
    expect(shards.by === "table" ? [...shards.accounts.keys()] : []).toEqual(["007", "true", "1e3"]);
  });

  it("may have a cluster of one node with faults: 0, for experiments", () => {
    const cluster = `{ id: 1, model: crash, faults: 0, nodes: [${firstNode}] }`;
    const text = `network: x\nclusters: [${cluster}]\n${hash}\nclients: []\n`;
    expect(parseTopology(text, "net.yaml").clusters[0]).toMatchObject({ faults: 0 });
  });

  it("may have more nodes than its f needs", () => {
    const text = changed(["model: byzantine", "model: crash"]);
    expect(parseTopology(text, "net.yaml").clusters[1]).toMatchObject({ model: "crash", faults: 1 });
  });
});

describe("all problems are reported at once", () => {
  it("in the order of lines, with columns, one line of the message each", () => {
    const text = changed(
      ["model: crash", "modle: crash"],
      ["id: c2n0", "id: c1n0"],
      ["tcp/7003", "udp/7003"],
      [hash, "shards: { by: table, accounts: { alice: 9 }, others: 1 }"],
      ["owner: client1", "owner: nobody"],
      ["crossMs: 2000", "crossMs: 2"],
    );
    const error = errorOf(text);
    expect(error.problems.map(({ line, column, path }) => [line, column, path])).toEqual([
      [3, 5, "clusters[0].model"],
      [4, 5, "clusters[0].modle"],
      [10, 9, "clusters[1].id"],
      [13, 15, "clusters[1].nodes[0].id"],
      [13, 101, "clusters[1].nodes[0].address"],
      [17, 41, "shards.accounts.alice"],
      [23, 33, "genesis[1].owner"],
      [25, 34, "timers.crossMs"],
    ]);
    const lines = error.message.split("\n");
    expect(lines).toHaveLength(8);
    expect(lines[1]).toBe("net.yaml:4: unknown field clusters[0].modle; did you mean model?");
  });

  it("but of a broken field only that it is broken, not what follows from it", () => {
    expect(
      faultsOf(["- id: 2\n", "- id: two\n"], [hash, "shards: { by: table, accounts: { a: 1 }, others: 2 }"]),
    ).toEqual(['10: clusters[1].id is "two"; it must be a cluster id within 1..65535']);
    expect(faultsOf(["id: client1", "id: /"])).toHaveLength(1);
  });

  it("and no more than anybody reads", () => {
    const rows = Array.from({ length: 2000 }, (_, i) => `  - { account: a${i}, owner: nobody, balance: 1 }`).join("\n");
    const error = errorOf(changed(["genesis:\n", `genesis:\n${rows}\n`]));
    expect(error.problems).toHaveLength(500);
    expect(error.message.split("\n").at(-1)).toBe("net.yaml: only the first 500 problems are shown; correct these");
  });
});

describe("a file that is not YAML", () => {
  it("is refused with the place of the fault", () => {
    const [problem] = problemsOf(changed(["shards: { by: hash }", "shards: { by: hash"]));
    expect(problem).toMatchObject({ line: 18, fix: "correct the YAML here" });
  });

  it.each([
    [
      "empty",
      "",
      "1: the file is missing; write a map with the fields network, clusters, shards, clients, genesis, " +
        "cross, timers, block",
    ],
    [
      "a text",
      "hello",
      '1: the file is "hello"; write a map with the fields network, clusters, shards, clients, genesis, ' +
        "cross, timers, block",
    ],
  ])("nor one that is %s", (_, text, first) => {
    const [problem] = problemsOf(text);
    expect(`${problem?.line}: ${problem?.what}; ${problem?.fix}`).toBe(first);
  });
});

describe("a template", () => {
  const template = valid.replaceAll(/key: [0-9a-f]{64}/g, "key: generate");

  it("is no network: refused with the command that makes one of it", () => {
    expect(() => parseTopology(template, "config/net.yaml")).toThrow(
      expect.objectContaining({
        code: "topology-template",
        message: expect.stringContaining("sharper topology new --from config/net.yaml --out DIR"),
      }),
    );
  });

  it("says where its keys, name and addresses stand", () => {
    const { keys, network, addresses } = parseTemplate(template, "net.yaml") ?? {};
    expect(keys?.map(({ kind, id }) => `${kind} ${id}`)).toEqual([
      ...["c1n0", "c1n1", "c1n2", "c2n0", "c2n1", "c2n2", "c2n3"].map((id) => `node ${id}`),
      "client client0",
      "client client1",
    ]);
    for (const { span } of keys ?? []) expect(template.slice(span.start, span.end)).toBe("generate");
    expect(template.slice(network?.span.start, network?.span.end)).toBe("trade-1");
    expect(addresses).toHaveLength(7);
    for (const { address, span } of addresses ?? []) expect(template.slice(span.start, span.end)).toBe(address);
  });

  it("is checked like any other file", () => {
    const bad = template.replace("faults: 1", "faults: 2");
    expect(problemsOf(bad)).toHaveLength(1);
    expect(() => parseTemplate(bad, "net.yaml")).toThrow(expect.objectContaining({ code: "topology-invalid" }));
  });

  it("is a file with at least one key to generate; a real topology is none", () => {
    expect(parseTemplate(changed([keyOf(1), "generate"]), "net.yaml")?.keys).toHaveLength(1);
    expect(parseTemplate(valid, "net.yaml")).toBeUndefined();
  });
});
