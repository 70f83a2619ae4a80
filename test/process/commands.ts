// Runs the built command line as a user does, and network folders that are removed afterwards.

import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const RUN_MAX_MS = 120_000;

/** `sharper <args>`; resolves with whatever exit code it ends. */
export function sharper(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { timeout: RUN_MAX_MS, maxBuffer: 64 << 20 };
    execFile(process.execPath, [main, ...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ code, stdout, stderr });
    });
  });
}

/** The one JSON document that a command printed; fails with what it said instead. */
export async function sharperJson<T>(...args: readonly string[]): Promise<T> {
  const { code, stdout, stderr } = await sharper(...args, "--json");
  if (code !== 0) throw new Error(`sharper ${args.join(" ")} ended with ${code}: ${stderr}${stdout.slice(0, 2000)}`);
  return JSON.parse(stdout) as T;
}

export async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "sharper-test-"));
  try {
    await work(join(folder, "net"));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The first of so many neighbouring ports that are free. */
export async function freePorts(count: number): Promise<number> {
  for (let base = 30_000 + (process.pid % 500) * 40; base < 60_000; base += count) {
    const free = await Promise.all(Array.from({ length: count }, (_, i) => isFree(base + i)));
    if (free.every(Boolean)) return base;
  }
  throw new Error("no free ports");
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
