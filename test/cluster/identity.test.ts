// The network id: another one for everything that correct nodes must agree on, the same one for all else.

import { expect, it } from "vitest";
import { parseTopology } from "../../src/cluster/topology.js";
import { changed, keyOf, valid } from "./files.js";

const idOf = (text: string) => parseTopology(text, "net.yaml").networkId;
const hash = "shards: { by: hash }";

it("never changes for the same content: ledgers and signatures depend on it", () => {
  expect(idOf(valid)).toBe("abaac6f432f6fc1d27e98be57fd168421802fb380445738eac95f0a406644336");
});

it.each<[what: string, ...changes: (readonly [string, string])[]]>([
  ["the name", ["trade-1", "trade-2"]],
  ["a cluster's id", ["- id: 2\n", "- id: 3\n"]],
  ["a cluster's model", ["model: byzantine", "model: crash"]],
  [
    "a cluster's f",
    ["model: byzantine", "model: byzantine\n    faults: 0"],
    [/( {6}- \{ id: c2n[123].*\n)+/.exec(valid)?.[0] ?? "", ""],
  ],
  ["a node's id", ["c1n2", "c1nx"]],
  ["a node's key", [keyOf(12), keyOf(13)]],
  [
    "the order of nodes",
    [`c1n0, key: ${keyOf(10)}`, `c1n1, key: ${keyOf(11)}`],
    [`c1n1, key: ${keyOf(11)}, address: /ip6`, `c1n0, key: ${keyOf(10)}, address: /ip6`],
  ],
  ["the shard map", [hash, 'shards: { by: range, ranges: [{ from: "", cluster: 1 }, { from: m, cluster: 2 }] }']],
  ["a client", [keyOf(2), keyOf(3)]],
  ["a genesis balance", ["1000000", "1000001"]],
  ["the number of genesis accounts", ["count: 1000", "count: 1001"]],
  ["an account's owner", ["owner: client1", "owner: client0"]],
  ["one account made many", ["account: treasury,", "prefix: treasury, count: 1,"]],
  ["the initiator rule", ["initiator: lowest", "initiator: source"]],
  ["the block size", ["requestsMax: 1 ", "requestsMax: 2 "]],
])("is another with %s changed", (_, ...changes) => {
  expect(idOf(changed(...changes))).not.toBe(idOf(valid));
});

it.each<[what: string, from: string, to: string]>([
  ["an address", "127.0.0.1/tcp/7000", "10.0.0.1/tcp/9000"],
  ["a timer", "intraMs: 500", "intraMs: 600"],
  ["the way of dissemination", "dissemination: flattened", "dissemination: adaptive"],
  ["a comment", hash, `${hash}  # evenly`],
  ["quotes", "balance: 1000000", 'balance: "1000000"'],
  ["a default written out", "model: byzantine", "model: byzantine\n    faults: 1"],
])("is the same with %s changed", (_, from, to) => {
  expect(idOf(changed([from, to]))).toBe(idOf(valid));
});

it("does not depend on the order of clusters, clients or table entries", () => {
  const [clusters, first, second] = /( {2}- id: 1\n[\s\S]*)( {2}- id: 2\n[\s\S]*?)(?=shards)/.exec(valid) ?? [];
  const [clients, client0, client1] = /( {2}- \{ id: client0.*\n)( {2}- \{ id: client1.*\n)/.exec(valid) ?? [];
  const turned = changed([`${clusters}`, `${second}${first}`], [`${clients}`, `${client1}${client0}`]);
  expect(idOf(turned)).toBe(idOf(valid));
  const table = (entries: string) => changed([hash, `shards: { by: table, accounts: { ${entries} }, others: 2 }`]);
  expect(idOf(table("a: 1, b: 2"))).toBe(idOf(table("b: 2, a: 1")));
  expect(idOf(table("a: 1, b: 2"))).not.toBe(idOf(table("a: 1, b: 1")));
});
