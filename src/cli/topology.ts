// `sharper topology new` writes a network's topology and one key file for each node and client; `sharper topology
// check` tells what a topology file describes, or everything that is wrong with it. What is new in every network (keys,
// the end of its name) is drawn here; nothing existing is ever overwritten.

import { randomBytes } from "node:crypto";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Argv, CommandModule } from "yargs";
import { type Fresh, fillTemplate, type Plan, planTopology } from "../cluster/plan.js";
import { parseTemplate, parseTopology, type TopologyError } from "../cluster/topology.js";
import { generateSeed, writeKeyFile } from "../crypto/keys.js";
import { CodedError } from "../types/codes.js";
import type { FailureModel } from "../types/topology.js";
import { type CommonOptions, ExitCode, printJson, printLine, runCommand } from "./output.js";
import { printSummary, summaryOf } from "./summary.js";

interface NewOptions extends CommonOptions {
  readonly out: string;
  readonly from?: string | undefined;
  readonly name?: string | undefined;
  readonly clusters?: number | undefined;
  readonly model?: FailureModel | undefined;
  readonly mix?: string | undefined;
  readonly f?: number | undefined;
  readonly "base-port"?: number | undefined;
  readonly host?: string | undefined;
  readonly accounts?: number | undefined;
  readonly balance?: string | undefined;
  readonly clients?: number | undefined;
  readonly shards?: "hash" | "range" | undefined;
}

interface CheckOptions extends CommonOptions {
  readonly file: string;
}

export const command: CommandModule = {
  command: "topology",
  describe: "Write a new network's topology and keys, or check a topology file",
  builder: (program) =>
    program
      .command(newCommand)
      .command(checkCommand)
      .example("$0 topology new --clusters 2 --model crash --out net", "Two crash clusters of three nodes")
      .demandCommand(1, "no command is given: topology new or check"),
  handler: () => undefined,
};

const newCommand: CommandModule<object, NewOptions> = {
  command: "new",
  describe: "Write DIR/topology.yaml and the keys of all nodes and clients",
  builder: newOptions,
  handler: (options) => runCommand(options, () => makeNetwork(options)),
};

const checkCommand: CommandModule<object, CheckOptions> = {
  command: "check <file>",
  describe: "Say what a topology file describes, or everything that is wrong with it",
  builder: (program) =>
    program
      .positional("file", { type: "string", demandOption: true, describe: "The topology file" })
      .example("$0 topology check net/topology.yaml", "Exit code 1 if anything is wrong with it"),
  handler: (options) => runCommand(options, () => check(options)),
};

function newOptions(program: Argv<object>): Argv<NewOptions> {
  const shape = ["name", "clusters", "model", "mix", "f", "host", "accounts", "balance", "clients", "shards"];
  return program
    .option("out", { type: "string", demandOption: true, requiresArg: true, describe: "The folder to write into" })
    .option("from", {
      type: "string",
      requiresArg: true,
      describe: "Fill in this template, such as config/crash-4x3.yaml",
    })
    .option("name", {
      type: "string",
      requiresArg: true,
      describe: "Begins the network's name",
      defaultDescription: "sharper",
    })
    .option("clusters", { type: "number", requiresArg: true, describe: "Number of clusters", defaultDescription: "4" })
    .option("model", {
      choices: ["crash", "byzantine"] as const,
      describe: "Failure model of all clusters",
      defaultDescription: "byzantine",
    })
    .option("mix", {
      type: "string",
      requiresArg: true,
      describe: "A failure model for each cluster, with commas between",
    })
    .option("f", {
      type: "number",
      requiresArg: true,
      describe: "Failures each cluster tolerates",
      defaultDescription: "1",
    })
    .option("base-port", {
      type: "number",
      requiresArg: true,
      describe: "The first node's port; the others follow",
      defaultDescription: "7000, or the template's",
    })
    .option("host", {
      type: "string",
      requiresArg: true,
      describe: "IP or name of the nodes",
      defaultDescription: "127.0.0.1",
    })
    .option("accounts", {
      type: "number",
      requiresArg: true,
      describe: "Accounts at the start",
      defaultDescription: "1000",
    })
    .option("balance", {
      type: "string",
      requiresArg: true,
      describe: "Balance of each",
      defaultDescription: "1000000",
    })
    .option("clients", {
      type: "number",
      requiresArg: true,
      describe: "Clients, who own them",
      defaultDescription: "4",
    })
    .option("shards", {
      choices: ["hash", "range"] as const,
      describe: "How accounts are shared out among clusters",
      defaultDescription: "hash",
    })
    .conflicts("from", shape)
    .conflicts("mix", ["clusters", "model"])
    .example("$0 topology new --clusters 4 --model crash --out net", "Four crash clusters of three nodes")
    .example('$0 topology new --mix "crash,byzantine" --out net', "A crash and a byzantine cluster")
    .example("$0 topology new --from config/mixed-2x3-2x4.yaml --out net", "A ready network with fresh keys");
}

