// `sharper transfer`: moves money from accounts of the client's key to any accounts, or finds out what became of an
// earlier request whose outcome was unknown.

import type { Argv, CommandModule } from "yargs";
import type { Client, Outcome } from "../client/sdk.js";
import { initiatorOf } from "../cluster/block.js";
import { clusterOfAccount } from "../cluster/shards.js";
import type { BlockOperation } from "../types/block.js";
import { CodedError } from "../types/codes.js";
import type { AccountId, ClusterId } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { Topology } from "../types/topology.js";
import { accountOf, type ClientOptions, clientOptions, deadlineMsOf, showOutcome, withClient } from "./client.js";
import { type ExitCode, runCommand } from "./output.js";

interface TransferOptions extends ClientOptions {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly amount?: string | undefined;
  readonly debit?: readonly string[] | undefined;
  readonly credit?: readonly string[] | undefined;
  readonly resume?: string | undefined;
}

interface Posting {
  readonly account: AccountId;
  readonly amount: bigint;
}

interface Movement {
  readonly debits: readonly Posting[];
  readonly credits: readonly Posting[];
}

export const command: CommandModule<object, TransferOptions> = {
  command: "transfer",
  describe: "Move money between accounts",
  builder: transferOptions,
  handler: (options) => runCommand(options, () => transfer(options)),
};

function transferOptions(program: Argv<object>): Argv<TransferOptions> {
  const posting = { type: "string", array: true, nargs: 1, requiresArg: true } as const;
  return clientOptions(program)
    .option("from", { type: "string", requiresArg: true, describe: "The account to debit" })
    .option("to", { type: "string", requiresArg: true, describe: "The account to credit" })
    .option("amount", { type: "string", requiresArg: true, describe: "A whole number, 1 or more" })
    .option("debit", { ...posting, describe: "ACCOUNT=AMOUNT to debit; may be repeated" })
    .option("credit", { ...posting, describe: "ACCOUNT=AMOUNT to credit; may be repeated" })
    .option("resume", { type: "string", requiresArg: true, describe: "Find out about a request, by its token" })
    .implies("from", ["to", "amount"])
    .implies("to", "from")
    .implies("amount", "from")
    .implies("debit", "credit")
    .implies("credit", "debit")
    .conflicts("from", ["debit", "resume"])
    .conflicts("debit", "resume")
    .example(
      "$0 transfer --topology net/topology.yaml --key net/clients/client0.key --from client0-0 --to bob --amount 5",
      "",
    )
    .example(
      "$0 transfer --topology T --key K --debit a0=5 --debit a2=1 --credit a1=6",
      "From two accounts to one, all or nothing",
    )
    .example("$0 transfer --topology T --key K --resume TOKEN", "What became of a request of unknown outcome");
}

async function transfer(options: TransferOptions): Promise<ExitCode> {
  const deadlineMs = deadlineMsOf(options);
  if (options.resume !== undefined) {
    const bytes = Buffer.from(options.resume, "base64url");
    return showOutcome(await withClient(options, (client) => client.resolve(bytes, { deadlineMs })), options);
  }
  const movement = movementOf(options);
  const submit = (client: Client): Promise<Outcome> =>
    client.submit({ operations: [{ kind: "transfer", ...movement }], deadlineMs });
  return showOutcome(await withClient(options, submit, (topology) => initiator(movement, topology)), options);
}

function movementOf({ from, to, amount, debit, credit }: TransferOptions): Movement {
  if (from !== undefined && to !== undefined && amount !== undefined) {
    const value = amountOf(amount, "--amount");
    return {
      debits: [{ account: accountOf(from), amount: value }],
      credits: [{ account: accountOf(to), amount: value }],
    };
  }
  if (debit !== undefined && credit !== undefined) {
    return { debits: debit.map(postingOf), credits: credit.map(postingOf) };
  }
  throw new CodedError("usage", 'what to move? Give --from, --to and --amount; see "sharper transfer --help"');
}

function postingOf(text: string): Posting {
  const at = text.lastIndexOf("=");
  if (at > 0) {
    return { account: accountOf(text.slice(0, at)), amount: amountOf(text.slice(at + 1), `the amount of "${text}"`) };
  }
  throw new CodedError("usage", `"${text}" is no ACCOUNT=AMOUNT, such as a0=5`);
}

function amountOf(text: string, what: string): bigint {
  const amount = /^[0-9]{1,20}$/.test(text) ? BigInt(text) : 0n;
  if (amount >= 1n && amount <= limits.supplyMax) return amount;
  throw new CodedError("usage", `${what} is "${text}"; it must be a whole number from 1 to ${limits.supplyMax}`);
}

/** Only its nodes are needed. */
function initiator({ debits, credits }: Movement, topology: Topology): readonly ClusterId[] {
  const accounts = [...debits, ...credits].map(({ account }) => account);
  const clusters = [...new Set(accounts.map((account) => clusterOfAccount(topology, account)))].sort((a, b) => a - b);
  const operation = { kind: "transfer", debits, credits } as BlockOperation;
  return [initiatorOf({ clusters, operations: [operation] }, topology)];
}
