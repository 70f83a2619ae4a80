// The client SDK: opening accounts, moving money and reading balances in a SharPer network. Every call ends by its
// deadline with the truth as far as it can be known: committed, rejected with a code, or unknown with a way to find
// out. The network's condition never throws; wrong use does (CodedError, before anything is sent).
//
//     const client = await connect({ topology: "topology.yaml", key: "clients/client0.key" });
//     const outcome = await client.transfer({ from: "alice", to: "bob", amount: 5n });
//     if (outcome.outcome === "unknown") console.log(await outcome.resolve());
//     await client.close();

import { randomInt } from "node:crypto";
import { readFile } from "node:fs/promises";
import { initiatorOf } from "../cluster/block.js";
import { Members } from "../cluster/members.js";
import { clusterOfAccount } from "../cluster/shards.js";
import { parseTopology } from "../cluster/topology.js";
import { readKeyFile } from "../crypto/keys.js";
import { ed25519Signer, ed25519Verifier } from "../crypto/signature.js";
import { readBalanceProof } from "../execution/proof.js";
import { libp2pTransport } from "../net/libp2p.js";
import type { Transport, TransportOptions } from "../net/transport.js";
import type { Request } from "../types/block.js";
import { CodedError } from "../types/codes.js";
import { type ClusterId, fromHex, isAccountId, type PublicKey } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { Topology } from "../types/topology.js";
import type { BalanceOutcome, Outcome, ProvenAccount, ProvenOutcome, ResolveOptions, SentRequest } from "./outcomes.js";
import { provenAccountOf } from "./proofs.js";
import { type OperationOrder, readRequest, type SigningContext, signRequest } from "./request.js";
import { Session } from "./session.js";
import { systemTime, type Time } from "./time.js";

export type {
  AccountBalance,
  BalanceOutcome,
  BalancesProven,
  BalancesRead,
  BalancesUnavailable,
  Committed,
  Outcome,
  ProofsUnavailable,
  ProvenAccount,
  ProvenOutcome,
  RecordPosition,
  Rejected,
  RejectionCode,
  ResolveOptions,
  SentRequest,
  Unknown,
} from "./outcomes.js";
export type { OperationOrder, PostingOrder } from "./request.js";

export interface ConnectOptions {
  /** A topology, or the path of its file. */
  readonly topology: Topology | string;
  /** The path of the client's key file, or the 32 bytes of its seed. */
  readonly key: string | Uint8Array;
  /**
   * Clusters to keep connections to; default: all. Requests and reads that others must answer end as unavailable.
   */
  readonly clusters?: readonly ClusterId[];
  /**
   * How long `connect` waits for the network, in milliseconds, default 2000. It returns sooner when all but f nodes of
   * each cluster are connected, and it goes on connecting afterwards.
   */
  readonly connectTimeoutMs?: number;
  /** How long a request's first attempt waits for answers; default: the topology's timers.intraMs. */
  readonly attemptTimeoutMs?: number;
  /** The network; default: libp2p. */
  readonly transport?: TransportFactory;
  /** Clocks and timers; default: the system's. */
  readonly time?: Time;
}

export type TransportFactory = (options: TransportOptions & { readonly seed: Uint8Array }) => Transport;

export interface CallOptions {
  /** The call ends so many milliseconds from now at the latest; default 10,000. */
  readonly deadlineMs?: number;
}

export interface SubmitOptions extends CallOptions {
  /** The request can be executed for so many milliseconds; default 60,000, at most 600,000. */
  readonly validForMs?: number;
}

export interface Order extends SubmitOptions {
  /** 1 to 10,000, all involving the same clusters. Each is atomic by itself and has its own result. */
  readonly operations: readonly OperationOrder[];
}

export interface TransferOrder extends SubmitOptions {
  /** An account that this client's key owns. */
  readonly from: string;
  /** An account; it is opened, owned by nobody, if it does not exist. */
  readonly to: string;
  /** In the smallest unit, 1 or more. */
  readonly amount: bigint;
}

