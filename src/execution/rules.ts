// Every rule by which a validator judges an operation (protocol 4), and the order in which the rules are asked: the
// first that is broken gives the code. For the request as a whole: unknown-client, expired, id-reused, valid-too-long.
// Then an open: account-exists; a transfer, debit by debit in its own order: unknown-account, not-owner,
// insufficient-funds.
//
// Which ids are consumed. An id is consumed at the first evaluation of a request of an enrolled client that has not
// expired, whatever the verdicts: else a refused payment could be replayed when funds arrive. That includes a request
// whose validUntil lies too far ahead: forgotten, it would become valid by mere passing of time, after its client was
// told that it failed. It is remembered until its validUntil like any other; only a faulty primary can bring one, since
// the door refuses it. An expired request needs no memory, since record time never goes back: it stays expired. An
// unknown client stays unknown, since enrolment is part of the topology. Every cluster of P consumes the id at that
// point of its view, also one that validates none of the request's operations and so never consults it there: the ids a
// cluster remembers are then exactly those whose replies it stores, and a node that restarts from its stored replies
// judges as its peers do.

import { type Request, rejoinOf } from "../types/block.js";
import { resultNumber } from "../types/codes.js";
import type { PublicKey } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { AccountValue } from "./engine.js";

export const OK = resultNumber("ok");
/** Stands where a cluster has no say; never a final result. */
export const FOREIGN = resultNumber("foreign");
const UNKNOWN_CLIENT = resultNumber("unknown-client");
const EXPIRED = resultNumber("expired");
const VALID_TOO_LONG = resultNumber("valid-too-long");
const ID_REUSED = resultNumber("id-reused");
const UNKNOWN_ACCOUNT = resultNumber("unknown-account");
const NOT_OWNER = resultNumber("not-owner");
const INSUFFICIENT_FUNDS = resultNumber("insufficient-funds");
const ACCOUNT_EXISTS = resultNumber("account-exists");
const STALE_INCARNATION = resultNumber("stale-incarnation");
const REJOIN_TOO_SOON = resultNumber("rejoin-too-soon");

/** What the rules ask about the rest of the world. */
export interface RequestFacts {
  readonly recordTime: number;
  readonly isClient: (key: PublicKey) => boolean;
  readonly isConsumed: (request: Request, recordTime: number) => boolean;
}

/** The rules that hold for a request as a whole. Its id is consumed if `consumesId` of the answer. */
export function requestVerdict(request: Request, { recordTime, isClient, isConsumed }: RequestFacts): number {
  // That a node asks for itself is part of static validity.
  if (rejoinOf(request) === undefined && !isClient(request.client)) return UNKNOWN_CLIENT;
  if (request.validUntil < recordTime) return EXPIRED;
  if (isConsumed(request, recordTime)) return ID_REUSED;
  if (request.validUntil > recordTime + limits.requestLifetimeMs) return VALID_TOO_LONG;
  return OK;
}

export function consumesId(verdict: number): boolean {
  return verdict === OK || verdict === VALID_TOO_LONG;
}

/** A node's incarnations are numbered without a gap, and none follows another at once. */
export function rejoinVerdict(args: {
  readonly last: { readonly number: number; readonly time: number } | undefined;
  readonly incarnation: number;
  readonly recordTime: number;
}): number {
  const { last, incarnation, recordTime } = args;
  if (incarnation !== (last?.number ?? 0) + 1) return STALE_INCARNATION;
  return last !== undefined && recordTime < last.time + limits.rejoinEveryMs ? REJOIN_TOO_SOON : OK;
}

/** Opening claims an account that does not exist or that nobody owns. */
export function openVerdict(account: Pick<AccountValue, "owner">): number {
  return account.owner === undefined ? OK : ACCOUNT_EXISTS;
}

export function debitVerdict(args: {
  readonly exists: boolean;
  readonly owner: PublicKey | undefined;
  readonly balance: bigint;
  readonly amount: bigint;
  readonly client: PublicKey;
}): number {
  if (!args.exists) return UNKNOWN_ACCOUNT;
  if (args.owner !== args.client) return NOT_OWNER;
  return args.balance < args.amount ? INSUFFICIENT_FUNDS : OK;
}
