// A node that asks, for whatever it heard of and for what does not exist, with evidence that proves nothing, and says
// that it knows of nothing: so others spend their time on answers, show it blocks, or suspect their primary (protocol
// 3.4: only queries with a decision certificate, of f + 1 nodes of one cluster, do that).

import type { ClusterId, Digest } from "../../types/ids.js";
import type { NodeMessage } from "../../types/message.js";
import type { Certificate } from "../../types/schema.js";
import type { Below, Villain, VillainContext } from "../observer.js";
import { Allowance, happens, oneOf, Recent, someOf, within } from "./draw.js";
import { digestOfNumber, entryIn, everyone, selfMade, tell } from "./speech.js";

const KEPT_MAX = 256;

export function nag(below: Below): Villain {
  const allowance = new Allowance(within(below, { from: 5, to: 100 }));
  const digests = new Recent<Digest, Digest>(KEPT_MAX);
  const proofs = new Recent<Digest, Certificate>(KEPT_MAX);

  function question(context: VillainContext): NodeMessage {
    const { below: draw, world } = context;
    const clusters = world.topology.clusters.map(({ id }) => id);
    const known = digests.values();
    const digest = known.length === 0 || happens(draw, 10) ? digestOfNumber(draw(1000)) : oneOf(draw, known);
    if (happens(draw, 20)) return { kind: "unknown", digest };
    if (happens(draw, 20)) return { kind: "fetch", digest };
    const evidence = happens(draw, 80) ? falseEvidence(digest, oneOf(draw, clusters), context) : undefined;
    const asked = { missing: someOf(draw, clusters), verdicts: someOf(draw, clusters), body: happens(draw, 50) };
    return { kind: "accept-query", digest, ...asked, evidence };
  }

  /** Made by itself, or of another block, or true, so that the rest of the question is taken for serious. */
  function falseEvidence(digest: Digest, cluster: ClusterId, context: VillainContext): Certificate {
    const others = proofs.values();
    if (others.length === 0 || happens(context.below, 50)) return selfMade(digest, cluster, context);
    return proofs.get(digest) ?? oneOf(context.below, others);
  }

  return {
    name: "nag",
    hear(event) {
      if (event.kind !== "message") return event;
      const { message } = event.verified;
      const digest = "digest" in message ? message.digest : entryIn(message)?.digest;
      if (digest !== undefined) digests.set(digest, digest);
      const proof = "certificates" in message ? message.certificates[0] : undefined;
      if (digest !== undefined && proof !== undefined) proofs.set(digest, proof);
      return event;
    },
    bend(outgoing, context) {
      const { below: draw, world } = context;
      if (!allowance.take(world.now)) return outgoing;
      const to = happens(draw, 50) ? everyone(context) : someOf(draw, everyone(context));
      return [...outgoing, ...tell(question(context), to, context)];
    },
  };
}
