// Opens nodes' data folders for the ledger commands. A folder is self-contained: it carries its network's id, its
// node's name and the topology's text, so a topology file is only needed where that copy is not to be trusted or is not
// there.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Members } from "../cluster/members.js";
import { parseTopology } from "../cluster/topology.js";
import type { AuditedNode } from "../ledger/findings.js";
import { heightOfKey, heightRange, type MetaName, metaKey, prefixRange } from "../ledger/keys.js";
import { isStoreFolder, openLevelStoreOfAny } from "../ledger/level.js";
import { decodeRecord, type LedgerRecord } from "../ledger/records.js";
import type { Store } from "../ledger/store.js";
import { CodedError } from "../types/codes.js";
import type { NodeInfo, Topology } from "../types/topology.js";

export interface OpenLedgers {
  readonly topology: Topology;
  readonly members: Members;
  readonly nodes: readonly OpenNode[];
  close(): Promise<void>;
}

export interface OpenNode extends AuditedNode {
  readonly path: string;
}

/** A network's folder holds its nodes' folders this deep. */
const DEPTH_MAX = 3;

/** Opens the stores in the given folders, or in folders below them; all must be of one network. */
export async function openLedgers(folders: readonly string[], topologyFile: string | undefined): Promise<OpenLedgers> {
  const paths = new Set((await Promise.all(folders.map((folder) => storesIn(folder)))).flat());
  const opened: { path: string; store: Store }[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(opened.map(({ store }) => store.close()));
  };
  try {
    for (const path of [...paths].sort()) opened.push({ path, store: await openLevelStoreOfAny(path) });
    const topology = await loadTopology(opened, topologyFile);
    return { topology, members: new Members(topology), nodes: identify(opened, topology), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The last record's height; -1 without any. */
export async function lastHeight(store: Store): Promise<number> {
  for await (const [key] of store.range({ ...prefixRange("record"), reverse: true, limit: 1 })) return heightOfKey(key);
  return -1;
}

/** Records of heights from..to, both included. */
export async function readRecords(store: Store, from: number, to: number): Promise<readonly LedgerRecord[]> {
  const records: LedgerRecord[] = [];
  for await (const [, value] of store.range(heightRange("record", from, to))) records.push(decodeRecord(value));
  return records;
}

/** Refuses an option that counts something and is not a whole number from `min` on. */
export function checkCount(name: string, value: number | undefined, min = 0): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= min)) return;
  throw new CodedError("usage", `--${name} must be a whole number from ${min} on, not ${value}`);
}

/** Refuses --from and --to that leave nothing between them. */
export function checkRange({
  from,
  to,
}: {
  readonly from?: number | undefined;
  readonly to?: number | undefined;
}): void {
  checkCount("from", from);
  checkCount("to", to);
  if (from === undefined || to === undefined || from <= to) return;
  throw new CodedError("usage", `--from ${from} is after --to ${to}; give the smaller number first`);
}

async function storesIn(folder: string): Promise<readonly string[]> {
  const stores = await findStores(folder, DEPTH_MAX);
  if (stores.length > 0) return stores;
  throw new CodedError(
    "store-missing",
    `there is no node's data in ${folder}; give the --data folder of a node or of a devnet`,
  );
}

async function findStores(folder: string, depth: number): Promise<readonly string[]> {
  if (isStoreFolder(folder)) return [folder];
  if (depth === 0) return [];
  const inside = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return [];
    throw error;
  });
  const folders = inside.filter((entry) => entry.isDirectory() && !isSetAside(entry.name));
  return (await Promise.all(folders.map(({ name }) => findStores(join(folder, name), depth - 1)))).flat();
}

/** Of a node that was recovered since, or is being restored: nothing of it counts, unless it is asked for by name. */
function isSetAside(name: string): boolean {
  return /\.damaged-\d+$|\.(restoring|recovering)$/.test(name);
}

interface OpenedStore {
  readonly path: string;
  readonly store: Store;
}

async function loadTopology(stores: readonly OpenedStore[], file: string | undefined): Promise<Topology> {
  if (file !== undefined) return parseTopology(await readFile(file, "utf8"), file);
  for (const { path, store } of stores) {
    const text = fact(store, "topology");
    if (text !== undefined) return parseTopology(text, `${path} (its copy of the topology)`);
  }
  throw new CodedError("topology-missing", "the data has no copy of the topology; name the file with --topology");
}

function identify(stores: readonly OpenedStore[], topology: Topology): readonly OpenNode[] {
  const infos = new Map<string, NodeInfo>();
  for (const { nodes } of topology.clusters) for (const info of nodes) infos.set(info.id, info);
  const seen = new Map<string, string>();
  return stores.map(({ path, store }) => {
    const network = fact(store, "network");
    const name = fact(store, "node") ?? "";
    const info = infos.get(name);
    if (network !== topology.networkId || info === undefined) {
      const expected = `${topology.name} (${topology.networkId.slice(0, 12)})`;
      const reason = `${path} is the data of node ${name} of network ${network?.slice(0, 12)}, not of ${expected}`;
      throw new CodedError("store-foreign", `${reason}; give data and topology of one network`);
    }
    const twin = seen.get(name);
    if (twin !== undefined)
      throw new CodedError("usage", `${twin} and ${path} are both data of node ${name}; give one`);
    seen.set(name, path);
    return { name, cluster: info.cluster, node: info.index, store, path };
  });
}

function fact(store: Store, name: MetaName): string | undefined {
  const value = store.get(metaKey(name));
  return value === undefined ? undefined : Buffer.from(value).toString();
}
