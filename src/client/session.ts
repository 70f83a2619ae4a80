// One client's end of the network: its transport, the calls in flight and what is known of each cluster. Messages come
// in here; a reply counts only if the node that it names is the one at the other end of the channel. The clock's ticks
// go from here to all calls in flight, and stop when there are none, so that an idle client costs nothing.

import type { Members } from "../cluster/members.js";
import { ed25519Verifier } from "../crypto/signature.js";
import type { Transport, TransportHandlers, TransportOptions } from "../net/transport.js";
import type { Request } from "../types/block.js";
import { CodecError } from "../types/codec.js";
import { CodedError } from "../types/codes.js";
import type { ClusterId, PublicKey } from "../types/ids.js";
import { limits } from "../types/limits.js";
import { carriage } from "../types/message.js";
import { envelopeSchema, proofSchema, readReplySchema, replySchema } from "../types/schema.js";
import type { Topology } from "../types/topology.js";
import { Home } from "./home.js";
import { Outbox } from "./outbox.js";
import type {
  AccountBalance,
  BalanceOutcome,
  Outcome,
  ProofsUnavailable,
  ProvenAccount,
  ProvenOutcome,
  ResolveOptions,
} from "./outcomes.js";
import { Proofs } from "./proofs.js";
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
  readonly #proofs: Proofs;
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
    const context = { topology, members, verifier: ed25519Verifier };
    this.#proofs = new Proofs({ outbox: this.#outbox, time, context });
  }

  get inFlight(): number {
    return this.#requests.count + this.#reads.count + this.#proofs.count;
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

  async read({ deadlineAt, nextNonce, ...call }: Asking): Promise<BalanceOutcome> {
    const startedAt = this.#time.elapsed();
    const { found, missing } = await this.#inParts<AccountBalance>(
      { ...call, countMax: limits.accountsPerReadMax },
      (home, accounts, resolve) => {
        const onEnd = (answer: readonly AccountBalance[] | undefined) => resolve(answer ?? "unavailable");
        this.#reads.start({ home, accounts, deadlineAt, nonce: nextNonce(), onEnd });
      },
    );
    const latencyMs = this.#time.elapsed() - startedAt;
    if (missing.size > 0) return { outcome: "unavailable", clusters: ascending(missing.keys()), latencyMs };
    const accounts = call.questions.map(({ account }) => found.get(account) as AccountBalance);
    return { outcome: "read", accounts, latencyMs };
  }

  /** As `read`, of checkpoints and with proof. */
  async prove({ deadlineAt, nextNonce, ...call }: Asking): Promise<ProvenOutcome> {
    const startedAt = this.#time.elapsed();
    const { found, missing } = await this.#inParts<ProvenAccount>(
      { ...call, countMax: limits.accountsPerProofMax },
      (home, accounts, onEnd) => this.#proofs.start({ home, accounts, deadlineAt, nonce: nextNonce(), onEnd }),
    );
    const latencyMs = this.#time.elapsed() - startedAt;
    if (missing.size > 0) {
      const code = [...missing.values()].includes("unavailable") ? "unavailable" : "no-checkpoint";
      const clusters = [...missing].filter(([, why]) => why === code).map(([cluster]) => cluster);
      return { outcome: "unavailable", code, clusters: ascending(clusters), latencyMs };
    }
    const accounts = call.questions.map(({ account }) => found.get(account) as ProvenAccount);
    return { outcome: "proven", accounts, latencyMs };
  }

  /** Each cluster is asked of its own accounts, so many at a time. */
  async #inParts<A extends AccountBalance>(
    { questions, countMax }: Pick<Asking, "questions"> & { readonly countMax: number },
    ask: (home: Home, accounts: readonly string[], onEnd: (answer: Answer<A>) => void) => void,
  ): Promise<{ readonly found: ReadonlyMap<string, A>; readonly missing: ReadonlyMap<ClusterId, Failure> }> {
    this.#checkOpen();
    const found = new Map<string, A>();
    const missing = new Map<ClusterId, Failure>();
    await Promise.all(
      [...Map.groupBy(questions, ({ cluster }) => cluster)].map(async ([cluster, own]) => {
        const names = [...new Set(own.map(({ account }) => account))];
        for (let at = 0; at < names.length; at += countMax) {
          const { promise, resolve } = Promise.withResolvers<Answer<A>>();
          ask(this.#home(cluster), names.slice(at, at + countMax), resolve);
          this.#tick();
          const answer = await promise;
          if (typeof answer === "string") return void missing.set(cluster, answer);
          for (const balance of answer) found.set(balance.account, balance);
        }
      }),
    );
    return { found, missing };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#outbox.flush();
    this.#requests.close();
    this.#reads.close();
    this.#proofs.close();
    this.#stopTicks?.();
    await this.#transport.stop();
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
        this.#proofs.onDisconnect(peer);
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
    } else if (kind === carriage.proof.number) {
      const answer = proofSchema.decode(body);
      if (answer.cluster !== node.cluster || answer.node !== node.node) return;
      this.#proofs.onAnswer({ kind: "proof", ...answer, cluster: node.cluster });
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
      this.#proofs.tick(TICK_MS);
      if (this.inFlight > 0) return;
      this.#stopTicks?.();
      this.#stopTicks = undefined;
    });
  }
}

interface Asking {
  readonly questions: readonly { readonly account: string; readonly cluster: ClusterId }[];
  readonly deadlineAt: number;
  readonly nextNonce: () => number;
}

type Failure = ProofsUnavailable["code"];
type Answer<A> = readonly A[] | Failure;

function ascending(clusters: Iterable<ClusterId>): readonly ClusterId[] {
  return [...clusters].sort((a, b) => a - b);
}
