// `sharper balance`: what accounts hold, as enough nodes of their clusters say to believe it; or, a little older, with
// proofs that convince others, too.

import { writeFile } from "node:fs/promises";
import type { CommandModule } from "yargs";
import type { ProvenAccount } from "../client/sdk.js";
import { clusterOfAccount } from "../cluster/shards.js";
import { CodedError } from "../types/codes.js";
import { showSequence } from "../types/ids.js";
import type { Topology } from "../types/topology.js";
import { accountOf, type ClientOptions, clientOptions, deadlineMsOf, withClient } from "./client.js";
import { printJson, printLine, printTable, runCommand } from "./output.js";
import { toProofFile } from "./proof-file.js";

interface AccountsOptions extends ClientOptions {
  readonly accounts: readonly string[];
}

interface BalanceOptions extends AccountsOptions {
  readonly proof: boolean;
  readonly out?: string | undefined;
}

export const command: CommandModule<object, BalanceOptions> = {
  command: "balance <accounts..>",
  describe: "Show balances of accounts",
  builder: (program) =>
    clientOptions(program)
      .positional("accounts", { type: "string", array: true, demandOption: true, describe: "Names of accounts" })
      .option("proof", { type: "boolean", default: false, describe: "As of a stable checkpoint, with proof" })
      .option("out", { type: "string", requiresArg: true, describe: "With --proof: write the proofs to this file" })
      .epilogue("A proof convinces anyone who has the topology: see sharper proof verify.")
      .example("$0 balance --topology net/topology.yaml --key net/clients/client0.key a0 a1", "")
      .example("$0 balance --topology net/topology.yaml --key net/clients/client0.key a0 --proof --out a0.json", ""),
  handler: (options) => runCommand(options, () => (options.proof ? showProofs(options) : showWithout(options))),
};

async function showWithout(options: BalanceOptions): Promise<void> {
  if (options.out !== undefined) throw new CodedError("usage", "--out is for proofs; give --proof as well");
  await showBalances(options);
}

export async function showBalances(options: AccountsOptions): Promise<void> {
  const deadlineMs = deadlineMsOf(options);
  const accounts = accountsOf(options);
  const outcome = await withClient(
    options,
    (client) => client.balance(accounts, { deadlineMs }),
    (topology) => clustersOf(accounts, topology),
  );
  if (outcome.outcome === "unavailable") throw unavailable(outcome.clusters, deadlineMs);
  if (options.json === true) printJson(outcome);
  else printTable(outcome.accounts.map(({ owner, ...account }) => ({ ...account, owner: owner ?? "nobody" })));
}

async function showProofs(options: BalanceOptions): Promise<void> {
  const deadlineMs = deadlineMsOf(options);
  const accounts = accountsOf(options);
  const { outcome, network } = await withClient(
    options,
    async (client) => ({
      outcome: await client.provenBalance(accounts, { deadlineMs }),
      network: client.topology.networkId,
    }),
    (topology) => clustersOf(accounts, topology),
  );
  if (outcome.outcome === "unavailable") {
    if (outcome.code === "unavailable") throw unavailable(outcome.clusters, deadlineMs);
    const why = "cannot prove anything before its first stable checkpoint, which takes some 64 blocks";
    throw new CodedError(outcome.code, `cluster ${outcome.clusters.join(", ")} ${why}; ask without --proof, or later`);
  }
  const document = toProofFile(network, outcome.accounts);
  if (options.out !== undefined) await writeFile(options.out, `${JSON.stringify(document)}\n`);
  if (options.json === true) return printJson(document);
  printTable(outcome.accounts.map(rowOf));
  if (options.out !== undefined) printLine(`wrote ${outcome.accounts.length} proofs to ${options.out}`);
}

function rowOf({ account, exists, balance, cluster, height, sequence, owner, proof }: ProvenAccount) {
  const at = { cluster, height, sequence: showSequence(sequence) };
  return { account, exists, balance, ...at, owner: owner ?? "nobody", "proof bytes": proof.length };
}

function accountsOf({ accounts }: AccountsOptions) {
  return accounts.map((account) => accountOf(String(account)));
}

function clustersOf(accounts: ReturnType<typeof accountsOf>, topology: Topology) {
  return [...new Set(accounts.map((account) => clusterOfAccount(topology, account)))];
}

function unavailable(clusters: readonly number[], deadlineMs: number): CodedError {
  return new CodedError(
    "unavailable",
    `too few nodes of cluster ${clusters.join(", ")} agreed on an answer in ${deadlineMs / 1000} s; are they running?`,
  );
}
