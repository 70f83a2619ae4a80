// Accounts in memory. `Accounts` holds them as of the last executed block, in columns, since a million JavaScript
// objects would cost as much again as their names; those that nobody has touched since the start may be left to whoever
// holds them all (buckets.ts). `WorkingAccounts` is what one block sees and changes: the block
// alone, so that nothing of it shows before its results are known and nothing of a later block shows in its outcome.

import type { AccountPosting } from "../types/block.js";
import type { AccountId, PublicKey } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { AccountValue } from "./engine.js";

const ROWS_AT_FIRST = 1024;
const UNOWNED = 0;

export class Accounts {
  readonly #rows = new Map<AccountId, number>();
  readonly #owners: (PublicKey | undefined)[] = [undefined];
  readonly #ownerNumbers = new Map<PublicKey, number>();
  #balances = new BigUint64Array(ROWS_AT_FIRST);
  #owned = new Uint32Array(ROWS_AT_FIRST);
  readonly #untouched: (account: AccountId) => AccountValue | undefined;

  /** `untouched`: of accounts that were neither among these nor set since. */
  constructor(
    accounts: Iterable<AccountValue>,
    untouched: (account: AccountId) => AccountValue | undefined = () => undefined,
  ) {
    this.#untouched = untouched;
    for (const account of accounts) this.set(account);
  }

  get(account: AccountId): AccountValue | undefined {
    const row = this.#rows.get(account);
    return row === undefined ? this.#untouched(account) : this.#valueOf(account, row);
  }

  set({ account, balance, owner }: AccountValue): void {
    // The column would wrap silently: money from nothing.
    if (balance < 0n || balance > limits.supplyMax) throw new Error(`balance ${balance} of ${account}`);
    let row = this.#rows.get(account);
    if (row === undefined) {
      row = this.#rows.size;
      this.#rows.set(account, row);
      if (row === this.#balances.length) this.#grow();
    }
    this.#balances[row] = balance;
    this.#owned[row] = owner === undefined ? UNOWNED : this.#numberOf(owner);
  }

  /** But for those that it leaves to others. */
  *[Symbol.iterator](): Generator<AccountValue> {
    for (const [account, row] of this.#rows) yield this.#valueOf(account, row);
  }

  #valueOf(account: AccountId, row: number): AccountValue {
    return { account, balance: this.#balances[row] as bigint, owner: this.#owners[this.#owned[row] as number] };
  }

  #numberOf(owner: PublicKey): number {
    let number = this.#ownerNumbers.get(owner);
    if (number === undefined) {
      number = this.#owners.push(owner) - 1;
      this.#ownerNumbers.set(owner, number);
    }
    return number;
  }

  #grow(): void {
    const balances = new BigUint64Array(this.#balances.length * 2);
    balances.set(this.#balances);
    this.#balances = balances;
    const owned = new Uint32Array(this.#owned.length * 2);
    owned.set(this.#owned);
    this.#owned = owned;
  }
}

export interface WorkingAccount {
  readonly account: AccountId;
  /** As the block found it. */
  readonly before: AccountValue | undefined;
  readonly exists: boolean;
  readonly balance: bigint;
  readonly owner: PublicKey | undefined;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export class WorkingAccounts {
  readonly #accounts = new Map<AccountId, Mutable<WorkingAccount>>();
  readonly #read: (account: AccountId) => AccountValue | undefined;

  constructor(read: (account: AccountId) => AccountValue | undefined) {
    this.#read = read;
  }

  get(account: AccountId): WorkingAccount {
    return this.#get(account);
  }

  claim(account: AccountId, owner: PublicKey): void {
    const working = this.#get(account);
    working.exists = true;
    working.owner = owner;
  }

  debit({ account, amount }: AccountPosting): void {
    const working = this.#get(account);
    if (working.balance < amount) throw new Error(`debit of ${amount} from ${account}, which holds ${working.balance}`);
    working.balance -= amount;
  }

  /** Opens an account that does not exist. */
  credit({ account, amount }: AccountPosting): void {
    const working = this.#get(account);
    working.exists = true;
    working.balance += amount;
  }

  /** What is different from what the block found, ascending by account. */
  changes(): readonly AccountValue[] {
    const changed: AccountValue[] = [];
    for (const { account, before, exists, balance, owner } of this.#accounts.values()) {
      const same = before === undefined ? !exists : before.balance === balance && before.owner === owner;
      if (!same) changed.push({ account, balance, owner });
    }
    return changed.sort((a, b) => (a.account < b.account ? -1 : 1));
  }

  #get(account: AccountId): Mutable<WorkingAccount> {
    let working = this.#accounts.get(account);
    if (working === undefined) {
      const before = this.#read(account);
      const exists = before !== undefined;
      working = { account, before, exists, balance: before?.balance ?? 0n, owner: before?.owner };
      this.#accounts.set(account, working);
    }
    return working;
  }
}
