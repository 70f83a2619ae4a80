// Data folders of a real run, to be damaged: the batches that one node of a small network wrote, put through the node's
// own store into LevelDB, with several closings in between, so that there are tables of several levels and a log. The
// folder is copied while it is open, as a kill leaves it.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ed25519Verifier } from "../../src/crypto/signature.js";
import { markPath } from "../../src/ledger/mark.js";
import { openNodeStore } from "../../src/ledger/node-store.js";
import type { Store } from "../../src/ledger/store.js";
import { genesisWrites, restore } from "../../src/node/restore.js";
import type { Write } from "../../src/types/effects.js";
import type { FailureModel } from "../../src/types/topology.js";
import { TestNetwork } from "./network.js";

export interface Run {
  readonly network: TestNetwork;
  /** What c1n0 wrote, genesis first. */
  readonly batches: readonly (readonly Write[])[];
}

/** Blocks of one cluster and of two, one after the other. */
export async function runOf(model: FailureModel, blocks: number): Promise<Run> {
  const network = await TestNetwork.create({ models: [model, "crash"], accounts: 60 });
  const batches: (readonly Write[])[] = [
    genesisWrites(network.topology, network.node("c1n0").ref.cluster, network.text),
  ];
  network.onTurn = (node, plan) => {
    if (node.name === "c1n0" && plan.persist.length > 0) batches.push(plan.persist);
  };
  network.settle();
  for (let i = 0; i < blocks; i++) {
    network.pay(...(i % 4 === 0 ? [1, 2] : [1]));
    network.settle();
  }
  network.advance(500);
  return { network, batches };
}

export class Folders {
  readonly #root: string;
  #count = 0;

  private constructor(root: string) {
    this.#root = root;
  }

  static async make(): Promise<Folders> {
    // The damage is done by hand, so nothing need reach a disk.
    const root = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
    return new Folders(await mkdtemp(join(root, "sharper-damage-")));
  }

  fresh(): string {
    return join(this.#root, `data${this.#count++}`);
  }

  /** Of a folder and its mark. */
  async copy(path: string): Promise<string> {
    const to = this.fresh();
    await cp(path, to, { recursive: true });
    await cp(markPath(path), markPath(to));
    return to;
  }

  async drop(path: string): Promise<void> {
    await rm(path, { recursive: true, force: true });
    await rm(markPath(path), { force: true });
  }

  remove(): Promise<void> {
    return rm(this.#root, { recursive: true });
  }
}

export function open(run: Run, path: string) {
  return openNodeStore({ path, networkId: run.network.topology.networkId, nodeId: "c1n0" });
}

/** All batches, in several lives, of which the last one is cut off by the copy that is returned. */
export async function written(run: Run, folders: Folders, lives: number): Promise<string> {
  const path = folders.fresh();
  const each = Math.ceil(run.batches.length / lives);
  for (let life = 0; life < lives; life++) {
    const store = await open(run, path);
    for (const batch of run.batches.slice(life * each, (life + 1) * each)) await store.write(batch);
    if (life === lives - 1) {
      const copy = await folders.copy(path);
      await store.close();
      return copy;
    }
    await store.close();
  }
  throw new Error("no lives");
}

/** Every row, in the order of keys, but the facts and the stamp. */
export async function contentOf(store: Store): Promise<string> {
  const hash = createHash("sha256");
  for await (const [key, value] of store.range({ gte: Uint8Array.of(2), lt: Uint8Array.of(18) })) {
    hash.update(key).update("=").update(value).update(";");
  }
  return hash.digest("hex");
}

/** Files of a folder that LevelDB reads, with their content. */
export async function filesOf(path: string): Promise<ReadonlyMap<string, Buffer>> {
  const names = (await readdir(path)).filter((name) => !name.startsWith("LO")).sort();
  return new Map(await Promise.all(names.map(async (name) => [name, await readFile(join(path, name))] as const)));
}

/**
 * What became of a folder at a start: "whole" with the content it must have, a code with which it was refused, or a
 * sentence about what is wrong with that.
 */
export async function startOf(run: Run, path: string, content: string): Promise<string> {
  const before = await filesOf(path).catch(() => undefined);
  let store: Store;
  try {
    store = await open(run, path);
  } catch (error) {
    return refusal(error, before, await filesOf(path).catch(() => undefined));
  }
  try {
    const { network } = run;
    const context = { topology: network.topology, members: network.members, verifier: ed25519Verifier };
    await restore(store, context, network.node("c1n0").ref.cluster);
    return (await contentOf(store)) === content ? "whole" : "it opened with another content";
  } catch (error) {
    return refusal(error, undefined, undefined);
  } finally {
    await store.close();
  }
}

function refusal(
  error: unknown,
  before: ReadonlyMap<string, Buffer> | undefined,
  after: ReadonlyMap<string, Buffer> | undefined,
): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (!code.startsWith("store-")) return `it was refused without a code: ${String(error)}`;
  // Without a batch in its logs LevelDB has nothing to rewrite but its list of tables.
  const isData = (name: string, bytes: Buffer) =>
    !name.startsWith("MANIFEST") && name !== "CURRENT" && bytes.length > 0;
  const isSame = [...(before ?? [])].every(([name, bytes]) => !isData(name, bytes) || after?.get(name)?.equals(bytes));
  return isSame ? code : `it was refused (${code}), and its files were changed`;
}
