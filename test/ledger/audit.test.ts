// The audit of drawn ledgers: what is right passes, and whatever is changed afterwards is found and named with cluster
// and height. Stores are written through, as someone would who can recompute checksums (for stale ones see
// level.test.ts).

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ed25519Verifier } from "../../src/crypto/signature.js";
import { type AuditReport, auditLedgers } from "../../src/ledger/audit.js";
import type { AuditedNode } from "../../src/ledger/findings.js";
import {
  accountKey,
  blockKey,
  certificatesKey,
  describeKey,
  historyKey,
  historySchema,
  prefixRange,
  recordKey,
  type Table,
} from "../../src/ledger/keys.js";
import { decodeRecord, encodeRecord, type LedgerRecord } from "../../src/ledger/records.js";
import type { Sequence } from "../../src/types/ids.js";
import { committedSchema, storedAccountSchema } from "../../src/types/schema.js";
import { accountOf, type DrawnLedger, drawLedger, tamper } from "./drawn.js";
import { NaiveShard } from "./naive.js";

const DRAWING = `
  p1: a X  b! Y* Z  c
  p2: d X  Y* e  V*!
  p3: f Y* Z  g  V*!
`;

function audit({ topology, nodes }: Pick<DrawnLedger, "topology" | "nodes">, strict = true): Promise<AuditReport> {
  const replayer = (cluster: ConstructorParameters<typeof NaiveShard>[1]) => new NaiveShard(topology, cluster);
  return auditLedgers({ topology, verifier: ed25519Verifier, nodes, replayer, strict });
}

/** "c1n0 4 wrong-account", sorted: where and what, without the sentence. */
function brief({ findings }: AuditReport): readonly string[] {
  return findings.map(({ node, height, code }) => `${node ?? "network"} ${height ?? "-"} ${code}`).sort();
}

function nodeOf({ nodes }: DrawnLedger, name: string): AuditedNode {
  const node = nodes.find((each) => each.name === name);
  if (node === undefined) throw new Error(`no node ${name}`);
  return node;
}

async function keysOf(node: AuditedNode, table: Table): Promise<Uint8Array[]> {
  const keys: Uint8Array[] = [];
  for await (const [key] of node.store.range(prefixRange(table))) keys.push(key);
  return keys;
}

async function rewriteRecord(node: AuditedNode, height: number, change: Partial<LedgerRecord>): Promise<void> {
  const record = decodeRecord(node.store.get(recordKey(height)) ?? new Uint8Array(0));
  await node.store.write([{ key: recordKey(height), value: encodeRecord({ ...record, ...change }) }], { sync: true });
}

describe("a ledger as it should be", () => {
  it.each(["crash", "byzantine"] as const)("passes (%s clusters)", async (model) => {
    const report = await audit(await drawLedger(DRAWING, { model }));
    expect(report.findings).toEqual([]);
    expect(report).toMatchObject({ records: 16, crossBlocks: 4, notYetThere: 0, absent: [], supply: 6000n });
  });

  it("passes without the other clusters, whose money is then not counted", async () => {
    const drawn = await drawLedger(DRAWING);
    const report = await audit({ ...drawn, nodes: drawn.nodes.filter(({ cluster }) => cluster === 2) });
    expect(report.findings).toEqual([]);
    expect(report).toMatchObject({ absent: [1, 3], supply: undefined });
  });

  it("may have nodes that are behind, which is said", async () => {
    const long = await drawLedger(DRAWING);
    const short = await drawLedger(DRAWING.replace(" c\n", "\n"));
    const nodes = [...long.nodes.filter(({ name }) => name !== "c1n1"), nodeOf(short, "c1n1")];
    const report = await audit({ ...long, nodes });
    expect(report.findings).toEqual([]);
    expect(report.nodes.find(({ node }) => node === "c1n1")).toMatchObject({ height: 5, behind: 1 });
    expect(report.records).toBe(16);
  });

  it("may lack a cross-shard block where a view has not come so far, unless the network is quiet", async () => {
    const whole = await drawLedger("p1: a X\np2: b X", { nodesEach: 1 });
    const part = await drawLedger("p1: a\np2: b", { nodesEach: 1 });
    const ledger = { ...whole, nodes: [nodeOf(whole, "c1n0"), nodeOf(part, "c2n0")] };
    const lenient = await audit(ledger, false);
    expect(lenient.findings).toEqual([]);
    expect(lenient.notYetThere).toBe(1);
    expect(brief(await audit(ledger))).toEqual(["c2n0 2 cross-missing"]);
  });
});

