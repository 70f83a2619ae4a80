// Decision certificates (protocol 2, 3 step 4): what proves a decision, to whom, and what does not.

import { describe, expect, test } from "vitest";
import { checkCertificate, decidedOf, decodeCommit, encodeCommit, mayAttest } from "../../src/cluster/certificate.js";
import { quorumOf } from "../../src/cluster/quorum.js";
import { ed25519Verifier } from "../../src/crypto/signature.js";
import { type ClusterId, type Digest, type Entry, sequenceOf } from "../../src/types/ids.js";
import { type Certificate, commitSchema } from "../../src/types/schema.js";
import type { FailureModel } from "../../src/types/topology.js";
import { certificateOf, commitOf, signedOf } from "../support/forge.js";
import { TestNetwork } from "../support/network.js";

const [ONE, TWO, THREE, FOUR] = [1, 2, 3, 4] as ClusterId[] as [ClusterId, ClusterId, ClusterId, ClusterId];
const DIGEST = "ab".repeat(32) as Digest;
const P = [ONE, TWO, THREE];

/** 1 and 3 crash, 2 and 4 byzantine. */
const network = await TestNetwork.create({ models: ["crash", "byzantine", "crash", "byzantine"] });
const context = { topology: network.topology, members: network.members, verifier: ed25519Verifier };

function entryOf(cluster: ClusterId, change: Partial<Entry> = {}): Entry {
  return { cluster, view: 0, round: 1, slot: 1, sequence: sequenceOf(1, cluster), digest: DIGEST, ...change };
}

function check(certificate: Certificate, holder: FailureModel = "crash", clusters: readonly ClusterId[] = P) {
  const checked = checkCertificate(certificate, context, { digest: DIGEST, clusters, holder });
  return checked.ok ? checked.entry : checked.reason;
}

describe("of a crash cluster", () => {
  test("one COMMIT of any of its nodes is enough, to everyone, from any view and in any round", () => {
    for (const holder of ["crash", "byzantine"] as const) {
      for (const node of [0, 1, 2]) {
        for (const change of [{}, { view: 7 }, { round: 0 as const }]) {
          const entry = entryOf(ONE, change);
          expect(check(certificateOf(network, entry, [node]), holder)).toEqual(entry);
        }
      }
    }
  });

  test("two COMMITs are one too many, and none is none", () => {
    expect(check(certificateOf(network, entryOf(ONE), [0, 1]))).toBe("2 commits of cluster 1, 1 needed");
    expect(check({ cluster: ONE, commits: [] })).toBe("0 commits of cluster 1, 1 needed");
  });

  test("the vector of another involved crash cluster proves it to crash clusters only", () => {
    const vector = commitOf(entryOf(THREE), 0, []);
    const entries = [entryOf(ONE), entryOf(THREE)];
    const signed = signedOf(network, "c3n0", { ...vector, entries });
    const certificate = { cluster: ONE, commits: [signed] };
    expect(check(certificate, "crash")).toEqual(entries[0]);
    expect(check(certificate, "byzantine")).toBe("signer may not attest");
    expect(check(certificate, "crash", [ONE, TWO])).toBe("signer may not attest");
  });

  test("a byzantine cluster's node proves nothing about it", () => {
    const signed = signedOf(network, "c2n0", { ...commitOf(entryOf(TWO), 0), entries: [entryOf(ONE)] });
    expect(check({ cluster: ONE, commits: [signed] })).toBe("signer may not attest");
  });
});

describe("of a byzantine cluster", () => {
  const quorum = quorumOf(network.members.clusterOf(TWO));

  test("q COMMITs of different nodes over one entry, no more and no fewer", () => {
    const entry = entryOf(TWO);
    expect(quorum).toBe(3);
    for (const nodes of [
      [0, 1, 2],
      [3, 1, 0],
    ]) {
      for (const holder of ["crash", "byzantine"] as const) {
        expect(check(certificateOf(network, entry, nodes), holder)).toEqual(entry);
      }
    }
    expect(check(certificateOf(network, entry, [0, 1]))).toBe("2 commits of cluster 2, 3 needed");
    expect(check(certificateOf(network, entry, [0, 1, 2, 3]))).toBe("4 commits of cluster 2, 3 needed");
    expect(check(certificateOf(network, entry, [0, 1, 0]))).toBe("a node signed twice");
  });

  test.each<[string, Partial<Entry>]>([
    ["slot", { slot: 2 }],
    ["sequence", { sequence: sequenceOf(2, TWO) }],
    ["view", { view: 1 }],
    ["round", { round: 0 }],
  ])("COMMITs of two ballots, slots or sequences do not count together: %s", (_, change) => {
    const { commits } = certificateOf(network, entryOf(TWO), [0, 1]);
    const other = certificateOf(network, entryOf(TWO, change), [2]).commits;
    expect(check({ cluster: TWO, commits: [...commits, ...other] })).toBe("commits differ");
  });

  test("a crash cluster proves nothing about it", () => {
    const signed = [0, 1, 2].map((node) =>
      signedOf(network, `c1n${node}`, { ...commitOf(entryOf(ONE), node), entries: [entryOf(ONE), entryOf(TWO)] }),
    );
    expect(check({ cluster: TWO, commits: signed })).toBe("signer may not attest");
  });
});

