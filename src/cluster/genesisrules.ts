// The rules of the genesis accounts: owners that are clients, names that are names, no account twice, no more money
// than fits. Rows stand for up to millions of accounts, so they are compared by prefix and number and never expanded.

import { type AccountId, isAccountId } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { Draft, GenesisDraft } from "./draft.js";
import { type Complain, showPath } from "./fields.js";

export function checkGenesis({ genesis, clients }: Draft, complain: Complain): void {
  const rows = genesis ?? [];
  checkOwners(rows, clients, complain);
  checkNames(rows, complain);
  checkTotals(rows, complain);
  checkDuplicates(rows, complain);
}

function checkOwners(rows: readonly GenesisDraft[], clients: Draft["clients"], complain: Complain): void {
  const ids = new Set(clients?.map(({ id }) => id) ?? [undefined]);
  if (ids.has(undefined)) return;
  for (const { at, owner } of rows) {
    if (owner === undefined || ids.has(owner)) continue;
    complain([...at, "owner"], `owner ${owner} is not a client of this network`, "name the id of one of the clients");
  }
}

function checkNames(rows: readonly GenesisDraft[], complain: Complain): void {
  for (const { at, prefix, count } of rows) {
    if (prefix === undefined || count === undefined) continue;
    const longest = `${prefix}${count - 1}`;
    if (isAccountId(longest)) continue;
    const fix = `shorten the prefix: names have at most ${limits.accountBytesMax} characters`;
    complain([...at, "prefix"], `account ${longest} has ${longest.length} characters`, fix);
  }
}

function checkTotals(rows: readonly GenesisDraft[], complain: Complain): void {
  let accounts = 0;
  let supply = 0n;
  for (const { at, count, account, balance } of rows) {
    const more = account === undefined ? (count ?? 0) : 1;
    const before = { accounts, supply };
    accounts += more;
    supply += BigInt(more) * (balance ?? 0n);
    if (before.accounts <= limits.genesisAccountsMax && accounts > limits.genesisAccountsMax) {
      complain(
        at,
        `${showPath(at)} makes it ${accounts} accounts`,
        `at most ${limits.genesisAccountsMax} may exist at the start`,
      );
    }
    if (before.supply <= limits.supplyMax && supply > limits.supplyMax) {
      complain(
        at,
        `${showPath(at)} makes the supply ${supply}`,
        `all balances together are at most ${limits.supplyMax}`,
      );
    }
  }
}

/**
 * Two rows share an account exactly if one's prefix, continued by digits, begins the other's names, and the number that
 * these digits begin is below the one's count. So each row need only be asked about the prefixes that are left when
 * trailing digits of its own are taken away.
 */
function checkDuplicates(rows: readonly GenesisDraft[], complain: Complain): void {
  const byPrefix = new Map<string, GenesisDraft>();
  const singles = new Map<AccountId, GenesisDraft>();
  const collide = ({ at }: GenesisDraft, other: GenesisDraft, account: string) =>
    complain(at, `account ${account} is also one of ${showPath(other.at)}`, "let each account stand in one row");

  for (const row of rows) {
    const { prefix, account } = row;
    if (account !== undefined) {
      const other = singles.get(account);
      if (other === undefined) singles.set(account, row);
      else collide(row, other, account);
    } else if (prefix !== undefined) {
      const other = byPrefix.get(prefix);
      if (other === undefined) byPrefix.set(prefix, row);
      else collide(row, other, `${prefix}0`);
    }
  }
  for (const row of singles.values()) {
    const { account = "" } = row;
    for (const { head, digits } of numberedEndings(account)) {
      const other = byPrefix.get(head);
      if (other !== undefined && Number(digits) < (other.count ?? 0)) collide(row, other, account);
    }
  }
  for (const row of byPrefix.values()) {
    // The row's own first name is its prefix and 0: the smallest number of those that begin with the same digits.
    const first = `${row.prefix}0`;
    for (const { head, digits } of numberedEndings(first)) {
      const other = byPrefix.get(head);
      if (other !== undefined && other !== row && Number(digits) < (other.count ?? 0)) collide(row, other, first);
    }
  }
}

/** All ways to read a name as a prefix and a number without leading zeros that a row can reach. */
function numberedEndings(name: string): readonly { readonly head: string; readonly digits: string }[] {
  const longest = String(limits.genesisAccountsMax - 1).length;
  const endings: { head: string; digits: string }[] = [];
  for (let length = 1; length <= Math.min(longest, name.length); length++) {
    const digits = name.slice(-length);
    if (!/^[0-9]+$/.test(digits)) break;
    if (length === 1 || digits[0] !== "0") endings.push({ head: name.slice(0, -length), digits });
  }
  return endings;
}
