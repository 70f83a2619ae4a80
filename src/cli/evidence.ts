// `sharper evidence`: what nodes hold against others, listed or written to a file, and such a file checked against a
// topology by anyone, with nothing else at hand.

import { readFile, stat, writeFile } from "node:fs/promises";
import type { Argv, CommandModule } from "yargs";
import { Members } from "../cluster/members.js";
import { parseTopology } from "../cluster/topology.js";
import { ed25519Verifier } from "../crypto/signature.js";
import { prefixRange } from "../ledger/keys.js";
import { provenBy } from "../node/contradiction.js";
import { evidenceOf } from "../node/testimony.js";
import type { Evidence } from "../node/witness.js";
import { CodedError } from "../types/codes.js";
import { showNode } from "../types/ids.js";
import { parseEvidenceFile, toEvidenceFile } from "./evidence-file.js";
import { openLedgers } from "./ledger-data.js";
import { type CommonOptions, ExitCode, printJson, printLine, printTable, runCommand } from "./output.js";

interface ListOptions extends CommonOptions {
  readonly data: readonly string[];
  readonly topology?: string | undefined;
  readonly out?: string | undefined;
}

interface VerifyOptions extends CommonOptions {
  readonly file: string;
  readonly topology: string;
}

/** Longer files are not read: no evidence needs more. */
const FILE_BYTES_MAX = 256 << 20;

const verifyCommand: CommandModule<object, VerifyOptions> = {
  command: "verify <file>",
  describe: "Check evidence that somebody shows; exit code 1 if any of it proves nothing",
  builder: (program: Argv) =>
    program
      .positional("file", { type: "string", demandOption: true, describe: "What `sharper evidence --out` wrote" })
      .option("topology", { type: "string", demandOption: true, requiresArg: true, describe: "The topology file" })
      .example("$0 evidence verify evidence.json --topology net/topology.yaml", ""),
  handler: (options) => runCommand(options, () => verifyEvidence(options)),
};

const listCommand: CommandModule<object, ListOptions> = {
  command: ["list", "$0"],
  describe: "List what stopped nodes hold against others",
  builder: (program: Argv) =>
    program
      .option("data", {
        type: "string",
        array: true,
        demandOption: true,
        requiresArg: true,
        describe: "Data folders of nodes, or folders that hold them",
      })
      .option("topology", { type: "string", requiresArg: true, describe: "Else the data's own copy is used" })
      .option("out", { type: "string", requiresArg: true, describe: "Write it to this file, to be shown to others" })
      .example("$0 evidence --data net/data --out evidence.json", ""),
  handler: (options) => runCommand(options, () => listEvidence(options)),
};

export const command: CommandModule = {
  command: "evidence",
  describe: "List and check signed evidence of nodes that broke the protocol",
  builder: (program) => program.command(listCommand).command(verifyCommand),
  handler: () => undefined,
};

async function listEvidence({ data, topology: file, out, json }: ListOptions): Promise<void> {
  const { topology, members, nodes, close } = await openLedgers(data, file);
  const context = { topology, members, verifier: ed25519Verifier };
  const holders = new Map<string, { readonly evidence: Evidence; readonly names: string[] }>();
  try {
    for (const { store, name } of nodes) {
      for await (const [, value] of store.range(prefixRange("evidence"))) {
        const evidence = evidenceOf(value, context);
        if (evidence === undefined) continue;
        const key = `${showNode(evidence.by)} ${evidence.kind} ${evidence.subject}`;
        const known = holders.get(key);
        if (known === undefined) holders.set(key, { evidence, names: [name] });
        else known.names.push(name);
      }
    }
  } finally {
    await close();
  }
  const all = [...holders].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
  const document = toEvidenceFile(
    topology.networkId,
    all.map(({ evidence }) => evidence),
  );
  if (out !== undefined) await writeFile(out, `${JSON.stringify(document)}\n`);
  if (json === true) return printJson(document);
  printTable(
    all.map(({ evidence: { by, kind, subject }, names }) => ({
      node: members.node(by)?.id ?? showNode(by),
      contradiction: kind,
      subject,
      held_by: names.join(" "),
    })),
  );
  printLine(`${all.length} contradictions, held by ${nodes.length} nodes`);
}

async function verifyEvidence({ file, topology: topologyFile, json }: VerifyOptions): Promise<ExitCode> {
  const topology = parseTopology(await readFile(topologyFile, "utf8"), topologyFile);
  const { size } = await stat(file);
  if (size > FILE_BYTES_MAX) throw new CodedError("evidence-malformed", `${file} has ${size} bytes, too many`);
  const { network, evidence } = parseEvidenceFile(await readFile(file, "utf8"), file);
  if (network !== topology.networkId) {
    const [said, wanted] = [network.slice(0, 12), topology.networkId.slice(0, 12)];
    throw new CodedError("wrong-network", `${file} is of network ${said}, ${topologyFile} of ${wanted}; give its own`);
  }
  const context = { topology, members: new Members(topology), verifier: ed25519Verifier };
  const verdicts = evidence.map(({ node, statements }) => {
    const proven = provenBy(statements, context);
    if (typeof proven === "string") return { node, proven: false, reason: proven };
    const { by, kind, subject } = proven;
    return { node: context.members.node(by)?.id ?? showNode(by), proven: true, reason: `${kind}, ${subject}` };
  });
  const isProven = verdicts.length > 0 && verdicts.every(({ proven }) => proven);
  if (json === true) printJson({ verdict: isProven ? "PROVEN" : "NOT PROVEN", evidence: verdicts });
  else {
    printTable(verdicts);
    printLine(isProven ? "PROVEN" : "NOT PROVEN");
  }
  return isProven ? ExitCode.ok : ExitCode.checkFailed;
}
