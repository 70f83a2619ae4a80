// Key files: one line, `sharper-key-v1 <64 hex digits of the seed>`, for the owner's eyes only. A file is never
// overwritten, since a lost node key is a lost node, and never used once others could have read it.

import { randomBytes } from "node:crypto";
import { open } from "node:fs/promises";
import { CodedError } from "../types/codes.js";
import { fromHex, type PublicKey, toHex } from "../types/ids.js";
import { SEED_BYTES } from "./ed25519.js";
import { ed25519Signer, type Signer } from "./signature.js";

const KEY_LINE = /^sharper-key-v1 ([0-9a-f]{64})\n?$/;
const KEY_FILE_BYTES_MAX = 128; // holds the line; whatever is longer is no key file and is not read
const OWNER_ONLY = 0o600;
const OTHERS = 0o077;

export function generateSeed(): Uint8Array {
  return randomBytes(SEED_BYTES);
}

/** Creates the file, durably, and returns the public key of the seed. Refuses (code `exists`) if there is one. */
export async function writeKeyFile(path: string, seed: Uint8Array): Promise<PublicKey> {
  const { publicKey } = ed25519Signer(seed);
  const file = await open(path, "wx", OWNER_ONLY).catch((error: unknown) => {
    if (!hasCode(error, "EEXIST")) throw error;
    throw new CodedError("exists", `${path} exists already; a key is never overwritten, choose another place`);
  });
  try {
    await file.writeFile(`sharper-key-v1 ${toHex(seed)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  return publicKey;
}

export async function readKeyFile(path: string): Promise<{ readonly seed: Uint8Array; readonly signer: Signer }> {
  return parseKey(await readOwnersFile(path), path);
}

/** The key in the text of a key file. */
export function parseKey(text: string, path: string): { readonly seed: Uint8Array; readonly signer: Signer } {
  const hex = KEY_LINE.exec(text)?.[1];
  if (hex === undefined) {
    throw new CodedError(
      "key-malformed",
      `${path} is no key file; it must be one line, "sharper-key-v1 <64 hex digits>"`,
    );
  }
  const seed = fromHex(hex);
  return { seed, signer: ed25519Signer(seed) };
}

async function readOwnersFile(path: string): Promise<string> {
  const file = await open(path, "r").catch((error: unknown) => {
    throw new CodedError(
      "key-missing",
      `key file ${path} cannot be opened (${reason(error)}); give the path of a readable key`,
    );
  });
  try {
    // Asked of the open file, not of the path, which may change in between.
    const { mode, size } = await file.stat();
    // Windows has no such modes: there the directory's rights are the operator's duty.
    if (process.platform !== "win32" && (mode & OTHERS) !== 0) {
      const shown = (mode & 0o777).toString(8).padStart(4, "0");
      throw new CodedError(
        "key-exposed",
        `${path} has mode ${shown}, so others can read the key; run: chmod 600 ${path}`,
      );
    }
    if (size > KEY_FILE_BYTES_MAX) return "";
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

function reason(error: unknown): string {
  return hasCode(error, "ENOENT") ? "there is no such file" : error instanceof Error ? error.message : String(error);
}
