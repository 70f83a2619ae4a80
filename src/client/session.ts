// One client's end of the network: its transport, the calls in flight and what is known of each cluster. Messages come
// in here; a reply counts only if the node that it names is the one at the other end of the channel. The clock's ticks
// go from here to all calls in flight, and stop when there are none, so that an idle client costs nothing.

import type { Members } from "../cluster/members.js";
import type { Transport, TransportHandlers, TransportOptions } from "../net/transport.js";
import type { Request } from "../types/block.js";
import { CodecError } from "../types/codec.js";
import { CodedError } from "../types/codes.js";
import type { ClusterId, PublicKey } from "../types/ids.js";
import { limits } from "../types/limits.js";
import { carriage } from "../types/message.js";
import { envelopeSchema, readReplySchema, replySchema } from "../types/schema.js";
import type { Topology } from "../types/topology.js";
import { Home } from "./home.js";
import { Outbox } from "./outbox.js";
import type { AccountBalance, BalanceOutcome, Outcome, ResolveOptions } from "./outcomes.js";
import { Reads } from "./reads.js";
import { Requests } from "./requests.js";
import type { Time } from "./time.js";

const TICK_MS = 20; // how exact deadlines and repetitions are

export interface SessionOptions {
  readonly topology: Topology;
  readonly members: Members;
  /** Those to be connected to. */
  readonly clusters: readonly ClusterId[];
  readonly attemptMs: number;
  readonly time: Time;
  readonly transport: (parts: Pick<TransportOptions, "peers" | "admits" | "handlers">) => Transport;
  readonly resolve: (bytes: Uint8Array, options?: ResolveOptions) => Promise<Outcome>;
}

export class Session {
  readonly #members: Members;
  readonly #time: Time;
  readonly #clusters: readonly ClusterId[];
  readonly #homes: ReadonlyMap<ClusterId, Home>;
  readonly #transport: Transport;
  readonly #outbox: Outbox;
  readonly #requests: Requests;
  readonly #reads: Reads;
  #closed = false;
  #stopTicks: (() => void) | undefined;
  #onReach: (() => void) | undefined;

