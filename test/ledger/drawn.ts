// Ledgers drawn as text. Each line is the view of a cluster, oldest block first; a name in several lines is one
// cross-shard block:
//
//   p1: a X b
//   p2: X c
//
// A name's marks say what is in the block: nothing, a transfer of 10; "!", one that lacks funds; "*", one with a debit
// in every cluster but the last. From a drawing the builder makes real views: signed requests, blocks, certificates,
// records, accounts and replies, in one store for every node.

import { decodeRequest, initiatorOf, makeBlock } from "../../src/cluster/block.js";
import { encodeCommit } from "../../src/cluster/certificate.js";
import { Members } from "../../src/cluster/members.js";
import { quorumOf } from "../../src/cluster/quorum.js";
import { parseTopology } from "../../src/cluster/topology.js";
import { digestOf } from "../../src/crypto/hash.js";
import { ed25519Signer, ed25519Verifier, type Signer, signingBytes } from "../../src/crypto/signature.js";
import type { AuditedNode } from "../../src/ledger/findings.js";
import { accountKey, blockKey, certificatesKey, metaKey, recordKey, replyKey } from "../../src/ledger/keys.js";
import { MemoryStore } from "../../src/ledger/memory.js";
import { encodeRecord, genesisRecord, type LedgerRecord, recordHash } from "../../src/ledger/records.js";
import { STORE_SCHEMA, type Store } from "../../src/ledger/store.js";
import type { Block, Request } from "../../src/types/block.js";
import type { Write } from "../../src/types/effects.js";
import {
  type AccountId,
  type ClusterId,
  counterOf,
  fromHex,
  type NetworkId,
  type PublicKey,
  type Sequence,
  sequenceOf,
} from "../../src/types/ids.js";
import { carriage } from "../../src/types/message.js";
import {
  type Certificate,
  committedSchema,
  requestBodySchema,
  type Signed,
  storedAccountSchema,
  storedReplySchema,
} from "../../src/types/schema.js";
import type { FailureModel, Topology } from "../../src/types/topology.js";
import { combineVerdicts, NaiveShard } from "./naive.js";

export const GENESIS_BALANCE = 1000n;
const START_MS = 1_700_000_000_000;
const BLOCK_MS = 100;
const LIFETIME_MS = 60_000;

export interface Lane {
  readonly cluster: ClusterId;
  readonly blocks: readonly string[];
}

export function parseDrawing(drawing: string): readonly Lane[] {
  const lines = drawing.split("\n").filter((line) => line.trim() !== "");
  return lines.map((line) => {
    const [, cluster, blocks] = /^\s*p(\d+):(.*)$/.exec(line) ?? [];
    if (cluster === undefined || blocks === undefined) throw new Error(`not a lane: ${line}`);
    return { cluster: Number(cluster) as ClusterId, blocks: blocks.split(" ").filter((name) => name !== "") };
  });
}

export interface DrawnLedger {
  readonly topology: Topology;
  readonly nodes: readonly AuditedNode[];
  /** Name in the drawing -> the block made for it. */
  readonly blocks: ReadonlyMap<string, Block>;
}

export interface DrawnOptions {
  readonly model?: FailureModel;
  /** Nodes of each cluster whose stores are made; all by default. */
  readonly nodesEach?: number;
  readonly makeStore?: (name: string, networkId: NetworkId) => Promise<Store>;
}

/** Makes the ledger of a drawing; the drawing must have an order that all its lines agree with. */
export async function drawLedger(drawing: string, options: DrawnOptions = {}): Promise<DrawnLedger> {
  const lanes = parseDrawing(drawing);
  const world = new World(lanes, options.model ?? "crash");
  const blocks = new Map<string, Block>();
  const waiting = lanes.map(({ blocks: names }) => [...names]);
  for (;;) {
    const ready = waiting.map((names) => names[0]).find((name) => name !== undefined && isReady(name, waiting));
    if (ready === undefined) break;
    const clusters = lanes.filter((_, i) => waiting[i]?.[0] === ready).map(({ cluster }) => cluster);
    blocks.set(ready, world.append(ready, clusters));
    for (const names of waiting) if (names[0] === ready) names.shift();
  }
  if (waiting.some((names) => names.length > 0)) throw new Error("the drawing has a cycle");
  const nodes: AuditedNode[] = [];
  for (const cluster of world.topology.clusters) {
    for (const { id, index } of cluster.nodes.slice(0, options.nodesEach)) {
      const store = (await options.makeStore?.(id, world.topology.networkId)) ?? new MemoryStore();
      await store.write(world.writes(cluster.id, id), { sync: true });
      nodes.push({ name: id, cluster: cluster.id, node: index, store });
    }
  }
  return { topology: world.topology, nodes, blocks };
}

