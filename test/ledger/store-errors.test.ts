// What a disk or LevelDB says, as the codes that operators act on: one row for each branch, so that no error of theirs
// ends as a bug of ours, and no bug of ours as an error of theirs.

import { describe, expect, test } from "vitest";
import { exitCodeOf } from "../../src/cli/output.js";
import { storeError } from "../../src/ledger/store-errors.js";
import { CodedError } from "../../src/types/codes.js";

const PATH = "data/c1n0";

/** As the system reports it, or as LevelDB does, which gives no call. */
function failure(message: string, fields: { readonly code?: string; readonly syscall?: string } = {}): Error {
  return Object.assign(new Error(message), fields);
}

/** LevelDB wraps what it found in an error of its own, some of them twice. */
function wrapped(cause: Error, depth = 1): Error {
  const error = failure("Database failed", { code: "LEVEL_DATABASE_NOT_OPEN" });
  error.cause = depth > 1 ? wrapped(cause, depth - 1) : cause;
  return error;
}

const level = (code: string, message: string) => failure(message, { code });
const system = (code: string, syscall: string) => failure(`${code}: a failure, ${syscall}`, { code, syscall });

describe("an error of the store", () => {
  test.each([
    ["the lock of another process", level("LEVEL_LOCKED", "IO error: lock data/LOCK"), "store-locked", 2],
    [
      "no space, in LevelDB's words",
      level("LEVEL_IO_ERROR", "IO error: 5.log: No space left on device"),
      "disk-full",
      7,
    ],
    ["a quota", level("LEVEL_IO_ERROR", "IO error: 5.log: Disk quota exceeded"), "disk-full", 7],
    ["a file that may not grow", failure("IO error: 5.log: File too large"), "disk-full", 7],
    ["no space, from the system", system("ENOSPC", "write"), "disk-full", 7],
    ["a quota, from the system", system("EDQUOT", "write"), "disk-full", 7],
    ["a file that may not grow, from the system", system("EFBIG", "write"), "disk-full", 7],
    ["damage, by its code", level("LEVEL_CORRUPTION", "block checksum mismatch"), "store-corrupt", 6],
    ["damage, by its words", failure("Corruption: 3 missing files"), "store-corrupt", 6],
    ["a file that is gone", level("LEVEL_IO_ERROR", "IO error: 7.ldb: No such file or directory"), "store-corrupt", 6],
    ["a file that is gone, from the system", system("ENOENT", "open"), "store-corrupt", 6],
    ["a bad sector", level("LEVEL_IO_ERROR", "IO error: 7.ldb: Input/output error"), "disk-failed", 7],
    ["a bad sector, by its words", failure("IO error: 7.ldb: Input/output error"), "disk-failed", 7],
    ["a bad sector, from the system", system("EIO", "read"), "disk-failed", 7],
    ["a disk that takes no writes", system("EROFS", "open"), "disk-failed", 7],
  ])("%s", (_what, error, code, exitCode) => {
    for (const said of [error, wrapped(error), wrapped(error, 3)]) {
      const told = storeError(said, PATH);
      expect(told).toMatchObject({ code, message: expect.stringContaining(PATH) });
      expect(exitCodeOf(told)).toBe(exitCode);
    }
  });

  test("that has a code of ours keeps it", () => {
    const error = new CodedError("store-rolled-back", "Corruption: No such file, No space left");
    expect(storeError(error, PATH)).toBe(error);
  });

  test.each([
    ["a bug", new TypeError("No space left for Corruption")],
    ["a wrapped bug", wrapped(new RangeError("ENOENT"))],
    ["a closed database", level("LEVEL_DATABASE_NOT_OPEN", "Database is not open")],
    ["what is no error", "No such file"],
  ])("%s stays as it is", (_what, error) => {
    expect(storeError(error, PATH)).toBe(error);
  });
});
