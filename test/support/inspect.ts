// What is asked of a test network in the end: the offline audit of all stores (protocol 7), equal records within each
// cluster, everything answered, nothing left in memory that should have gone (protocol 10).

import { createHash } from "node:crypto";
import { expect } from "vitest";
import { ed25519Verifier } from "../../src/crypto/signature.js";
import { replayer } from "../../src/execution/replay.js";
import { auditLedgers } from "../../src/ledger/audit.js";
import { accountKey, heightRange, prefixRange, type Table } from "../../src/ledger/keys.js";
import type { AccountId } from "../../src/types/ids.js";
import { storedAccountSchema } from "../../src/types/schema.js";
import type { TestNetwork, TestNode } from "./network.js";

/** All views are sound, agree with each other, and conserve the supply; strict: the network is quiet. */
export async function expectConsistent(
  network: TestNetwork,
  what: string,
  nodes = network.nodes,
  { strict } = { strict: true },
): Promise<void> {
  const { topology, members } = network;
  const report = await auditLedgers({
    topology,
    verifier: ed25519Verifier,
    nodes: nodes.map(({ name, ref, store }) => ({ name, cluster: ref.cluster, node: ref.node, store })),
    replayer: (cluster) => replayer(topology, members, cluster),
    strict,
  });
  expect(report.findings, what).toEqual([]);
  expect(
    report.nodes.filter(({ behind }) => behind > 0),
    what,
  ).toEqual([]);
}

/** Nothing of finished work is kept: no block under way, no vote being counted, no request waiting. */
export function expectIdle(network: TestNetwork, what: string, nodes = network.nodes): void {
  for (const { name, replica } of nodes) {
    const { queued, undelivered, unexecuted, cross } = replica.gauges;
    expect({ name, queued, undelivered, unexecuted, cross }, what).toEqual({
      name,
      queued: 0,
      undelivered: 0,
      unexecuted: 0,
      cross: 0,
    });
  }
}

/** A node's whole content as one digest. */
export async function contentOf({ store, replica }: TestNode): Promise<string> {
  const hash = createHash("sha256").update(`${replica.height}`);
  for await (const [key, value] of store.range({ gte: Uint8Array.of(0), lt: Uint8Array.of(255) })) {
    hash.update(`${key.length}:`).update(key).update(`${value.length}:`).update(value);
  }
  return hash.digest("hex");
}

export async function rowsOf({ store }: TestNode, table: Table): Promise<number> {
  let rows = 0;
  for await (const _ of store.range(prefixRange(table))) rows++;
  return rows;
}

export async function slotsOf({ store }: TestNode): Promise<number> {
  let rows = 0;
  for await (const _ of store.range(heightRange("slot", 0, Number.MAX_SAFE_INTEGER - 1))) rows++;
  return rows;
}

export function balanceOf({ store }: TestNode, account: AccountId): bigint | undefined {
  const row = store.get(accountKey(account));
  return row === undefined ? undefined : storedAccountSchema.decode(row).balance;
}
