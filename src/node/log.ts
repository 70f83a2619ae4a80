// Structured logs of a node: one JSON object per line on standard output, written by pino. Names of fields and units
// are those of the protocol note; nothing that a peer sends is logged as text.

import { destination, type Logger, pino } from "pino";

export type NodeLog = Logger;

/** `level`: pino's names. With `path` the log goes to a file, else to standard output. */
export function openLog(options: { readonly node: string; readonly level: string; readonly path?: string }): NodeLog {
  const out = destination({ dest: options.path ?? 1, sync: false, mkdir: true });
  return pino({ level: options.level, base: { node: options.node }, timestamp: pino.stdTimeFunctions.isoTime }, out);
}
