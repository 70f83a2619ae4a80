// A JSON file that somebody hands to a command: it is what the schema says, or the reason is told.

import type { z } from "zod";
import type { CodedError } from "../types/codes.js";

/** Throws what `malformed` makes of the reason. */
export function parseDocument<T>(schema: z.ZodType<T>, text: string, malformed: (reason: string) => CodedError): T {
  const parsed = schema.safeParse(parseJson(text, malformed));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw malformed(`${issue?.path.join(".") || "the document"}: ${issue?.message}`);
}

function parseJson(text: string, malformed: (reason: string) => CodedError): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw malformed(error instanceof Error ? error.message : String(error));
  }
}
