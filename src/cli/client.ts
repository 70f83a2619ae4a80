// What the commands of a client have in common: their options, the connection, and how outcomes are shown and become
// exit codes.

import { dirname } from "node:path";
import type { Argv } from "yargs";
import { type Client, connect, loadTopology, type Outcome } from "../client/sdk.js";
import { CodedError } from "../types/codes.js";
import { type AccountId, type ClusterId, isAccountId, showSequence } from "../types/ids.js";
import type { Topology } from "../types/topology.js";
import { type CommonOptions, ExitCode, exitCodeOfRejection, fail, printJson, printLine } from "./output.js";

export interface ClientOptions extends CommonOptions {
  readonly topology: string;
  readonly key: string;
  /** Seconds. */
  readonly deadline: number;
}

export function clientOptions<T>(program: Argv<T>): Argv<T & ClientOptions> {
  return program
    .option("topology", { type: "string", demandOption: true, requiresArg: true, describe: "The topology file" })
    .option("key", { type: "string", demandOption: true, requiresArg: true, describe: "The client's key file" })
    .option("deadline", { type: "number", default: 10, requiresArg: true, describe: "Seconds to wait at most" });
}

export function deadlineMsOf({ deadline }: ClientOptions): number {
  if (deadline > 0 && deadline <= 3600) return deadline * 1000;
  throw new CodedError("usage", `--deadline is ${deadline}; it must be above 0 and at most 3600 seconds`);
}

/** Connects to the clusters that `choose` names (default: all), does the work and closes the connections. */
export async function withClient<T>(
  options: ClientOptions,
  work: (client: Client) => Promise<T>,
  choose: (topology: Topology) => readonly ClusterId[] = ({ clusters }) => clusters.map(({ id }) => id),
): Promise<T> {
  const topology = await loadTopology(options.topology);
  const client = await connect({ topology, key: options.key, clusters: choose(topology) });
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

/** Shows how a request ended, and returns the exit code that belongs to it. */
export function showOutcome(outcome: Outcome, options: ClientOptions): ExitCode {
  if (options.json === true) printJson(documentOf(outcome));
  switch (outcome.outcome) {
    case "committed": {
      const { cluster, height, sequence, latencyMs } = outcome;
      const where = `cluster ${cluster}, height ${height}, sequence ${showSequence(sequence)}`;
      if (options.json !== true) printLine(`committed: ${where}, in ${latencyMs.toFixed(1)} ms`);
      return ExitCode.ok;
    }
    case "rejected": {
      const { record, code, message } = outcome;
      const where = record && ` (recorded as failed: cluster ${record.cluster}, height ${record.height})`;
      const error = new CodedError(code, `rejected, ${code}: ${message}${where ?? ""}`);
      return fail(error, options, exitCodeOfRejection(code));
    }
    case "unknown":
      return fail(new CodedError("outcome-unknown", unknownMessage(outcome, options)), options);
  }
}

type UnknownOutcome = Extract<Outcome, { outcome: "unknown" }>;

function unknownMessage({ request, lastRefusal }: UnknownOutcome, { topology, key }: ClientOptions): string {
  const hint = lastRefusal === undefined ? "" : `, one said ${lastRefusal}`;
  const until = new Date(request.validUntil).toISOString();
  const files = `--topology ${quote(topology)} --key ${quote(key)}`;
  const command = `sharper transfer ${files} --resume ${tokenOf(request.bytes)}`;
  return (
    `too few nodes answered by the deadline${hint}; the request may still be executed until ${until}. ` +
    `To find out, before then:\n${command}`
  );
}

/** As the ledger commands show records, sequences included. */
function documentOf(outcome: Outcome): object {
  if (outcome.outcome === "committed") return { ...outcome, sequence: showSequence(outcome.sequence) };
  const { request: sent, ...rest } = outcome;
  const { bytes, ...request } = sent;
  const record = "record" in rest && rest.record && { ...rest.record, sequence: showSequence(rest.record.sequence) };
  return { ...rest, ...(record && { record }), request: { ...request, resume: tokenOf(bytes) } };
}

/** An account as the user typed it; refused by name, before anything is connected. */
export function accountOf(text: string): AccountId {
  if (isAccountId(text)) return text;
  const rule = "use 1 to 64 of A-Z a-z 0-9 . _ : - and begin with a letter or digit";
  throw new CodedError("bad-account", `"${text}" is no account name; ${rule}`);
}

function tokenOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}

function quote(argument: string): string {
  return /^[\w./:@%+=-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}

/** Where `sharper topology new` puts clients' keys: beside the topology. */
export function clientKeysBeside(topology: string): string {
  return `${dirname(topology)}/clients`;
}
