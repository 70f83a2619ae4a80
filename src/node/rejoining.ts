// A node that has lost what it said asks its cluster to order its next incarnation (protocol 6): a request that it
// signs itself, sent to all of its cluster, and again until it is recorded. The number follows from the node's own
// state, so it is right once the node has caught up; a wrong one is refused at execution, and the next is asked for.

import { encodeRejoin } from "../cluster/rejoin.js";
import { digestOf } from "../crypto/hash.js";
import { type Signer, signingBytes } from "../crypto/signature.js";
import type { Request } from "../types/block.js";
import type { Effects } from "../types/effects.js";
import type { NodeRef } from "../types/ids.js";
import { limits } from "../types/limits.js";
import { carriage } from "../types/message.js";
import { requestBodySchema, type Signed } from "../types/schema.js";
import type { ClusterInfo, Topology } from "../types/topology.js";
import type { Boot } from "./boot.js";
import type { IncarnationTable, RecordedRejoin } from "./incarnations.js";
import type { Now } from "./replica.js";

export interface RejoiningOptions {
  readonly topology: Topology;
  readonly cluster: ClusterInfo;
  readonly self: NodeRef;
  readonly table: IncarnationTable;
  readonly signer?: Signer | undefined;
  readonly isFarBehind: () => boolean;
}

export class Rejoining {
  readonly #options: RejoiningOptions;

  constructor(options: RejoiningOptions) {
    this.#options = options;
  }

  /** Says the request, or a new one. Returns the boot row with it. */
  ask(boot: Boot, now: Now, out: Effects): Boot {
    const { cluster, self, isFarBehind } = this.#options;
    const { claim: last } = boot;
    const isGood = last !== undefined && this.#isOpen(last, now);
    if (!isGood && (isFarBehind() || this.#isTooSoon(now))) return boot;
    const claim = isGood ? last : this.#sign(now);
    if (claim === undefined) return boot;
    const others = cluster.nodes.filter(({ index }) => index !== self.node);
    const to = others.map(({ index }) => ({ cluster: self.cluster, node: index }));
    out.send.push({ to, message: { kind: "request", request: this.#requestOf(claim) } });
    return isGood ? boot : { ...boot, claim };
  }

  /** One of this node's own was recorded; only what this folder has asked for is its own. */
  onRecorded(boot: Boot, { incarnation, request, isOk, view }: RecordedRejoin): Boot {
    if (boot.claim === undefined || digestOf(boot.claim.body) !== request) return boot;
    return isOk ? { ...boot, incarnation, view, claim: undefined } : { ...boot, claim: undefined };
  }

  /** Neither expired nor recorded; one that came with the state of others is of no use, since its view is not known. */
  #isOpen(claim: Signed, now: Now): boolean {
    const { validUntil, incarnation } = requestOf(claim);
    return validUntil >= now.time && incarnation > this.#recorded;
  }

  /** The last number of this node that its own state knows. */
  get #recorded(): number {
    const { table, self } = this.#options;
    return table.recordedOf(self.node)?.number ?? 0;
  }

  #isTooSoon(now: Now): boolean {
    const last = this.#options.table.recordedOf(this.#options.self.node);
    return last !== undefined && now.time < last.time + limits.rejoinEveryMs;
  }

  #sign(now: Now): Signed | undefined {
    const { topology, self, signer } = this.#options;
    if (signer === undefined) return undefined;
    const incarnation = this.#recorded + 1;
    const { time } = now;
    const validity = { nonce: time, validUntil: time + limits.rejoinLifetimeMs };
    const body = encodeRejoin({ key: signer.publicKey, ...validity, ...self, incarnation });
    return { body, signature: signer.sign(signingBytes(topology.networkId, carriage.request.number, body)) };
  }

  #requestOf(signed: Signed): Request {
    const { signer, self } = this.#options;
    const { nonce, validUntil, incarnation } = requestOf(signed);
    return {
      client: (signer as Signer).publicKey,
      nonce,
      validUntil,
      operations: [{ kind: "rejoin", ...self, incarnation }],
      clusters: [self.cluster],
      hash: digestOf(signed.body),
      signed,
    };
  }
}

function requestOf({ body }: Signed) {
  const { nonce, validUntil, rejoin } = requestBodySchema.decode(body);
  return { nonce, validUntil, incarnation: rejoin?.incarnation ?? 0 };
}
