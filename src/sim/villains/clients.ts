// Byzantine clients: they sign with their own key, and send what they like to whom they like. They spend money twice,
// use ids again, show a request to some only, and flood; none of it may harm others, or make money (protocol 4, I5 to
// I7). They wait for no answers. The world wakes them now and then, and sends what they say.

import { clusterOfAccount } from "../../cluster/shards.js";
import { ed25519Signer, type Signer, signingBytes } from "../../crypto/signature.js";
import { type ClusterAccounts, loadAccounts } from "../../load/accounts.js";
import { type AccountId, type ClusterId, fromHex, type NodeRef, type PublicKey } from "../../types/ids.js";
import { limits } from "../../types/limits.js";
import { carriage } from "../../types/message.js";
import { envelopeSchema, type Operation, requestBodySchema } from "../../types/schema.js";
import type { Topology } from "../../types/topology.js";
import type { Below } from "../observer.js";
import { happens, oneOf, someOf, within } from "./draw.js";

export interface ClientWord {
  readonly to: NodeRef;
  readonly envelope: Uint8Array;
  /** Virtual ms. */
  readonly delay: number;
}

export interface VillainClientContext {
  readonly topology: Topology;
  /** Its own key: that of an enrolled client. */
  readonly signer: Signer;
  /** What a right clock shows, ms since 1970. */
  readonly time: number;
  readonly below: Below;
}

/** What it says when it is woken. */
export type VillainClient = (context: VillainClientContext) => readonly ClientWord[];
export type MakeVillainClient = () => VillainClient;

/** The parts of a request that a client may get wrong. */
interface Draft {
  readonly operations: readonly Operation[];
  readonly nonce: number;
  readonly validUntil: number;
  /** In whose name, if not in its own. */
  readonly client?: PublicKey;
  /** With which key, if not with its own. */
  readonly signer?: Signer;
}

const LIFETIME_MS = 60_000;
const OLD_WORDS_MAX = 64;
const STORM = { from: 20, to: 100 };

/** What each trick is made of: money, ids, words. */
class Purse {
  readonly #context: VillainClientContext;
  readonly #accounts: readonly ClusterAccounts[];
  readonly #owned: readonly ClusterAccounts[];
  readonly nonce: () => number;

  constructor(context: VillainClientContext, accounts: readonly ClusterAccounts[], nonce: () => number) {
    this.#context = context;
    this.#accounts = accounts;
    this.#owned = accounts.filter(({ owned }) => owned.has(context.signer.publicKey));
    this.nonce = nonce;
  }

  get isEmpty(): boolean {
    return this.#owned.length === 0;
  }