/** One client key's connection to a network. Any number of calls may be in flight. */
export interface Client {
  readonly key: PublicKey;
  readonly topology: Topology;
  /** The cluster that owns an account. Throws CodedError `bad-account`. */
  clusterOf(account: string): ClusterId;
  /** Throws CodedError for orders that no node would accept: `zero-amount`, `bad-account`, `repeated-account`, ... */
  transfer(order: TransferOrder): Promise<Outcome>;
  openAccount(account: string, options?: SubmitOptions): Promise<Outcome>;
  /** Any operations in one signed request. Throws as `transfer`, and `mixed-clusters`. */
  submit(order: Order): Promise<Outcome>;
  /** As `submit`, without a promise: for callers with thousands of requests in flight. `onEnd` is called once. */
  submitWith(order: Order, onEnd: (outcome: Outcome) => void): void;
  /**
   * Finds out what became of a request by sending the same bytes again, until they are answered or the deadline comes.
   * Reliable before the request's `validUntil`; afterwards nodes forget it, and what they have forgotten stays unknown
   * here (the ledger tells). Throws CodedError for bytes that are no request of this client's.
   */
  resolve(request: SentRequest | Uint8Array, options?: ResolveOptions): Promise<Outcome>;
  /** Balances after all results that this client was told. Throws CodedError `bad-account`. */
  balance(accounts: string | readonly string[], options?: CallOptions): Promise<BalanceOutcome>;
  /**
   * Balances as of a stable checkpoint of each cluster, a little older than `balance`, each with a proof that convinces
   * anyone who has the topology: see `verifyBalance`. Throws CodedError `bad-account`.
   */
  provenBalance(accounts: string | readonly string[], options?: CallOptions): Promise<ProvenOutcome>;
  /** Calls in flight. */
  readonly inFlight: number;
  /** Ends all calls in flight, as at their deadlines, and closes the connections. */
  close(): Promise<void>;
}

const DEADLINE_MS = 10_000;
const VALID_FOR_MS = 60_000;
const CONNECT_TIMEOUT_MS = 2000;
/** After validUntil the request may still be on its way to execution, on clocks that differ. */
const RESOLVE_GRACE_MS = limits.clockAheadMs;

/**
 * Connects as one client of the topology. Throws CodedError for a topology or key that cannot be used
 * (`unknown-client`: the key is not enrolled); a network that does not answer is no error here.
 */
