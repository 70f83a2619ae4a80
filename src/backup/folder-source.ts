// The data folder of a stopped node as the source of a backup: opened as tools open it, and asked as a running node is.

import type { BlockContext } from "../cluster/block.js";
import type { Store } from "../ledger/store.js";
import { Archive } from "../node/archive.js";
import { IncarnationTable } from "../node/incarnations.js";
import { RecordServer } from "../node/record-server.js";
import { restore } from "../node/restore.js";
import { StateServer } from "../node/state-server.js";
import type { NodeRef } from "../types/ids.js";
import type { BackupSource } from "./take.js";

export async function folderSource(store: Store, self: NodeRef, context: BlockContext): Promise<BackupSource> {
  const { members, topology } = context;
  const { root, checkpoint } = await restore(store, context, self.cluster);
  const table = new IncarnationTable({ members, self, reader: store });
  const states = new StateServer({ reader: store, root, table, stable: () => checkpoint });
  const archive = new Archive({ states, records: new RecordServer(store) });
  return {
    networkId: topology.networkId,
    self,
    ask: (question) => Promise.resolve(archive.answer(question, 0)),
    close: () => store.close(),
  };
}
