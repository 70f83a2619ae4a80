// The network id: SHA-256 over one canonical encoding of everything on which correct nodes must agree to agree on
// blocks. In this order: a version word, the network's name; of each cluster, ascending, its id, model, f, and its
// nodes' ids and keys in their order (a node's position decides when it is primary); the shard map; the clients by id;
// the genesis rows as written; the initiator rule; the block size. Not in it: addresses, timers and the way of
// dissemination, which each operator may change alone. Every signature covers the id, so nothing signed for one network
// is valid in another.
//
// A text is encoded as its length in bytes, 4 bytes big-endian, and its UTF-8 bytes; a number as the text of its
// decimal digits; a list as the number of its elements and then these. So no two contents have one encoding.

import { runningSha256 } from "../crypto/hash.js";
import { type NetworkId, toHex } from "../types/ids.js";
import type { Topology } from "../types/topology.js";

export function networkIdOf(topology: Omit<Topology, "networkId">): NetworkId {
  const hash = runningSha256();
  for (const part of parts(topology)) {
    const bytes = Buffer.from(String(part));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    hash.add(length);
    hash.add(bytes);
  }
  return toHex<NetworkId>(hash.digest());
}

function* parts(topology: Omit<Topology, "networkId">): Generator<string | number | bigint> {
  const { name, clusters, clients, genesis, cross, blockRequestsMax } = topology;
  yield "sharper-network-v1";
  yield name;
  yield clusters.length;
  for (const { id, model, faults, nodes } of clusters) {
    yield* [id, model, faults, nodes.length];
    for (const node of nodes) yield* [node.id, node.key];
  }
  yield* shardParts(topology);
  yield clients.length;
  for (const { id, key } of [...clients].sort((a, b) => compareTexts(a.id, b.id))) yield* [id, key];
  yield genesis.length;
  for (const { prefix, count, owner, balance } of genesis) yield* [prefix, count ?? "one", owner, balance];
  yield cross.initiator;
  yield blockRequestsMax;
}

function* shardParts({ shards }: Pick<Topology, "shards">): Generator<string | number> {
  yield shards.by;
  if (shards.by === "range") {
    yield shards.ranges.length;
    for (const { from, cluster } of shards.ranges) yield* [from, cluster];
  } else if (shards.by === "table") {
    yield shards.accounts.size;
    for (const [account, cluster] of [...shards.accounts].sort(([a], [b]) => compareTexts(a, b)))
      yield* [account, cluster];
    yield shards.others;
  }
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
