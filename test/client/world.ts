// A world for client tests: virtual time, and a network of scripted nodes behind the transport interface. Nodes see the
// exact messages that the client sends, and say what the test tells them to, byte by byte.

import { type Client, type ConnectOptions, connect } from "../../src/client/sdk.js";
import type { Time } from "../../src/client/time.js";
import { digestOf } from "../../src/crypto/hash.js";
import { ed25519Signer } from "../../src/crypto/signature.js";
import type { Transport, TransportOptions } from "../../src/net/transport.js";
import { type Refusal, type ResultCode, refusalNumber, resultNumber } from "../../src/types/codes.js";
import { type ClusterId, type Digest, fromHex, type NetworkId, type PublicKey, toHex } from "../../src/types/ids.js";
import { carriage } from "../../src/types/message.js";
import {
  type AccountState,
  envelopeSchema,
  readReplySchema,
  readSchema,
  replySchema,
  requestBodySchema,
  type WireReply,
} from "../../src/types/schema.js";
import type { ClusterInfo, FailureModel, Topology } from "../../src/types/topology.js";

export const byzantine = 1 as ClusterId;
export const crash = 2 as ClusterId;

export const seedOf = (number: number) => new Uint8Array(32).fill(number);
export const clientSeed = seedOf(200);
export const strangerSeed = seedOf(201);
export const clientKey = ed25519Signer(clientSeed).publicKey;

/** Cluster 1 is byzantine with 4 nodes and owns names before "n", cluster 2 crash with 3 nodes and owns the others. */
export const topology: Topology = {
  name: "test",
  networkId: "5".repeat(64) as NetworkId,
  clusters: [cluster(byzantine, "byzantine", 4), cluster(crash, "crash", 3)],
  shards: {
    by: "range",
    ranges: [
      { from: "", cluster: byzantine },
      { from: "n", cluster: crash },
    ],
  },
  clients: [{ id: "client-0", key: clientKey }],
  genesis: [{ prefix: "alice", count: undefined, owner: clientKey, balance: 1000n }],
  cross: { dissemination: "adaptive", initiator: "source" },
  timers: { intraMs: 1000, crossMs: 2500 },
  blockRequestsMax: 100,
};

function cluster(id: ClusterId, model: FailureModel, count: number): ClusterInfo {
  const nodes = Array.from({ length: count }, (_, index) => ({
    id: `c${id}n${index}`,
    cluster: id,
    index,
    key: ed25519Signer(seedOf(id * 10 + index)).publicKey,
    address: `/ip4/127.0.0.1/tcp/${7000 + id * 10 + index}`,
  }));
  return { id, model, faults: 1, nodes };
}

export class VirtualTime implements Time {
  #elapsed = 0;
  #soon: (() => void)[] = [];
  readonly #timers = new Set<{ at: number; readonly periodMs: number; readonly action: () => void }>();

  now(): number {
    return 1_700_000_000_000 + this.#elapsed;
  }

  elapsed(): number {
    return this.#elapsed;
  }

  /** What the next draws are. */
  luck = 0;

  chance(): number {
    return this.luck;
  }