describe("what was changed is found and named", () => {
  const cases: readonly (readonly [string, (ledger: DrawnLedger) => Promise<void>, readonly string[]])[] = [
    [
      "a balance",
      async (ledger) => {
        const key = accountKey(accountOf(1, 1));
        const value = storedAccountSchema.encode({
          ...storedAccountSchema.decode(nodeOf(ledger, "c1n1").store.get(key) ?? new Uint8Array(0)),
          balance: 5000n,
        });
        await nodeOf(ledger, "c1n1").store.write([{ key, value }], { sync: true });
      },
      ["c1n1 6 wrong-account"],
    ],
    [
      "an account that was never opened",
      async (ledger) => {
        const value = storedAccountSchema.encode({ balance: 1n, owner: new Uint8Array(0) });
        await nodeOf(ledger, "c2n0").store.write([{ key: accountKey(accountOf(2, 77)), value }], { sync: true });
      },
      ["c2n0 5 extra-account"],
    ],
    [
      "an account that is gone",
      (ledger) =>
        nodeOf(ledger, "c2n0").store.write([{ key: accountKey(accountOf(2, 1)), value: undefined }], { sync: true }),
      ["c2n0 5 missing-account"],
    ],
    [
      "a record that is gone",
      (ledger) => nodeOf(ledger, "c3n2").store.write([{ key: recordKey(2), value: undefined }], { sync: true }),
      ["c3n2 2 missing-record"],
    ],
    ["a record's time", (ledger) => rewriteRecord(nodeOf(ledger, "c1n0"), 3, { time: 1 }), ["c1n0 3 wrong-time"]],
    [
      "a final sequence",
      (ledger) => rewriteRecord(nodeOf(ledger, "c1n0"), 3, { finalSequence: 9_999_999 as Sequence }),
      ["c1n0 3 wrong-final"],
    ],
    ["a genesis record", (ledger) => rewriteRecord(nodeOf(ledger, "c3n0"), 0, { time: 1 }), ["c3n0 0 wrong-genesis"]],
    [
      "a result",
      (ledger) => rewriteRecord(nodeOf(ledger, "c1n2"), 3, { results: Uint8Array.of(0) }),
      ["c1n2 3 wrong-results"],
    ],
    [
      "a block's body that is gone",
      (ledger) =>
        nodeOf(ledger, "c2n1").store.write(
          [{ key: blockKey(ledger.blocks.get("e")?.digest ?? ("" as never)), value: undefined }],
          { sync: true },
        ),
      ["c2n1 4 missing-block"],
    ],
    [
      "certificates that are gone",
      (ledger) => nodeOf(ledger, "c2n1").store.write([{ key: certificatesKey(3), value: undefined }], { sync: true }),
      ["c2n1 3 missing-certificate"],
    ],
    [
      "a certificate of one of the clusters that is gone",
      async (ledger) => {
        const node = nodeOf(ledger, "c2n1");
        const stored = committedSchema.decode(node.store.get(certificatesKey(3)) ?? new Uint8Array(0));
        const fewer = { ...stored, certificates: stored.certificates.slice(1) };
        await node.store.write([{ key: certificatesKey(3), value: committedSchema.encode(fewer) }], { sync: true });
      },
      ["c2n1 3 missing-certificate"],
    ],
    [
      "replies that are gone",
      async (ledger) => {
        const node = nodeOf(ledger, "c3n1");
        for (const key of await keysOf(node, "reply"))
          await node.store.write([{ key, value: undefined }], { sync: true });
      },
      [1, 2, 3, 4, 5].map((height) => `c3n1 ${height} missing-reply`),
    ],
  ];

  it.each(cases)("%s", async (_name, change, expected) => {
    const ledger = await drawLedger(DRAWING);
    await change(ledger);
    expect(brief(await audit(ledger))).toEqual(expected);
  });

  it("in every table, whichever byte of whichever value is changed", async () => {
    const clean = await drawLedger(DRAWING, { model: "byzantine", nodesEach: 2 });
    const tables: readonly Table[] = ["record", "block", "certificates", "account", "reply"];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...clean.nodes),
        fc.constantFrom(...tables),
        fc.nat(),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (node, table, which, where, mask) => {
          const keys = await keysOf(node, table);
          const key = keys[which % keys.length] as Uint8Array;
          const before = node.store.get(key) as Uint8Array;
          await tamper(node, key, (value) => {
            const at = where % value.length;
            value[at] = (value[at] as number) ^ mask;
          });
          const { findings } = await audit(clean);
          await node.store.write([{ key, value: before }], { sync: true });
          const named = findings.filter((finding) => finding.cluster === node.cluster && finding.height !== undefined);
          expect(named, `${describeKey(key)} of ${node.name}`).not.toEqual([]);
        },
      ),
      { numRuns: 150 },
    );
    expect((await audit(clean)).findings).toEqual([]);
  });
});