/** Is it the next of every lane that still has it? */
function isReady(name: string, waiting: readonly (readonly string[])[]): boolean {
  return waiting.every((names) => !names.includes(name) || names[0] === name);
}

class World {
  readonly topology: Topology;
  readonly #text: string;
  readonly #members: Members;
  readonly #signers = new Map<string, Signer>();
  readonly #shards = new Map<ClusterId, NaiveShard>();
  readonly #last = new Map<ClusterId, LedgerRecord>();
  readonly #writes = new Map<ClusterId, Write[]>();
  #nonce = 0;

  constructor(lanes: readonly Lane[], model: FailureModel) {
    const client = this.#signer("client");
    this.#text = drawnTopology(lanes, model, client.publicKey, (name) => this.#signer(name).publicKey);
    this.topology = parseTopology(this.#text, "drawn.yaml");
    this.#members = new Members(this.topology);
    for (const { cluster } of lanes) {
      const genesis = genesisRecord(this.topology, cluster);
      this.#shards.set(cluster, new NaiveShard(this.topology, cluster));
      this.#last.set(cluster, genesis);
      this.#writes.set(cluster, [{ key: recordKey(0), value: encodeRecord(genesis) }]);
    }
  }

  append(name: string, clusters: readonly ClusterId[]): Block {
    const time = START_MS + this.#nonce * BLOCK_MS;
    const block = makeBlock({ clusters, time, requests: [this.#request(name, clusters, time)] });
    const sequences = clusters.map((cluster) =>
      sequenceOf(1 + counterOf((this.#last.get(cluster) as LedgerRecord).finalSequence), cluster),
    );
    const finalSequence = Math.max(...sequences) as Sequence;
    const shards = clusters.map((cluster) => this.#shards.get(cluster) as NaiveShard);
    const results = combineVerdicts(shards.map((shard) => shard.judge(block)));
    const certificates = clusters.map((cluster, i) => this.#certificate(cluster, sequences[i] as Sequence, block));
    for (const cluster of clusters) {
      const previous = this.#last.get(cluster) as LedgerRecord;
      const height = previous.height + 1;
      const parent = recordHash(encodeRecord(previous));
      const recordTime = Math.max(time, previous.time);
      const record = { height, parent, finalSequence, sequences, digest: block.digest, time: recordTime, results };
      this.#shards.get(cluster)?.apply(block, record);
      this.#last.set(cluster, record);
      this.#writes.get(cluster)?.push(
        { key: recordKey(height), value: encodeRecord(record) },
        { key: blockKey(block.digest), value: block.bytes },
        {
          key: certificatesKey(height),
          value: committedSchema.encode({ digest: fromHex(block.digest), certificates }),
        },
        ...block.requests.map((request) => replyWrite(request, record)),
      );
    }
    return block;
  }

  writes(cluster: ClusterId, nodeId: string): readonly Write[] {
    const facts = {
      schema: STORE_SCHEMA,
      network: this.topology.networkId,
      node: nodeId,
      topology: this.#text,
    } as const;
    return [
      ...Object.entries(facts).map(([name, value]) => ({
        key: metaKey(name as keyof typeof facts),
        value: Buffer.from(value),
      })),
      ...(this.#writes.get(cluster) ?? []),
      ...[...(this.#shards.get(cluster)?.accounts() ?? [])].map(({ account, balance, owner }) => ({
        key: accountKey(account),
        value: storedAccountSchema.encode({ balance, owner: fromHex(owner ?? "") }),
      })),
    ];
  }

  #request(name: string, clusters: readonly ClusterId[], time: number): Request {
    const amount = name.includes("!") ? 10n * GENESIS_BALANCE : 10n;
    const debtors = name.includes("*") ? clusters.slice(0, -1) : clusters.slice(0, 1);
    const creditors = clusters.length === 1 ? clusters : clusters.filter((cluster) => !debtors.includes(cluster));
    const debits = debtors.map((cluster) => ({ account: `c${cluster}-0`, amount: amount * BigInt(creditors.length) }));
    const credits = creditors.map((cluster) => ({
      account: `c${cluster}-${this.#nonce % 2 === 0 ? "1" : "new"}`,
      amount: amount * BigInt(debtors.length),
    }));
    const client = this.#signer("client");
    const body = requestBodySchema.encode({
      client: fromHex(client.publicKey),
      nonce: this.#nonce++,
      validUntil: time + LIFETIME_MS,
      operations: [{ open: "", debits, credits }],
      rejoin: undefined,
    });
    const signed = this.#sign("client", carriage.request.number, body);
    const context = { topology: this.topology, members: this.#members, verifier: ed25519Verifier };
    const decoded = decodeRequest(signed, context);
    if (!decoded.ok) throw new Error(`drawn request: ${decoded.code}`);
    if (initiatorOf(decoded.value, this.topology) !== clusters[0]) throw new Error("drawn request: initiator");
    return decoded.value;
  }

  #certificate(cluster: ClusterId, sequence: Sequence, { digest }: Block): Certificate {
    const info = this.#members.clusterOf(cluster);
    const slot = (this.#last.get(cluster) as LedgerRecord).height + 1;
    const entry = { cluster, view: 0, round: 1 as const, slot, sequence, digest };
    const signers = info.nodes.slice(0, info.model === "crash" ? 1 : quorumOf(info));
    const commits = signers.map(({ id, index }) => {
      const body = encodeCommit({ kind: "commit", cluster, node: index, digest, entries: [entry] });
      return this.#sign(id, carriage.commit.number, body);
    });
    return { cluster, commits };
  }

  #sign(name: string, kind: number, body: Uint8Array): Signed {
    return { body, signature: this.#signer(name).sign(signingBytes(this.topology.networkId, kind, body)) };
  }

  #signer(name: string): Signer {
    const known = this.#signers.get(name) ?? ed25519Signer(fromHex(digestOf(Buffer.from(name))));
    this.#signers.set(name, known);
    return known;
  }
}

function replyWrite({ client, nonce, validUntil, hash }: Request, record: LedgerRecord): Write {
  const { height, finalSequence, digest, results } = record;
  const reply = {
    request: fromHex(hash),
    validUntil,
    height,
    sequence: finalSequence,
    digest: fromHex(digest),
    results,
  };
  return { key: replyKey(client, nonce), value: storedReplySchema.encode(reply) };
}

/** A topology file in which every cluster owns the accounts whose names begin with its own. */
function drawnTopology(
  lanes: readonly Lane[],
  model: FailureModel,
  client: PublicKey,
  keyOf: (name: string) => PublicKey,
): string {
  const size = model === "crash" ? 3 : 4;
  const clusters = lanes.flatMap(({ cluster }) => [
    `  - id: ${cluster}`,
    `    model: ${model}`,
    "    nodes:",
    ...Array.from({ length: size }, (_, i) => {
      const id = `c${cluster}n${i}`;
      return `      - { id: ${id}, key: ${keyOf(id)}, address: /ip4/127.0.0.1/tcp/${7000 + cluster * 10 + i} }`;
    }),
  ]);
  const ranges = lanes.map(({ cluster }, i) => `{ from: "${i === 0 ? "" : `c${cluster}-`}", cluster: ${cluster} }`);
  const genesis = lanes.map(
    ({ cluster }) => `  - { prefix: c${cluster}-, count: 2, owner: client, balance: ${GENESIS_BALANCE} }`,
  );
  return [
    "network: drawn",
    "clusters:",
    ...clusters,
    `shards: { by: range, ranges: [${ranges.join(", ")}] }`,
    "clients:",
    `  - { id: client, key: ${client} }`,
    "genesis:",
    ...genesis,
  ].join("\n");
}

/** Replaces what a node stores under a key, checksum and all. */
export async function tamper(node: AuditedNode, key: Uint8Array, change: (value: Uint8Array) => void): Promise<void> {
  const value = node.store.get(key);
  if (value === undefined) throw new Error("nothing is stored there");
  const changed = value.slice();
  change(changed);
  await node.store.write([{ key, value: changed }], { sync: true });
}

export function accountOf(cluster: number, name: number | "new"): AccountId {
  return `c${cluster}-${name}` as AccountId;
}
