// `sharper balance`: what accounts hold, as enough nodes of their clusters say to believe it.

import type { CommandModule } from "yargs";
import { clusterOfAccount } from "../cluster/shards.js";
import { CodedError } from "../types/codes.js";
import { accountOf, type ClientOptions, clientOptions, deadlineMsOf, withClient } from "./client.js";
import { printJson, printTable, runCommand } from "./output.js";

interface BalanceOptions extends ClientOptions {
  readonly accounts: readonly string[];
}

export const command: CommandModule<object, BalanceOptions> = {
  command: "balance <accounts..>",
  describe: "Show balances of accounts",
  builder: (program) =>
    clientOptions(program)
      .positional("accounts", { type: "string", array: true, demandOption: true, describe: "Names of accounts" })
      .example("$0 balance --topology net/topology.yaml --key net/clients/client0.key a0 a1", ""),
  handler: (options) => runCommand(options, () => showBalances(options)),
};

export async function showBalances(options: BalanceOptions): Promise<void> {
  const deadlineMs = deadlineMsOf(options);
  const accounts = options.accounts.map((account) => accountOf(String(account)));
  const outcome = await withClient(
    options,
    (client) => client.balance(accounts, { deadlineMs }),
    (topology) => [...new Set(accounts.map((account) => clusterOfAccount(topology, account)))],
  );
  if (outcome.outcome === "unavailable") {
    const clusters = outcome.clusters.join(", ");
    throw new CodedError(
      "unavailable",
      `too few nodes of cluster ${clusters} agreed on an answer in ${deadlineMs / 1000} s; are they running?`,
    );
  }
  if (options.json === true) printJson(outcome);
  else printTable(outcome.accounts.map(({ owner, ...account }) => ({ ...account, owner: owner ?? "nobody" })));
}
