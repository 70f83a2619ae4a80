// A new data folder from a backup: the rows that a node writes that takes a state from others and then all of its older
// records. The very first batch says that the node has lost what it said (protocol 6): whatever is in the backup, the
// folder knows of no vote, and its node speaks again only as its next incarnation, once its cluster has ordered that.

import type { BlockContext } from "../cluster/block.js";
import { blockKey, certificatesKey, historyKey, recordKey } from "../ledger/keys.js";
import type { Store } from "../ledger/store.js";
import { rejoinWrite } from "../node/boot.js";
import { IncarnationTable } from "../node/incarnations.js";
import { Installer } from "../node/installer.js";
import type { CheckedRecord } from "../node/records.js";
import { genesisWrites, restore } from "../node/restore.js";
import type { Write } from "../types/effects.js";
import { fromHex, type NodeRef } from "../types/ids.js";
import { committedSchema } from "../types/schema.js";
import type { NodeInfo } from "../types/topology.js";
import type { BackupContent, Checked } from "./check.js";

export interface InstallOptions extends BlockContext {
  readonly node: NodeInfo;
  readonly topologyText: string;
  /** Empty, and stamped as a node's own. */
  readonly store: Pick<Store, "get" | "range" | "batches" | "close"> & {
    write(batch: readonly Write[]): Promise<void>;
  };
}

export class BackupInstall {
  readonly #options: InstallOptions;
  readonly #self: NodeRef;
  readonly #installer: Installer;
  readonly #table: IncarnationTable;
  #last: CheckedRecord | undefined;

  static async begin(options: InstallOptions): Promise<BackupInstall> {
    const { store, topology, node, topologyText } = options;
    await store.write([...genesisWrites(topology, node.cluster, topologyText), rejoinWrite()]);
    return new BackupInstall(options, await restore(store, options, node.cluster));
  }

  private constructor(options: InstallOptions, { root, head }: Awaited<ReturnType<typeof restore>>) {
    const { topology, members, node, store: reader } = options;
    this.#options = options;
    this.#self = { cluster: node.cluster, node: node.index };
    this.#table = new IncarnationTable({ members, self: this.#self, reader });
    const [table, engine] = [this.#table, { stored: () => undefined }];
    const parts = { topology, self: this.#self, reader, root, engine, table };
    this.#installer = new Installer({ ...parts, head: () => head, history: undefined });
  }

  async take(checked: Checked): Promise<void> {
    const persist: Write[] = [];
    if (checked.kind === "pieces") this.#installer.install(checked.part, checked.pieces, persist);
    if (checked.kind === "records") for (const record of checked.records) this.#keep(record, persist);
    if (persist.length > 0) await this.#options.store.write(persist);
  }

  /** After everything else; reads it all back, as the node's start will. */
  async finish(content: BackupContent): Promise<void> {
    const { store, node } = this.#options;
    const persist: Write[] = [];
    const last = this.#last;
    if (last === undefined) throw new Error("a backup without records");
    this.#installer.finish({ target: content, last, rejoined: content.rejoined, forgotten: 0 }, persist);
    // All of it is here.
    persist.push({ key: historyKey(), value: undefined });
    await store.write(persist);
    await restore(store, this.#options, node.cluster);
  }

  #keep(checked: CheckedRecord, persist: Write[]): void {
    const { record, encoded, certificates, block } = checked;
    const digest = fromHex(record.digest);
    persist.push(
      { key: recordKey(record.height), value: encoded },
      { key: certificatesKey(record.height), value: committedSchema.encode({ digest, certificates }) },
      { key: blockKey(block.digest), value: block.bytes },
    );
    this.#last = checked;
  }
}
