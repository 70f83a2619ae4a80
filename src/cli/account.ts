// `sharper account`: open accounts, look at them, and list those that a key owns from the start.

import type { Argv, CommandModule } from "yargs";
import { loadTopology } from "../client/sdk.js";
import { genesisAccounts } from "../cluster/genesis.js";
import { clusterOfAccount } from "../cluster/shards.js";
import { readKeyFile } from "../crypto/keys.js";
import { CodedError } from "../types/codes.js";
import { showBalances } from "./balance.js";
import { accountOf, type ClientOptions, clientOptions, deadlineMsOf, showOutcome, withClient } from "./client.js";
import { type CommonOptions, type ExitCode, printJson, printLine, printTable, runCommand } from "./output.js";

interface OpenOptions extends ClientOptions {
  readonly id: string;
}

interface ShowOptions extends ClientOptions {
  readonly accounts: readonly string[];
}

interface ListOptions extends CommonOptions {
  readonly topology: string;
  readonly key: string;
  readonly limit: number;
}

export const command: CommandModule = {
  command: "account",
  describe: "Open accounts, show them, list those of a key",
  builder: (program) =>
    program
      .command(openCommand)
      .command(showCommand)
      .command(listCommand)
      .example("$0 account list --topology net/topology.yaml --key net/clients/client0.key", "")
      .demandCommand(1, "no command is given: account open, show or list"),
  handler: () => undefined,
};

const openCommand: CommandModule<object, OpenOptions> = {
  command: "open <id>",
  describe: "Open an account, owned by the client's key",
  builder: (program) =>
    clientOptions(program)
      .positional("id", { type: "string", demandOption: true, describe: "1 to 64 of A-Z a-z 0-9 . _ : -" })
      .example("$0 account open --topology net/topology.yaml --key net/clients/client0.key savings", ""),
  handler: (options) => runCommand(options, () => open(options)),
};

const showCommand: CommandModule<object, ShowOptions> = {
  command: "show <accounts..>",
  describe: "Show balance and owner of accounts",
  builder: (program) =>
    clientOptions(program)
      .positional("accounts", { type: "string", array: true, demandOption: true, describe: "Names of accounts" })
      .example("$0 account show --topology net/topology.yaml --key net/clients/client0.key savings", ""),
  handler: (options) => runCommand(options, () => showBalances(options)),
};

const listCommand: CommandModule<object, ListOptions> = {
  command: "list",
  describe: "List the accounts that the key owns in the topology, with the balances of the start",
  builder: listOptions,
  handler: (options) => runCommand(options, () => list(options)),
};

function listOptions(program: Argv<object>): Argv<ListOptions> {
  return program
    .option("topology", { type: "string", demandOption: true, requiresArg: true, describe: "The topology file" })
    .option("key", { type: "string", demandOption: true, requiresArg: true, describe: "The client's key file" })
    .option("limit", { type: "number", default: 100, requiresArg: true, describe: "Show so many at most" })
    .example("$0 account list --topology net/topology.yaml --key net/clients/client0.key", "");
}

async function open(options: OpenOptions): Promise<ExitCode> {
  const deadlineMs = deadlineMsOf(options);
  const id = accountOf(String(options.id));
  const outcome = await withClient(
    options,
    (client) => client.openAccount(id, { deadlineMs }),
    (topology) => [clusterOfAccount(topology, id)],
  );
  return showOutcome(outcome, options);
}

async function list({ topology: path, key, limit, json }: ListOptions): Promise<void> {
  if (!Number.isInteger(limit) || limit < 1) {
    throw new CodedError("usage", `--limit is ${limit}; it must be a whole number, 1 or more`);
  }
  const topology = await loadTopology(path);
  const { signer } = await readKeyFile(key);
  const shown: { readonly account: string; readonly cluster: number; readonly balance: bigint }[] = [];
  let count = 0;
  for (const { account, cluster, owner, balance } of genesisAccounts(topology)) {
    if (owner !== signer.publicKey) continue;
    count++;
    if (shown.length < limit) shown.push({ account, cluster, balance });
  }
  if (json === true) {
    printJson({ owner: signer.publicKey, count, accounts: shown });
    return;
  }
  if (count === 0) printLine(`the key of ${key} (${signer.publicKey}) owns no account of the topology`);
  printTable(shown.map(({ balance, ...account }) => ({ ...account, "balance at the start": balance })));
  if (count > shown.length) printLine(`and ${count - shown.length} more; see --limit`);
}
