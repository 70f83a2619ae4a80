// How commands speak: tables and lines for people and one JSON document for programs on stdout, errors on stderr, and
// an exit code that says what kind of ending it was. Commands wrap their work in `runCommand` and throw; nothing else
// of the command line decides about exit codes. No command calls `process.exit`, so that output is written out
// completely.

import Table from "cli-table3";
import { CodedError } from "../types/codes.js";

/** How a command ended. Part of the documented interface: numbers never change. */
export const ExitCode = {
  /** Everything was done, every check passed. */
  ok: 0,
  /** The command ran, and what it checked is not right (ledger verify, topology check, a demo's verdict). */
  checkFailed: 1,
  /** Wrong usage, or input that cannot be used: options, files, keys, topologies. */
  usage: 2,
  /** The network rejected the operation; nothing was changed. */
  rejected: 3,
  /** The operation may or may not have happened; the message says how to find out. */
  unknown: 4,
  /** The network could not be reached, was too busy, or did not answer by the deadline. */
  unavailable: 5,
  /** A node's stored data is damaged, gone, not its newest or not its only: it may have voted elsewhere, and ends. */
  damaged: 6,
  /** The disk takes no more, or fails: the node stopped before it said what it could not write. */
  disk: 7,
  /** A bug of this program. */
  bug: 70,
  /** The user pressed Ctrl-C. */
  interrupted: 130,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** Options that every command has. */
export interface CommonOptions {
  readonly json?: boolean | undefined;
}

export type Cell = string | number | bigint | boolean | undefined;
export type Row = Readonly<Record<string, Cell>>;

/** The exit codes of coded errors that are not plain wrong input (`usage`), which is what all others mean. */
const exitCodes: ReadonlyMap<string, ExitCode> = new Map<string, ExitCode>([
  ["check-failed", ExitCode.checkFailed],
  ["backup-damaged", ExitCode.checkFailed],
  ["backup-unproven", ExitCode.checkFailed],
  ["store-corrupt", ExitCode.damaged],
  ["store-lost", ExitCode.damaged],
  ["store-rolled-back", ExitCode.damaged],
  ["store-unmarked", ExitCode.damaged],
  ["stale-storage", ExitCode.damaged],
  ["duplicate-identity", ExitCode.damaged],
  ["disk-full", ExitCode.disk],
  ["disk-failed", ExitCode.disk],
  ["interrupted", ExitCode.interrupted],
  ["outcome-unknown", ExitCode.unknown],
  ["busy", ExitCode.unavailable],
  ["cluster-unavailable", ExitCode.unavailable],
  ["unavailable", ExitCode.unavailable],
  ["no-checkpoint", ExitCode.unavailable],
  ["history-missing", ExitCode.unavailable],
  ["state-gone", ExitCode.unavailable],
  ["deadline", ExitCode.unavailable],
  ["listen-failed", ExitCode.unavailable],
  ["EADDRINUSE", ExitCode.unavailable],
  ["ECONNREFUSED", ExitCode.unavailable],
]);

export function exitCodeOf(error: unknown): ExitCode {
  const code = codeOf(error);
  return code === undefined ? ExitCode.bug : (exitCodes.get(code) ?? ExitCode.usage);
}

/** The exit code of what the network rejected with this code; the same code thrown here is wrong usage. */
export function exitCodeOfRejection(code: string): ExitCode {
  return exitCodes.get(code) ?? ExitCode.rejected;
}

/** Prints a document for programs: one line of JSON; amounts become decimal strings, since JSON readers round. */
export function printJson(value: unknown): void {
  process.stdout.write(`${toJson(value)}\n`);
}

export function printLine(line = ""): void {
  process.stdout.write(`${line}\n`);
}

/** Prints rows under the names of their fields, in the order of the first row; numbers stand to the right. */
export function printTable(rows: readonly Row[]): void {
  process.stdout.write(renderTable(rows));
}

/** The text of `printTable`; empty without rows. */
export function renderTable(rows: readonly Row[]): string {
  const first = rows[0];
  if (first === undefined) return "";
  const names = Object.keys(first);
  const table = new Table({
    head: names,
    colAligns: names.map((name) => (rows.every((row) => isNumeric(row[name])) ? "right" : "left")),
    style: { head: [], border: [], compact: true },
  });
  for (const row of rows) table.push(names.map((name) => showCell(row[name])));
  return `${table.toString()}\n`;
}

/** Prints an error the way the options ask for, and returns the exit code that belongs to it. */
export function fail(error: unknown, { json }: CommonOptions, exitCode = exitCodeOf(error)): ExitCode {
  const bug = exitCode === ExitCode.bug;
  const code = codeOf(error) ?? "internal";
  const message = messageOf(error);
  if (json === true) {
    process.stderr.write(`${toJson({ error: { code, message } })}\n`);
  } else if (bug && error instanceof Error) {
    process.stderr.write(`sharper: this is a bug of sharper, please report it\n${error.stack ?? message}\n`);
  } else {
    process.stderr.write(`sharper: ${message}\n`);
  }
  return exitCode;
}

/**
 * Runs a command's work and sets the process's exit code: what the work returns (nothing means ok), or the code of what
 * it throws. A work that was interrupted through `interruption()` ends with 130 whatever it returns.
 */
export async function runCommand(
  options: CommonOptions,
  work: () => Promise<ExitCode | undefined> | Promise<void>,
): Promise<void> {
  try {
    process.exitCode = (await work()) ?? ExitCode.ok;
  } catch (error) {
    const ended = interrupted?.signal.aborted === true ? new CodedError("interrupted", "interrupted") : error;
    process.exitCode = fail(ended, options);
  }
  if (interrupted?.signal.aborted === true) process.exitCode = ExitCode.interrupted;
}

let interrupted: AbortController | undefined;

/**
 * For commands that clean up on Ctrl-C (or SIGTERM, or a terminal that is closed): a signal that the first one aborts.
 * A second one ends the process at once.
 * A command that never asks for it is ended by the first Ctrl-C in the platform's way, which shells report as 130 too.
 */
export function interruption(): AbortSignal {
  if (interrupted !== undefined) return interrupted.signal;
  const controller = new AbortController();
  interrupted = controller;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      process.once(signal, () => process.exit(ExitCode.interrupted));
      controller.abort();
    });
  }
  return controller.signal;
}