  every(periodMs: number, action: () => void): () => void {
    const timer = { at: this.#elapsed + periodMs, periodMs, action };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  soon(action: () => void): void {
    this.#soon.push(action);
  }

  /** Does what is to be done soon, and what that asks for. */
  settle(): void {
    while (this.#soon.length > 0) for (const action of this.#soon.splice(0)) action();
  }

  advance(ms: number): void {
    const until = this.#elapsed + ms;
    this.settle();
    for (;;) {
      const next = [...this.#timers].sort((a, b) => a.at - b.at)[0];
      if (next === undefined || next.at > until) break;
      this.#elapsed = Math.max(this.#elapsed, next.at);
      next.at += next.periodMs;
      next.action();
      this.settle();
    }
    this.#elapsed = until;
  }

  /** Time goes by and nothing is done in it, as when a process is held up. */
  stall(ms: number): void {
    this.#elapsed += ms;
  }

  get timers(): number {
    return this.#timers.size;
  }
}

export interface Seen {
  readonly node: string;
  readonly bytes: Uint8Array;
  /** Number of the frame among all frames of the world. */
  readonly frame: number;
}

export type Name = `c${number}n${number}`;

export interface Answer {
  readonly results?: readonly ResultCode[];
  readonly refusal?: Refusal;
  readonly height?: number;
  readonly view?: number;
  readonly retryAfterMs?: number;
  readonly digest?: Digest;
  /** Which request it answers, when it is not this one: the hash of its body. */
  readonly request?: Digest;
  /** Which node the reply names, when it is not the one that speaks. */
  readonly claims?: number;
}

export class World {
  readonly time = new VirtualTime();
  readonly seen: Seen[] = [];
  #frames = 0;
  #options: TransportOptions | undefined;
  readonly #down = new Set<string>();
  stopped = false;

  async client(options: Partial<ConnectOptions> = {}): Promise<Client> {
    return connect({
      topology,
      key: clientSeed,
      time: this.time,
      transport: (parts) => this.#transport(parts),
      ...options,
    });
  }

  down(...names: readonly Name[]): void {
    for (const name of names) {
      this.#down.add(name);
      this.#options?.handlers.onDisconnect?.(nodeOf(name).key);
    }
  }

  up(name: Name): void {
    this.#down.delete(name);
    this.#options?.handlers.onConnect?.(nodeOf(name).key);
  }

  /** Messages that arrived since the last call, by name of the node. */
  take(): readonly Seen[] {
    this.time.settle();
    return this.seen.splice(0);
  }

  reply(name: Name, to: Seen, answer: Answer): void {
    const node = nodeOf(name);
    const { body } = envelopeSchema.decode(to.bytes);
    const request = requestBodySchema.decode(body);
    const refusal = refusalNumber(answer.refusal ?? "executed");
    const executed = refusal === 0;
    const results = answer.results ?? request.operations.map(() => "ok" as const);
    const reply: WireReply = {
      cluster: node.cluster,
      node: answer.claims ?? node.index,
      nonce: request.nonce,
      request: fromHex(answer.request ?? digestOf(body)),
      refusal,
      results: executed ? Uint8Array.from(results, resultNumber) : new Uint8Array(0),
      height: executed ? (answer.height ?? 7) : 0,
      sequence: executed ? 65_536 * 9 + node.cluster : 0,
      digest: executed ? fromHex(answer.digest ?? "d".repeat(64)) : new Uint8Array(0),
      view: answer.view ?? 0,
      retryAfterMs: answer.retryAfterMs ?? 0,
    };
    this.say(name, carriage.reply.number, replySchema.encode(reply));
  }

  readReply(name: Name, to: Seen, answer: { readonly height: number; readonly balance: bigint }): void {
    const node = nodeOf(name);
    const { nonce, accounts } = readSchema.decode(envelopeSchema.decode(to.bytes).body);
    const states = accounts.map(
      (account): AccountState => ({ account, exists: true, balance: answer.balance, owner: fromHex(clientKey) }),
    );
    const body = readReplySchema.encode({
      cluster: node.cluster,
      node: node.index,
      nonce,
      height: answer.height,
      accounts: states,
    });
    this.say(name, carriage["read-reply"].number, body);
  }

  say(name: Name, kind: number, body: Uint8Array): void {
    const none = new Uint8Array(0);
    this.sayBytes(name, envelopeSchema.encode({ kind, body, signature: none, block: none }));
  }

  sayBytes(name: Name, bytes: Uint8Array): void {
    this.#options?.handlers.onMessage(nodeOf(name).key, bytes);
  }

  #transport(options: TransportOptions): Transport {
    this.#options = options;
    const reachable = (key: PublicKey) => {
      const peer = options.peers.find((candidate) => candidate.key === key);
      return peer !== undefined && !this.#down.has(nameOf(key));
    };
    return {
      self: clientKey,
      start: async () => {
        for (const { key } of options.peers) if (reachable(key)) options.handlers.onConnect?.(key);
      },
      stop: async () => {
        this.stopped = true;
      },
      send: (to, messages) => {
        if (!reachable(to)) return false;
        const frame = this.#frames++;
        for (const bytes of messages) this.seen.push({ node: nameOf(to), bytes, frame });
        return true;
      },
      publish: () => undefined,
      connected: () => options.peers.map(({ key }) => key).filter(reachable),
    };
  }
}

const nodes = topology.clusters.flatMap((info) => info.nodes);

function nodeOf(name: Name) {
  const node = nodes.find(({ id }) => id === name);
  if (node === undefined) throw new Error(`no node ${name}`);
  return node;
}

function nameOf(key: PublicKey): string {
  return nodes.find((node) => node.key === key)?.id ?? "?";
}

export function namesOf(seen: readonly Seen[]): readonly string[] {
  return seen.map(({ node }) => node);
}

export function bodyOf({ bytes }: Seen) {
  const { body, signature } = envelopeSchema.decode(bytes);
  return { body, signature, ...requestBodySchema.decode(body) };
}

/** Whether a promise has ended by now. */
export async function hasEnded(promise: Promise<unknown>): Promise<boolean> {
  const open = Symbol("open");
  return (await Promise.race([promise, new Promise((end) => setImmediate(() => end(open)))])) !== open;
}

export const hex = (bytes: Uint8Array) => toHex<string>(bytes);
