// A node that does not hear what it should: nothing of some nodes, or nothing of some kinds. So it lags, asks, and says
// what everybody knows to be outdated. Crash nodes may fail like this, too.

import { nodeKey } from "../../types/ids.js";
import { carriage, type MessageKind } from "../../types/message.js";
import type { Below, Villain } from "../observer.js";
import { happens, someOf } from "./draw.js";
import { everyone } from "./speech.js";

export function deaf(below: Below): Villain {
  const ignored = new Set(someOf(below, Object.keys(carriage) as MessageKind[]));
  const byKind = happens(below, 50);
  let shunned: ReadonlySet<number> | undefined;
  return {
    name: "deaf",
    hear(event, context) {
      if (event.kind !== "message")
        return byKind && ignored.has("request") && event.kind === "request" ? undefined : event;
      const { from, message } = event.verified;
      shunned ??= new Set(someOf(context.below, everyone(context)).map(nodeKey));
      const isLost = byKind ? ignored.has(message.kind) : shunned.has(nodeKey(from));
      return isLost ? undefined : event;
    },
  };
}