/** Our coded errors, the operating system's (ENOENT, EACCES, ...) and the database's, which carry a code alike. */
function codeOf(error: unknown): string | undefined {
  if (error instanceof CodedError) return error.code;
  const { code, syscall } = rootOf(error);
  if (code?.startsWith("LEVEL_")) return "store-corrupt";
  return syscall === undefined ? undefined : code;
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code = "", path, message = "" } = rootOf(error);
  if (code.startsWith("LEVEL_")) {
    return `the data cannot be read: ${message}; for a node's, see sharper node recover`;
  }
  const meaning = systemMeanings.get(code);
  return meaning === undefined ? message : `${path ?? "what was given"} ${meaning}`;
}

/** The database wraps what the disk said, or what it found itself, in an error of its own. */
function rootOf(error: unknown): Partial<NodeJS.ErrnoException> {
  if (!(error instanceof Error)) return {};
  const cause = error.cause instanceof Error && "code" in error.cause ? error.cause : error;
  return typeof (cause as NodeJS.ErrnoException).code === "string" ? cause : { message: error.message };
}

const systemMeanings: ReadonlyMap<string, string> = new Map([
  ["ENOENT", "does not exist; give the path of one that does"],
  ["EEXIST", "is there already; give another path"],
  ["EISDIR", "is a folder; give the path of a file"],
  ["ENOTDIR", "is below a file; give a path whose parts are folders"],
  ["EACCES", "cannot be opened: its owner has not permitted it"],
]);

function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, field) => (typeof field === "bigint" ? field.toString() : field));
}

function isNumeric(cell: Cell): boolean {
  return cell === undefined || typeof cell === "number" || typeof cell === "bigint";
}

function showCell(cell: Cell): string {
  return String(cell ?? "");
}
