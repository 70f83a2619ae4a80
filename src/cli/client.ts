// What the commands of a client have in common: their options, the connection, and how outcomes are shown and become
// exit codes.

import { dirname } from "node:path";
import type { Argv } from "yargs";
import { type Client, connect, loadTopology, type Outcome } from "../client/sdk.js";
import { CodedError } from "../types/codes.js";
import { type ClusterId, showSequence } from "../types/ids.js";
import type { Topology } from "../types/topology.js";
import { type CommonOptions, printJson, printLine } from "./output.js";

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

/** Shows how a request ended; throws what decides about the exit code unless it was committed. */
export function showOutcome(outcome: Outcome, options: ClientOptions): void {
  if (options.json === true) printJson(documentOf(outcome));
  switch (outcome.outcome) {
    case "committed": {
      const { cluster, height, sequence, latencyMs } = outcome;
      const where = `cluster ${cluster}, height ${height}, sequence ${showSequence(sequence)}`;
      if (options.json !== true) printLine(`committed: ${where}, in ${latencyMs.toFixed(1)} ms`);
      return;
    }
    case "rejected": {
      const { record, code, message } = outcome;
      const where = record && ` (recorded as failed: cluster ${record.cluster}, height ${record.height})`;
      throw new CodedError(code, `rejected, ${code}: ${message}${where ?? ""}`);
    }
    case "unknown":
      throw new CodedError("outcome-unknown", unknownMessage(outcome, options));
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

function documentOf(outcome: Outcome): object {
  if (outcome.outcome === "committed") return outcome;
  const { request: sent, ...rest } = outcome;
  const { bytes, ...request } = sent;
  return { ...rest, request: { ...request, resume: tokenOf(bytes) } };
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