  /** Own accounts, each of another cluster as long as there are others. */
  own(count: number): readonly AccountId[] {
    const { below, signer } = this.#context;
    const clusters = [...this.#owned];
    return Array.from({ length: count }, () => {
      if (clusters.length === 0) clusters.push(...this.#owned);
      const [set] = clusters.splice(below(clusters.length), 1).map(({ owned }) => owned.get(signer.publicKey));
      return set === undefined ? undefined : (set.name(below(Math.min(set.count, 3))) as AccountId);
    }).filter((account) => account !== undefined);
  }

  anyone(): AccountId {
    const { below } = this.#context;
    const { all } = oneOf(below, this.#accounts);
    return all.name(below(all.count)) as AccountId;
  }

  /** Mostly more than half of what such an account had at first: two such payments are one too many. */
  amount(): bigint {
    const { below, topology, signer } = this.#context;
    const row = topology.genesis.find(({ owner }) => owner === signer.publicKey);
    const balance = row?.balance ?? 1n;
    return oneOf(
      below,
      [balance, balance / 2n + 1n, (balance * 2n) / 3n, 1n].map((amount) => amount || 1n),
    );
  }

  draft(operations: readonly Operation[], change: Partial<Draft> = {}): Draft {
    return { operations, nonce: this.nonce(), validUntil: this.#context.time + LIFETIME_MS, ...change };
  }
}

function pay(from: readonly AccountId[], to: AccountId, amount: bigint): Operation {
  const debits = from.map((account) => ({ account, amount }));
  return { open: "", debits, credits: [{ account: to, amount: amount * BigInt(from.length) }] };
}

type Trick = (purse: Purse, context: VillainClientContext, old: readonly ClientWord[]) => readonly ClientWord[];

const tricks = {
  /** The same money at two clusters at once: from A alone, and from B and A, which another cluster initiates. */
  "double-spend": (purse, context) => {
    const [a, b = a] = purse.own(2) as [AccountId, AccountId | undefined];
    const amount = purse.amount();
    const drafts = [
      purse.draft([pay([a], purse.anyone(), amount)]),
      purse.draft([pay(a === b ? [a] : [b, a], purse.anyone(), amount)]),
    ];
    return drafts.flatMap((draft) => toInitiator(draft, context));
  },

  /** One id, two requests, at two initiators at once. */
  "double-id": (purse, context) => {
    const [a, b = a] = purse.own(2) as [AccountId, AccountId | undefined];
    const nonce = purse.nonce();
    const drafts = [a, b].map((from) => purse.draft([pay([from], purse.anyone(), purse.amount())], { nonce }));
    return drafts.flatMap((draft) => toInitiator(draft, context));
  },

  /** Only backups hear of it, or one of them, or anyone at all. */
  "show-few": (purse, context) => {
    const draft = purse.draft([pay(purse.own(1), purse.anyone(), 1n)]);
    const nodes = initiatorNodes(draft, context);
    const { below } = context;
    const everyone = context.topology.clusters.flatMap(({ id }) => nodesOf(id, context));
    const to = oneOf(below, [nodes.slice(1), [oneOf(below, nodes)], someOf(below, nodes), someOf(below, everyone)]);
    return send(draft, to, context);
  },

  /** Other people's money, accounts that do not exist, sums that do not fit, and clusters that have no say. */
  "wrong-accounts": (purse, context) => {
    const { below, topology } = context;
    const [a = purse.anyone()] = purse.own(1);
    const operation = oneOf<Operation>(below, [
      pay([purse.anyone()], a, purse.amount()),
      pay([`nobody:${below(100)}` as AccountId], a, 1n),
      pay([a], `new:${below(100)}` as AccountId, 1n),
      pay([a, purse.anyone()], purse.anyone(), 1n),
      { open: "", debits: [{ account: a, amount: 1n }], credits: [{ account: purse.anyone(), amount: 2n }] },
      { open: "", debits: [{ account: a, amount: 0n }], credits: [{ account: purse.anyone(), amount: 0n }] },
      { open: "", debits: [{ account: a, amount: (1n << 64n) - 1n }], credits: [{ account: a, amount: 1n }] },
      { open: `open:${below(20)}`, debits: [], credits: [] },
      { open: purse.anyone(), debits: [], credits: [] },
      { open: "", debits: [], credits: [] },
    ]);
    const more = happens(below, 30) ? [pay([a], purse.anyone(), 1n)] : [];
    const draft = purse.draft([operation, ...more]);
    const anywhere = nodesOf(oneOf(below, topology.clusters).id, context);
    return send(draft, happens(below, 50) ? anywhere : initiatorNodes(draft, context), context);
  },

  /** The same bytes, old ones too, again and again, to everyone. */
  storm: (purse, context, old) => {
    const { below } = context;
    const fresh = toInitiator(purse.draft([pay(purse.own(1), purse.anyone(), 1n)]), context);
    const words = [...fresh, ...old];
    return Array.from({ length: within(below, STORM) }, () => ({ ...oneOf(below, words), delay: below(2000) }));
  },

  /** An id that was used, with other content, once the first is most likely executed. */
  "reuse-id": (purse, context) => {
    const { below } = context;
    const nonce = purse.nonce();
    const drafts = [1n, purse.amount()].map((amount) =>
      purse.draft([pay(purse.own(1), purse.anyone(), amount)], { nonce }),
    );
    return drafts.flatMap((draft, i) =>
      toInitiator(draft, context).map((word) => ({ ...word, delay: i * below(5000) })),
    );
  },

  /** Too late, just in time, for ever. */
  "wrong-time": (purse, context) => {
    const { below, time } = context;
    const { requestLifetimeMs } = limits;
    const validUntil = oneOf(below, [
      0,
      time - 1,
      time + below(500),
      time + requestLifetimeMs,
      time + requestLifetimeMs + below(2000),
      time + 60 * requestLifetimeMs,
      Number.MAX_SAFE_INTEGER,
    ]);
    const draft = purse.draft([pay(purse.own(1), purse.anyone(), 1n)], { validUntil });
    return toInitiator(draft, context).map((word) => ({ ...word, delay: below(1000) }));
  },

  /** In the name of others, or with a key that is nobody's. */
  "wrong-key": (purse, context) => {
    const { below, topology, signer } = context;
    const other = oneOf(below, topology.clients).key;
    const stranger = ed25519Signer(Uint8Array.from({ length: 32 }, () => below(256)));
    const operations = [
      pay([happens(below, 50) ? purse.anyone() : (purse.own(1)[0] as AccountId)], purse.anyone(), 1n),
    ];
    const change = oneOf<Partial<Draft>>(below, [
      { client: other },
      { signer: stranger },
      { client: stranger.publicKey, signer: stranger },
      { client: other === signer.publicKey ? stranger.publicKey : other, signer: stranger },
    ]);
    return toInitiator(purse.draft(operations, change), context);
  },
} as const satisfies Readonly<Record<string, Trick>>;

export type VillainClientName = keyof typeof tricks | "mixed";

export const villainClients: Readonly<Record<VillainClientName, MakeVillainClient>> = {
  "double-spend": clientOf([tricks["double-spend"]]),
  "double-id": clientOf([tricks["double-id"]]),
  "show-few": clientOf([tricks["show-few"]]),
  "wrong-accounts": clientOf([tricks["wrong-accounts"]]),
  storm: clientOf([tricks.storm]),
  "reuse-id": clientOf([tricks["reuse-id"]]),
  "wrong-time": clientOf([tricks["wrong-time"]]),
  "wrong-key": clientOf([tricks["wrong-key"]]),
  mixed: clientOf(Object.values(tricks)),
};

function clientOf(list: readonly Trick[]): MakeVillainClient {
  return () => {
    let accounts: readonly ClusterAccounts[] | undefined;
    let old: readonly ClientWord[] = [];
    let nonce = 0;
    return (context) => {
      accounts ??= loadAccounts(context.topology);
      const purse = new Purse(context, accounts, () => ++nonce);
      if (purse.isEmpty) return [];
      const words = oneOf(context.below, list)(purse, context, old);
      old = [...old, ...words.slice(0, 4)].slice(-OLD_WORDS_MAX);
      return words;
    };
  };
}

// ---- sending

function toInitiator(draft: Draft, context: VillainClientContext): readonly ClientWord[] {
  const nodes = initiatorNodes(draft, context);
  return send(draft, happens(context.below, 50) ? nodes : nodes.slice(0, 1), context);
}

function initiatorNodes({ operations }: Draft, context: VillainClientContext): readonly NodeRef[] {
  const { topology } = context;
  const accounts = operations.flatMap(({ open, debits, credits }) =>
    open === "" ? [...debits, ...credits].map(({ account }) => account as AccountId) : [open as AccountId],
  );
  const clusters = accounts.map((account) => clusterOfAccount(topology, account));
  const lowest = Math.min(...clusters) as ClusterId;
  const initiator = topology.cross.initiator === "lowest" ? lowest : (clusters[0] ?? topology.clusters[0]?.id);
  return nodesOf(clusters.length === 0 ? (topology.clusters[0]?.id as ClusterId) : (initiator as ClusterId), context);
}

function nodesOf(cluster: ClusterId, { topology }: VillainClientContext): readonly NodeRef[] {
  const info = topology.clusters.find(({ id }) => id === cluster);
  return (info?.nodes ?? []).map(({ index }) => ({ cluster, node: index }));
}

function send(draft: Draft, to: readonly NodeRef[], context: VillainClientContext): readonly ClientWord[] {
  const { topology, signer } = context;
  const { operations, nonce, validUntil } = draft;
  const client = fromHex(draft.client ?? signer.publicKey);
  const body = requestBodySchema.encode({ client, nonce, validUntil, operations, rejoin: undefined });
  const { number } = carriage.request;
  const signature = (draft.signer ?? signer).sign(signingBytes(topology.networkId, number, body));
  const envelope = envelopeSchema.encode({ kind: number, body, signature, block: new Uint8Array(0) });
  return to.map((ref) => ({ to: ref, envelope, delay: 0 }));
}