/** What no two networks share. */
export function freshNetwork(): Fresh {
  return { suffix: randomBytes(4).toString("hex"), makeSeed: generateSeed };
}

async function makeNetwork(options: NewOptions): Promise<void> {
  const fresh = freshNetwork();
  const file = join(options.out, "topology.yaml");
  const plan =
    options.from === undefined ? planTopology(planOptions(options, fresh)) : await fromTemplate(options, fresh);
  const topology = parseTopology(plan.yaml, file);
  await writeNetwork(options.out, plan);
  if (options.json === true) {
    printJson({ topology: file, keys: plan.keys.map((key) => keyPath(options.out, key)), ...summaryOf(topology) });
    return;
  }
  printSummary(summaryOf(topology));
  printLine(`\nWritten to ${options.out}: topology.yaml, nodes/<id>.key, clients/<id>.key`);
}

function planOptions(options: NewOptions, fresh: Fresh): Parameters<typeof planTopology>[0] {
  const { clusters = 4, model = "byzantine", mix, balance = "1000000" } = options;
  const models =
    mix === undefined ? Array.from({ length: wholeNumber(clusters, "clusters") }, () => model) : modelsOf(mix);
  if (!/^[0-9]{1,20}$/.test(balance))
    throw new CodedError("usage", `--balance is ${balance}; it must be a whole number`);
  return {
    ...fresh,
    name: options.name ?? "sharper",
    models,
    faults: options.f ?? 1,
    host: options.host ?? "127.0.0.1",
    basePort: options["base-port"] ?? 7000,
    clients: options.clients ?? 4,
    accounts: options.accounts ?? 1000,
    balance: BigInt(balance),
    shards: options.shards ?? "hash",
  };
}

/** An array must not be made before its length is known to be sound. */
function wholeNumber(value: number, option: string): number {
  if (Number.isInteger(value) && value >= 0 && value <= 65_536) return value;
  throw new CodedError("usage", `--${option} is ${value}; it must be a whole number`);
}

function modelsOf(mix: string): readonly FailureModel[] {
  return mix.split(",").map((word) => {
    const model = word.trim();
    if (model === "crash" || model === "byzantine") return model;
    throw new CodedError("usage", `--mix names the model "${model}"; write crash or byzantine for each cluster`);
  });
}

async function fromTemplate(options: NewOptions, fresh: Fresh): Promise<Plan> {
  const from = options.from as string;
  const template = parseTemplate(await readFile(from, "utf8"), from);
  if (template !== undefined) return fillTemplate(template, { ...fresh, basePort: options["base-port"] });
  throw new CodedError("not-a-template", `${from} has keys already; write "key: generate" where new ones should be`);
}

/** Writes a planned network into a folder that has none. */
export async function writeNetwork(out: string, { yaml, keys }: Plan): Promise<void> {
  const paths = ["topology.yaml", "nodes", "clients"].map((name) => join(out, name));
  for (const path of paths) {
    if (await exists(path)) throw new CodedError("exists", `${path} exists already; give an empty or new folder`);
  }
  await mkdir(out, { recursive: true, mode: 0o700 });
  for (const path of paths.slice(1)) await mkdir(path, { mode: 0o700 });
  for (const key of keys) await writeKeyFile(keyPath(out, key), key.seed);
  // Last, so that a folder with a topology has all of its keys.
  await writeFile(join(out, "topology.yaml"), yaml, { flag: "wx" });
}

function keyPath(out: string, { kind, id }: Plan["keys"][number]): string {
  return join(out, `${kind}s`, `${id}.key`);
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function check({ file, json }: CheckOptions): Promise<ExitCode> {
  const text = await readFile(file, "utf8");
  try {
    const template = parseTemplate(text, file);
    // Filled in with keys that nobody keeps: shows what a network of it would be.
    const yaml =
      template === undefined ? text : fillTemplate(template, { suffix: "template", makeSeed: generateSeed }).yaml;
    const summary = summaryOf(parseTopology(yaml, file), template?.network.name);
    if (json === true) {
      printJson({ file, valid: true, template: template !== undefined, ...summary });
    } else {
      printSummary(summary);
      if (template !== undefined)
        printLine(`\nA template without keys; to use it: sharper topology new --from ${file} --out DIR`);
    }
    return ExitCode.ok;
  } catch (error) {
    if (!isTopologyError(error)) throw error;
    if (json === true) printJson({ file, valid: false, problems: error.problems });
    else process.stderr.write(`${error.message}\n${file}: ${error.problems.length} problem(s)\n`);
    return ExitCode.checkFailed;
  }
}

function isTopologyError(error: unknown): error is TopologyError {
  return error instanceof CodedError && error.code === "topology-invalid";
}
