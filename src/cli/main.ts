#!/usr/bin/env node
// The `sharper` command. The table below is all that it knows of its commands before one of them runs: a command's
// module, and with it the network or the database, is loaded only when it is the one called, so that help and short
// commands start quickly. On a Node that is too old nothing is loaded at all.

import { nodeProblem } from "./node-version.js";
import type { CommandEntry } from "./program.js";

const commands: readonly CommandEntry[] = [
  {
    name: "topology",
    describe: "Write a new network's topology and keys, or check a topology file",
    load: () => import("./topology.js"),
  },
  { name: "node", describe: "Run one node of a network", load: () => import("./node.js") },
  {
    name: "devnet",
    describe: "Start, look at and stop all nodes of a network on this machine",
    load: () => import("./devnet.js"),
  },
  {
    name: "backup",
    describe: "Back up the ledger of a node, running or not, and check backups",
    load: () => import("./backup.js"),
  },
  { name: "restore", describe: "Make a node's data folder from a backup", load: () => import("./restore.js") },
  { name: "account", describe: "Open accounts, show them, list those of a key", load: () => import("./account.js") },
  { name: "balance", describe: "Show balances of accounts", load: () => import("./balance.js") },
  { name: "proof", describe: "Check proofs of balances offline", load: () => import("./proof.js") },
  { name: "transfer", describe: "Move money between accounts", load: () => import("./transfer.js") },
  { name: "load", describe: "Generate load and measure throughput and latency", load: () => import("./load.js") },
  {
    name: "ledger",
    describe: "Show, verify and draw the ledgers of stopped nodes",
    load: () => import("./ledger.js"),
  },
  {
    name: "evidence",
    describe: "List and check signed evidence of nodes that broke the protocol",
    load: () => import("./evidence.js"),
  },
  {
    name: "simulate",
    describe: "Run simulated networks with faults, one for each seed, and check them",
    // Two commands in one name, with options of their own.
    load: () => (process.argv.includes("--scale") ? import("./simulate-scale.js") : import("./simulate.js")),
  },
  {
    name: "crashes",
    describe: "Crash a simulated node at every boundary between two effects of a run",
    load: () => import("./crashes.js"),
  },
  {
    name: "fuzz",
    describe: "Throw mutated inputs at every entrance, and look for what breaks",
    load: () => import("./fuzz.js"),
  },
  {
    name: "demo",
    describe: "Run a whole network with load on it, then verify its ledgers",
    load: () => import("./demo.js"),
  },
  {
    name: "catchup",
    describe: "Measure what a load notices of a node that catches up, and of a backup",
    load: () => import("./catchup.js"),
  },
  {
    name: "failover",
    describe: "Kill a primary of a network under load, measure, and look for what was lost",
    load: () => import("./failover.js"),
  },
  {
    name: "chaos",
    describe: "Run a network with random faults under load, and compare what clients heard with the ledgers",
    load: () => import("./chaos.js"),
  },
  {
    name: "soak",
    describe: "Run a network under a steady load for long, and see whether anything grows",
    load: () => import("./soak.js"),
  },
  {
    name: "startup",
    describe: "Measure how long a node with a long history takes to start",
    load: () => import("./startup.js"),
  },
];

// A reader that has seen enough, as in `sharper ledger show | head`, is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? 0 : 1);
});

const args = process.argv.slice(2);
const problem = nodeProblem(process.versions.node);
if (problem === undefined) {
  const { runProgram } = await import("./program.js");
  await runProgram(args, commands);
} else {
  const error = { code: "node-too-old", message: problem };
  process.stderr.write(args.includes("--json") ? `${JSON.stringify({ error })}\n` : `sharper: ${problem}\n`);
  process.exitCode = 2;
}
