// The parts of a simulated node's process: what starts from its store, and how what it says in a turn becomes
// frames.

import { type BlockContext, decodeBlock } from "../cluster/block.js";
import type { Signer } from "../crypto/signature.js";
import type { MemoryStore } from "../ledger/memory.js";
import { Ingress, type IngressOptions } from "../node/ingress.js";
import { Replica } from "../node/replica.js";
import { restore } from "../node/restore.js";
import type { TurnPlan } from "../node/turn.js";
import type { Block } from "../types/block.js";
import type { NodeRef, PublicKey } from "../types/ids.js";
import type { Draw } from "./draw.js";
import type { Outgoing } from "./observer.js";
import type { Doom } from "./surroundings.js";

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
  /** As in the limits, unless it says otherwise. */
  readonly catchUpAtOnceMax: number | undefined;
  readonly onRejected: IngressOptions["onRejected"];
}): Promise<{ readonly replica: Replica; readonly ingress: Ingress }> {
  const { context, self, store, decodeBlock, signer, catchUpAtOnceMax, onRejected } = options;
  const restored = await restore(store, context, self.cluster);
  const asking = signer === undefined ? {} : { signer };
  const replica = new Replica({ ...context, self, reader: store, restored, decodeBlock, catchUpAtOnceMax, ...asking });
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

interface DelayedFrame {
  readonly to: PublicKey;
  readonly frame: Uint8Array[];
  readonly delay: number;
}

/** What a turn says, one frame for each receiver; bent, one for each receiver and delay, in their order. */
export function framesOf(
  outbound: TurnPlan["outbound"],
  bend: (said: readonly Outgoing[]) => readonly Outgoing[] | undefined,
): readonly DelayedFrame[] {
  const said: readonly Outgoing[] = [...outbound].flatMap(([to, frame]) => frame.map((envelope) => ({ to, envelope })));
  const frames = new Map<string, DelayedFrame>();
  for (const { to, envelope, delay = 0 } of bend(said) ?? said) {
    const key = `${to} ${delay}`;
    const known = frames.get(key);
    if (known === undefined) frames.set(key, { to, frame: [envelope], delay });
    else known.frame.push(envelope);
  }
  return [...frames.values()];
}

/** So many of the frames leave before the node dies. */
export function framesSent(count: number, doom: Doom | undefined, draw: Draw): number {
  if (typeof doom === "number") return doom;
  return doom === "partly" ? draw.below(count + 1) : count;
}
