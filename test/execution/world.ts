// A small world for the tests of execution: clusters 1..k own the accounts whose names begin with a, b, c, ...;
// requests and blocks are made without signatures, since execution never looks at bytes.

import { genesisAccounts } from "../../src/cluster/genesis.js";
import { Members } from "../../src/cluster/members.js";
import { digestOf } from "../../src/crypto/hash.js";
import type { ExecutedBlock, ExecutionEngine, OrderedBlock } from "../../src/execution/engine.js";
import { createExecution } from "../../src/execution/scheduler.js";
import type { AccountPosting, Block, BlockOperation, Request } from "../../src/types/block.js";
import { type ResultCode, resultCode } from "../../src/types/codes.js";
import { type AccountId, type ClusterId, type NetworkId, type PublicKey, sequenceOf } from "../../src/types/ids.js";
import type { FailureModel, Topology } from "../../src/types/topology.js";

export const ALICE = "a1".repeat(32) as PublicKey;
export const BOB = "b0".repeat(32) as PublicKey;
export const STRANGER = "55".repeat(32) as PublicKey;
export const [ONE, TWO, THREE] = [1, 2, 3] as [ClusterId, ClusterId, ClusterId];
/** Record time of a test's first block, unless it says otherwise. */
export const NOON = 1_700_000_000_000;
export const MINUTE = 60_000;

const LETTERS = ["a", "b", "c", "d"];

export interface World {
  readonly topology: Topology;
  readonly members: Members;
}

/** Alice owns a0, b0, ... and Bob a1, b1, ..., each with `balance`. */
export function worldOf(options: { clusters: number; model?: FailureModel; balance?: bigint }): World {
  const { clusters, model = "crash", balance = 100n } = options;
  const ids = Array.from({ length: clusters }, (_, i) => (i + 1) as ClusterId);
  const faults = 1;
  const size = model === "crash" ? 3 : 4;
  const topology: Topology = {
    name: "test",
    networkId: "00".repeat(32) as NetworkId,
    clusters: ids.map((id) => ({
      id,
      model,
      faults,
      nodes: Array.from({ length: size }, (_, index) => ({
        id: `c${id}n${index}`,
        cluster: id,
        index,
        key: digestOf(Buffer.from(`c${id}n${index}`)) as unknown as PublicKey,
        address: `/ip4/127.0.0.1/tcp/${7000 + id * 10 + index}`,
      })),
    })),
    shards: { by: "range", ranges: ids.map((cluster, i) => ({ from: i === 0 ? "" : (LETTERS[i] ?? ""), cluster })) },
    clients: [
      { id: "alice", key: ALICE },
      { id: "bob", key: BOB },
    ],
    genesis: ids.flatMap((_, i) => [
      { prefix: `${LETTERS[i]}0`, count: undefined, owner: ALICE, balance },
      { prefix: `${LETTERS[i]}1`, count: undefined, owner: BOB, balance },
    ]),
    cross: { dissemination: "flattened", initiator: "source" },
    timers: { intraMs: 1000, crossMs: 2500 },
    blockRequestsMax: 100,
  };
  return { topology, members: new Members(topology) };
}

export function engineOf({ topology, members }: World, cluster: ClusterId): ExecutionEngine {
  const accounts = genesisAccounts(topology, cluster);
  return createExecution({ topology, members, cluster, accounts, consumedIds: [] });
}

export function open(account: string): BlockOperation {
  return { kind: "open", account: account as AccountId };
}

/** `pay({ a0: 5 }, { b0: 5 })` */
export function pay(debits: Record<string, number>, credits: Record<string, number>): BlockOperation {
  return { kind: "transfer", debits: postings(debits), credits: postings(credits) };
}

let nonces = 0;

export function request(
  operations: readonly BlockOperation[],
  options: { client?: PublicKey; nonce?: number; validUntil?: number } = {},
): Request {
  const { client = ALICE, nonce = ++nonces, validUntil = NOON + MINUTE } = options;
  const text = JSON.stringify([client, nonce, validUntil, operations], (_, value) =>
    typeof value === "bigint" ? `${value}` : value,
  );
  const body = Buffer.from(text);
  const names = operations.flatMap((operation) =>
    operation.kind === "transfer"
      ? [...operation.debits, ...operation.credits].map(({ account }) => account)
      : operation.kind === "open"
        ? [operation.account]
        : [],
  );
  const clusters = [...new Set(names.map(homeOf))].sort((a, b) => a - b);
  const signed = { body, signature: new Uint8Array(64) };
  return { client, nonce, validUntil, operations, clusters, hash: digestOf(body), signed };
}

let blocks = 0;

export function blockOf(requests: readonly Request[], time = NOON): Block {
  const operations = requests.reduce((sum, { operations }) => sum + operations.length, 0);
  const clusters = requests[0]?.clusters ?? [];
  return { digest: digestOf(Buffer.from(`${++blocks}`)), clusters, time, requests, operations, bytes: EMPTY };
}

export function homeOf(account: string): ClusterId {
  return (LETTERS.indexOf(account[0] ?? "") + 1) as ClusterId;
}

/** Hands blocks to one engine, giving heights and record times. */
export class Feeder {
  readonly engine: ExecutionEngine;
  #height = 0;
  #time = 0;
  constructor(engine: ExecutionEngine) {
    this.engine = engine;
  }
  deliver(block: Block) {
    return this.engine.deliver(this.order(block));
  }
  order(block: Block): OrderedBlock {
    this.#time = Math.max(this.#time, block.time);
    const height = ++this.#height;
    return { block, height, finalSequence: sequenceOf(height, ONE), recordTime: this.#time };
  }
}

/** Executes requests as one block in a world of one engine, and returns the codes. */
export function executeAlone(feeder: Feeder, requests: readonly Request[], time = NOON): readonly ResultCode[] {
  const [executed] = feeder.deliver(blockOf(requests, time)).executed;
  if (executed === undefined) throw new Error("the block waits");
  return codes(executed.results);
}

export function codes(results: Uint8Array): readonly ResultCode[] {
  return Array.from(results, (number) => resultCode(number) as ResultCode);
}

/** `{ a0: 95n }` */
export function written({ accounts }: ExecutedBlock): Record<string, bigint> {
  return Object.fromEntries(accounts.map(({ account, balance }) => [account, balance]));
}

function postings(amounts: Record<string, number>): readonly AccountPosting[] {
  return Object.entries(amounts).map(([account, amount]) => ({
    account: account as AccountId,
    amount: BigInt(amount),
  }));
}

const EMPTY = new Uint8Array(0);
