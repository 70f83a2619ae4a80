// Which cluster owns an account: every name has one owner, the same one everywhere, as the map says.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { genesisAccounts } from "../../src/cluster/genesis.js";
import { Members } from "../../src/cluster/members.js";
import { clusterOfAccount } from "../../src/cluster/shards.js";
import { parseTopology } from "../../src/cluster/topology.js";
import { sha256 } from "../../src/crypto/hash.js";
import { type AccountId, type ClusterId, type NodeRef, toHex } from "../../src/types/ids.js";
import { changed, keyOf, valid } from "./files.js";

const hash = "shards: { by: hash }";
const byHash = parseTopology(valid, "net.yaml");
const withShards = (shards: string) => parseTopology(changed([hash, `shards: ${shards}`]), "net.yaml");
const account = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,20}$/).map((text) => text as AccountId);

describe("accounts by hash", () => {
  it("go to the cluster at the place of the hash's first four bytes modulo their number", () => {
    fc.assert(
      fc.property(account, (name) => {
        const place = Number.parseInt(toHex(sha256(Buffer.from(name))).slice(0, 8), 16) % 2;
        expect(clusterOfAccount(byHash, name)).toBe([1, 2][place]);
      }),
    );
  });

  it("spread evenly when they are numbered", () => {
    const clusters = [3, 7, 8, 200].map((id) => ({ ...byHash.clusters[0], id })) as unknown as typeof byHash.clusters;
    const counts = new Map<ClusterId, number>();
    for (let client = 0; client < 4; client++) {
      for (let i = 0; i < 2500; i++) {
        const cluster = clusterOfAccount({ ...byHash, clusters }, `client${client}-${i}` as AccountId);
        counts.set(cluster, (counts.get(cluster) ?? 0) + 1);
      }
    }
    expect([...counts.keys()].sort((a, b) => a - b)).toEqual([3, 7, 8, 200]);
    // Five times the standard deviation of a fair draw.
    for (const count of counts.values())
      expect(Math.abs(count - 2500)).toBeLessThan(5 * Math.sqrt(10_000 * 0.25 * 0.75));
  });
});

it("accounts by range go to the last range that begins at or before them", () => {
  const bounds = ["", "a10", "c", "client1-5", "m"];
  const topology = withShards(
    `{ by: range, ranges: [${bounds.map((from, i) => `{ from: "${from}", cluster: ${(i % 2) + 1} }`).join(", ")}] }`,
  );
  const near = fc
    .tuple(fc.constantFrom(...bounds.slice(1)), fc.constantFrom("", "0", "-", "z"))
    .map((parts) => parts.join(""));
  fc.assert(
    fc.property(fc.oneof(account, near), (name) => {
      const range = bounds.filter((from) => Buffer.compare(Buffer.from(from), Buffer.from(name)) <= 0).length - 1;
      expect(clusterOfAccount(topology, name as AccountId)).toBe((range % 2) + 1);
    }),
  );
});

it("accounts by table go where the table says, all others to the others' cluster", () => {
  const topology = withShards("{ by: table, accounts: { alice: 1, bob: 2 }, others: 2 }");
  const owners = ["alice", "bob", "carol"].map((name) => clusterOfAccount(topology, name as AccountId));
  expect(owners).toEqual([1, 2, 2]);
});

describe("genesis accounts", () => {
  it("are the rows' accounts in their order, each with its owner and cluster", () => {
    const all = [...genesisAccounts(byHash)];
    expect(all).toHaveLength(1001);
    expect(all[0]).toEqual({
      account: "acct-0",
      owner: keyOf(1),
      balance: 1_000_000n,
      cluster: clusterOfAccount(byHash, "acct-0" as AccountId),
    });
    expect(all[999]?.account).toBe("acct-999");
    expect(all[1000]).toMatchObject({ account: "treasury", owner: keyOf(2), balance: 9_007_199_254_740_993n });
  });

  it("of the clusters together are all of them, each once", () => {
    const parts = byHash.clusters.flatMap(({ id }) => [...genesisAccounts(byHash, id)]);
    for (const { account: name, cluster } of parts) expect(clusterOfAccount(byHash, name)).toBe(cluster);
    const names = parts.map(({ account: name }) => name).sort();
    expect(names).toEqual([...genesisAccounts(byHash)].map(({ account: name }) => name).sort());
  });
});

describe("members", () => {
  const members = new Members(byHash);

  it("are found by their place and by their key", () => {
    for (const { id, nodes } of byHash.clusters) {
      for (const node of nodes) {
        expect(members.node({ cluster: id, node: node.index })).toBe(node);
        expect(members.nodeByKey(node.key)).toEqual({ cluster: id, node: node.index });
        expect(members.isClient(node.key)).toBe(false);
      }
    }
    expect(members.clientByKey(keyOf(2))).toEqual({ id: "client1", key: keyOf(2) });
    expect(members.isClient(keyOf(2))).toBe(true);
    expect(members.nodeByKey(keyOf(2))).toBeUndefined();
  });

  it("are nobody else", () => {
    expect(members.node({ cluster: 1 as ClusterId, node: 3 })).toBeUndefined();
    expect(members.node({ cluster: 3 as ClusterId, node: 0 })).toBeUndefined();
    expect(members.nodeByKey(keyOf(99))).toBeUndefined();
    expect(members.clientByKey(keyOf(99))).toBeUndefined();
    expect(members.findCluster(3)).toBeUndefined();
    expect(members.findCluster(2)?.id).toBe(2);
    expect(() => members.clusterOf(3 as ClusterId)).toThrow("cluster 3 is not in the topology");
  });

  it("of several clusters come in ascending order, each once", () => {
    const show = ({ cluster, node }: NodeRef) => `${cluster}.${node}`;
    const [one, two] = [1, 2] as ClusterId[] as [ClusterId, ClusterId];
    const all = ["1.0", "1.1", "1.2", "2.0", "2.1", "2.2", "2.3"];
    expect(members.nodesOf([two, one, two]).map(show)).toEqual(all);
    expect(members.nodesOf([two]).map(show)).toEqual(all.slice(3));
  });
});
