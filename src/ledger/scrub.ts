// Reads a node's tables again and again while it runs, slowly: damage to rows that nobody asks for is found before it
// matters, and before LevelDB, which does not look, writes it into new tables. One file at a time, all in turn. Tables
// come and go meanwhile, and one that is being written looks damaged: only what is bad twice is bad.

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { checkTable } from "./level-check.js";

export interface ScrubOptions {
  readonly path: string;
  /** From one file to the next: 1 MiB takes 3 ms to look at. */
  readonly everyMs: number;
  /** Before a bad file is looked at again: far longer than it takes to write one. */
  readonly againMs: number;
  readonly onDamage: (error: unknown) => void;
}

export class Scrub {
  readonly #options: ScrubOptions;
  readonly #stopped = new AbortController();
  readonly #done: Promise<void>;
  /** Files looked at so far. */
  count = 0;

  constructor(options: ScrubOptions) {
    this.#options = options;
    this.#done = this.#run().catch((error: unknown) => {
      if (!this.#stopped.signal.aborted) options.onDamage(error);
    });
  }

  stop(): Promise<void> {
    this.#stopped.abort();
    return this.#done;
  }

  async #run(): Promise<void> {
    const { path, everyMs, againMs } = this.#options;
    for (;;) {
      await this.#pause(everyMs);
      for (const name of (await readdir(path)).filter((each) => /\.(ldb|sst)$/.test(each))) {
        const file = join(path, name);
        if ((await damageOf(file)) !== undefined) {
          await this.#pause(againMs);
          const damage = await damageOf(file);
          if (damage !== undefined) throw damage;
        }
        this.count++;
        await this.#pause(everyMs);
      }
    }
  }

  async #pause(ms: number): Promise<void> {
    await pause(ms, undefined, { ref: false, signal: this.#stopped.signal });
  }
}

/** Undefined: none, or the file is no longer there. */
async function damageOf(file: string): Promise<unknown> {
  try {
    await checkTable(file);
    return undefined;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ENOENT" ? undefined : error;
  }
}
