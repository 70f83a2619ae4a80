// Backups of nodes of a test network: made of their stores in memory, taken apart, bent and sealed again, and read as
// the commands read files.

import { BackupCheck, type BackupContent } from "../../src/backup/check.js";
import { folderSource } from "../../src/backup/folder-source.js";
import { BackupDecoder, BackupEncoder } from "../../src/backup/format.js";
import { BackupInstall } from "../../src/backup/install.js";
import { type BackupSource, takeBackup } from "../../src/backup/take.js";
import type { BlockContext } from "../../src/cluster/block.js";
import { ed25519Verifier } from "../../src/crypto/signature.js";
import { MemoryStore } from "../../src/ledger/memory.js";
import { CodedError } from "../../src/types/codes.js";
import { limits } from "../../src/types/limits.js";
import type { BackupEntry } from "../../src/types/schema.js";
import { type NetworkOptions, TestNetwork, type TestNode } from "../support/network.js";
import { payMixed, stableSlot } from "../support/sleep.js";

export const FILE = "test.backup";

export function contextOf({ topology, members }: TestNetwork): BlockContext {
  return { topology, members, verifier: ed25519Verifier };
}

/** Blocks of one and of two clusters, some of which fail, past some stable checkpoints and a little further. */
export async function networkWithHistory(options: NetworkOptions, checkpoints = 1): Promise<TestNetwork> {
  const network = await TestNetwork.create(options);
  await network.run(1);
  while (stableSlot(network.node("c1n0")) < checkpoints * limits.checkpointSlots) payMixed(network, 4);
  payMixed(network, 4);
  await network.run(2);
  return network;
}

export async function sourceOf(network: TestNetwork, node: TestNode): Promise<BackupSource> {
  return folderSource(node.store, node.ref, contextOf(network));
}

/** The bytes of the file. */
export async function backupOf(source: BackupSource): Promise<Uint8Array> {
  let parts: Uint8Array[] = [];
  const restart = async () => {
    parts = [];
  };
  await takeBackup({ source, file: { restart, write: async (bytes) => void parts.push(bytes) } });
  return new Uint8Array(Buffer.concat(parts));
}

export function entriesOf(bytes: Uint8Array): readonly BackupEntry[] {
  const decoder = new BackupDecoder(FILE);
  const entries = [...decoder.push(bytes)];
  decoder.finish();
  return entries;
}

/** A sound file with whatever entries. */
export function sealed(entries: readonly BackupEntry[]): Uint8Array {
  const encoder = new BackupEncoder();
  const parts = entries.map((entry) => encoder.entry(entry));
  return new Uint8Array(Buffer.concat([...parts, encoder.end()]));
}

/** All of it is checked; throws what it throws. */
export function contentOf(bytes: Uint8Array, context: BlockContext): BackupContent {
  const decoder = new BackupDecoder(FILE);
  const check = new BackupCheck(context, FILE);
  for (const entry of decoder.push(bytes)) check.take(entry);
  decoder.finish();
  return check.finish();
}

/** "proven", or the code with which it is refused; throws what has none. */
export function verdictOn(bytes: Uint8Array, context: BlockContext): string {
  try {
    contentOf(bytes, context);
    return "proven";
  } catch (error) {
    if (error instanceof CodedError) return error.code;
    throw error;
  }
}

/** A data folder, as `sharper restore` makes it. */
export async function restored(bytes: Uint8Array, network: TestNetwork, node: TestNode): Promise<MemoryStore> {
  const store = new MemoryStore();
  const context = contextOf(network);
  const options = { ...context, node: node.info, topologyText: network.text, store };
  const install = await BackupInstall.begin(options);
  const check = new BackupCheck(context, FILE);
  for (const entry of entriesOf(bytes)) await install.take(check.take(entry));
  await install.finish(check.finish());
  return store;
}

/** The node's process is gone and its store is this one. */
export async function replaceStore(network: TestNetwork, node: TestNode, store: MemoryStore): Promise<void> {
  node.store.apply(node.store.rows().map(([key]) => ({ key, value: undefined })));
  node.store.apply(store.rows().map(([key, value]) => ({ key, value })));
  await network.start(node);
}
