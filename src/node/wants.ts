// Could a message still change anything? Under load most signatures are on votes that came too late to count, and
// the door need not check those.

import type { Coordinator } from "../cross/coordinator.js";
import type { ExecutionEngine } from "../execution/engine.js";
import type { NodeRef } from "../types/ids.js";
import type { NodeMessage } from "../types/message.js";
import type { CatchUp } from "./catchup.js";

export interface Present {
  readonly self: NodeRef;
  readonly coordinator: Coordinator;
  readonly execution: ExecutionEngine;
  readonly catchUp: CatchUp;
}

export function couldMatter(message: NodeMessage, { self, coordinator, execution, catchUp }: Present): boolean {
  const { engine, decisions } = coordinator;
  switch (message.kind) {
    case "accept":
    case "super-accept":
      return message.entry.cluster !== self.cluster || engine.wants(message);
    case "commit": {
      const [entry] = message.entries;
      if (entry === undefined || message.entries.length > 1) return true;
      if (entry.cluster === self.cluster) return engine.wants({ kind: "commit", entry });
      return decisions.wants(message.digest, entry.cluster);
    }
    case "result":
      return execution.wants(message);
    case "stable":
      return catchUp.wants(message.certificate);
    case "new-view":
      return message.view > engine.view || (message.view === engine.view && !engine.isOpen);
    case "records":
    case "state":
      return catchUp.isAsking(message.kind);
    default:
      return true;
  }
}
