// What every check gets to see: what clients did and heard, and the ledgers as they lie on the disks afterwards.

import type { Topology } from "../../types/topology.js";
import type { History } from "../history.js";
import type { Place, View } from "../views.js";

export interface Evidence {
  readonly topology: Topology;
  readonly history: History;
  readonly views: readonly View[];
  /** `placesOf(views)`. */
  readonly places: ReadonlyMap<string, readonly Place[]>;
}

/** One sentence for each violation; none means that the rule held. */
export type Check = (evidence: Evidence) => readonly string[];
