// In which view another cluster is, as far as its nodes' own words tell: proposals and COMMITs about shared blocks. A
// crash node's word is enough; of a byzantine cluster f + 1 nodes must have spoken in that view or a higher one, else
// one liar could make itself the primary whose blocks are placed here.

import type { Members } from "../cluster/members.js";
import { witnessesOf } from "../cluster/quorum.js";
import type { ClusterId, Entry, NodeIndex, NodeRef, View } from "../types/ids.js";

export class ForeignViews {
  readonly #members: Members;
  readonly #heard = new Map<ClusterId, Map<NodeIndex, View>>();
  readonly #views = new Map<ClusterId, View>();

  constructor(members: Members) {
    this.#members = members;
  }

  of(cluster: ClusterId): View {
    return this.#views.get(cluster) ?? 0;
  }

  /** A node speaks of an entry of its own cluster's log. */
  hear({ cluster, view }: Entry, from: NodeRef): void {
    if (from.cluster !== cluster || view <= this.of(cluster)) return;
    let heard = this.#heard.get(cluster);
    if (heard === undefined) {
      heard = new Map();
      this.#heard.set(cluster, heard);
    }
    if ((heard.get(from.node) ?? 0) >= view) return;
    heard.set(from.node, view);
    const witnesses = witnessesOf(this.#members.clusterOf(cluster));
    const believed = [...heard.values()].sort((a, b) => b - a)[witnesses - 1];
    if (believed !== undefined) this.#views.set(cluster, believed);
  }
}
