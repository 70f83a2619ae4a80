// The parts of a simulated node's process: what starts from its store, and how what it says in a turn becomes
// frames.

import { type BlockContext, decodeBlock } from "../cluster/block.js";
import type { Signer } from "../crypto/signature.js";
import type { MemoryStore } from "../ledger/memory.js";
import { Ingress, type IngressOptions } from "../node/ingress.js";
import { Replica } from "../node/replica.js";
import { restore } from "../node/restore.js";
import type { Block } from "../types/block.js";
import type { NodeRef, PublicKey } from "../types/ids.js";
import type { Draw } from "./draw.js";
import type { Outgoing } from "./observer.js";

const START_NONCE_BYTES = 8;

/** What tells one start from another. */
export function nonceOf({ below }: Draw): Uint8Array {
  return Uint8Array.from({ length: START_NONCE_BYTES }, () => below(256));
}

export function storedBlocks(context: BlockContext): (bytes: Uint8Array) => Block {
  return (bytes) => {
    const decoded = decodeBlock(bytes, context, false);
    if (!decoded.ok) throw new Error(`a stored block is not valid (${decoded.code})`);
    return decoded.value;
  };
}

/** Reads the store, and throws what a real process would end with. */
export async function newProcess(options: {
  readonly context: BlockContext;
  readonly self: NodeRef;
  readonly store: MemoryStore;
  readonly decodeBlock: (bytes: Uint8Array) => Block;
  /** Undefined: takes part without asking its cluster. */
  readonly signer: Signer | undefined;
  readonly onRejected: IngressOptions["onRejected"];
}): Promise<{ readonly replica: Replica; readonly ingress: Ingress }> {
  const { context, self, store, decodeBlock, signer, onRejected } = options;
  const restored = await restore(store, context, self.cluster);
  const asking = signer === undefined ? {} : { signer };
  const replica = new Replica({ ...context, self, reader: store, restored, decodeBlock, ...asking });
  const ingress = new Ingress({
    ...context,
    self,
    knownBlock: (digest) => replica.knownBlock(digest),
    wants: (message) => replica.wants(message),
    awaits: replica.awaits,
    onRejected,
  });
  return { replica, ingress };
}

/** One frame for each receiver and delay, in the order of first mention. */
export function framesOf(outgoing: readonly Outgoing[]): { to: PublicKey; frame: Uint8Array[]; delay: number }[] {
  const frames = new Map<string, { to: PublicKey; frame: Uint8Array[]; delay: number }>();
  for (const { to, envelope, delay = 0 } of outgoing) {
    const key = `${to} ${delay}`;
    const known = frames.get(key);
    if (known === undefined) frames.set(key, { to, frame: [envelope], delay });
    else known.frame.push(envelope);
  }
  return [...frames.values()];
}