describe("what all nodes of a cluster agree on and is still wrong", () => {
  it("is a fork when two nodes have sound views that differ", async () => {
    const one = await drawLedger("p1: a b c", { nodesEach: 2 });
    const other = await drawLedger("p1: a b! c", { nodesEach: 2 });
    const nodes = [nodeOf(one, "c1n0"), nodeOf(other, "c1n1")];
    expect(brief(await audit({ ...one, nodes }))).toEqual(["c1n1 2 fork"]);
  });

  it("is a cross-shard block that a view has passed over", async () => {
    const whole = await drawLedger("p1: a X\np2: b X c", { nodesEach: 1 });
    const without = await drawLedger("p1: a\np2: b d c e", { nodesEach: 1 });
    const nodes = [nodeOf(whole, "c1n0"), nodeOf(without, "c2n0")];
    expect(brief(await audit({ ...whole, nodes }, false))).toEqual(["c2n0 2 cross-missing"]);
  });

  it("is a result that the other validators' verdicts do not give", async () => {
    // Alone, no validator can tell: another one may have refused. Together they can.
    const ledger = await drawLedger("p1: a X*\np2: b X*\np3: X*", { nodesEach: 1 });
    const refused = Uint8Array.of(7);
    for (const node of ledger.nodes) {
      const height = (await keysOf(node, "record")).length - 1;
      await rewriteRecord(node, height, { results: refused });
    }
    const codes = (await audit(ledger)).findings.map(({ code, height }) => `${height} ${code}`);
    expect(codes).toContain("2 wrong-results");
  });

  it("is money that came from nowhere", async () => {
    const ledger = await drawLedger("p1: a X\np2: X b", { nodesEach: 1 });
    const topology = {
      ...ledger.topology,
      genesis: ledger.topology.genesis.map((row, i) => ({ ...row, balance: row.balance + BigInt(i) })),
    };
    const replayer = (cluster: ConstructorParameters<typeof NaiveShard>[1]) => new NaiveShard(ledger.topology, cluster);
    const { findings } = await auditLedgers({ ...ledger, topology, verifier: ed25519Verifier, replayer, strict: true });
    expect(findings.map(({ code }) => code)).toEqual(["supply"]);
  });
});

describe("a view whose records are still to come", () => {
  /** As a node that took the state at the record `from`, when it had those up to `below`. */
  async function withGap(
    ledger: DrawnLedger,
    name: string,
    { below, from }: { below: number; from: number },
  ): Promise<void> {
    const { store } = nodeOf(ledger, name);
    for (let height = below + 1; height < from; height++) {
      const record = decodeRecord(store.get(recordKey(height)) as Uint8Array);
      const keys = [recordKey(height), certificatesKey(height), blockKey(record.digest)];
      await store.write(
        keys.map((key) => ({ key, value: undefined })),
        { sync: true },
      );
    }
    await store.write([{ key: historyKey(), value: historySchema.encode({ below, from }) }], { sync: true });
  }

  it("is checked beside one that has them", async () => {
    const ledger = await drawLedger(DRAWING);
    await withGap(ledger, "c1n1", { below: 1, from: 4 });
    expect(brief(await audit(ledger))).toEqual([]);
    await rewriteRecord(nodeOf(ledger, "c1n1"), 4, { time: 5 });
    expect(brief(await audit(ledger))).toContain("c1n1 2 incomplete-view");
  });

  it("may end later than all complete ones: the audit goes on in it", async () => {
    const ledger = await drawLedger(DRAWING);
    await withGap(ledger, "c1n1", { below: 0, from: 4 });
    for (const name of ["c1n0", "c1n2"]) {
      const { store } = nodeOf(ledger, name);
      for (const height of [5, 6]) await store.write([{ key: recordKey(height), value: undefined }], { sync: true });
    }
    const findings = brief(await audit(ledger, false));
    expect(findings.filter((finding) => finding.startsWith("c1n1"))).toEqual([]);
    await rewriteRecord(nodeOf(ledger, "c1n1"), 5, { time: 5 });
    expect(brief(await audit(ledger, false))).toContain("c1n1 5 wrong-time");
  });

  it("alone cannot be checked, and the report says so", async () => {
    const ledger = await drawLedger(DRAWING);
    await withGap(ledger, "c1n1", { below: 1, from: 4 });
    const nodes = ledger.nodes.filter(({ name }) => name === "c1n1");
    expect(brief(await audit({ topology: ledger.topology, nodes }))).toEqual(["c1n1 2 incomplete-view"]);
  });
});
