// What a disk or LevelDB says, as codes that an operator can act on: the data is damaged, somebody else uses it, or the
// disk takes no more. LevelDB gives its errors a code of three sorts and the system's words.

import { CodedError } from "../types/codes.js";

/** What to do about data that a node refuses. */
export const RECOVER = "the files were left as they are; `sharper node recover` lets the node rejoin safely";

const FULL = /No space left|quota exceeded|File too large|ENOSPC|EDQUOT|EFBIG/i;
const GONE = /No such file|ENOENT/;

/** Anything that is neither LevelDB's nor the system's stays as it is. */
export function storeError(error: unknown, path: string): unknown {
  if (error instanceof CodedError) return error;
  const { code, syscall, message } = rootOf(error);
  if (code === "LEVEL_LOCKED") {
    return new CodedError("store-locked", `${path} is in use by a running node or tool; stop it first`);
  }
  const isSystem = syscall !== undefined || code === "LEVEL_IO_ERROR" || message.startsWith("IO error");
  if (isSystem && FULL.test(message)) {
    const hint = "nothing that was not written was said; make room and start the node again";
    return new CodedError("disk-full", `the disk of ${path} takes no more (${message}); ${hint}`);
  }
  if (code === "LEVEL_CORRUPTION" || message.startsWith("Corruption") || (isSystem && GONE.test(message))) {
    return new CodedError("store-corrupt", `${path} is damaged (${message}); ${RECOVER}`);
  }
  if (!isSystem) return error;
  return new CodedError("disk-failed", `${path} cannot be read or written (${message}); check the disk`);
}

function rootOf(error: unknown): Pick<NodeJS.ErrnoException, "code" | "syscall" | "message"> {
  if (!(error instanceof Error)) return { message: String(error) };
  if (error.cause instanceof Error) return rootOf(error.cause);
  return error;
}
