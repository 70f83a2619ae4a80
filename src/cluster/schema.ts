// What each field of a topology file may be. A field that fails has one text that says what would be right; what is
// wrong is its value, which the reader shows. Rules between fields are rules.ts's concern.

import { z } from "zod";
import { isPossibleKey } from "../crypto/ed25519.js";
import { type AccountId, type ClusterId, fromHex, isAccountId, isDigest, type PublicKey } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { Dissemination, FailureModel, Initiator } from "../types/topology.js";

/** Stands in a template where a node or client of a real network has its key. */
export const GENERATE = "generate";
export type KeyField = PublicKey | typeof GENERATE;

/** Requests per block unless the file says otherwise: full blocks under load, a quarter of what may be sent at once. */
export const BLOCK_REQUESTS_DEFAULT = 1000;

const DECIMAL = /^(0|[1-9][0-9]{0,19})$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const HOST = /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,62})(\.[A-Za-z0-9]([A-Za-z0-9-]{0,62}))*$/;

const integer = (min: number, max: number, what = "an integer") => {
  const fix = `must be ${what} within ${min}..${max}`;
  return z
    .string(fix)
    .regex(DECIMAL, fix)
    .transform(Number)
    .refine((value) => value >= min && value <= max, fix);
};

const oneOf = <T extends string>(...words: readonly [T, ...T[]]) => z.enum(words, `must be ${words.join(" or ")}`);

const text = <T extends string>(fix: string, is: (value: string) => boolean) =>
  z
    .string(fix)
    .refine(is, fix)
    .transform((value) => value as T);

const nameFix = "must be 1 to 64 letters, digits, dots, dashes or underscores, beginning with a letter or digit";
const name = text<string>(nameFix, (value) => NAME.test(value));
const key = text<KeyField>(
  "must be an Ed25519 public key as 64 lower-case hex digits",
  (value) => value === GENERATE || (isDigest(value) && isPossibleKey(fromHex(value))),
);
const clusterId = integer(1, limits.clusterIdMax, "a cluster id").transform((id) => id as ClusterId);
const account = text<AccountId>(
  `must be an account name: 1 to ${limits.accountBytesMax} of A-Z a-z 0-9 . _ : -, beginning with a letter or digit`,
  isAccountId,
);
const owner = name;
const balanceFix = `must be an integer within 0..${limits.supplyMax}, without a sign, spaces or leading zeros`;
const balance = z
  .string(balanceFix)
  .regex(DECIMAL, balanceFix)
  .transform(BigInt)
  .refine((value) => value <= limits.supplyMax, balanceFix);
const address = text<string>(
  "must be a TCP multiaddr such as /ip4/127.0.0.1/tcp/7000, /ip6/::1/tcp/7000 or /dns4/host.example/tcp/7000",
  isTcpMultiaddr,
);

export const headFields = { network: name };
export const clusterFields = {
  id: clusterId,
  model: oneOf<FailureModel>("crash", "byzantine"),
  faults: integer(0, Math.floor((limits.nodesPerClusterMax - 1) / 2), "the number of nodes that may fail,").default(1),
};
export const nodeFields = { id: name, key, address };
export const clientFields = { id: name, key };
export const accountRowFields = { account, owner, balance };
export const prefixRowFields = {
  prefix: text<string>(
    "must be the beginning of account names: A-Z a-z 0-9 . _ : -, beginning with a letter or digit",
    (value) => isAccountId(`${value}0`),
  ),
  count: integer(1, limits.genesisAccountsMax, "a number of accounts"),
  owner,
  balance,
};
export const shardFields = { by: oneOf("hash", "range", "table") };
export const rangeFields = {
  from: text<string>('must be "" or an account name', (value) => value === "" || isAccountId(value)),
  cluster: clusterId,
};
export const tableFields = { others: clusterId };
/** One entry of the table: the account, and its cluster. */
export const tableEntryFields = { key: account, value: clusterId };
export const crossFields = {
  dissemination: oneOf<Dissemination>("flattened", "super-propose", "adaptive").default("adaptive"),
  initiator: oneOf<Initiator>("source", "lowest").default("source"),
};
export const timerFields = {
  intraMs: integer(1, limits.timeoutMaxMs, "milliseconds").default(limits.intraTimeoutMs),
  crossMs: integer(1, limits.timeoutMaxMs, "milliseconds").default(limits.crossTimeoutMs),
};
export const blockFields = {
  requestsMax: integer(1, limits.blockRequestsMax, "a number of requests").default(BLOCK_REQUESTS_DEFAULT),
};

function isTcpMultiaddr(value: string): boolean {
  const [before, kind, host, tcp, port, ...rest] = value.split("/");
  if (before !== "" || tcp !== "tcp" || rest.length > 0 || host === undefined || port === undefined) return false;
  if (!DECIMAL.test(port) || Number(port) < 1 || Number(port) > 65_535) return false;
  if (kind === "ip4") return z.ipv4().safeParse(host).success;
  if (kind === "ip6") return z.ipv6().safeParse(host).success;
  return kind === "dns4" && HOST.test(host);
}