describe("refused in any case", () => {
  test("a cluster that does not exist, or is not involved", () => {
    expect(check({ ...certificateOf(network, entryOf(ONE), [0]), cluster: 9 })).toBe("cluster 9 does not exist");
    expect(check(certificateOf(network, entryOf(FOUR), [0, 1, 2]))).toBe("cluster 4 is not involved");
  });

  test("COMMITs about another block", () => {
    const other = entryOf(TWO, { digest: "cd".repeat(32) as Digest });
    expect(check(certificateOf(network, other, [0, 1, 2]))).toBe("commit of something else");
    expect(check({ ...certificateOf(network, entryOf(THREE), [0]), cluster: ONE })).toBe("commit of something else");
  });

  test("a signature of another node, for another network, or of other bytes", () => {
    const { commits } = certificateOf(network, entryOf(TWO), [0, 1, 2]);
    const [first, second, third] = commits as [
      Certificate["commits"][0],
      Certificate["commits"][0],
      Certificate["commits"][0],
    ];
    const swapped = [first, { ...second, signature: third.signature }, third];
    expect(check({ cluster: TWO, commits: swapped })).toBe("bad signature");
    const body = commitSchema.encode({ ...commitSchema.decode(second.body), node: 3 });
    expect(check({ cluster: TWO, commits: [first, { ...second, body }, third] })).toBe("bad signature");
  });

  test("a node that does not exist", () => {
    const ghost = { ...commitOf(entryOf(ONE), 77) };
    const signed = { ...signedOf(network, "c1n0", commitOf(entryOf(ONE), 0)), body: encodeCommit(ghost) };
    expect(check({ cluster: ONE, commits: [signed] })).toBe("signer may not attest");
    expect(mayAttest({ cluster: ONE, node: 77 }, ONE, network.members, { clusters: P, holder: "crash" })).toBe(false);
  });
});

describe("the bytes of a COMMIT", () => {
  test("come back as they were", () => {
    const commit = { ...commitOf(entryOf(ONE), 2), entries: [entryOf(ONE), entryOf(THREE, { round: 0, slot: 9 })] };
    expect(decodeCommit(encodeCommit(commit))).toEqual(commit);
  });

  test.each<[string, Partial<Entry>[]]>([
    ["no entries", []],
    ["a slot 0", [{ slot: 0 }]],
    ["another cluster's sequence", [{ sequence: sequenceOf(3, TWO) }]],
    ["clusters out of order", [{ cluster: THREE, sequence: sequenceOf(1, THREE) }, {}]],
    ["a cluster twice", [{}, {}]],
    ["round 2", [{ round: 2 as never }]],
  ])("are not those of a COMMIT: %s", (_, changes) => {
    const entries = changes.map((change) => entryOf(ONE, change));
    expect(decodeCommit(encodeCommit({ ...commitOf(entryOf(ONE), 0), entries }))).toBeUndefined();
  });

  test("noise is not thrown at", () => {
    expect(decodeCommit(Uint8Array.of(255, 255))).toBeUndefined();
    expect(
      decidedOf(DIGEST, { cluster: ONE, commits: [{ body: Uint8Array.of(9), signature: new Uint8Array(0) }] }),
    ).toBeUndefined();
  });

  test("say what a certificate proves", () => {
    const certificate = certificateOf(network, entryOf(TWO), [0, 1, 2]);
    expect(decidedOf(DIGEST, certificate)).toEqual({ entry: entryOf(TWO), certificate });
    expect(decidedOf("cd".repeat(32) as Digest, certificate)).toBeUndefined();
  });
});