  constructor({ topology, members, clusters, attemptMs, time, transport, resolve }: SessionOptions) {
    this.#members = members;
    this.#time = time;
    this.#clusters = clusters;
    this.#homes = new Map(topology.clusters.map((info) => [info.id, new Home(info, attemptMs)]));
    this.#transport = transport({
      peers: clusters.flatMap((id) => members.clusterOf(id).nodes.map(({ key, address }) => ({ key, address }))),
      admits: (key) => members.nodeByKey(key) !== undefined,
      handlers: this.#handlers(),
    });
    this.#outbox = new Outbox(this.#transport, time);
    this.#requests = new Requests({ outbox: this.#outbox, time, resolve });
    this.#reads = new Reads({ outbox: this.#outbox, time });
  }

  get inFlight(): number {
    return this.#requests.count + this.#reads.count;
  }

  /** Returns when all but f nodes of each cluster are connected, or when the time is over. */
  async open(timeoutMs: number): Promise<void> {
    await this.#transport.start();
    if (this.#isInReach()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onReach = resolve;
    const cancel = this.#time.every(timeoutMs, resolve);
    await promise;
    cancel();
    this.#onReach = undefined;
  }

  request(call: {
    readonly request: Request;
    readonly cluster: ClusterId;
    readonly deadlineAt: number;
    readonly sentBefore: boolean;
    readonly onEnd: (outcome: Outcome) => void;
  }): void {
    this.#checkOpen();
    const { cluster, ...rest } = call;
    this.#requests.start({ ...rest, home: this.#home(cluster) });
    this.#tick();
  }

  async read(call: {
    readonly questions: readonly { readonly account: string; readonly cluster: ClusterId }[];
    readonly deadlineAt: number;
    readonly nextNonce: () => number;
  }): Promise<BalanceOutcome> {
    this.#checkOpen();
    const startedAt = this.#time.elapsed();
    const found = new Map<string, AccountBalance>();
    const missing = new Set<ClusterId>();
    await Promise.all(
      [...Map.groupBy(call.questions, ({ cluster }) => cluster)].map(async ([cluster, questions]) => {
        const names = [...new Set(questions.map(({ account }) => account))];
        for (let at = 0; at < names.length; at += limits.accountsPerReadMax) {
          const accounts = names.slice(at, at + limits.accountsPerReadMax);
          const { deadlineAt, nextNonce } = call;
          const answer = await this.#readPart({ cluster, accounts, deadlineAt, nonce: nextNonce() });
          if (answer === undefined) return void missing.add(cluster);
          for (const balance of answer) found.set(balance.account, balance);
        }
      }),
    );
    const latencyMs = this.#time.elapsed() - startedAt;
    if (missing.size > 0) return { outcome: "unavailable", clusters: [...missing].sort((a, b) => a - b), latencyMs };
    const accounts = call.questions.map(({ account }) => found.get(account) as AccountBalance);
    return { outcome: "read", accounts, latencyMs };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#outbox.flush();
    this.#requests.close();
    this.#reads.close();
    this.#stopTicks?.();
    await this.#transport.stop();
  }

  #readPart({ cluster, ...call }: ReadPart): Promise<readonly AccountBalance[] | undefined> {
    const { promise, resolve } = Promise.withResolvers<readonly AccountBalance[] | undefined>();
    this.#reads.start({ ...call, home: this.#home(cluster), onEnd: resolve });
    this.#tick();
    return promise;
  }

  #handlers(): TransportHandlers {
    return {
      onMessage: (from, message) => this.#onMessage(from, message),
      onConnect: (peer) => {
        this.#outbox.onConnect(peer);
        if (this.#isInReach()) this.#onReach?.();
      },
      onDisconnect: (peer) => {
        this.#outbox.onDisconnect(peer);
        this.#requests.onDisconnect(peer);
        this.#reads.onDisconnect(peer);
      },
      // What callers' callbacks throw is theirs, and must not be lost in the transport.
      onError: (error) =>
        this.#time.soon(() => {
          throw error;
        }),
    };
  }

  #onMessage(from: PublicKey, message: Uint8Array): void {
    try {
      this.#receive(from, message);
    } catch (error) {
      // A node that cannot speak the protocol has said nothing.
      if (!(error instanceof CodecError)) throw error;
    }
  }

  #receive(from: PublicKey, message: Uint8Array): void {
    const node = this.#members.nodeByKey(from);
    if (node === undefined) return;
    const { kind, body } = envelopeSchema.decode(message);
    if (kind === carriage.reply.number) {
      const reply = replySchema.decode(body);
      if (reply.cluster !== node.cluster || reply.node !== node.node) return;
      this.#home(node.cluster).onView(node.node, reply.view);
      this.#requests.onReply(reply);
    } else if (kind === carriage["read-reply"].number) {
      const answer = readReplySchema.decode(body);
      if (answer.cluster !== node.cluster || answer.node !== node.node) return;
      this.#reads.onAnswer({ kind: "read-reply", ...answer, cluster: node.cluster });
    }
  }

  #isInReach(): boolean {
    return this.#clusters.every((id) => {
      const { nodes, faults } = this.#members.clusterOf(id);
      return nodes.filter(({ key }) => this.#outbox.isConnected(key)).length >= nodes.length - faults;
    });
  }

  #checkOpen(): void {
    if (this.#closed) throw new CodedError("closed", "this client was closed; connect again");
  }

  #home(cluster: ClusterId): Home {
    return this.#homes.get(cluster) as Home;
  }

  #tick(): void {
    this.#stopTicks ??= this.#time.every(TICK_MS, () => {
      this.#requests.tick(TICK_MS);
      this.#reads.tick(TICK_MS);
      if (this.inFlight > 0) return;
      this.#stopTicks?.();
      this.#stopTicks = undefined;
    });
  }
}

interface ReadPart {
  readonly cluster: ClusterId;
  readonly accounts: readonly string[];
  readonly deadlineAt: number;
  readonly nonce: number;
}
