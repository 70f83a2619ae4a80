// The clients of one cluster, in its region: a number of sessions under one key, each with one transfer under way, all
// from accounts of this cluster, a share of them to another one. A session believes an answer that enough nodes gave
// (one of a crash cluster, f + 1 equal ones else), and then sends its next transfer at once.

import { witnessesOf } from "../../cluster/quorum.js";
import { type Signer, signingBytes } from "../../crypto/signature.js";
import type { Random } from "../../load/random.js";
import { openEnvelope } from "../../node/wire.js";
import { resultCode } from "../../types/codes.js";
import { type ClusterId, fromHex, type NetworkId, type PublicKey, toHex } from "../../types/ids.js";
import { limits } from "../../types/limits.js";
import { carriage } from "../../types/message.js";
import { envelopeSchema, type Operation, replySchema, requestBodySchema } from "../../types/schema.js";
import type { ClusterInfo } from "../../types/topology.js";
import type { Actor, Agenda } from "./agenda.js";
import { ACCOUNTS_PER_CLUSTER, accountOf } from "./network.js";
import type { Happening, Links } from "./server.js";

export interface ClientsOptions {
  readonly cluster: ClusterInfo;
  readonly clusters: readonly ClusterInfo[];
  readonly networkId: NetworkId;
  readonly signer: Signer;
  readonly sessions: number;
  /** Share of transfers to another cluster, 0 to 1. */
  readonly cross: number;
  readonly random: Random;
  readonly agenda: Agenda<Happening>;
  readonly links: Links;
  readonly startTime: number;
  readonly onEnded: (ended: Ended) => void;
}

export interface Ended {
  readonly cross: boolean;
  readonly startedUs: number;
  readonly endedUs: number;
  /** "ok", another result, or "refused". */
  readonly result: string;
}

interface Pending {
  readonly cross: boolean;
  readonly startedUs: number;
  /** Nodes by what they answered. */
  readonly answers: Map<string, Set<number>>;
}

const NO_BYTES = new Uint8Array(0);
const MICROSECONDS = 1000;
/** Sessions begin within this time, so that they do not go in step. */
const START_WITHIN_US = 200_000;

export class Clients implements Actor<Happening> {
  readonly #options: ClientsOptions;
  readonly #primary: PublicKey;
  readonly #pending = new Map<number, Pending>();
  #nonce = 0;
  /** Cross-shard transfers that the share asks for and that were not sent yet. */
  #crossDue: number;

  constructor(options: ClientsOptions) {
    this.#options = options;
    this.#crossDue = options.random.fraction();
    const [primary] = options.cluster.nodes;
    if (primary === undefined) throw new Error(`cluster ${options.cluster.id} has no nodes`);
    this.#primary = primary.key;
  }

  start(): void {
    const { sessions, agenda, random } = this.#options;
    for (let i = 0; i < sessions; i++) agenda.add(random.below(START_WITHIN_US), this, { kind: "start" });
  }

  on(happening: Happening, nowUs: number): void {
    if (happening.kind === "start") this.#send(nowUs);
    if (happening.kind === "frame") for (const bytes of happening.messages) this.#onReply(bytes, nowUs);
  }

  #send(nowUs: number): void {
    const { signer, networkId, links, startTime } = this.#options;
    const cross = this.#isCrossDue();
    const nonce = ++this.#nonce;
    this.#pending.set(nonce, { cross, startedUs: nowUs, answers: new Map() });
    const body = requestBodySchema.encode({
      client: fromHex(signer.publicKey),
      nonce,
      validUntil: startTime + Math.floor(nowUs / MICROSECONDS) + limits.requestLifetimeMs / 2,
      operations: [this.#transfer(cross)],
      rejoin: undefined,
    });
    const { number } = carriage.request;
    const signature = signer.sign(signingBytes(networkId, number, body));
    const envelope = envelopeSchema.encode({ kind: number, body, signature, block: NO_BYTES });
    links.send(this.#primary, { kind: "frame", from: signer.publicKey, messages: [envelope] }, nowUs);
  }

  /** Evenly, not by chance: a few hundred transfers of each kind would else differ by more than what is measured. */
  #isCrossDue(): boolean {
    const { clusters, cross } = this.#options;
    if (clusters.length > 1) this.#crossDue += cross;
    if (this.#crossDue < 1) return false;
    this.#crossDue--;
    return true;
  }

  #transfer(cross: boolean): Operation {
    const { cluster, random } = this.#options;
    const from = random.below(ACCOUNTS_PER_CLUSTER);
    const other = cross ? this.#otherCluster() : cluster.id;
    const to = cross
      ? random.below(ACCOUNTS_PER_CLUSTER)
      : (from + 1 + random.below(ACCOUNTS_PER_CLUSTER - 1)) % ACCOUNTS_PER_CLUSTER;
    return {
      open: "",
      debits: [{ account: accountOf(cluster.id, from), amount: 1n }],
      credits: [{ account: accountOf(other, to), amount: 1n }],
    };
  }

  #otherCluster(): ClusterId {
    const { cluster, clusters, random } = this.#options;
    const own = clusters.indexOf(cluster);
    return (clusters[(own + 1 + random.below(clusters.length - 1)) % clusters.length] as ClusterInfo).id;
  }

  #onReply(bytes: Uint8Array, nowUs: number): void {
    const opened = openEnvelope(bytes);
    if (typeof opened === "string" || opened.kind !== "reply") throw new Error("a client was sent no reply");
    const { nonce, node, refusal, results, height } = replySchema.decode(opened.body);
    const pending = this.#pending.get(nonce);
    if (pending === undefined) return;
    const answer = `${refusal} ${height} ${toHex(results)}`;
    const nodes = pending.answers.get(answer) ?? new Set();
    pending.answers.set(answer, nodes.add(node));
    if (nodes.size < witnessesOf(this.#options.cluster)) return;
    this.#pending.delete(nonce);
    const { cross, startedUs } = pending;
    const result = refusal === 0 ? (resultCode(results[0] ?? 0) ?? "unknown") : "refused";
    this.#options.onEnded({ cross, startedUs, endedUs: nowUs, result });
    this.#send(nowUs);
  }
}