export async function connect(options: ConnectOptions): Promise<Client> {
  const topology = typeof options.topology === "string" ? await loadTopology(options.topology) : options.topology;
  const { seed, signer } = await loadKey(options.key);
  const members = new Members(topology);
  if (!members.isClient(signer.publicKey)) {
    throw new CodedError(
      "unknown-client",
      `key ${signer.publicKey} is no client of network ${topology.name}; use a key of its clients, or enrol this one`,
    );
  }
  const time = options.time ?? systemTime;
  const clientBytes = fromHex(signer.publicKey);
  const context: SigningContext = { topology, members, signer, clientBytes, verifier: ed25519Verifier };
  const create = options.transport ?? libp2pTransport;
  const session = new Session({
    topology,
    members,
    clusters: options.clusters ?? topology.clusters.map(({ id }) => id),
    attemptMs: options.attemptTimeoutMs ?? topology.timers.intraMs,
    time,
    transport: (parts) => create({ ...parts, networkId: topology.networkId, seed }),
    resolve: (bytes, resolveOptions) => resolveRequest(bytes, resolveOptions),
  });
  let nonce = firstNonce();

  function submitWith({ operations, deadlineMs, validForMs }: Order, onEnd: (outcome: Outcome) => void): void {
    const deadlineAt = time.elapsed() + (deadlineMs ?? DEADLINE_MS);
    const validUntil = time.now() + checkedValidity(validForMs ?? VALID_FOR_MS);
    const request = signRequest({ nonce: nonce++, validUntil, operations }, context);
    start({ request, deadlineAt, sentBefore: false }, onEnd);
  }

  function start(
    call: { readonly request: Request; readonly deadlineAt: number; readonly sentBefore: boolean },
    onEnd: (outcome: Outcome) => void,
  ): void {
    session.request({ ...call, cluster: initiatorOf(call.request, topology), onEnd });
  }

  async function resolveRequest(bytes: Uint8Array, { deadlineMs }: ResolveOptions = {}): Promise<Outcome> {
    const request = readRequest(bytes, context);
    const untilForgottenMs = request.validUntil + RESOLVE_GRACE_MS - time.now();
    const deadlineAt = time.elapsed() + (deadlineMs ?? Math.max(untilForgottenMs, DEADLINE_MS));
    return new Promise((end) => start({ request, deadlineAt, sentBefore: true }, end));
  }

  async function submit(order: Order): Promise<Outcome> {
    return new Promise((end) => submitWith(order, end));
  }

  function clusterOf(account: string): ClusterId {
    if (isAccountId(account)) return clusterOfAccount(topology, account);
    throw new CodedError("bad-account", `"${account}" is no account name; use 1 to 64 of A-Z a-z 0-9 . _ : -`);
  }

  async function balance(accounts: string | readonly string[], { deadlineMs }: CallOptions = {}) {
    const asked = typeof accounts === "string" ? [accounts] : accounts;
    return session.read({
      questions: asked.map((account) => ({ account, cluster: clusterOf(account) })),
      deadlineAt: time.elapsed() + (deadlineMs ?? DEADLINE_MS),
      nextNonce: () => nonce++,
    });
  }

  async function provenBalance(accounts: string | readonly string[], { deadlineMs }: CallOptions = {}) {
    const asked = typeof accounts === "string" ? [accounts] : accounts;
    return session.prove({
      questions: asked.map((account) => ({ account, cluster: clusterOf(account) })),
      deadlineAt: time.elapsed() + (deadlineMs ?? DEADLINE_MS),
      nextNonce: () => nonce++,
    });
  }

  await session.open(options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS);
  return {
    key: signer.publicKey,
    topology,
    clusterOf,
    submit,
    submitWith,
    balance,
    provenBalance,
    transfer({ from, to, amount, ...rest }) {
      const debits = [{ account: from, amount }];
      const credits = [{ account: to, amount }];
      return submit({ operations: [{ kind: "transfer", debits, credits }], ...rest });
    },
    openAccount: (account, rest = {}) => submit({ operations: [{ kind: "open", account }], ...rest }),
    resolve: (request, rest) => resolveRequest(request instanceof Uint8Array ? request : request.bytes, rest),
    get inFlight() {
      return session.inFlight;
    },
    close: () => session.close(),
  };
}

/**
 * Checks a proof of a balance offline, against nothing but the topology. Throws CodedError `proof-unproven`, with a
 * sentence that says what is wrong, for bytes that prove nothing in this network.
 */
export function verifyBalance(proof: Uint8Array, topology: Topology): ProvenAccount {
  const context = { topology, members: new Members(topology), verifier: ed25519Verifier };
  const proven = readBalanceProof(proof, context);
  if (typeof proven === "string") throw new CodedError("proof-unproven", `the proof does not hold: ${proven}`);
  return provenAccountOf(proven, proof);
}

/** Reads and checks a topology file. Throws CodedError, with a line of its message for each problem found. */
export async function loadTopology(path: string): Promise<Topology> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CodedError(
      "topology-missing",
      `topology ${path} cannot be read (${reason}); give the path of a topology`,
    );
  });
  return parseTopology(text, path);
}

async function loadKey(key: string | Uint8Array) {
  return typeof key === "string" ? readKeyFile(key) : { seed: key, signer: ed25519Signer(key) };
}

function checkedValidity(validForMs: number): number {
  if (validForMs > 0 && validForMs <= limits.requestLifetimeMs) return Math.floor(validForMs);
  throw new CodedError(
    "valid-too-long",
    `validForMs is ${validForMs}; it must be more than 0 and at most ${limits.requestLifetimeMs}`,
  );
}

/**
 * Ids of one key must differ between all its processes, those that run at the same time included, for as long as the
 * network remembers them (ten minutes): each process counts up from a random number below 2^52. Two processes of a
 * million requests each meet with a chance of less than one in two thousand million.
 */
function firstNonce(): number {
  const halfBits = 2 ** 26;
  return 1 + randomInt(halfBits) * halfBits + randomInt(halfBits);
}
