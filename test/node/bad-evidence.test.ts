// Evidence that proves nothing: forged and misused certificates, blocks that nobody asked for, verdicts that cannot be
// (protocol 2, 3, 4). Each is refused with a named code, counted, and leaves no trace on any disk.

import { describe, expect, test } from "vitest";
import type { ClusterId } from "../../src/types/ids.js";
import { certificateOf, injectAs, nextEntry, paymentBlock } from "../support/forge.js";
import { quiet, refused, underWay, ZERO } from "../support/refusals.js";

describe("evidence", () => {
  test("bad-certificate: in COMMITTED and CHUNK", async () => {
    const { network, entry } = await underWay();
    const { digest } = entry;
    const block = network.node("c2n0").replica.knownBlock(digest);
    if (block === undefined) throw new Error("the block is not known");
    const other = { ...entry, slot: entry.slot + 1 };
    const good = certificateOf(network, entry, [0, 1, 2]);
    const crash = nextEntry(network, 1, digest);
    const third = { ...nextEntry(network, 3, digest), digest };
    const twice = certificateOf(network, entry, [0, 1, 1]);
    const mixed = { ...good, commits: [...good.commits.slice(0, 2), ...certificateOf(network, other, [2]).commits] };
    const forged = good.commits.map(({ body, signature }, i) => ({
      body,
      signature: i === 1 ? signature.subarray(1) : signature,
    }));
    const ofOther = certificateOf(network, { ...entry, digest: ZERO }, [0, 1, 2]);
    const claims = [
      ["too few", certificateOf(network, entry, [0, 1])],
      ["a node twice", twice],
      ["COMMITs that differ", mixed],
      ["a forged signature", { ...good, commits: forged }],
      ["another block's", ofOther],
      ["another cluster's name", { ...good, cluster: 1 }],
      ["a cluster that is not involved", certificateOf(network, third, [0])],
      ["a cluster that does not exist", { ...good, cluster: 9 }],
      ["nothing in it", { cluster: 2, commits: [] }],
      ["noise for a COMMIT", { cluster: 1, commits: [{ body: Uint8Array.of(9, 9), signature: new Uint8Array(64) }] }],
    ] as const;
    for (const [what, certificate] of claims) {
      const committed = { kind: "committed", digest, certificates: [certificate] } as const;
      expect(await refused(network, "c1n1", "c2n1", committed), what).toEqual(["bad-certificate"]);
      const chunk = { kind: "chunk", digest, certificates: [certificate], block } as const;
      expect(await refused(network, "c1n1", "c2n1", chunk), what).toEqual(["bad-certificate"]);
    }
    // Crash clusters believe each other, byzantine ones do not believe one crash cluster about another.
    const hearsay = { cluster: 1, commits: certificateOf(network, { ...third, cluster: 3 as ClusterId }, [0]).commits };
    const message = { kind: "committed", digest, certificates: [hearsay] } as const;
    expect(await refused(network, "c3n0", "c2n1", message)).toEqual(["bad-certificate"]);
    const wanted = { kind: "committed", digest, certificates: [certificateOf(network, crash, [0])] } as const;
    expect((await injectAs(network, "c1n0", "c2n1", wanted)).codes).toEqual([]);
  });

  test("bad-certificate: about a block that the receiver does not know", async () => {
    const network = await quiet();
    const entry = nextEntry(network, 2, ZERO);
    const committed = {
      kind: "committed",
      digest: ZERO,
      certificates: [certificateOf(network, entry, [0, 1, 2])],
    } as const;
    expect(await refused(network, "c2n0", "c2n1", committed)).toEqual(["bad-certificate"]);
  });

  test("nothing is taken from a block that nobody asked for and nothing proves", async () => {
    const network = await quiet();
    const block = paymentBlock(network, 2, 1);
    const chunk = { kind: "chunk", digest: block.digest, certificates: [], block } as const;
    expect(await refused(network, "c2n1", "c2n0", chunk)).toEqual([]);
  });

  test("RESULTs: malformed of another length or with unknown codes, not-involved of a cluster outside of P", async () => {
    const { network, entry } = await underWay();
    const say = (cluster: number, ...verdicts: number[]) =>
      ({
        kind: "result",
        cluster: cluster as ClusterId,
        node: 1,
        digest: entry.digest,
        verdicts: Uint8Array.from(verdicts),
        final: false,
      }) as const;
    expect(await refused(network, "c2n1", "c1n0", say(2, 0, 0))).toEqual(["malformed"]);
    expect(await refused(network, "c2n1", "c1n0", say(2))).toEqual(["malformed"]);
    expect(await refused(network, "c2n1", "c1n0", say(2, 99))).toEqual(["malformed"]);
    expect(await refused(network, "c3n1", "c1n0", say(3, 0))).toEqual(["not-involved"]);
  });
});
