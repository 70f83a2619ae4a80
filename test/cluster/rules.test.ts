// The rules of topology files: for each, the line, the fault and the remedy that are shown.

import { describe, expect, it } from "vitest";
import { parseTopology } from "../../src/cluster/topology.js";
import { limits } from "../../src/types/limits.js";
import { changed, faultsOf, keyOf, valid } from "./files.js";

const hash = "shards: { by: hash }";

describe("each rule says the line, what is wrong and what would be right", () => {
  it.each<[rule: string, from: string, to: string, fault: string]>([
    ["a field is known", "faults: 1", "fault: 1", "5: unknown field clusters[0].fault; did you mean faults?"],
    [
      "a field is known, though nothing is like it",
      "block: {",
      "frobnicate: {",
      "26: unknown field frobnicate; remove it; known here: network, clusters, shards, clients, genesis, " +
        "cross, timers, block",
    ],
    [
      "a field of a way to shard is known",
      hash,
      "shards: { by: hash, others: 1 }",
      "17: unknown field shards.others; remove it; known here: by",
    ],
    [
      "a field is there",
      "network: trade-1",
      "",
      "2: network is missing; it must be 1 to 64 letters, digits, dots, dashes or underscores, beginning " +
        "with a letter or digit",
    ],
    ["a section is there", hash, "", "1: shards is missing; write a map with the fields by, accounts, others"],
    [
      "a list is a list",
      "cross: { dissemination: flattened, initiator: lowest }",
      "cross: [flattened]",
      "24: cross is a list; write a map with the fields dissemination, initiator",
    ],
    [
      "a field is written once",
      "model: crash",
      "model: crash\n    model: crash",
      "5: model is written twice; keep one of the two",
    ],
    [
      "a model is one of two",
      "model: crash",
      "model: honest",
      '4: clusters[0].model is "honest"; it must be crash or byzantine',
    ],
    [
      "a cluster id is 1 to 65535",
      "- id: 2\n",
      "- id: 65536\n",
      '10: clusters[1].id is "65536"; it must be a cluster id within 1..65535',
    ],
    [
      "a cluster id is not 0",
      "- id: 2\n",
      "- id: 0\n",
      '10: clusters[1].id is "0"; it must be a cluster id within 1..65535',
    ],
    [
      "a cluster id is used once",
      "- id: 2\n",
      "- id: 1\n",
      "10: clusters[1].id 1 is also that of clusters[0]; give each cluster an id of its own",
    ],
    [
      "crash clusters have 2f+1 nodes",
      "faults: 1",
      "faults: 2",
      "6: cluster 1 has 3 nodes, too few for crash with faults: 2; give it at least 5 (2f+1) or lower faults",
    ],
    [
      "byzantine clusters have 3f+1 nodes",
      "model: crash",
      "model: byzantine",
      "6: cluster 1 has 3 nodes, too few for byzantine with faults: 1; give it at least 4 (3f+1) or lower faults",
    ],
    [
      "faults: 0 is for one node",
      "faults: 1",
      "faults: 0",
      "5: cluster 1 has 3 nodes, but faults: 0; write faults: 1 or more, or one node",
    ],
    [
      "a node id is used once",
      "id: c2n0",
      "id: c1n0",
      "13: clusters[1].nodes[0].id c1n0 is also that of clusters[0].nodes[0]; give each node an id of its own",
    ],
    [
      "a node id can name a file",
      "id: c2n0",
      "id: ../c2n0",
      '13: clusters[1].nodes[0].id is "../c2n0"; it must be 1 to 64 letters, digits, dots, dashes or ' +
        "underscores, beginning with a letter or digit",
    ],
    [
      "a key is used once among nodes",
      keyOf(20),
      keyOf(10),
      "13: clusters[1].nodes[0].key " +
        keyOf(10) +
        " is also that of clusters[0].nodes[0]; give each node and client a key of its own",
    ],
    [
      "a key is used once among nodes and clients",
      keyOf(1),
      keyOf(10),
      "19: clients[0].key " +
        keyOf(10) +
        " is also that of clusters[0].nodes[0]; give each node and client a key of its own",
    ],
    [
      "a key is 64 lower-case hex digits",
      keyOf(1),
      "c0ffee",
      '19: clients[0].key is "c0ffee"; it must be an Ed25519 public key as 64 lower-case hex digits',
    ],
    [
      "a key is one that can sign",
      keyOf(1),
      "0".repeat(64),
      `19: clients[0].key is "${"0".repeat(64)}"; it must be an Ed25519 public key as 64 lower-case hex digits`,
    ],
    [
      "an address is used once",
      "tcp/7003",
      "tcp/7000",
      "13: clusters[1].nodes[0].address /ip4/127.0.0.1/tcp/7000 is also that of clusters[0].nodes[0]; give " +
        "each node an address of its own",
    ],
    [
      "an owner is a client",
      "owner: client1",
      "owner: clientx",
      "23: owner clientx is not a client of this network; name the id of one of the clients",
    ],
    [
      "an account has a name",
      "account: treasury",
      "account: -t",
      '23: genesis[1].account is "-t"; it must be an account name: 1 to 64 of A-Z a-z 0-9 . _ : -, ' +
        "beginning with a letter or digit",
    ],
    [
      "every numbered account has a name",
      "prefix: acct-",
      `prefix: ${"a".repeat(62)}`,
      `22: account ${"a".repeat(62)}999 has 65 characters; shorten the prefix: names have at most 64 characters`,
    ],
    [
      "a balance is not negative",
      "balance: 1000000",
      "balance: -5",
      `22: genesis[0].balance is "-5"; it must be an integer within 0..${limits.supplyMax}, without a sign, ` +
        "spaces or leading zeros",
    ],
    [
      "a balance is an integer",
      "balance: 1000000",
      "balance: 1.5",
      `22: genesis[0].balance is "1.5"; it must be an integer within 0..${limits.supplyMax}, without a ` +
        "sign, spaces or leading zeros",
    ],
    [
      "the supply fits",
      '"9007199254740993"',
      '"9223372036854775807"',
      `23: genesis[1] makes the supply 9223372037854775807; all balances together are at most ${limits.supplyMax}`,
    ],
    [
      "the number of accounts is bounded",
      "count: 1000,",
      "count: 10000000,",
      "23: genesis[1] makes it 10000001 accounts; at most 10000000 may exist at the start",
    ],
    [
      "no account is in two rows",
      "account: treasury",
      "account: acct-999",
      "23: account acct-999 is also one of genesis[0]; let each account stand in one row",
    ],
    [
      "the cross timer is above the intra timer",
      "crossMs: 2000",
      "crossMs: 500",
      "25: timers.crossMs 500 is not above timers.intraMs 500; make it larger",
    ],
    [
      "a block has a request",
      "requestsMax: 1 ",
      "requestsMax: 0 ",
      '26: block.requestsMax is "0"; it must be a number of requests within 1..2000',
    ],
    [
      "a list is not empty",
      /clusters:[\s\S]*?(?=shards)/.exec(valid)?.[0] ?? "",
      "clusters: []\n",
      "2: clusters has 0 clusters; write a list of 1..1024 clusters",
    ],
    [
      "a value is not left out",
      "model: crash",
      "model:",
      "4: clusters[0].model is empty; it must be crash or byzantine",
    ],
    [
      "aliases are not allowed",
      "shards: { by: hash }",
      "shards: &a { by: hash }\nblok: *a",
      "18: an alias stands for something written elsewhere; write it out: a topology has no aliases",
    ],
  ])("%s", (_, from, to, fault) => {
    expect(faultsOf([from, to])).toEqual([fault]);
  });

  it("a client id is used once", () => {
    expect(faultsOf(["id: client1", "id: client0"], ["owner: client1", "owner: client0"])).toEqual([
      "20: clients[1].id client0 is also that of clients[0]; give each client an id of its own",
    ]);
  });

  it.each([
    "/ip4/127.0.0.1/udp/7000",
    "/ip4/127.0.0.256/tcp/7000",
    "/ip4/127.0.0.1/tcp/0",
    "/ip4/127.0.0.1/tcp/65536",
    "/ip4/127.0.0.1/tcp/07000",
    "/ip4/127.0.0.1/tcp/7000/ws",
    "/ip6/127.0.0.1/tcp/7000",
    "/dns4/bad_host/tcp/7000",
    "/dns4//tcp/7000",
    "/unix/a/tcp/7000",
    "127.0.0.1:7000",
  ])("an address is a TCP multiaddr, unlike %s", (address) => {
    expect(faultsOf(["/ip4/127.0.0.1/tcp/7003", address])).toEqual([
      `13: clusters[1].nodes[0].address is "${address}"; it must be a TCP multiaddr such as ` +
        "/ip4/127.0.0.1/tcp/7000, /ip6/::1/tcp/7000 or /dns4/host.example/tcp/7000",
    ]);
  });
});

