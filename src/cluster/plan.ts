// Writes the topology of a new network: from a few numbers, or from a template whose keys, name and ports it fills in
// without touching the rest of the text, comments included. Randomness comes in from outside: what is planned here is a
// pure function of it. The result is text plus the seeds of the keys in it; the caller writes both.

import type { z } from "zod";
import { ed25519Signer } from "../crypto/signature.js";
import { CodedError } from "../types/codes.js";
import { limits } from "../types/limits.js";
import type { FailureModel } from "../types/topology.js";
import { smallestCluster } from "./rules.js";
import { headFields, nodeFields } from "./schema.js";
import type { Span, Template } from "./topology.js";

/** What must differ from network to network. */
export interface Fresh {
  /** Ends the network's name. */
  readonly suffix: string;
  /** 32 new random bytes at each call. */
  readonly makeSeed: () => Uint8Array;
}

export interface PlanOptions extends Fresh {
  readonly name: string;
  /** One for each cluster. */
  readonly models: readonly FailureModel[];
  readonly faults: number;
  /** An IP address or a name. */
  readonly host: string;
  /** The nodes' ports are this one and those after it. */
  readonly basePort: number;
  readonly clients: number;
  /** All together; each client owns its share. */
  readonly accounts: number;
  readonly balance: bigint;
  readonly shards: "hash" | "range";
}

export interface Plan {
  readonly yaml: string;
  readonly keys: readonly { readonly kind: "node" | "client"; readonly id: string; readonly seed: Uint8Array }[];
}

/** Refuses, with code `usage`, numbers of which no network can be made. */
export function planTopology(options: PlanOptions): Plan {
  const { models, faults, makeSeed } = options;
  checkOptions(options);
  const keys: { kind: "node" | "client"; id: string; seed: Uint8Array }[] = [];
  const keyOf = (kind: "node" | "client", id: string) => {
    const seed = makeSeed();
    keys.push({ kind, id, seed });
    return ed25519Signer(seed).publicKey;
  };

  let port = options.basePort;
  const clusters = models.flatMap((model, i) => [
    `  - id: ${i + 1}`,
    `    model: ${model}`,
    `    faults: ${faults}`,
    "    nodes:",
    ...sequence(smallestCluster(model, faults)).map((node) => {
      const id = `c${i + 1}n${node}`;
      return `      - { id: ${id}, key: ${keyOf("node", id)}, address: ${multiaddr(options.host, port++)} }`;
    }),
  ]);
  const shares = sharesOf(options);
  const lines = [
    "# Every node and client of the network uses a copy of this file; the keys stay with their owners.",
    `network: ${options.name}-${options.suffix}`,
    "clusters:",
    ...clusters,
    ...shardLines(options, shares),
    "clients:",
    ...shares.map(({ client }) => `  - { id: ${client}, key: ${keyOf("client", client)} }`),
    ...genesisLines(options, shares),
  ];
  return { yaml: `${lines.join("\n")}\n`, keys };
}

/** Fills a template in; with a base port, its ports are moved so that the lowest becomes that one. */
export function fillTemplate(template: Template, fresh: Fresh & { readonly basePort?: number | undefined }): Plan {
  const { text, network, addresses } = template;
  const keys = template.keys.map(({ kind, id, span }) => ({ kind, id, span, seed: fresh.makeSeed() }));
  const edits: Edit[] = [
    { span: network.span, text: `${network.name}-${fresh.suffix}` },
    ...keys.map(({ span, seed }) => ({ span, text: ed25519Signer(seed).publicKey })),
  ];
  if (fresh.basePort !== undefined) {
    const ports = addresses.map(({ address }) => portOf(address));
    const shift = fresh.basePort - ports.reduce((least, port) => Math.min(least, port));
    const highest = ports.reduce((most, port) => Math.max(most, port)) + shift;
    checkRange("the base port", fresh.basePort, { min: 1, max: 65_535 });
    checkRange("the highest port", highest, { min: 1, max: 65_535 });
    for (const { address, span } of addresses) {
      edits.push({ span, text: address.replace(/[0-9]+$/, String(portOf(address) + shift)) });
    }
  }
  return { yaml: applyEdits(text, edits), keys: keys.map(({ kind, id, seed }) => ({ kind, id, seed })) };
}

interface Edit {
  readonly span: Span;
  readonly text: string;
}

function applyEdits(text: string, edits: readonly Edit[]): string {
  const pieces: string[] = [];
  let at = 0;
  for (const edit of [...edits].sort((a, b) => a.span.start - b.span.start)) {
    pieces.push(text.slice(at, edit.span.start), edit.text);
    at = edit.span.end;
  }
  return pieces.join("") + text.slice(at);
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf("/") + 1));
}

