// A node that forgets over a restart what it had made durable: its votes, only what it was prepared for, or everything
// since a while ago. After that it may say the opposite of what it said (protocol 6, scenario 13), with the best of
// intentions. That is more than a correct node may lose, so it counts as one of the f.

import { slotKey } from "../../ledger/keys.js";
import type { Write } from "../../types/effects.js";
import { storedSlotSchema } from "../../types/schema.js";
import type { Below, SimNode, Villain } from "../observer.js";
import { happens, oneOf, within } from "./draw.js";

export function amnesia(below: Below): Villain {
  const manner = oneOf(below, ["votes", "prepared", "past"] as const);
  const share = within(below, { from: 30, to: 100 });
  /** Turns until it takes note of the state that it will fall back to. */
  let turns = below(200);
  let past: ReturnType<SimNode["store"]["rows"]> | undefined;
  return {
    name: "amnesia",
    bend(outgoing, { node }) {
      if (manner === "past" && turns-- === 0) past = node.store.rows();
      return outgoing;
    },
    remember(node, draw) {
      if (manner === "past") {
        if (past !== undefined) node.store.apply(fallBack(node, past));
        turns = draw(200);
        return;
      }
      node.store.apply(loseSlots(node, (row) => forgotten(row, manner, happens(draw, share))));
    },
  };
}

function fallBack({ store }: SimNode, past: ReturnType<SimNode["store"]["rows"]>): readonly Write[] {
  return [...store.rows().map(([key]) => ({ key, value: undefined })), ...past.map(([key, value]) => ({ key, value }))];
}

function loseSlots({ store }: SimNode, change: (row: Uint8Array) => Uint8Array | undefined): readonly Write[] {
  const first = slotKey(0);
  return store.rows().flatMap(([key, value]) => {
    const isSlot = key[0] === first[0] && key.length === first.length;
    return isSlot ? [{ key, value: change(value) }] : [];
  });
}

/** What was decided it keeps: others would tell it anyway. */
function forgotten(row: Uint8Array, manner: "votes" | "prepared", isForgotten: boolean): Uint8Array | undefined {
  const slot = storedSlotSchema.decode(row);
  if (!isForgotten || slot.decided !== undefined) return row;
  if (manner === "votes") return undefined;
  return storedSlotSchema.encode({ ...slot, committed: undefined, prepared: [] });
}
