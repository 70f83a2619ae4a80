// Parses the command line with yargs, strictly: an unknown command, option or missing argument ends with exit code 2
// and a sentence that says where help is. Only the module of the command that is called is loaded; the others appear in
// the help by name and description.

import yargs, { type Argv, type CommandModule } from "yargs";
import { CodedError } from "../types/codes.js";
import { ExitCode, fail, printLine } from "./output.js";

export interface CommandEntry {
  readonly name: string;
  readonly describe: string;
  /** The command's module; its file names all options and has the examples. */
  readonly load: () => Promise<{ readonly command: AnyCommand }>;
}

// Each command has options of its own type; yargs checks them against its builder.
// biome-ignore lint/suspicious/noExplicitAny: the options' types differ between commands
type AnyCommand = CommandModule<any, any>;

/** Runs the command that the arguments name. Sets the process's exit code; returns when the command has ended. */
export async function runProgram(args: readonly string[], commands: readonly CommandEntry[]): Promise<void> {
  const json = args.includes("--json");
  const word = args.find((argument) => !argument.startsWith("-"));
  try {
    const called = commands.find(({ name }) => name === word);
    const program = baseProgram(args, called === undefined ? "sharper --help" : `sharper ${called.name} --help`);
    if (called !== undefined) {
      const { command } = await called.load();
      program.command({ describe: called.describe, ...command });
    } else if (word === undefined) {
      for (const { name, describe } of commands) program.command(name, describe);
      program.demandCommand(1, "no command is given");
    } else {
      const names = commands.map(({ name }) => name).join(", ");
      throw new CodedError("usage", `unknown command ${word}; the commands are ${names}; see "sharper --help"`);
    }
    const { help } = await program.parseAsync();
    // Below every help page; an epilogue of yargs would only be shown on the first.
    if (help === true) printExitCodes();
  } catch (error) {
    process.exitCode = fail(error, { json });
  }
}

function baseProgram(args: readonly string[], helpCommand: string): Argv {
  const columnsMax = 100;
  return yargs([...args])
    .scriptName("sharper")
    .usage("$0 <command> [options]")
    .option("json", { type: "boolean", describe: "Print one JSON document on stdout, errors as JSON on stderr" })
    .help()
    .alias("help", "h")
    .version()
    .strict()
    .check((values, declared) => checkValues(args, values, declared))
    .exitProcess(false)
    .showHelpOnFail(false)
    .wrap(Math.min(columnsMax, process.stdout.columns ?? columnsMax))
    .fail((message, error) => {
      // Mistakes in the arguments come as a message, or as an error of yargs' own; all else is what a command threw.
      throw error === undefined || error.name === "YError" ? usageError(message ?? error.message, helpCommand) : error;
    });
}

/** What yargs lets pass: a number that is none, and an option given twice, which would become an array. */
function checkValues(args: readonly string[], values: Readonly<Record<string, unknown>>, declared: unknown): true {
  const { array } = declared as { readonly array: readonly string[] };
  for (const [name, value] of Object.entries(values)) {
    if (Number.isNaN(value)) throw new CodedError("usage", `--${name} must be a number`);
    const given = args.filter((argument) => argument === `--${name}` || argument.startsWith(`--${name}=`)).length;
    if (given > 1 && !array.includes(name)) throw new CodedError("usage", `--${name} is given more than once`);
  }
  return true;
}

const exitCodes = [
  [ExitCode.ok, "ok"],
  [ExitCode.checkFailed, "a check failed"],
  [ExitCode.usage, "wrong usage or input"],
  [ExitCode.rejected, "rejected by the network"],
  [ExitCode.unknown, "outcome unknown; the message says how to find out"],
  [ExitCode.unavailable, "network unavailable or deadline passed"],
  [ExitCode.damaged, "a node's stored data is damaged or not its newest"],
  [ExitCode.disk, "the disk takes no more, or fails"],
  [ExitCode.bug, "a bug of sharper"],
  [ExitCode.interrupted, "interrupted"],
] as const;

function printExitCodes(): void {
  printLine("\nExit codes:");
  for (const [code, meaning] of exitCodes) printLine(`${String(code).padStart(5)}  ${meaning}`);
}

function usageError(message: string, helpCommand: string): CodedError {
  const sentence = message
    .split("\n")
    .filter((line) => line !== "" && line !== "Invalid values:")
    .map((line) => line.replace(/^ *Argument: (\S+), Given: (.*), Choices: (.*)$/, "--$1 is $2; it must be one of $3"))
    .map((line) => `${line.charAt(0).toLowerCase()}${line.slice(1)}`)
    .join("; ");
  return new CodedError("usage", `${sentence}; see "${helpCommand}"`);
}