function checkOptions(options: PlanOptions): void {
  const { models, faults, host, basePort, clients, accounts, balance, shards } = options;
  checkName("the network's name", headFields.network, `${options.name}-${options.suffix}`);
  checkRange("the number of clusters", models.length, { min: 1, max: limits.clustersMax });
  checkRange("faults", faults, { min: 0, max: limits.nodesPerClusterMax });
  const sizes = models.map((model) => smallestCluster(model, faults));
  for (const size of new Set(sizes))
    checkRange("the size of a cluster", size, { min: 1, max: limits.nodesPerClusterMax });
  checkRange("the number of clients", clients, { min: 1, max: limits.clientsMax });
  checkRange("the number of accounts", accounts, { min: 0, max: limits.genesisAccountsMax });
  checkRange("the base port", basePort, { min: 1, max: 65_535 });
  const nodes = sizes.reduce((sum, size) => sum + size, 0);
  checkRange("the highest port", basePort + nodes - 1, { min: 1, max: 65_535 });
  checkName("the host's address", nodeFields.address, multiaddr(host, basePort));
  const supply = balance * BigInt(accounts);
  if (balance < 0n || supply > limits.supplyMax) {
    throw new CodedError(
      "usage",
      `the supply would be ${supply}; all balances together must be within 0..${limits.supplyMax}`,
    );
  }
  if (shards === "range" && accounts < models.length) {
    throw new CodedError(
      "usage",
      `sharding by range needs an account for each of the ${models.length} clusters, not ${accounts}`,
    );
  }
}

function checkName(what: string, schema: z.ZodType, value: string): void {
  const result = schema.safeParse(value);
  if (result.success) return;
  throw new CodedError("usage", `${what} would be ${value}; it ${result.error.issues[0]?.message}`);
}

function checkRange(what: string, value: number, { min, max }: { readonly min: number; readonly max: number }): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new CodedError("usage", `${what} is ${value}; it must be an integer within ${min}..${max}`);
}

function multiaddr(host: string, port: number): string {
  const kind = host.includes(":") ? "ip6" : /^[0-9.]+$/.test(host) ? "ip4" : "dns4";
  return `/${kind}/${host}/tcp/${port}`;
}

interface Share {
  readonly client: string;
  /** Its accounts are `${client}-0` up to this many. */
  readonly accounts: number;
}

/** The accounts, spread over the clients as evenly as they divide. */
function sharesOf({ clients, accounts }: PlanOptions): readonly Share[] {
  const each = Math.floor(accounts / clients);
  return sequence(clients).map((i) => ({ client: `client${i}`, accounts: each + (i < accounts % clients ? 1 : 0) }));
}

function genesisLines({ balance }: PlanOptions, shares: readonly Share[]): readonly string[] {
  const rows = shares
    .filter(({ accounts }) => accounts > 0)
    .map(
      ({ client, accounts }) => `  - { prefix: ${client}-, count: ${accounts}, owner: ${client}, balance: ${balance} }`,
    );
  return rows.length === 0 ? ["genesis: []"] : ["genesis:", ...rows];
}

function shardLines({ shards, models, accounts }: PlanOptions, shares: readonly Share[]): readonly string[] {
  if (shards === "hash") return ["shards: { by: hash }"];
  const sorted = [...shares].sort((a, b) => (`${a.client}-` < `${b.client}-` ? -1 : 1));
  return [
    "shards:",
    "  by: range",
    "  ranges:",
    ...models.map((_, i) => {
      const from = i === 0 ? "" : accountAt(sorted, Math.floor((i * accounts) / models.length));
      return `    - { from: "${from}", cluster: ${i + 1} }`;
    }),
  ];
}

/** The account at a position in the order of names, of shares in the order of theirs. */
function accountAt(sorted: readonly Share[], position: number): string {
  let rest = position;
  for (const { client, accounts } of sorted) {
    if (rest < accounts) return `${client}-${numberAt(accounts, rest)}`;
    rest -= accounts;
  }
  throw new RangeError(`no account at ${position}`);
}

/** The number at a position when 0 .. count-1 are sorted as texts: 0, 1, 10, 100, ..., 11, ..., 2, ... */
function numberAt(count: number, position: number): number {
  if (position === 0) return 0;
  let number = 1;
  for (let rest = position - 1; rest > 0; ) {
    const beginning = countBeginningWith(number, count);
    if (beginning <= rest) {
      number++;
      rest -= beginning;
    } else {
      number *= 10;
      rest--;
    }
  }
  return number;
}

/** How many of 1 .. count-1 begin with the digits of a number. */
function countBeginningWith(number: number, count: number): number {
  let sum = 0;
  for (let low = number, width = 1; low < count; low *= 10, width *= 10) sum += Math.min(width, count - low);
  return sum;
}

function sequence(length: number): readonly number[] {
  return Array.from({ length }, (_, i) => i);
}
