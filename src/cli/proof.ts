// `sharper proof`: checks proofs of balances that somebody shows, against a topology and nothing else.

import { readFile, stat } from "node:fs/promises";
import type { Argv, CommandModule } from "yargs";
import { loadTopology, verifyBalance } from "../client/sdk.js";
import { CodedError } from "../types/codes.js";
import { showSequence } from "../types/ids.js";
import type { Topology } from "../types/topology.js";
import { type CommonOptions, ExitCode, printJson, printLine, printTable, runCommand } from "./output.js";
import { differenceOf, PROOF_FILE_BYTES_MAX, type ProofFile, parseProofFile, proofBytesOf } from "./proof-file.js";
import { topologyFile } from "./shared-options.js";

interface VerifyOptions extends CommonOptions {
  readonly file: string;
  readonly topology: string;
}

const verifyCommand: CommandModule<object, VerifyOptions> = {
  command: "verify <file>",
  describe: "Check proofs of balances offline; exit code 1 if any of them proves nothing",
  builder: (program: Argv) =>
    program
      .positional("file", { type: "string", demandOption: true, describe: "What `sharper balance --out` wrote" })
      .option("topology", topologyFile)
      .epilogue("A proof is of a moment: of the checkpoint whose height and sequence it shows.")
      .example("$0 proof verify proof.json --topology net/topology.yaml", ""),
  handler: (options) => runCommand(options, () => verifyProofs(options)),
};

export const command: CommandModule = {
  command: "proof",
  describe: "Check proofs of balances",
  builder: (program) => program.command(verifyCommand).demandCommand(1, "no command is given: proof verify"),
  handler: () => undefined,
};

async function verifyProofs({ file, topology: path, json }: VerifyOptions): Promise<ExitCode> {
  const topology = await loadTopology(path);
  const { size } = await stat(file);
  if (size > PROOF_FILE_BYTES_MAX) throw new CodedError("proof-malformed", `${file} has ${size} bytes, too many`);
  const { network, proofs } = parseProofFile(await readFile(file, "utf8"), file);
  if (network !== topology.networkId) {
    const [said, wanted] = [network.slice(0, 12), topology.networkId.slice(0, 12)];
    throw new CodedError("wrong-network", `${file} is of network ${said}, ${path} of ${wanted}; give its own`);
  }
  const verdicts = proofs.map((said) => judge(said, topology));
  const isProven = verdicts.length > 0 && verdicts.every(({ proven }) => proven);
  if (json === true) printJson({ verdict: isProven ? "PROVEN" : "NOT PROVEN", proofs: verdicts });
  else {
    printTable(verdicts);
    printLine(isProven ? "PROVEN" : "NOT PROVEN");
  }
  return isProven ? ExitCode.ok : ExitCode.checkFailed;
}

function judge(said: ProofFile["proofs"][number], topology: Topology) {
  try {
    const shown = verifyBalance(proofBytesOf(said), topology);
    const difference = differenceOf(said, shown);
    if (difference !== undefined) return { account: said.account, proven: false, reason: difference };
    const { account, exists, balance, cluster, height, sequence } = shown;
    const at = `cluster ${cluster}, height ${height}, sequence ${showSequence(sequence)}`;
    return { account, proven: true, reason: exists ? `holds ${balance}: ${at}` : `does not exist: ${at}` };
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    return { account: said.account, proven: false, reason: error.message };
  }
}