describe("a shard map is total and disjoint", () => {
  const range = (...ranges: readonly string[]) =>
    [hash, `shards: { by: range, ranges: [${ranges.join(", ")}] }`] as const;
  const one = '{ from: "", cluster: 1 }';

  it.each<[rule: string, ranges: readonly string[], faults: readonly string[]]>([
    ["ranges that cover everything are right", [one, "{ from: m, cluster: 2 }", "{ from: x, cluster: 1 }"], []],
    [
      "the first begins at the beginning",
      ["{ from: a, cluster: 1 }", "{ from: m, cluster: 2 }"],
      ['accounts before "a" have no cluster; begin the first range with from: ""'],
    ],
    [
      "they are sorted",
      [one, "{ from: m, cluster: 2 }", "{ from: b, cluster: 1 }"],
      ['ranges overlap: "b" comes after "m"; sort the ranges by from, each once'],
    ],
    [
      "none begins twice",
      [one, "{ from: m, cluster: 2 }", "{ from: m, cluster: 1 }"],
      ['ranges overlap: "m" comes twice; sort the ranges by from, each once'],
    ],
    [
      "none is empty",
      [one, "{ from: '0', cluster: 2 }"],
      ['no account comes before "0"; let the first range end after "0"'],
    ],
    [
      "bounds are account names",
      [one, "{ from: '-', cluster: 2 }"],
      ['shards.ranges[1].from is "-"; it must be "" or an account name'],
    ],
    [
      "their clusters exist",
      [one, "{ from: m, cluster: 2 }", "{ from: x, cluster: 3 }"],
      ["there is no cluster 3; name one of the clusters 1, 2"],
    ],
  ])("by range: %s", (_, ranges, expected) => {
    if (expected.length === 0) parseTopology(changed(range(...ranges)), "net.yaml");
    else expect(faultsOf(range(...ranges))).toEqual(expected.map((fault) => `17: ${fault}`));
  });

  it("by range: every cluster owns something", () => {
    expect(faultsOf(range(one))).toEqual([
      "10: cluster 2 owns no accounts; name it in shards, or leave the cluster out",
    ]);
  });

  it("by table: accounts of the table have their cluster, all others another", () => {
    const { shards } = parseTopology(changed([hash, "shards: { by: table, accounts: { alice: 1 }, others: 2 }"]), "f");
    expect(shards).toEqual({ by: "table", accounts: new Map([["alice", 1]]), others: 2 });
  });

  it.each<[rule: string, table: string, fault: string]>([
    [
      "there is a cluster for all others",
      "{ by: table, accounts: { alice: 1 } }",
      "17: shards.others is missing; it must be a cluster id within 1..65535",
    ],
    [
      "clusters exist",
      "{ by: table, accounts: { alice: 3, bob: 1 }, others: 2 }",
      "17: there is no cluster 3; name one of the clusters 1, 2",
    ],
    [
      "the cluster for all others exists",
      "{ by: table, accounts: { alice: 1, bob: 2 }, others: 4 }",
      "17: there is no cluster 4; name one of the clusters 1, 2",
    ],
    [
      "every cluster owns something",
      "{ by: table, accounts: { alice: 1 }, others: 1 }",
      "10: cluster 2 owns no accounts; name it in shards, or leave the cluster out",
    ],
    [
      "an account stands once",
      "{ by: table, accounts: { alice: 1, alice: 1 }, others: 2 }",
      "17: alice is written twice; keep one of the two",
    ],
    [
      "accounts have names",
      "{ by: table, accounts: { -a: 1, b: 1 }, others: 2 }",
      '17: shards.accounts.-a is "-a"; it must be an account name: 1 to 64 of A-Z a-z 0-9 . _ : -, ' +
        "beginning with a letter or digit",
    ],
  ])("by table: %s", (_, table, fault) => {
    expect(faultsOf([hash, `shards: ${table}`])).toEqual([fault]);
  });
});
