// `sharper ledger show|verify|graph`: what stopped nodes have on disk, for people, for auditors and as a picture.

import type { Argv, CommandModule } from "yargs";
import { GRAPH_FORMATS, type GraphOptions, graph } from "./ledger-graph.js";
import { type ShowOptions, show } from "./ledger-show.js";
import { type VerifyOptions, verify } from "./ledger-verify.js";
import { runCommand } from "./output.js";

const topologyOption = {
  type: "string",
  requiresArg: true,
  describe: "The topology file; else the data's own copy is used",
} as const;

const dataOption = {
  type: "string",
  array: true,
  demandOption: true,
  requiresArg: true,
  describe: "Data folders of nodes, or folders that hold them",
} as const;

const showCommand: CommandModule<object, ShowOptions> = {
  command: "show",
  describe: "Print a node's records, or one record in full",
  builder: (program: Argv) =>
    program
      .option("data", { type: "string", demandOption: true, requiresArg: true, describe: "A node's data folder" })
      .option("topology", topologyOption)
      .option("from", { type: "number", requiresArg: true, describe: "First height (else the last 100 records)" })
      .option("to", { type: "number", requiresArg: true, describe: "Last height" })
      .option("height", { type: "number", requiresArg: true, describe: "This record in full" })
      .conflicts("height", ["from", "to"])
      .example("$0 ledger show --data net/data/c1n0", "The last records of that node's view")
      .example("$0 ledger show --data net/data/c1n0 --height 17", "Requests, results and certificates of record 17"),
  handler: (options) => runCommand(options, () => show(options)),
};

const verifyCommand: CommandModule<object, VerifyOptions> = {
  command: "verify",
  describe: "Check everything that can be checked offline; exit code 1 if anything is off",
  builder: (program: Argv) =>
    program
      .option("data", dataOption)
      .option("topology", topologyOption)
      .option("strict", {
        type: "boolean",
        describe: "The network was quiet when it stopped: every cross-shard block must be in all its views",
      })
      .example("$0 ledger verify --data net/data", "All nodes below that folder, and that they agree")
      .example(
        "$0 ledger verify --data a/c1n0 b/c2n0 --topology net/topology.yaml",
        "Two nodes against your own topology",
      ),
  handler: (options) => runCommand(options, () => verify(options)),
};

const graphCommand: CommandModule<object, GraphOptions> = {
  command: "graph",
  describe: "Draw the ledger: the united views of all clusters",
  builder: (program: Argv) =>
    program
      .option("data", dataOption)
      .option("topology", topologyOption)
      .option("format", { choices: GRAPH_FORMATS, requiresArg: true, describe: "Else told by the ending of --out" })
      .option("out", { type: "string", requiresArg: true, describe: "The file to write (else standard output)" })
      .option("from", { type: "number", requiresArg: true, describe: "Smallest counter of final sequences shown" })
      .option("to", { type: "number", requiresArg: true, describe: "Largest counter of final sequences shown" })
      .option("last", { type: "number", requiresArg: true, describe: "Only so many last blocks (60 by default)" })
      .conflicts("last", ["from", "to"])
      .example("$0 ledger graph --data net/data --out ledger.svg", "A picture of the last 60 blocks")
      .example("$0 ledger graph --data net/data --format dot --from 1 --to 20", "The beginning, for Graphviz"),
  handler: (options) => runCommand(options, () => graph(options)),
};

export const command: CommandModule = {
  command: "ledger",
  describe: "Show, verify and draw the ledgers of stopped nodes",
  builder: (program) =>
    program
      .command(showCommand)
      .command(verifyCommand)
      .command(graphCommand)
      .example("$0 ledger verify --data net/data", "All nodes below that folder, and that they agree")
      .demandCommand(1, "no command is given: ledger show, verify or graph"),
  handler: () => undefined,
};
